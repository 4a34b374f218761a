"""Graphs in int8: quantised on calibration clips, with thresholds of their own, and run wherever graphs are run."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml

import dynsearch
from dynsearch.errors import BundleError
from dynsearch.export import Bundle
from dynsearch.export.graphs import runner, write_graphs
from dynsearch.export.graphs.quantize import quantise
from dynsearch.export.int8_files import int8_in
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.export.ownership import replace_graphs
from dynsearch.measures import CostMeasure
from dynsearch.network.runtimes.onnx import OnnxSteps, onnx_graph
from dynsearch.network.step_module import exported, step_modules
from dynsearch.network.waiting import every_exit
from dynsearch.plan import TemporalShift
from dynsearch.scores import ExitScores
from dynsearch.thresholds import ExitPolicy
from tests.api.own_videos import CLASSES, write_folder, write_network
from tests.cli.runner import dynsearch_here
from tests.network.nets import lively_network, random_clips
from tests.plans import compressed_plan, small_plan

onnx = pytest.importorskip("onnx", reason="needs onnx: make install")
pytest.importorskip("onnxscript", reason="needs onnxscript: make install")

TESTS = ("dynsearch.export.graphs.quantize", "dynsearch.export.int8_files")
EXPORT = ("export", "net", "--format", "onnx", "--quantize", "int8")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A bundle, with its int8 graphs in it; its videos stop at every exit."""
    folder = tmp_path_factory.mktemp("work")
    write_network(folder)
    write_folder(folder / "data", dict.fromkeys(CLASSES, 12))
    made = ("score", "plan.yaml", "--weights", "net.pth", "--dataset", "folders", "--data-root", "data")
    dynsearch_here(*made, "--output", "net", cwd=folder)
    recipe = folder / "net/recipe.yaml"
    values = yaml.safe_load(recipe.read_text())
    middle = float(ExitScores.load(folder / "net/scores-test.npz").cost_E[1])
    values |= {"solver": "geometric", "max_gflops": middle}
    recipe.write_text(yaml.safe_dump(values))
    (folder / "printed").write_text(dynsearch_here(*EXPORT, cwd=folder).out)
    return folder


def quantised_files(network, folder, clips):
    files = []
    for step, tensors in step_modules(network, torch.randn_like(clips[:2])):
        files.append(folder / f"step{step.k}.onnx")
        onnx_graph(exported(step, tensors), step).save(files[-1])
    quantise(network, files, clips.split(1))


def solved(scores):
    return dynsearch.solve_thresholds(scores, "geometric")


def saved(work, split):
    return ExitScores.load(work / f"net/onnx/scores-{split}.npz")


def clips_of(work, scores):
    loaded = LoadedNetwork(work / "net")
    return torch.stack([loaded.read_clip(work / "data" / name) for name in scores.video_ids_N])


def test_the_graphs_multiply_in_int8_and_keep_heads_and_state_in_float32(work):
    for k in range(3):
        model = onnx.load(work / f"net/onnx/step{k}.onnx")
        made = {out: node for node in model.graph.node for out in node.output}
        kinds = {tensor.name: tensor.data_type for tensor in model.graph.initializer}

        def weight(node, made=made, kinds=kinds):
            source = made.get(node.input[1])
            return kinds[source.input[0] if source is not None else node.input[1]]

        convs = [node for node in model.graph.node if node.op_type == "Conv"]
        (head,) = [node for node in model.graph.node if node.op_type in ("Gemm", "MatMul")]
        assert {weight(node) for node in convs} == {onnx.TensorProto.INT8}
        assert weight(head) == onnx.TensorProto.FLOAT
        ends = [*model.graph.input, *model.graph.output]
        assert {end.type.tensor_type.elem_type for end in ends} == {onnx.TensorProto.FLOAT}
        for name, kind in kinds.items():  # 7 bits: what multiplies them in 16 bits never overflows.
            tensor = next(each for each in model.graph.initializer if each.name == name)
            if kind == onnx.TensorProto.INT8 and tensor.dims:
                array = onnx.numpy_helper.to_array(tensor, base_dir=str(work / "net/onnx"))
                assert np.abs(array.astype(int)).max() <= 64


def test_scores_are_the_int8_networks_own_and_near_those_of_float32(work):
    scores, network = saved(work, "test"), runner.Network(work / "net/onnx", threads=1)
    assert network.runtime == "onnxruntime CPU, int8"
    clips = clips_of(work, scores).numpy()
    for k in range(3):
        network.thresholds = [float("inf")] * k + [float("-inf")] * (3 - k)
        logits, exits = network.run(clips)
        assert set(exits) == {k}
        np.testing.assert_allclose(logits, scores.logits_ENK[k], rtol=1e-3, atol=1e-3)
    float32 = ExitScores.load(work / "net/scores-test.npz")
    far = np.abs(scores.logits_ENK - float32.logits_ENK).max() / np.abs(float32.logits_ENK).max()
    assert 1e-4 < far < 0.1


def test_thresholds_are_solved_again_on_them_under_the_bundles_budget(work):
    budget = yaml.safe_load((work / "net/recipe.yaml").read_text())["max_gflops"]
    expected = solved(saved(work, "calibration")).best_under(max_gflops=budget)
    facts = json.loads((work / "net/onnx/network.json").read_text())
    assert tuple(map(float, facts["thresholds"])) == expected.thresholds
    assert facts["quantized"] == "int8"
    assert Bundle.load(work / "net").policy.thresholds != expected.thresholds
    assert f"{budget:.4g}" in (work / "printed").read_text()


def test_what_is_printed_is_what_scores_say(work):
    """The last row: what is best under the full cost, on test."""
    row = (work / "printed").read_text().split("\n\n")[1].splitlines()[-1].split()
    for place, folder in ((1, "net"), (4, "net/onnx")):
        calibration, test = (
            ExitScores.load(work / folder / f"scores-{s}.npz") for s in ("calibration", "test")
        )
        (point,) = [solved(calibration)[-1].evaluate(test)]
        assert float(row[place]) == pytest.approx(point.gflops, rel=1e-3)
        assert float(row[place + 1].rstrip("%")) == pytest.approx(100 * point.top1, abs=0.051)


def test_evaluate_and_predict_run_them_with_their_thresholds(work, tmp_path):
    """Here with others, by which videos stop at several exits."""
    shutil.copytree(work / "net", tmp_path / "net")
    scores = saved(work, "test")
    middles = np.median(scores.confidence(), axis=1)[:-1]
    policy = ExitPolicy((*middles, -np.inf))
    policy.save(tmp_path / "net/onnx/policy.yaml")
    command = ("evaluate", "net", "--data-root", work / "data", "--json")
    found = dynsearch_here(*command, "--runtime", "onnx", cwd=tmp_path).json
    loaded = LoadedNetwork(tmp_path / "net", runtime="onnx")
    exit_N = policy.first_exit(scores.confidence())
    assert len(set(exit_N.tolist())) > 1
    assert found["runtime"] == "onnx (int8, CPU)"
    assert found["gflops"] == pytest.approx(scores.cost_E[exit_N].mean())
    assert found["top1"] == pytest.approx(scores.correct()[exit_N, range(len(exit_N))].mean())
    assert found["full_top1"] == pytest.approx(scores.correct()[-1].mean())
    for place, name in enumerate(scores.video_ids_N):
        answer = loaded.predict(work / "data" / name)
        assert answer.exit == exit_N[place] + 1
        assert answer.label == CLASSES[scores.logits_ENK[exit_N[place], place].argmax()]
    other = loaded.at(scores.cost_E[-1])
    assert other.bundle.policy == solved(saved(work, "calibration"))[-1].policy
    assert dynsearch_here(*command, cwd=tmp_path).json["runtime"] == "eager"


@pytest.mark.slow
@pytest.mark.parametrize(
    "plan",
    [
        small_plan("1x2", "2x4", backbone="test_vit", image_size=64),
        small_plan("2x4", backbone="test_efficientnet", image_size=64, temporal_shift=TemporalShift("none")),
        small_plan("4x5", head="conv128+linear", temporal_shift=TemporalShift("bidirectional")),
        compressed_plan("4x5", "8x5"),
    ],
    ids=lambda plan: f"{plan.family} {plan.backbone} {plan.head}",
)  # fmt: skip
def test_networks_of_every_kind_are_quantised(plan, tmp_path):
    network, clips = lively_network(plan), random_clips(plan, batch=6, seed=1)
    quantised_files(network, tmp_path, clips)
    with torch.inference_mode():
        expected = network(clips)
        found = every_exit(OnnxSteps(network, tmp_path), clips, len(plan.exits))
    far = (found - expected).abs().max() / expected.abs().max()
    assert 1e-4 < far < 0.8  # Random weights: one percent of noise on the clips makes up to 0.2.


def test_other_graphs_take_their_place_and_an_export_that_fails_leaves_them(work, tmp_path):
    shutil.copytree(work / "net", tmp_path / "net")
    (tmp_path / "net/weights.safetensors").write_bytes(b"damaged")
    before = {path.name for path in (tmp_path / "net/onnx").iterdir()}
    dynsearch_here("export", "net", "--format", "onnx", cwd=tmp_path, code=2)
    assert {path.name for path in (tmp_path / "net/onnx").iterdir()} == before
    assert not [path for path in (tmp_path / "net").iterdir() if path.name[0] == "."]
    (tmp_path / "new").mkdir()
    for name in ("step0.onnx", "network.json"):
        (tmp_path / "new" / name).write_text("new")
    (tmp_path / "net/onnx/mine.txt").write_text("mine")
    replace_graphs(tmp_path / "net/onnx", tmp_path / "new", last="network.json")
    left = {path.name: path.read_text() for path in (tmp_path / "net/onnx").iterdir()}
    assert left == {"step0.onnx": "new", "network.json": "new", "mine.txt": "mine"}
    assert int8_in(Bundle.load(work / "net")) is not None
    assert int8_in(Bundle.load(tmp_path / "net")) is None


@pytest.mark.reliability(
    "Files",
    "`--runtime onnx` where a bundle's int8 graphs are of other weights, or not complete",
    happens="is refused, and says how to export them again",
    sees="the int8 graphs are incomplete, or of other weights than the bundle's",
)
@pytest.mark.parametrize("broken", ["weights", "manifest", "graph", "thresholds"])
def test_int8_graphs_that_are_not_the_bundles_are_refused(work, tmp_path, broken):
    shutil.copytree(work / "net", tmp_path / "net")
    says = "incomplete, or of other weights"
    if broken == "weights":
        torch.manual_seed(3)
        weights = tmp_path / "net/weights.safetensors"
        data = bytearray(weights.read_bytes())
        data[-40] ^= 1
        weights.write_bytes(data)
    elif broken == "manifest":
        (tmp_path / "net/onnx/network.json").unlink()
    elif broken == "thresholds":
        (tmp_path / "net/onnx/policy.yaml").write_text("thresholds: [0.5, -.inf]\n")
        says = "thresholds are for 2 exits"
    else:
        (tmp_path / "net/onnx/step0.onnx").unlink()
        says = "onnxruntime can't open a graph"
    assert says in dynsearch_here("evaluate", "net", "--runtime", "onnx", cwd=tmp_path, code=2).err


@pytest.mark.reliability(
    "Files",
    "`export --quantize int8` without `--format onnx`, without the bundle's data set or without onnxruntime, or of a "
    "network whose costs were measured",
    happens="is refused before anything is written",
    sees="--quantize goes with --format onnx",
)
def test_what_cant_be_quantised_is_refused_and_nothing_is_written(work, tmp_path, monkeypatch):
    shutil.copytree(work / "net", tmp_path / "net")
    shutil.rmtree(tmp_path / "net/onnx")

    def refused(*arguments):
        found = dynsearch_here(*arguments, cwd=tmp_path, code=2).err
        assert {path.name for path in (tmp_path / "net").iterdir()} == {
            path.name for path in (work / "net").iterdir()
        } - {"onnx"}
        return found

    for format_ in ((), ("--format", "torch-export")):
        assert "--quantize goes with --format onnx" in refused(
            "export", "net", *format_, "--quantize", "int8"
        )
    assert "nowhere" in refused(*EXPORT, "--data-root", "nowhere")
    assert "int4" in refused("export", "net", "--format", "onnx", "--quantize", "int4")
    for missing in ("onnxruntime", "onnxruntime.quantization"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, missing, None)
            assert "pip install 'dynsearch[onnx]'" in refused(*EXPORT)
    bundle = Bundle.load(tmp_path / "net")
    measure = CostMeasure("ms", "ms", lambda plan, num_classes: [1.0, 2.0, 3.0])
    for timed in ({"measure": measure}, {"limits": {"max_ms": 5.0}}):  # beside GFLOPs, too
        measured = replace(bundle, recipe=bundle.recipe.model_copy(update=timed))
        with pytest.raises(BundleError, match="costs are in ms, which were measured in float32"):
            write_graphs(measured, tmp_path / "net/onnx", "onnx", int8=object())
    assert not (tmp_path / "net/onnx").exists()


def test_a_network_without_ranges_is_refused(tmp_path):
    plan = small_plan("1x2", num_frames=2, num_sets=2, image_size=32)
    network = lively_network(plan)
    with pytest.raises(BundleError, match="test_resnet can't be quantised: .* Export it without --quantize"):
        quantised_files(network, tmp_path, random_clips(plan) * float("nan"))
