"""Files with code planted in them, given to the real commands: nothing runs, and one message says what is wrong."""

import io
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import torch
import yaml

from tests.cli.miniature import write_sthv2
from tests.cli.runner import dynsearch_here
from tests.export.bundles import toy_bundle
from tests.plans import small_plan


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.fixture
def work(tmp_path):
    """A folder with a small plan, to which files are added; ``ran`` appears where planted code has run."""
    small_plan("1x3", "4x5").save(tmp_path / "plan.yaml")
    return tmp_path


def npz(path, array):
    """Write exit scores of which one array is pickled."""
    np.savez(
        path, confidence=np.random.default_rng(0).random((2, 9)), correct=np.ones((2, 9), bool), gmacs=array,
        allow_pickle=True,
    )  # fmt: skip


def wrapped(planted):
    return np.array([planted, planted], dtype=object)


YAML = '!!python/object/apply:builtins.open ["{}", "w"]\n'


def test_the_planted_code_would_run(work):
    ran = work / "ran"
    pickled = pickle.dumps(Planted(ran))
    assert not ran.exists()
    pickle.loads(pickled).close()
    assert ran.exists()
    ran.unlink()
    yaml.unsafe_load(YAML.format(ran)).close()
    assert ran.exists()


@pytest.mark.parametrize("kind", ["pickle", "torch", "torch-zip", "inside-a-state-dict"])
@pytest.mark.parametrize("name", ["evil.pth", "evil.safetensors"])
@pytest.mark.reliability(
    "Security",
    "code planted in weights, exit scores, YAML or a bundle",
    happens="is not run: no pickle is loaded and no object built",
    sees="can't be read as weights: ..., not readable as YAML: ...",
)
def test_weights(work, kind, name):
    planted = Planted(work / "ran")
    content = {"conv1.weight": torch.zeros(1), "more": planted} if kind == "inside-a-state-dict" else planted
    if kind == "pickle":
        (work / name).write_bytes(pickle.dumps(planted))
    else:
        torch.save(content, work / name, _use_new_zipfile_serialization=kind != "torch")
    write_sthv2(work / "data")
    told = dynsearch_here(
        "train", "plan.yaml", "--dataset", "sthv2", "--data-root", "data", "--output", "net", "--weights", name,
        "--set", "training.num_workers=0", cwd=work, code=2,
    ).err  # fmt: skip
    assert f"{name}: can't be read as weights" in told
    assert not (work / "ran").exists()


@pytest.mark.reliability("Security", "code planted in weights, exit scores, YAML or a bundle")
def test_exit_scores(work):
    npz(work / "evil.npz", wrapped(Planted(work / "ran")))
    told = dynsearch_here("calibrate", "evil.npz", "--max-gflops", 5, cwd=work, code=2).err
    assert "evil.npz: can't be read as exit scores" in told
    (work / "whole.npz").write_bytes(pickle.dumps(Planted(work / "ran")))
    told = dynsearch_here("calibrate", "whole.npz", "--max-gflops", 5, cwd=work, code=2).err
    assert "whole.npz: is a pickle, not an .npz file" in told
    assert not (work / "ran").exists()


@pytest.mark.reliability(
    "Security", "an archive with a member called ../file", happens="nothing is unpacked to disk, ever"
)
def test_members_of_exit_scores_do_not_leave_their_file(work):
    with zipfile.ZipFile(work / "evil.npz", "w") as file:
        buffer = io.BytesIO()
        np.save(buffer, np.zeros(3))
        file.writestr("../ran", buffer.getvalue())
        file.writestr("gmacs.npy", buffer.getvalue())
    dynsearch_here("calibrate", "evil.npz", "--max-gflops", 5, cwd=work, code=2)
    assert not (work.parent / "ran").exists()


@pytest.mark.parametrize(
    "command",
    [
        ("cost", "evil.yaml"),
        ("study", "--recipe", "evil.yaml"),
        ("study", "--dataset", "motions", "--space", "evil.yaml", "--data-root", "nowhere"),
        ("train", "evil.yaml", "--dataset", "motions", "--output", "net"),
        ("frontier", "study"),
        ("report", "study"),
        ("predict", "bundle", "video.webm"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.reliability("Security", "code planted in weights, exit scores, YAML or a bundle")
def test_yaml(work, command, nested):
    text = ("backbones:\n  - " if nested else "") + YAML.format(work / "ran")
    (work / "evil.yaml").write_text(text)
    (work / "studies" / "study").mkdir(parents=True)
    (work / "studies" / "study" / "study.yaml").write_text(text)
    if command[0] == "predict":
        toy_bundle(work / "bundle")
        (work / "bundle" / "plan.yaml").write_text(text)
    told = dynsearch_here(*command, cwd=work, code=2).err
    assert "not readable as YAML" in told
    assert told.count("dynsearch:") == 1
    assert not (work / "ran").exists()


@pytest.mark.reliability("Security", "code planted in weights, exit scores, YAML or a bundle")
def test_a_bundles_weights_and_policy(work):
    toy_bundle(work / "bundle")
    shutil.copytree(work / "bundle", work / "other")
    (work / "bundle" / "weights.safetensors").write_bytes(pickle.dumps(Planted(work / "ran")))
    (work / "other" / "policy.yaml").write_text(YAML.format(work / "ran"))
    for name, says in (("bundle", "weights"), ("other", "policy.yaml")):
        assert says in dynsearch_here("predict", name, "video.webm", cwd=work, code=2).err
    assert not (work / "ran").exists()
