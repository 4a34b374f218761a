"""Measuring a trained network once: the exit scores of a split."""

import itertools
from collections.abc import Sequence

import numpy as np
import torch

from dynsearch.data.loader import Batches
from dynsearch.errors import Stopped
from dynsearch.network import MultiExitNetwork
from dynsearch.network.waiting import Steps, every_exit
from dynsearch.scores import ExitScores
from dynsearch.training.progress import OnStep, StepReporter
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.stopping import stop_wanted


@torch.inference_mode()
def score(
    network: MultiExitNetwork,
    loader: Batches,
    *,
    video_ids: Sequence[str],
    split: str,
    device: torch.device,
    ranks: Ranks = ALONE,
    on_step: OnStep | None = None,
    steps: Steps | None = None,
    groups: Sequence[str] | None = None,
) -> ExitScores:
    """Return the exit scores of every video that the loaders of all processes give.

    Runs in full precision, so that progressive inference finds the same numbers. Several processes compute the batches
    that one would, and each returns the scores of all. Batches are (clips, labels, indices); indices point into
    ``video_ids``; labels are (B,) classes or 0/1 (B, K). ``on_step`` is called a few times a second, in this process.
    ``steps`` run the network exit by exit; without, all exits are computed at once. ``groups`` go into the scores.

    Raises:
        Stopped: A process was asked to stop.
    """
    network.to(device).to(memory_format=torch.channels_last).eval()
    num_exits, num_videos = len(network.cost_E), len(video_ids)
    logits_ENK = np.empty((num_exits, num_videos, network.num_classes), dtype=np.float32)
    all_labels: np.ndarray | None = None
    own = []
    reporter, done = StepReporter(on_step, f"scoring {split}", num_videos), 0
    for clips, labels, indices in loader:
        clips = clips.to(device)
        logits_EBK = network(clips) if steps is None else every_exit(steps, clips, num_exits)
        own.append((indices.numpy(), logits_EBK.float().cpu().numpy(), labels.numpy()))
        done += len(labels)
        reporter.tell(min(done * ranks.count, num_videos))
        if stop_wanted():
            break
    if ranks.any(stop_wanted()):
        raise Stopped
    for indices_B, logits_EBK, labels_B in itertools.chain(*ranks.gather(own)):
        logits_ENK[:, indices_B] = logits_EBK
        if all_labels is None:
            all_labels = np.empty((num_videos, *labels_B.shape[1:]), dtype=labels_B.dtype)
        all_labels[indices_B] = labels_B
    return ExitScores.from_logits(
        logits_ENK,
        all_labels,
        np.asarray(network.cost_E),
        video_ids=np.asarray(video_ids),
        groups=groups,
        plan_id=network.plan.plan_id,
        split=split,
        measure=network.measure,
    )
