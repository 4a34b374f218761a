"""Every runtime gives what the dense forward gives, exits and logits, whatever batches videos go on in."""

import functools
import math

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dynsearch.errors import InputError
from dynsearch.network.runtimes import recorded as recorded_steps
from dynsearch.network.runtimes import runtime_for
from dynsearch.network.runtimes.made import MadeSteps
from dynsearch.network.runtimes.packed import PackedConv, packed
from dynsearch.network.runtimes.recorded import RecordedSteps
from dynsearch.network.sureness import ON_DEVICE
from dynsearch.network.waiting import Waiting, every_exit
from dynsearch.plan import TemporalShift
from dynsearch.scores.confidence import confidence_from_logits
from dynsearch.thresholds import ExitPolicy
from dynsearch.training.scorer import score
from tests.network.nets import lively_network, random_clips
from tests.plans import compressed_plan, focus_plan, small_plan

TESTS = (
    "dynsearch.network.runtimes.compiled",
    "dynsearch.network.runtimes.onnx",
    "dynsearch.network.runtimes.made",
)

PLANS = {
    "residual": small_plan("1x3", "2x4", "4x4", "4x5"),
    "heads that know the order": small_plan("1x3", "2x3", "3x5", "4x5", head="slots"),
    "channels last": small_plan("1x2", "2x4", backbone="test_convnext", image_size=64),
    "a patch a frame": focus_plan(num_frames=2, exits=("1x1", "2x1"), temporal_shift=TemporalShift("online")),
    "a patch a video": focus_plan("video", 2, exits=("2x1", "2x2")),
    "compressed": compressed_plan("2x5", "4x5", num_frames=4),
}


def middling(network, clips):
    """A policy by which about half of what comes stops at each exit, and the dense logits and exits."""
    with torch.inference_mode():
        logits_ENK = network(clips).cpu()
    confidence_EN = logits_ENK.double().softmax(dim=2).amax(dim=2).numpy()
    left, middles = np.arange(len(clips)), []
    for row in confidence_EN[:-1]:
        ranked = np.sort(row[left])
        half = len(ranked) // 2
        middles.append(float(ranked[half - 1 : half + 1].mean()) if len(ranked) > 1 else math.inf)
        left = left[row[left] <= middles[-1]]
    policy = ExitPolicy((*middles, -math.inf))
    exit_N = policy.first_exit(confidence_EN)
    return policy, logits_ENK[torch.from_numpy(exit_N), torch.arange(len(clips))], exit_N.tolist()


def assert_same_answers(network, steps, batches, num_videos=7):
    device = next(network.parameters()).device
    clips = random_clips(network.plan, batch=num_videos, seed=2).to(device)
    policy, logits_NK, exits = middling(network, clips)
    for batch in batches:
        waiting = Waiting(network.plan, steps, policy, batch=batch)
        for part in clips.split(2):
            waiting.feed(part)
        waiting.finish()
        answers = waiting.taken()
        assert [answer.exit for answer in answers] == exits
        found = torch.stack([answer.logits for answer in answers])
        scale = logits_NK.abs().max()
        torch.testing.assert_close(found / scale, logits_NK / scale, atol=1e-5, rtol=1e-5)


class Tape(TorchDispatchMode):
    """Notes every operation, and calls them again on the very same tensors, as a CUDA graph does."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        call = functools.partial(operation, *args, **(kwargs or {}))
        out = call()
        self.calls.append((call, out))
        return out

    def play(self):
        for call, out in self.calls:
            for old, new in zip(tree_leaves(out), tree_leaves(call()), strict=True):
                if isinstance(old, torch.Tensor) and old.data_ptr() != new.data_ptr():
                    old.copy_(new)


def replayed(function):
    with Tape() as tape:
        outs = function()
    return outs, tape.play


@pytest.mark.parametrize("name", PLANS)
def test_recorded_steps_played_again_are_the_network(name):
    network, told = lively_network(PLANS[name]), []
    steps = RecordedSteps(network, replayed, told.append)
    assert_same_answers(network, steps, (None, 3))  # 7, 3 and what is left are filled up to 8, 4 and less.
    assert not told


def test_a_step_is_recorded_once_for_numbers_of_videos_that_fill_up_to_the_same(monkeypatch):
    monkeypatch.setattr(recorded_steps, "BUCKETS", (1, 2, 4))
    network = lively_network(small_plan("1x1", "2x2", num_frames=2, num_sets=2))
    recorded = []

    def record(function):
        outs, play = replayed(function)
        recorded.append(len(outs[0]))
        return outs, play

    steps = RecordedSteps(network, record, print)
    for count in (1, 3, 9, 4, 2):
        clips = torch.randn(count, 2, 3, 32, 32)
        with torch.inference_mode():
            torch.testing.assert_close(every_exit(steps, clips, 1), network(clips)[:1], atol=1e-4, rtol=1e-4)
    assert recorded == [1, 4, 2]  # 9 are twice four and one.


def test_a_step_that_cant_be_recorded_runs_as_it_is_and_says_so():
    network, told = lively_network(PLANS["residual"]), []

    def out_of_memory(function):
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert_same_answers(network, RecordedSteps(network, out_of_memory, told.append), (None,))
    assert told[0] == "step 0 on 2 videos is not recorded, and runs slower: CUDA out of memory"


@pytest.mark.parametrize(
    "plan",
    [
        *PLANS.values(),
        small_plan("1x2", "4x4", backbone="test_nfnet", image_size=64, temporal_shift=TemporalShift("none")),
    ],
    ids=str,
)
def test_a_packed_network_is_the_network(plan):
    network = lively_network(plan)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    made = packed(network)
    assert made is not network
    assert_same_answers(network, made, (None, 3))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.parametrize("name", ["residual", "heads that know the order"])
def test_in_bfloat16_runtimes_differ_by_a_few_of_its_steps(name):
    """A step of bfloat16 is 2^-8; runtimes round sums and norms in other places."""
    network = lively_network(PLANS[name]).to(torch.bfloat16)
    clips = random_clips(network.plan, batch=3).to(torch.bfloat16)
    with torch.inference_mode():
        dense = network(clips).float()
        for steps in (network, RecordedSteps(network, replayed, print)):
            found = every_exit(steps, clips, len(dense)).float()
            assert (found - dense).abs().max() <= 5e-2 * dense.abs().max()


def test_norms_and_activations_are_folded_away():
    network = lively_network(
        small_plan("1x2", "2x5", num_frames=2, num_sets=2, backbone="msdnet23", image_size=64)
    )
    made = packed(network)
    assert_same_answers(network, made, (3,), num_videos=4)
    convs = [module for module in made.modules() if isinstance(module, PackedConv)]
    assert len(convs) > 50
    assert {conv.then for conv in convs} == {"relu"}
    assert not any(isinstance(module, torch.nn.BatchNorm2d | torch.nn.Conv2d) for module in made.modules())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["compile", "onnx"])
def test_compiled_and_exported_steps_are_the_network(name):
    if name == "onnx":
        pytest.importorskip("onnxscript", reason="needs onnxscript: make install")
    network = lively_network(small_plan("1x2", "2x2", num_frames=2, num_sets=2))
    assert_same_answers(network, runtime_for(name, network)[1], (None, 1))


@pytest.mark.slow
@pytest.mark.reliability(
    "Processes",
    "a step that a provider of onnxruntime can't run (OpenVINO has no GridSample of this kind, and mistakes one "
    "kept map for another)",
    happens="is said and left to the CPU",
)
def test_a_step_that_a_provider_cant_run_is_left_to_the_cpu(monkeypatch):
    """OpenVINO is not among what the tests install: a session of it is one that fails."""
    onnx = pytest.importorskip("dynsearch.network.runtimes.onnx", reason="needs onnxruntime: make install")
    pytest.importorskip("onnxscript", reason="needs onnxscript: make install")
    network, told = lively_network(small_plan("1x2", "2x2", num_frames=2, num_sets=2)), []
    steps, opened = onnx.OnnxSteps(network, tell=told.append), onnx._session
    steps.provider = "OpenVINO"

    def session(graph, wanted):
        if wanted == ("CPU",):
            return opened(graph, wanted)
        raise InputError("no such operation")

    monkeypatch.setattr(onnx, "_session", session)
    assert_same_answers(network, steps, (None,))
    assert told == [f"OpenVINO can't run step {k}, which the CPU does: no such operation" for k in range(2)]


def test_a_cpu_has_no_graphs_and_auto_takes_the_fastest_that_is_there():
    network = lively_network(PLANS["residual"])
    assert runtime_for("auto", network)[0] == "eager"
    with pytest.raises(InputError, match="the runtime graphs needs a GPU"):
        runtime_for("graphs", network)
    with pytest.raises(InputError, match="no runtime 'tensorrt'. Runtimes: auto, eager"):
        runtime_for("tensorrt", network)


class Broken(MadeSteps):
    def make(self, step, tensors):
        raise RuntimeError("no C++ compiler found")


@pytest.mark.reliability(
    "Processes",
    "a runtime that can't be made ready here, such as `--runtime compile` without a compiler",
    happens="it ends with the reason and what to take instead",
    sees="the runtime can't run step 0 of ...: ... Take the runtime eager",
)
def test_a_runtime_that_cant_be_made_ready_says_why():
    network = lively_network(small_plan("1x2", num_frames=2, num_sets=2))
    with pytest.raises(
        InputError, match="step 0 of test_resnet: no C.. compiler found. Take the runtime eager"
    ):
        every_exit(Broken(network), random_clips(network.plan), 1)


def test_scores_computed_step_by_step_are_the_dense_ones():
    network = lively_network(PLANS["residual"])
    clips = random_clips(network.plan, batch=5)
    batches = [
        (clips[i : i + 2], torch.arange(5)[i : i + 2] % 3, torch.arange(5)[i : i + 2]) for i in (0, 2, 4)
    ]
    given = {"video_ids": list("abcde"), "split": "test", "device": torch.device("cpu")}
    dense, by_steps = (score(network, batches, **given, steps=steps) for steps in (None, packed(network)))
    np.testing.assert_allclose(by_steps.logits_ENK, dense.logits_ENK, atol=1e-5, rtol=1e-5)


class Counted:
    """Steps that note on how many videos they ran."""

    def __init__(self, network):
        self.network, self.frames_at, self.ran = network, network.frames_at, []

    def step(self, k, frames, kept):
        logits, left = self.network.step(k, frames, kept)
        self.ran.append((k, len(logits)))
        return logits, left


@pytest.mark.parametrize("fed", [1, 10])
def test_waiting_videos_go_on_in_full_batches(fed):
    network = lively_network(small_plan("1x2", "2x2", "2x3", num_frames=2, num_sets=2))
    clips = random_clips(network.plan, batch=24)
    policy, _, exits = middling(network, clips)
    steps = Counted(network)
    waiting = Waiting(network.plan, steps, policy, batch=4)
    for part in clips.split(fed):
        waiting.feed(part)
        assert waiting.count < 4 * len(policy.thresholds)
        assert {count for _, count in steps.ran} <= {4}
    waiting.finish()
    for k in range(len(policy.thresholds)):
        counts = [count for step, count in steps.ran if step == k]
        assert sum(counts) == sum(exit_ >= k for exit_ in exits)
        assert counts[:-1] == [4] * (len(counts) - 1)


@pytest.mark.parametrize("limit", [0, 6])
def test_as_many_wait_as_may_and_answers_come_in_order(limit):
    network = lively_network(PLANS["heads that know the order"])
    clips = random_clips(network.plan, batch=20)
    policy, logits_NK, exits = middling(network, clips)
    waiting = Waiting(network.plan, network, policy, batch=4, max_waiting=limit)
    answers = []
    for part in clips.split(3):
        waiting.feed(part)
        assert waiting.count <= limit
        answers += waiting.taken()
    waiting.finish()
    answers += waiting.taken()
    assert [answer.exit for answer in answers] == exits
    torch.testing.assert_close(torch.stack([a.logits for a in answers]), logits_NK, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", ON_DEVICE)
def test_a_device_is_as_sure_as_scores_are(name):
    logits_BK = torch.randn(200, 9, generator=torch.Generator().manual_seed(0)) * 6
    logits_BK[0, 3] = -math.inf
    for logits in (logits_BK, logits_BK[:, :1]):
        expected = confidence_from_logits(name, logits.numpy())
        found = ON_DEVICE[name](logits.double()).double().numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
