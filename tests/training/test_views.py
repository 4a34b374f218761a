import numpy as np
import torch

from dynsearch.training.views import score_views
from tests.network.nets import lively_network, random_clips
from tests.plans import small_plan


def scored(labels, network, videos):
    return score_views(
        network, videos, labels, video_ids=["a", "b"], split="test", device=torch.device("cpu")
    )


def test_probabilities_are_averaged_over_views_and_costs_add_up():
    network = lively_network(small_plan())
    videos = [random_clips(network.plan, batch=6, seed=seed) for seed in (0, 1)]
    scores = scored(np.array([1, 4]), network, videos)
    assert scores.cost_E.tolist() == [6 * network.cost_E[-1]]
    for found, views in zip(scores.logits_ENK[0], videos, strict=True):
        with torch.inference_mode():
            each = [network(view[None])[-1, 0].softmax(dim=0).numpy() for view in views]
        np.testing.assert_allclose(np.exp(found), np.mean(each, axis=0), rtol=1e-3, atol=1e-6)


def test_with_several_labels_every_class_is_averaged():
    network = lively_network(small_plan())
    videos = [random_clips(network.plan, batch=3, seed=seed) for seed in (0, 1)]
    scores = scored(np.eye(5, dtype=np.uint8)[:2], network, videos)
    with torch.inference_mode():
        expected = network(videos[1])[-1].double().sigmoid().mean(dim=0)
    found = 1 / (1 + np.exp(-scores.logits_ENK[0, 1].astype(float)))
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4)
