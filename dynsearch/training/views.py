"""Testing with several views of each video: the dense protocol that cheaper networks are compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from dynsearch.network import MultiExitNetwork
from dynsearch.scores import ExitScores
from dynsearch.scores.labels import several_labels


@torch.inference_mode()
def score_views(
    network: MultiExitNetwork,
    videos: Iterable[torch.Tensor],
    labels_N: np.ndarray,
    *,
    video_ids: Sequence[str],
    split: str,
    device: torch.device,
) -> ExitScores:
    """Return the scores of the last exit, its probabilities averaged over all views; their costs add up.

    Args:
        network: A trained, costed multi-exit network.
        videos: The views of each video, (V, T, C, H, W), as :func:`dynsearch.data.views.views_of` yields them.
        labels_N: Classes, or 0/1 (N, K).
        video_ids: Names of the videos.
        split: Name of the split.
        device: Where to compute.
    """
    network.to(device).to(memory_format=torch.channels_last).eval()
    several = several_labels(labels_N)
    logits, num_views = [], 0
    for views_VTCHW in videos:
        num_views = len(views_VTCHW)
        logits_VK = network(views_VTCHW.to(device))[-1].double()
        mean_K = (logits_VK.sigmoid() if several else logits_VK.softmax(dim=1)).mean(dim=0)
        logits.append((mean_K.logit() if several else mean_K.log()).float().cpu().numpy())
    return ExitScores.from_logits(
        np.stack(logits)[None],
        labels_N,
        np.asarray([num_views * network.cost_E[-1]]),
        video_ids=np.asarray(video_ids),
        plan_id=network.plan.plan_id,
        split=split,
        measure=network.measure,
    )
