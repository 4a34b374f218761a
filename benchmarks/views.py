"""Several views of each video: clips at different times, crops at different places, as in dense testing.

Source: the usual test of 10 clips x 3 crops (Wang et al., CVPR 2018). A network that samples its frames over the whole
video is given clips that do the same: each takes one frame of every segment, at another place within it. Crops lie
along the longer side; a square picture's along its diagonal.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
import torch

from dynsearch.data.augmentation import normalise, resize_short_side
from dynsearch.data.frame_cache import FrameCache
from dynsearch.data.record_frames import read_record
from dynsearch.data.records import VideoRecord
from dynsearch.errors import InputError
from dynsearch.network import MultiExitNetwork
from dynsearch.scores import ExitScores
from dynsearch.scores.labels import several_labels


def clip_indices(num_video_frames: int, num_frames: int, num_clips: int) -> np.ndarray:
    """Return the frames of clips at different times, int64 (V, T): ``floor(N / T * (t + (v + 1/2) / V))``."""
    parts = 2 * num_clips * np.arange(num_frames, dtype=np.int64) + 2 * np.arange(num_clips)[:, None] + 1
    return parts * num_video_frames // (2 * num_clips * num_frames)


def crop_corners(height: int, width: int, size: int, num_crops: int) -> list[tuple[int, int]]:
    """Return top and left of ``num_crops`` squares of ``size`` pixels, evenly spread; one lies in the middle.

    Raises:
        InputError: The picture is smaller than the crops, or there are none.
    """
    if min(height, width) < size or num_crops < 1:
        raise InputError(f"{num_crops} crops of {size} px can't be cut out of {width} x {height} px")
    shares = [0.5] if num_crops == 1 else [i / (num_crops - 1) for i in range(num_crops)]
    down = [share if height >= width else 0.5 for share in shares]
    across = [share if width >= height else 0.5 for share in shares]
    return [(int((height - size) * d), int((width - size) * a)) for d, a in zip(down, across, strict=True)]


def views_of(
    records: Sequence[VideoRecord],
    *,
    num_frames: int,
    image_size: int,
    num_clips: int,
    num_crops: int,
    short_side: int,
    cache: FrameCache | None = None,
    reader: str = "auto",
) -> Iterator[torch.Tensor]:
    """Yield all views of each video, float32 (V, T, C, H, W): the crops of the first clip, then of the second, ...

    Args:
        records: The videos.
        num_frames: T.
        image_size: Side in pixels of the network's input.
        num_clips: Clips of each video.
        num_crops: Crops of each clip.
        short_side: Pixels the pictures' short side is resized to before cropping.
        cache: The split's frame cache, whose frames then are the video.
        reader: The video reader's name, used where there is no cache.

    Raises:
        VideoError: A video can't be read; it is named.
        InputError: A number is out of range.
    """
    for index, record in enumerate(records):
        if cache is None:
            frames = read_record(
                record,
                lambda n: clip_indices(n, num_frames, num_clips).ravel().tolist(),
                strict=True,
                reader=reader,
            )
        else:
            frames = cache.frames_NSHWC[index, clip_indices(cache.num_frames, num_frames, num_clips).ravel()]
        frames_RCHW = resize_short_side(torch.from_numpy(frames).permute(0, 3, 1, 2), short_side)
        clips_VTCHW = frames_RCHW.unflatten(0, (num_clips, num_frames))
        height, width = frames_RCHW.shape[-2:]
        corners = crop_corners(height, width, image_size, num_crops)
        views = [
            clip[..., top : top + image_size, left : left + image_size]
            for clip, (top, left) in product(clips_VTCHW, corners)
        ]
        yield normalise(torch.stack(views))


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
        videos: The views of each video, (V, T, C, H, W), as ``views_of`` yields them.
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
