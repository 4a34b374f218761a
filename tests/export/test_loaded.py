"""A bundle in use from Python: files, arrays and lists of them, in batches, on a device, under another budget."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import yaml

import dynsearch
from dynsearch.data.augmentation import IMAGENET_MEAN, IMAGENET_STD
from dynsearch.data.clips import ClipDataset
from dynsearch.data.frame_cache import make_frame_cache
from dynsearch.data.reader import read_frames
from dynsearch.data.records import VideoRecord
from dynsearch.errors import BundleError, InfeasibleBudgetError, InputError, WeightsError
from dynsearch.export.graphs import runner
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.frontier import solve_thresholds
from dynsearch.measures import CostMeasure
from dynsearch.network.weights.files import save_weights
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.thresholds import ExitPolicy
from dynsearch.training.made import Made
from tests.cli.miniature import write_webm
from tests.export.bundles import CLASSES, toy_bundle
from tests.network.nets import lively_network
from tests.plans import small_plan
from tests.search.toy import ToyEvaluator

PLAN = small_plan("2x3", "3x4", "4x5", order="paper", image_size=48)


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Files of other lengths and sizes than the network takes."""
    folder = tmp_path_factory.mktemp("videos")
    for i in range(7):
        write_webm(folder / f"{i}.webm", (2, -1), seed=i, frames=9 + i, height=72 + 8 * (i % 3))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def net(tmp_path_factory, videos):
    """A bundle whose thresholds stop some of the videos at each exit."""
    bundle = toy_bundle(tmp_path_factory.mktemp("net") / "net", PLAN)
    net = dynsearch.load(bundle, device="cpu")
    with torch.inference_mode():
        logits_ENK = net.network(torch.stack([net.read_clip(path) for path in videos])).double().numpy()
    confidence_EN = confidence_from_logits("max-softmax", logits_ENK)
    thresholds = (np.quantile(confidence_EN[0], 0.7), confidence_EN[1].mean(), -np.inf)
    policy = ExitPolicy(thresholds, plan_id=PLAN.plan_id)
    return dynsearch.load(dataclasses.replace(bundle, policy=policy), device="cpu")


def frames_of(path):
    return read_frames(path, lambda count: range(count))


def same(answer, other):
    """The same answer, up to what arithmetic in another order rounds otherwise."""
    assert (answer.label, answer.exit, answer.gflops) == (other.label, other.exit, other.gflops)
    assert answer.probability == pytest.approx(other.probability, abs=1e-5)


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_a_list_gives_the_answers_of_its_videos_in_order(net, videos, batch):
    alone = [net.predict(path) for path in videos]
    assert len({answer.exit for answer in alone}) > 1
    for one, other in zip(net.predict(videos, batch=batch), alone, strict=True):
        same(one, other)
    assert net.predict([]) == []


def test_an_array_is_answered_as_its_file_is(net, videos):
    arrays = [frames_of(path) for path in videos]
    answers = net.predict([*arrays[:3], *map(str, videos[3:])])
    assert len(answers) == len(videos)
    for path, answer in zip(videos, answers, strict=True):
        same(answer, net.predict(path))
    same(net.predict(arrays[0]), net.predict(videos[0]))


@pytest.mark.reliability(
    "Determinism",
    "a video predicted from its file, whose network was measured on kept frames",
    happens="`predict` and exported graphs' `run.py` take the frames and pixels that `evaluate` takes",
)
def test_a_file_gives_the_clip_that_its_kept_frames_give(tmp_path, videos):
    bundle = toy_bundle(tmp_path / "net", PLAN, frame_cache={"num_frames": 7, "size": 57})
    records = [VideoRecord(path.stem, path, 0) for path in videos]
    cache = make_frame_cache(records, name="kept", num_frames=7, size=57, folder=tmp_path, num_workers=0)
    kept = ClipDataset(records, num_frames=4, image_size=48, training=False, seed=0, cache=cache)
    expected = kept.batch(range(len(videos)))[0]
    loaded = dynsearch.load(bundle, device="cpu")
    assert torch.equal(torch.stack([loaded.read_clip(path) for path in videos]), expected)

    network = runner.Network.__new__(runner.Network)
    network.facts = {
        "num_frames": 4, "cache_frames": 7, "short_side": 57, "image_size": 48,
        "mean": IMAGENET_MEAN, "std": IMAGENET_STD,
    }  # fmt: skip
    theirs = np.stack([network.read(path) for path in videos])
    assert np.abs(theirs - expected.numpy()).max() < 2.5 / 255 / 0.224  # Pillow rounds otherwise.


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 8, 8), np.uint8),
        np.zeros((4, 8, 8, 3)),
        np.zeros((4, 3, 8, 8), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
    ],
)
def test_an_array_that_is_no_video_is_refused(net, array):
    with pytest.raises(InputError, match=r"a video is an array uint8 \(T, H, W, 3\), got"):
        net.predict(array)


def test_a_device_is_named_or_refused(net, videos):
    same(net.predict(videos[0], device=torch.device("cpu")), net.predict(videos[0], device="cpu"))
    for device in ("cuda:99", "abacus"):
        with pytest.raises(InputError, match=f"there is no device '{device}' here") as caught:
            net.predict(videos[0], device=device)
        assert "cpu" in caught.value.hint
    with pytest.raises(InputError, match="batch must be at least 1, got 0"):
        net.predict(videos, batch=0)


def test_a_bundle_of_one_budget_says_so(net, videos):
    with pytest.raises(BundleError, match="has the thresholds of one budget") as caught:
        net.predict(videos[0], max_gflops=0.03)
    assert "dynsearch train" in caught.value.hint


def test_a_bundle_with_its_scores_answers_under_any_budget(net, videos):
    scores = ToyEvaluator.draw(PLAN, "calibration")
    scores.save(net.bundle.folder / "scores-calibration.npz")
    curve = solve_thresholds(scores)
    for point in (curve[0], curve[len(curve) // 2]):
        assert net.at(point.gflops).bundle.policy.thresholds == point.thresholds
        cost = np.mean([answer.gflops for answer in net.predict(videos, max_gflops=point.gflops)])
        by_hand = net.network.forward_until(
            torch.stack([net.read_clip(path) for path in videos]), point.policy
        )
        assert cost == pytest.approx(by_hand.gmacs.mean())
    with pytest.raises(InfeasibleBudgetError):
        net.predict(videos[0], max_gflops=1e-6)


def test_a_bundle_shows_itself(net):
    from matplotlib import pyplot
    from matplotlib.axes import Axes

    pyplot.switch_backend("Agg")
    for value in (net, net.bundle):
        assert repr(value).startswith(f"{type(value).__name__}(")
        assert PLAN.plan_id in repr(value)
        assert "\n" not in repr(value)
        table = value.to_pandas()
        assert table["gflops"].tolist() == list(net.network.gmacs_E)
        assert table["threshold"].tolist() == list(net.bundle.policy.thresholds)
        assert "<table" in value._repr_html_()
        assert isinstance(value.plot(), Axes)
    pyplot.close("all")


def test_a_budget_in_another_measure_is_refused(net, videos):
    joules = CostMeasure("joules", "J", costs=lambda plan, num_classes: (1.0, 2.0, 3.0))
    recipe = net.bundle.recipe.model_copy(update={"measure": joules})
    other = dynsearch.load(dataclasses.replace(net.bundle, recipe=recipe), device="cpu")
    assert other.to_pandas()["joules"].tolist() == [1.0, 2.0, 3.0]
    assert other.predict(videos[0]).cost in (1.0, 2.0, 3.0)
    with pytest.raises(InputError, match="in J, not in gflops"):
        other.predict(videos[0], max_gflops=2)


@pytest.mark.reliability(
    "Files",
    "a bundle with the weights of another one, or a plan.yaml or recipe.yaml edited by hand",
    happens="is refused wherever its network is loaded",
    sees="`its weights were not made as recipe.yaml says: in them ...`",
)
def test_a_bundles_files_belong_together(tmp_path):
    def bundle(name, plan=None, **changes):
        made = toy_bundle(tmp_path / name, plan, **changes)
        save_weights(lively_network(made.plan, len(CLASSES)), made.weights, Made(made.recipe.facts()).text)
        LoadedNetwork(made.folder)
        return made

    ours, seven = bundle("ours"), bundle("seven", seed=7)
    other = bundle("other", small_plan(image_size=48, order="sequential"))
    for theirs, error, says in (
        (seven, BundleError, "not made as recipe.yaml says: in them seed was 7, now 3"),
        (other, WeightsError, f"they are plan {other.plan.plan_id}'s, not plan {ours.plan.plan_id}'s"),
    ):
        shutil.copyfile(theirs.weights, tmp_path / "ours" / "weights.safetensors")
        with pytest.raises(error, match=says):
            LoadedNetwork(ours.folder)
    for name in ("plan.yaml", "policy.yaml"):
        shutil.copyfile(other.folder / name, seven.folder / name)
    with pytest.raises(WeightsError, match="weights of another network: they are plan"):
        LoadedNetwork(seven.folder)
    recipe = other.folder / "recipe.yaml"
    values = yaml.safe_load(recipe.read_text())
    for change in (
        {"training": values["training"] | {"epochs": 3}},
        {"frame_cache": {"num_frames": 4, "size": 64}},
    ):
        recipe.write_text(yaml.safe_dump(values | change))
        with pytest.raises(BundleError, match="not made as recipe.yaml says"):
            LoadedNetwork(other.folder)
