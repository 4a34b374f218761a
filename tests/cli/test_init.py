"""A recipe and a space for one's own videos: they fit what is there, and few videos are said to be few."""

import re

import pytest

import dynsearch
from dynsearch.errors import DataError
from dynsearch.space import SearchSpace
from dynsearch.study.own_recipe import fitting
from dynsearch.study.recipe_file import load_recipe
from tests.api.own_videos import write_folder
from tests.cli.runner import dynsearch_here

TESTS = ("dynsearch.cli.init",)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work")
    write_folder(folder / "My clips", {"wave": 20, "nod": 16})
    return folder


def test_the_recipe_is_read_and_its_budget_is_between_the_first_exit_and_the_whole_network(work, monkeypatch):
    monkeypatch.chdir(work)
    printed = dynsearch_here("init", "My clips", cwd=work).out
    assert "2 classes" in printed
    assert "48" in printed
    recipe, _ = load_recipe("My-clips.yaml")
    space = SearchSpace.load("My-clips-space.yaml")
    (plan, *_) = space.cheapest_plans()
    whole = dynsearch.Plan.from_dict(
        {"backbone": plan.backbone, "num_frames": 4, "image_size": plan.image_size, "frame_order": "sequential",
         "exits": ["4x5"]}
    )  # fmt: skip
    (most,) = dynsearch.cost_table(whole, 2).cost_E
    assert dynsearch.cost_table(plan, 2).cost_E[0] < recipe.budget < most
    assert plan.image_size <= 48  # no picture is made larger
    assert plan.num_frames <= 6  # nor a frame shown twice
    assert recipe.frame_cache.size >= plan.image_size
    assert recipe.training.pretrained
    assert recipe.training.batch_size <= 8
    assert "--data-root" in printed


def test_few_videos_are_said_by_init_and_by_a_study(work):
    printed = dynsearch_here("init", "My clips", "--name", "few", cwd=work).out
    assert "test videos: top-1 on them may be off by" in printed
    from dynsearch.study.source import open_clips

    recipe, _ = load_recipe("folders")
    said = []
    open_clips(recipe, work / "My clips", write=said.append)
    assert any(
        re.match(
            r"only \d+ calibration videos can't tell a loss .*; .* 100; .* --set calibration=folds would fit",
            line,
        )
        for line in said
    )


def test_lists_are_found_where_there_are_no_class_folders(work, tmp_path):
    write_folder(tmp_path / "videos", {"all": 12})
    rows = [f"videos/all/{number}.mp4,{('a', 'b')[number % 2]}\n" for number in range(12)]
    (tmp_path / "clips.csv").write_text("path,label\n" + "".join(rows))
    recipe, _, _ = fitting(tmp_path)
    assert recipe["dataset"] == "csv"


def test_nothing_is_overwritten_and_nothing_written_for_no_videos(work, tmp_path):
    (tmp_path / "clips.yaml").write_text("mine")
    refused = dynsearch_here("init", work / "My clips", "--name", "clips", cwd=tmp_path, code=2)
    assert "clips.yaml" in refused.err
    assert (tmp_path / "clips.yaml").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert "holds 0 folders with videos" in dynsearch_here("init", "empty", cwd=tmp_path, code=2).err
    assert not (tmp_path / "empty.yaml").exists()
    with pytest.raises(DataError, match="no such folder"):
        fitting(tmp_path / "nowhere")


def test_train_knows_the_papers_plans_and_ones_own_videos(work):
    """The plan is found by its name; what is refused is only that the folder is not there."""
    result = dynsearch_here(
        "train",
        "tsm-resnet50-8",
        "--dataset",
        "folders",
        "--data-root",
        "nowhere",
        "--output",
        "net",
        cwd=work,
        code=2,
    )
    assert "nowhere: there is no such folder" in result.err
    result = dynsearch_here("train", "tsm-resnet50", "--dataset", "csv", "--output", "net", cwd=work, code=2)
    assert "Did you mean 'tsm-resnet50-" in result.err or "Shipped: " in result.err
