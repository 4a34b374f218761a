"""Several views of each video: clips at different times, crops at different places, as in dense testing.

Source: the usual test of 10 clips x 3 crops (Wang et al., CVPR 2018). A network that samples its frames over the whole
video is given clips that do the same: each takes one frame of every segment, at another place within it. Crops lie
along the longer side; a square picture's along its diagonal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import torch

from dynsearch.data.augmentation import normalise, resize_short_side
from dynsearch.data.frame_cache import FrameCache
from dynsearch.data.record_frames import read_record
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import clip_indices
from dynsearch.errors import InputError


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
