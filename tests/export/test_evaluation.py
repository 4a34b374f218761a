"""``evaluate``: dynamic inference against what the dense logits say, and full inference beside it."""

import numpy as np
import pytest
import torch

from dynsearch.export.evaluation import evaluate
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.frontier import top1_interval
from tests.export.bundles import CLASSES, toy_bundle
from tests.network.nets import random_clips


def test_both_ways_are_measured_on_the_same_videos(tmp_path):
    loaded = LoadedNetwork(toy_bundle(tmp_path / "net"))
    batches = [
        (random_clips(loaded.bundle.plan, batch=5, seed=seed), torch.arange(5) % len(CLASSES), None)
        for seed in range(2)
    ]
    measured = evaluate(loaded, batches)
    with torch.inference_mode():
        logits_ENK = torch.cat([loaded.network(clips) for clips, _, _ in batches], dim=1).double()
    labels_N = torch.cat([labels for _, labels, _ in batches]).numpy()
    right_EN = (logits_ENK.argmax(dim=2).numpy() == labels_N).astype(float)
    exit_N = loaded.bundle.policy.first_exit(logits_ENK.softmax(dim=2).amax(dim=2).numpy())
    cost_E = np.array(loaded.network.cost_E)
    assert measured.num_videos == 10
    assert measured.top1 == pytest.approx(right_EN[exit_N, range(10)].mean())
    assert measured.full_top1 == pytest.approx(right_EN[-1].mean())
    assert measured.cost == pytest.approx(cost_E[exit_N].mean())
    assert measured.full_cost == cost_E[-1]
    assert sum(measured.exit_share) == pytest.approx(1)
    assert measured.difference.low <= measured.top1 - measured.full_top1 <= measured.difference.high
    assert measured.interval == top1_interval(measured.top1, 10)
    people = evaluate(loaded, batches, groups=["anna", "ben"] * 5)
    assert people.num_groups == 2
    assert people.interval.high - people.interval.low > 0.6
    assert min(measured.seconds, measured.full_seconds) > 0
