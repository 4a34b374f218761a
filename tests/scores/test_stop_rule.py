"""The stop rule stands in one place: scores, running networks and exported graphs stop the same videos."""

import math
import types

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, softmax

from dynsearch.export.graphs.write import runner_source
from dynsearch.network.sureness import stop_rule as network_rule
from dynsearch.network.waiting import Waiting
from dynsearch.scores import ExitScores, stop_rule
from dynsearch.scores.gain import fit_gain
from dynsearch.thresholds import ExitPolicy
from tests.plans import small_plan

PLAN = small_plan("1x2", "1x3", "3x3", "4x5", image_size=48)
NUM_EXITS = len(PLAN.exits)
MEASURES = [*stop_rule.MEASURES, "patience", "learned-gain"]


@pytest.fixture(scope="module")
def run_py():
    """What stands beside exported graphs, loaded as a module of its own."""
    module = types.ModuleType("run")
    exec(compile(runner_source(), "run.py", "exec"), module.__dict__)
    return module


def stops_by_hand(policy, logits_ENK):
    """Where each video stops, by the words of the paper, one video and one exit at a time."""
    exits = []
    for n in range(logits_ENK.shape[1]):
        k = 0
        while k < NUM_EXITS - 1 and not by_hand(policy, logits_ENK[: k + 1, n]) > policy.thresholds[k]:
            k += 1
        exits.append(k)
    return exits


def by_hand(policy, met):
    """The confidence of one video at the last of the exits it has met, from their logits."""
    probabilities = np.sort(softmax(met[-1].astype(float)))
    match policy.confidence:
        case "max-softmax":
            return probabilities[-1]
        case "margin":
            return probabilities[-1] - probabilities[-2]
        case "neg-entropy":
            return (probabilities * np.log(probabilities)).sum()
        case "max-sigmoid":
            return expit(met[-1].astype(float)).max()
        case "patience":
            choices = [row.argmax() for row in met]
            return next((i for i, c in enumerate(choices[-2::-1]) if c != choices[-1]), len(met) - 1)
    return policy.gain.gain_at(softmax(met.astype(float), axis=1).max(axis=1)[:, None])[0]


class Recorded:
    """Steps that say what is written down; a clip's frames are its number."""

    def __init__(self, logits_ENK):
        self.logits_ENK = torch.from_numpy(logits_ENK)

    def frames_at(self, k):
        return [k]

    def step(self, k, frames_BTCHW, kept):
        return self.logits_ENK[k, frames_BTCHW.flatten().long()], {}


def exported(run_py, policy, logits_ENK):
    """An exported network whose graphs say what is written down; a clip's frames are its number."""
    network = run_py.Network.__new__(run_py.Network)
    gain = policy.gain and policy.gain.facts()
    network.facts = {"confidence": policy.confidence, "gain": gain}
    network.labels = [str(k) for k in range(logits_ENK.shape[2])]
    network.thresholds = list(policy.thresholds)
    network.steps = [{"frames": [k], "inputs": ["frames"], "outputs": ["logits"]} for k in range(NUM_EXITS)]
    network._graphs = [
        lambda given, k=k: [logits_ENK[k, given["frames"].ravel().astype(int)]] for k in range(NUM_EXITS)
    ]
    return network


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6), st.sampled_from(MEASURES), st.integers(1, 12), st.sampled_from([None, 1, 2, 5]),
    st.sampled_from([None, 0, 4]),
)  # fmt: skip
def test_scores_running_networks_and_exported_graphs_stop_the_same_videos(
    run_py, seed, measure, num_videos, batch, limit
):
    rng = np.random.default_rng(seed)
    logits_ENK = rng.normal(0, 2, (NUM_EXITS, num_videos, 4)).astype(np.float32)
    gain = None
    if measure == "learned-gain":
        learn = rng.normal(0, 2, (NUM_EXITS, 30, 4)).astype(np.float32)
        gain, _ = fit_gain(
            ExitScores.from_logits(learn, rng.integers(0, 4, 30), np.arange(1.0, NUM_EXITS + 1))
        )
    scores = ExitScores.from_logits(logits_ENK, None, np.arange(1.0, NUM_EXITS + 1))
    ends = (*([math.inf] * (NUM_EXITS - 1)), -math.inf)
    seen = ExitPolicy(ends, measure, gain=gain).confidence_of(scores)[:-1]
    # Thresholds that are infinite, between the confidences that occur, or one of them: then it does not stop. (The last
    # digit of a learned gain hangs on how many videos are computed together.)
    one_of = (lambda row: math.inf) if gain else rng.choice
    thresholds = [
        rng.choice([math.inf, -math.inf, one_of(row), rng.uniform(row.min(), row.max())]) for row in seen
    ]
    policy = ExitPolicy((*thresholds, -math.inf), measure, gain=gain)

    expected = policy.first_exit(policy.confidence_of(scores)).tolist()
    columns = np.arange(num_videos)
    clips = np.broadcast_to(columns[:, None, None, None, None], (num_videos, NUM_EXITS, 1, 1, 1))
    waiting = Waiting(PLAN, Recorded(logits_ENK), policy, batch=batch, max_waiting=limit)
    for part in torch.tensor(clips).split(3):
        waiting.feed(part)
        assert limit is None or waiting.count <= limit
    waiting.finish()
    ran = waiting.taken()
    assert [answer.exit for answer in ran] == expected
    np.testing.assert_array_equal(
        torch.stack([answer.logits for answer in ran]), logits_ENK[expected, columns]
    )

    logits, exits = exported(run_py, policy, logits_ENK).run(clips)
    assert exits.tolist() == expected
    np.testing.assert_array_equal(logits, logits_ENK[expected, columns])

    rule = network_rule(policy)
    for n in columns:
        stops, met, k = [False], None, -1
        while not stops[0]:
            k += 1
            stops, met = rule.meet(met, torch.from_numpy(logits_ENK[k, n : n + 1]))
        assert k == expected[n]

    near = 1e-9  # a threshold that is a confidence is one in floating point only
    if all(np.abs(row - t).min() > near for row, t in zip(seen, thresholds, strict=True) if np.isfinite(t)):
        assert stops_by_hand(policy, logits_ENK) == expected


def test_what_stands_beside_exported_graphs_needs_nothing_of_the_package(run_py):
    imported = [
        line for line in runner_source().splitlines() if line.lstrip().startswith(("import ", "from "))
    ]
    assert imported
    assert not [line for line in imported if "dynsearch" in line]
    assert run_py.StopRule.__module__ == "run"
