"""The code and the commands of every guide, run as they stand on miniature data."""

import json
import re
import shutil
import sys

import numpy as np
import pytest
import yaml

from dynsearch.data.motions.dataset import MotionsSizes, generate_motions
from dynsearch.thresholds import ExitPolicy
from tests.cli.runner import dynsearch_here
from tests.data.videos import encode
from tests.docs.guide import DOCS, blocks_of, run_guide

RUN_BELOW = {
    "calibrate.md", "quickstart.md", "reading-a-frontier.md", "own-data.md", "own-backbone.md", "python.md",
    "serving.md", "trained-network.md",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _as_before(monkeypatch):
    """Guides put folders on the path and import modules from them."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in ("run", "my_backbone"):
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a small motions data set."""
    home = tmp_path_factory.mktemp("home")
    sizes = MotionsSizes(num_train=36, num_validation=12, num_unlabelled=2)
    generate_motions(home / "data" / "motions", sizes, num_workers=0)
    return home


@pytest.fixture(scope="module")
def studied(tmp_path_factory, home):
    """A folder in which the quick start has been followed, and what it printed."""
    folder = tmp_path_factory.mktemp("guides")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DYNSEARCH_HOME", str(home))
        printed = run_guide("quickstart.md", folder)
    return folder, printed


def test_every_page_with_code_is_run_here():
    pages = {path.name for path in DOCS.glob("*.md")}
    with_code = {name for name in pages if any(kind in ("sh", "python") for kind, _, _ in blocks_of(name))}
    assert with_code == RUN_BELOW


def test_links_between_pages_lead_somewhere():
    for page in [*DOCS.glob("*.md"), DOCS.parent / "README.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
            assert target.startswith("http") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_calibrate(tmp_path):
    *printed, from_python = run_guide("calibrate.md", tmp_path)
    assert all("best point" in text for text in printed if text)
    assert ExitPolicy.load(tmp_path / "policy.yaml").plan_id == "cosines"
    assert 0.5 < float(from_python.split()[-1]) < 1


@pytest.mark.slow
def test_quickstart(studied):
    folder, printed = studied
    assert "Best under 0.04 GFLOPs per video" in printed[0]
    assert json.loads(printed[2])["study"] == "motions"
    assert "stopping early" in printed[4]
    assert "full inference" in printed[4]
    assert (folder / "labelled.mp4").stat().st_size > 1000
    assert "on calibration" in printed[-1]


@pytest.mark.slow
def test_reading_a_frontier(studied, home, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(home))
    printed = run_guide("reading-a-frontier.md", studied[0])
    assert (studied[0] / "frontier.svg").is_file()
    assert "test_top1_low" in printed[1]


@pytest.mark.slow
def test_serving(studied, home, monkeypatch):
    pytest.importorskip("onnxscript", reason="needs onnxscript: make install")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: make install")
    monkeypatch.setenv("DYNSEARCH_HOME", str(home))
    video = home / "data" / "motions" / "20bn-something-something-v2" / "3.mp4"
    shutil.copy(video, studied[0] / "video.mp4")
    printed = run_guide("serving.md", studied[0])
    ours, through_graphs = printed[1].split(), json.loads(printed[5])
    assert through_graphs["label"] in printed[1]
    assert through_graphs["exit"] == int(ours[-3])


@pytest.mark.slow
def test_own_data(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    rows = ["path,person"]
    for number, (label, step) in enumerate({"nod": (0, 2), "wave": (2, 0)}.items()):
        for place in range(16):
            name = f"{label}/{16 * number + place + 1:04d}.avi"
            write_avi(tmp_path / "my-videos" / name, step, seed=place)
            rows.append(f"{name},{('anna', 'ben', 'chris', 'dora')[place % 4]}")
    (tmp_path / "my-videos" / "groups.csv").write_text("\n".join(rows))

    printed = run_guide("own-data.md", tmp_path)

    assert "32 videos (32 train) of 2 classes and 4 groups" in printed[0]
    assert "Nothing is wrong with them." in printed[0]
    assert "Best under 0.05" in printed[1]
    assert len([json.loads(line) for line in printed[3].splitlines()]) == 16
    for name, person in (("without-anna", "anna"), ("without-ben", "ben")):
        facts = yaml.safe_load((tmp_path / "studies" / name / "study.yaml").read_text())["data"]
        assert facts["test_groups"] == [person]
        assert facts["videos"]["test"] == 8
    assert "Best under 0.05" in printed[-1]

    facts = yaml.safe_load((tmp_path / "studies/my-recipe/study.yaml").read_text())["data"]
    held_out = {*facts["calibration_groups"], *facts["test_groups"]}
    (seen, *_) = sorted({"anna", "ben", "chris", "dora"} - held_out)
    told = dynsearch_here(
        "evaluate", "my-net", "--data-root", "my-videos", "--dataset", f"folders@{seen}", cwd=tmp_path
    )
    assert "8 of these videos were trained on" in told.err


@pytest.mark.slow
def test_trained_network(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(tmp_path / "home"))
    for place in range(16):
        for label, step in {"nod": (0, 2), "wave": (2, 0)}.items():
            write_avi(tmp_path / "my-videos" / label / f"{place}.avi", step, seed=place)
            write_avi(tmp_path / "other-videos" / "test" / label / f"{place}.avi", step, seed=100 + place)
    printed = run_guide("trained-network.md", tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "full network" in page
    assert "<svg" in page
    assert "32 all videos" in printed[4]
    assert "new videos:" in printed[6]
    assert printed[-1].splitlines()[-1] == "True"


def write_avi(path, step, seed):
    """A square moves by ``step`` pixels a frame: MPEG-4 with B-frames, as in UCF-101 and HMDB-51."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 60, (24, 96, 128, 3), dtype=np.uint8)
    for t, frame in enumerate(frames):
        frame[30 + step[1] * t :, 30 + step[0] * t :][:20, :20] = 230
    path.parent.mkdir(parents=True, exist_ok=True)
    encode(path, frames, "mpeg4", bf="2")


@pytest.mark.slow
def test_own_backbone(tmp_path):
    sys.path.insert(0, str(tmp_path))  # As for a script that lies there.
    printed = run_guide("own-backbone.md", tmp_path)
    assert "torch.Size([3, 2, 5])" in printed[1]
    assert "4x3" in printed[-1]


@pytest.mark.slow
def test_python(tmp_path, home, monkeypatch):
    monkeypatch.setenv("DYNSEARCH_HOME", str(home))
    printed = run_guide("python.md", tmp_path)
    assert "Best under" not in printed[0]
    assert "test_gflops" in printed[0]
    assert re.match(r"Study\(motions: \d+ plans, \d+ with shared weights, ", printed[1])
    assert "8x5" in printed[3]
    assert printed[4].startswith("Calibration(")
    assert 0 <= float(printed[5].splitlines()[-1]) <= 1
