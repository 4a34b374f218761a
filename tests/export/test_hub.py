"""Bundles in the layout of a model hub, through huggingface_hub's own code, on local folders."""

import json
import shutil

import pytest
import torch
import yaml
from huggingface_hub import HfApi, ModelCard, RepoUrl

import dynsearch
from dynsearch.errors import BundleError
from dynsearch.export.bundle import Bundle
from dynsearch.export.hub import download
from tests.export.bundles import CLASSES, toy_bundle
from tests.network.nets import random_clips


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return toy_bundle(tmp_path_factory.mktemp("hub") / "net")


def test_saved_for_the_hub_and_loaded_again_the_network_is_the_same(bundle, tmp_path):
    net = dynsearch.load(bundle.folder)
    table = bundle.folder / "time-tables" / "net.json"
    table.parent.mkdir(exist_ok=True)
    table.write_text("{}")
    net.save_pretrained(tmp_path / "hub")
    assert (tmp_path / "hub" / "time-tables" / "net.json").read_text() == "{}"
    shutil.rmtree(table.parent)
    names = {path.name for path in (tmp_path / "hub").iterdir()}
    assert names == {
        "config.json", "model.safetensors", "README.md", "plan.yaml", "policy.yaml", "labels.txt", "recipe.yaml",
        "promise.json", "time-tables",
    }  # fmt: skip
    again = dynsearch.load.from_pretrained(str(tmp_path / "hub"))
    clips = random_clips(bundle.plan)
    ours, theirs = (n.network.forward_until(clips, n.bundle.policy) for n in (net, again))
    assert torch.equal(ours.logits, theirs.logits)
    assert ours.exit.tolist() == theirs.exit.tolist()
    assert again.bundle.class_names == tuple(CLASSES)
    again.save_pretrained(tmp_path / "third")  # What came from a hub can go to one.
    assert Bundle.load(tmp_path / "third").plan == bundle.plan


def test_pushed_to_a_hub_it_loads_from_the_hubs_own_layout(bundle, tmp_path, monkeypatch):
    """The requests to the hub are left out: what would be uploaded goes where a download puts it."""
    repository, commit = tmp_path / "models--you--net", "0" * 40

    def upload(self, *, repo_id, folder_path, **options):
        shutil.copytree(folder_path, repository / "snapshots" / commit)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text(commit)

    monkeypatch.setattr(HfApi, "create_repo", lambda self, repo_id, **options: RepoUrl(repo_id))
    monkeypatch.setattr(HfApi, "upload_folder", upload)
    net = dynsearch.load(bundle.folder)
    net.push_to_hub("you/net")
    again = dynsearch.load.from_pretrained("you/net", cache_dir=tmp_path, local_files_only=True)
    assert again.bundle.folder == repository / "snapshots" / commit
    assert again.bundle.policy == net.bundle.policy
    states = (each.network.state_dict() for each in (net, again))
    assert all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))


def test_nothing_of_this_machine_is_saved(bundle, tmp_path):
    dynsearch.load(bundle.folder).save_pretrained(tmp_path / "hub")
    config = json.loads((tmp_path / "hub" / "config.json").read_text())
    assert config == {"library_name": "dynsearch", "plan": bundle.plan.to_dict()}
    for path in (tmp_path / "hub").iterdir():
        assert str(bundle.folder.parent).encode() not in path.read_bytes()


def test_the_card_is_one_the_hub_understands_with_the_figures_on_test(bundle):
    card = ModelCard.load(bundle.folder / "README.md")
    assert card.data.library_name == "dynsearch"
    assert card.data.pipeline_tag == "video-classification"
    measured = {result.metric_type: result.metric_value for result in card.data.eval_results}
    assert f"{100 * measured['top1']:.2f}%" in card.content
    lines = [line for line in card.content.splitlines() if line.startswith("| this |")]
    assert len(lines) == 1
    assert bundle.plan.plan_id in lines[0]
    assert f"{100 * measured['top1']:.2f}%" in lines[0]


def test_the_cards_full_inference_costs_what_the_last_exit_costs(bundle):
    (line,) = [
        line
        for line in (bundle.folder / "README.md").read_text().splitlines()
        if line.startswith("| test, if no video stopped early")
    ]
    net = dynsearch.load(bundle.folder)
    assert line.endswith(f"{net.network.cost_E[-1]:.4g} |")


def test_a_repository_that_cannot_be_had_is_said_in_one_message(monkeypatch):
    with pytest.raises(BundleError, match=r"you/net: can't be downloaded"):
        download("you/net", local_files_only=True)


def test_a_bundle_of_other_labels_is_refused(bundle, tmp_path):
    dynsearch.load(bundle.folder).save_pretrained(tmp_path / "hub")
    (tmp_path / "hub" / "labels.txt").write_text("one\ntwo\n")
    with pytest.raises(dynsearch.DynsearchError, match=r"model\.safetensors"):
        dynsearch.load(tmp_path / "hub")
    (tmp_path / "hub" / "recipe.yaml").write_text(yaml.safe_dump({"dataset": "toy"}))
    with pytest.raises(BundleError, match=r"recipe\.yaml: space"):
        Bundle.load(tmp_path / "hub")
