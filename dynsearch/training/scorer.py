"""Measuring a trained network once: the exit scores of a split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dynsearch.scores import ExitScores


@torch.inference_mode()
def score(
    network: Any,
    loader: Any,
    *,
    video_ids: Sequence[str],
    split: str,
    device: torch.device,
) -> ExitScores:
    """Return the exit scores of every video that ``loader`` gives.

    Runs in full precision, so that progressive inference finds the same numbers.

    Args:
        network: A trained, costed multi-exit network.
        loader: Batches of (clips, labels, indices); indices point into ``video_ids``; labels are (B,) classes
            or 0/1 (B, K).
        video_ids: Names of the split's videos.
        split: Name of the split.
        device: Where to compute.
    """
    network.to(device=device, memory_format=torch.channels_last).eval()
    num_exits, num_videos = len(network.gmacs_E), len(video_ids)
    logits_ENK = np.empty((num_exits, num_videos, network.num_classes), dtype=np.float32)
    all_labels: np.ndarray | None = None
    for clips, labels, indices in loader:
        logits_ENK[:, indices.numpy()] = network(clips.to(device)).float().cpu().numpy()
        if all_labels is None:
            all_labels = np.empty((num_videos, *labels.shape[1:]), dtype=labels.numpy().dtype)
        all_labels[indices.numpy()] = labels.numpy()
    return ExitScores.from_logits(
        logits_ENK,
        all_labels,
        np.asarray(network.gmacs_E),
        video_ids=np.asarray(video_ids),
        plan_id=network.plan.plan_id,
        split=split,
    )
