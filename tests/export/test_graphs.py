"""Graph files in other runtimes: the same answers, the same exits, and really fewer steps run."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from dynsearch.errors import BundleError
from dynsearch.export.graphs import runner, write_graphs
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.network.step_module import step_modules
from dynsearch.plan import TemporalShift
from dynsearch.scores import CONFIDENCE_MEASURES, ExitScores
from dynsearch.scores.confidence import patience
from dynsearch.scores.gain import fit_gain
from dynsearch.thresholds import ExitPolicy
from tests.export.bundles import toy_bundle
from tests.network.nets import lively_network, random_clips
from tests.plans import compressed_plan, focus_plan, small_plan

INSIDE = TemporalShift(across_groups=False)
PLANS = {
    "paper's order": small_plan(image_size=48),
    "groups apart, two frames a set": small_plan(
        "1x2", "1x3", "3x3", "4x5", num_frames=8, image_size=48, temporal_shift=INSIDE
    ),
    "in time's order, convolutional heads": small_plan(
        "1x4", "2x4", "4x4", order="sequential", image_size=48, head="conv128+linear", share_heads=True
    ),
    "heads that know the order, exits at one depth": small_plan(
        "1x4", "2x4", "4x4", "4x5", image_size=48, head="slots"
    ),
    "no shift, one exit": small_plan("4x5", image_size=48, temporal_shift=TemporalShift("none")),
    "several scales": small_plan("1x2", "2x4", "4x5", backbone="msdnet23", image_size=64),
    "a patch a frame": focus_plan(temporal_shift=TemporalShift("online")),
    "a patch a video": focus_plan("video", exits=("4x1", "4x2"), global_frames=2),
    "compressed": compressed_plan("4x5", "8x5"),
}


def assert_same_answers(bundle, folder, batch=6):
    clips = random_clips(bundle.plan, batch=batch, seed=3)
    ours = LoadedNetwork(bundle).network.forward_until(clips, bundle.policy)
    logits, exits = runner.Network(folder, threads=1).run(clips.numpy())
    assert exits.tolist() == ours.exit.tolist()
    np.testing.assert_allclose(logits, ours.logits.numpy(), atol=1e-4, rtol=1e-4)
    return set(exits.tolist())


@pytest.mark.parametrize("name", PLANS)
def test_the_steps_one_after_the_other_are_the_network(name):
    """The cut itself, without any exporter: cheap enough for every plan."""
    plan = PLANS[name]
    network, clips = lively_network(plan), random_clips(plan)
    with torch.inference_mode():
        expected = network(clips)
    for step, tensors in step_modules(network, clips):
        with torch.inference_mode():
            torch.testing.assert_close(step(tensors)[0], expected[step.k], atol=1e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def onnx_bundle(tmp_path_factory):
    pytest.importorskip("onnxscript", reason="needs onnxscript: make install")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: make install")
    bundle = toy_bundle(tmp_path_factory.mktemp("onnx") / "net", PLANS["paper's order"])
    write_graphs(bundle, bundle.folder / "onnx", "onnx")
    return bundle


def test_onnx_gives_our_answers_and_stops_where_we_stop(onnx_bundle):
    assert len(assert_same_answers(onnx_bundle, onnx_bundle.folder / "onnx")) > 1
    assert_same_answers(onnx_bundle, onnx_bundle.folder / "onnx", batch=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*list(PLANS)[1:5], "compressed"])
def test_onnx_of_every_kind_of_plan(tmp_path, name):
    pytest.importorskip("onnxscript", reason="needs onnxscript: make install")
    pytest.importorskip("onnxruntime", reason="needs onnxruntime: make install")
    bundle = toy_bundle(tmp_path / "net", PLANS[name])
    write_graphs(bundle, tmp_path / "graphs", "onnx")
    assert_same_answers(bundle, tmp_path / "graphs")


def test_torch_export_gives_our_answers(tmp_path):
    plan = small_plan("1x3", "3x4", num_frames=8, image_size=48, temporal_shift=INSIDE)
    bundle = toy_bundle(tmp_path / "net", plan)
    (tmp_path / "graphs").mkdir()
    (tmp_path / "graphs" / "step9.onnx").write_bytes(b"of another plan")
    write_graphs(bundle, tmp_path / "graphs", "torch-export")
    assert len(list((tmp_path / "graphs").glob("step*"))) == 2
    assert assert_same_answers(bundle, tmp_path / "graphs")


def test_steps_beyond_the_exit_are_not_run(onnx_bundle):
    network = runner.Network(onnx_bundle.folder / "onnx", threads=1)
    network.thresholds = [float("inf"), float("-inf"), float("-inf")]
    network._graphs[2] = None  # Calling it would fail.
    _, exits = network.run(random_clips(onnx_bundle.plan).numpy())
    assert exits.tolist() == [1, 1, 1]


def test_weights_are_kept_once_for_all_graphs(onnx_bundle):
    folder = onnx_bundle.folder / "onnx"
    graphs = sum(path.stat().st_size for path in folder.glob("*.onnx"))
    weights, once = ((folder / "weights.bin").stat().st_size, onnx_bundle.weights.stat().st_size)
    assert weights < 1.3 * once  # Every tensor begins at a page.
    assert graphs < once


@pytest.mark.reliability(
    "Files",
    "videos that exported graphs' `run.py` can't read, among others",
    happens="each is named in one line, the others are answered, and the exit code is 1",
    sees="`run.py: ... is damaged: ...`",
)
def test_the_folder_runs_where_torch_and_dynsearch_are_not(onnx_bundle, tmp_path):
    """A video through run.py in a process that refuses to import either, from another folder."""
    from tests.cli.miniature import write_webm
    from tests.data.test_one_way_to_open import COVER, VIDEO, latin_tags, written

    write_webm(tmp_path / "video.webm", (2, 0), seed=1)
    latin_tags(tmp_path / "latin.mkv")
    written(tmp_path / "cover.mkv", COVER, VIDEO)
    (tmp_path / "cut.webm").write_bytes((tmp_path / "video.webm").read_bytes()[:-900])
    code = (
        "import sys\n"
        "class No:\n"
        "    def find_spec(self, name, *rest):\n"
        "        assert name.split('.')[0] not in ('torch', 'dynsearch', 'timm'), name\n"
        "sys.meta_path.insert(0, No())\n"
        "import runpy\n"
        "sys.argv = ['run.py', 'video.webm', 'latin.mkv', 'cut.webm', 'none.mp4', 'cover.mkv']\n"
        f"runpy.run_path({str(onnx_bundle.folder / 'onnx' / 'run.py')!r}, run_name='__main__')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 3), done.stderr
    assert "run.py: onnxruntime CPU, float32" in done.stderr
    assert "cut.webm: is damaged" in done.stderr
    assert "No such file" in done.stderr
    theirs, latin, cover = map(json.loads, done.stdout.splitlines())
    for other in (latin, cover):
        ours = LoadedNetwork(onnx_bundle).predict(tmp_path / other["video"])
        assert (other["label"], other["exit"]) == (ours.label, ours.exit)
    ours = LoadedNetwork(onnx_bundle).predict(tmp_path / "video.webm")
    assert (theirs["label"], theirs["exit"], theirs["frames"]) == (ours.label, ours.exit, ours.frames)
    assert theirs["gflops"] == pytest.approx(ours.cost)
    # Pillow and torchvision resize to within a level or two of 255.
    assert theirs["probability"] == pytest.approx(ours.probability, abs=0.02)


def test_pictures_are_prepared_as_we_prepare_them(onnx_bundle, tmp_path):
    from tests.cli.miniature import write_webm

    write_webm(tmp_path / "video.webm", (2, 0), seed=1)
    ours = LoadedNetwork(onnx_bundle).read_clip(tmp_path / "video.webm").numpy()
    theirs = runner.Network(onnx_bundle.folder / "onnx", threads=1).read(tmp_path / "video.webm")
    one_level = 1 / 255 / 0.224
    assert np.abs(theirs - ours).max() < 2.5 * one_level
    assert np.abs(theirs - ours).mean() < 0.2 * one_level


@pytest.mark.parametrize("measure", [*CONFIDENCE_MEASURES, "patience", "learned-gain"])
def test_the_runners_confidences_are_ours(measure):
    rng = np.random.default_rng(0)
    logits_ENK = rng.normal(0, 3, (4, 50, 7)).astype(np.float32)
    labels_N = rng.integers(0, 7, 50)
    scores = ExitScores.from_logits(logits_ENK, labels_N, np.arange(1.0, 5.0))
    facts = {"confidence": measure, "gain": None}
    if measure == "learned-gain":
        gain, _ = fit_gain(scores)
        facts["gain"] = gain.facts()
        expected = ExitPolicy((0.0, 0.0, 0.0, float("-inf")), measure, gain=gain).confidence_of(scores)
    elif measure == "patience":
        expected = patience(logits_ENK.argmax(axis=2))
    else:
        expected = scores.confidence(measure)
    network = runner.Network.__new__(runner.Network)
    network.facts = facts
    seen = np.stack([network._measure(logits_NK) for logits_NK in logits_ENK[:3]])
    for k in range(3):
        np.testing.assert_array_equal(network._confidence(seen[: k + 1]), expected[k])


def test_an_unknown_format_is_refused(tmp_path):
    bundle = toy_bundle(tmp_path / "net")
    with pytest.raises(BundleError, match="no graph format 'caffe'. Formats: onnx, torch-export"):
        write_graphs(bundle, tmp_path / "graphs", "caffe")
    assert not (tmp_path / "graphs").exists()


def test_an_export_that_fails_leaves_the_older_one_whole(onnx_bundle, tmp_path):
    import shutil

    shutil.copytree(onnx_bundle.folder / "onnx", tmp_path / "graphs")
    before = {path.name: path.read_bytes() for path in (tmp_path / "graphs").iterdir()}
    broken = replace(onnx_bundle, plan=replace(onnx_bundle.plan, backbone="resnet18"))
    with pytest.raises(Exception, match="another network"):
        write_graphs(broken, tmp_path / "graphs", "onnx")
    assert {path.name: path.read_bytes() for path in (tmp_path / "graphs").iterdir()} == before
    assert {path.name for path in tmp_path.iterdir()} == {"graphs"}
