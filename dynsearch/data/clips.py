"""Clips for training and scoring: frames chosen, cropped and normalised, a batch at a time."""

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch

from dynsearch.data.augmentation import (
    apply_crop,
    centre_crop,
    draw_multi_scale_crop,
    normalise,
    resize_short_side,
    to_square,
)
from dynsearch.data.flips import flip_clip
from dynsearch.data.frame_cache import FrameCache
from dynsearch.data.reader import get_reader
from dynsearch.data.record_frames import read_record
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import Resize, Sampling, frames_taken, random_in_segments, sample_rng
from dynsearch.data.worker_pool import note
from dynsearch.errors import DataError, InputError, VideoError

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Clips float32 (B, T, C, H, W) in temporal order, labels, indices int64 (B,).

Labels are int64 (B,), or uint8 0/1 (B, K) in data sets with several labels a video."""


@dataclasses.dataclass(eq=False, repr=False)
class ClipDataset:
    """The videos of a split as clips of T frames, always in temporal order.

    Training draws one frame of each segment, and a multi-scale crop where asked for; everything else takes
    the middle frames and the middle square. What is drawn depends on (seed, epoch, index) only, so it is the
    same with any number of workers. With a cache, its S frames are the video that frames are taken from.

    Args:
        records: N videos.
        num_frames: T.
        image_size: Side in pixels of the network's input.
        training: Draw frames and crops.
        seed: Seed of all that is drawn.
        cache: The split's frame cache, N videos in the same order.
        reader: The video reader's name, used where there is no cache.
        short_side: Pixels the short side is resized to before the middle is cropped; None means the
            cache's size, or ``image_size`` without one.
        resize: How frames become squares, as those of the cache have.
        sampling: Which frames are taken, except in training.
        multi_scale_crop: In training, crop and resize as TSN does.
        num_classes: K; needed where the videos have several labels.
        mirrored_K: In training, mirror half of the clips, and what class each becomes then; None for no flips.

    Raises:
        InputError: There are no videos, or the cache or a size does not fit.
    """

    records: Sequence[VideoRecord]
    _: dataclasses.KW_ONLY
    num_frames: int
    image_size: int
    training: bool
    seed: int
    cache: FrameCache | None = None
    reader: str = "auto"
    short_side: int | None = None
    resize: Resize = "crop"
    sampling: Sampling = "segments"
    multi_scale_crop: bool = True
    num_classes: int | None = None
    mirrored_K: torch.Tensor | None = None
    epoch: int = dataclasses.field(default=0, init=False)

    def __post_init__(self) -> None:
        count, size = len(self.records), self.image_size
        if min(count, self.num_frames, size) < 1:
            raise InputError(
                f"clips need at least 1 video, 1 frame and 1 pixel, got {count}, {self.num_frames}, {size}"
            )
        if self.cache is not None and self.cache.num_videos != count:
            raise InputError(f"the frame cache has {self.cache.num_videos} videos, the split {count}")
        get_reader(self.reader)
        available = size if self.cache is None else self.cache.size
        self._side = available if self.short_side is None else self.short_side
        if self._side < size:
            raise InputError(f"image_size={size} is larger than the frames' side {self._side}")
        self.multi_scale_crop = self.training and self.multi_scale_crop
        self.mirrored_K = self.mirrored_K if self.training else None
        self._labels_N = label_tensor(self.records, self.num_classes)

    def __len__(self) -> int:
        return len(self.records)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose frames, crops and order are drawn next."""
        self.epoch = epoch

    def batch(self, indices: Sequence[int]) -> Batch:
        """Return clips, labels and indices of the videos at B positions; VideoError names one that can't be read."""
        batch, _ = self.read(indices, replace=False)
        return batch

    def read(
        self, indices: Sequence[int], bad: Collection[int] = (), *, replace: bool
    ) -> tuple[Batch, dict[int, VideoError]]:
        """Return a batch, in which videos that can't be read are replaced by others if ``replace`` says so.

        What replaces a video depends on (seed, epoch, index) and on which videos are bad, so it is the same
        with any number of workers; those at the positions ``bad`` are not tried.

        Returns:
            The batch, its indices those of the videos in it, and by position what is wrong with further ones.

        Raises:
            VideoError: A video can't be read and none are replaced.
            DataError: No video can be read.
        """
        failed: dict[int, VideoError] = {}
        if self.cache is not None and not self.multi_scale_crop:
            position_B = np.asarray([self._usable(index, bad) for index in indices], dtype=np.int64)
            frames = torch.from_numpy(self._cached_frames(self.cache, position_B)).permute(0, 1, 4, 2, 3)
            middle = self._middle(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
            return self._finished(middle, position_B), failed
        clips: list[torch.Tensor] = []
        positions: list[int] = []
        for wanted in indices:
            index = self._usable(wanted, {*bad, *failed})
            while len(clips) == len(positions):
                note(index)
                try:
                    clips.append(self._clip(index))
                except VideoError as error:
                    if not replace:
                        raise
                    failed[index] = error
                    index = self._usable(wanted, {*bad, *failed})
            positions.append(index)
        note(None)
        return self._finished(torch.stack(clips), np.asarray(positions, dtype=np.int64)), failed

    def _finished(self, clips: torch.Tensor, positions_B: npt.NDArray[np.int64]) -> Batch:
        """Return a batch of uint8 clips (B, T, C, H, W), mirrored where that is drawn, and normalised."""
        index_B = torch.from_numpy(positions_B)
        labels = self._labels_N[index_B]
        if self.mirrored_K is not None:
            for place, index in enumerate(positions_B):
                if sample_rng(self.seed, self.epoch, int(index), "flip").random() < 0.5:
                    clips[place], labels[place] = flip_clip(clips[place], labels[place], self.mirrored_K)
        return normalise(clips.contiguous()), labels, index_B

    def _usable(self, index: int, bad: Collection[int]) -> int:
        """Return ``index``, or the first that is not bad in an order drawn for it."""
        if index not in bad:
            return int(index)
        order = sample_rng(self.seed, self.epoch, int(index), "replacement").permutation(len(self.records))
        other = next((int(candidate) for candidate in order if candidate not in bad), None)
        if other is None:
            raise DataError(
                f"none of {len(self.records)} videos can be read", hint="Run `dynsearch data check`"
            )
        return other

    def _cached_frames(self, cache: FrameCache, positions_B: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        chosen_BT = np.stack([self._choose(cache.num_frames, self._rng(index)) for index in positions_B])
        return cache.frames(positions_B[:, None], chosen_BT)

    def _clip(self, index: int) -> torch.Tensor:
        """Return one clip, uint8 (T, C, H, W): frames are drawn first, then the crop."""
        rng = self._rng(index)
        if self.cache is None:
            frames_THWC = read_record(
                self.records[index],
                lambda count: self._choose(count, rng).tolist(),
                strict=not self.training,
                reader=self.reader,
            )
        else:
            frames_THWC = self.cache.frames(index, self._choose(self.cache.num_frames, rng))
        frames_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)
        if not self.multi_scale_crop:
            return self._middle(frames_TCHW)
        if self.cache is None and self.resize != "crop":
            frames_TCHW = to_square(frames_TCHW, self._side, self.resize)
        height, width = frames_TCHW.shape[-2:]
        return apply_crop(
            frames_TCHW, draw_multi_scale_crop(height, width, self.image_size, rng), self.image_size
        )

    def _choose(self, num_video_frames: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        if self.training:
            return random_in_segments(num_video_frames, self.num_frames, rng)
        return frames_taken(num_video_frames, self.num_frames, self.sampling)

    def _rng(self, index: int | np.int64) -> np.random.Generator:
        return sample_rng(self.seed, self.epoch, int(index))

    def _middle(self, frames_TCHW: torch.Tensor) -> torch.Tensor:
        if self.resize != "crop":
            return to_square(frames_TCHW, self.image_size, self.resize)
        return centre_crop(resize_short_side(frames_TCHW, self._side), self.image_size)


def label_tensor(records: Sequence[VideoRecord], num_classes: int | None = None) -> torch.Tensor:
    """Return the labels of N videos: int64 (N,), or uint8 0/1 (N, K) where videos may have several.

    Raises:
        InputError: There are several and ``num_classes`` is not given.
    """
    if not records[0].is_multi_label:
        return torch.tensor([record.label for record in records], dtype=torch.int64)
    if num_classes is None:
        raise InputError("videos with several labels need num_classes")
    labels_NK = torch.zeros(len(records), num_classes, dtype=torch.uint8)
    for row, record in zip(labels_NK, records, strict=True):
        row[list(record.labels)] = 1
    return labels_NK
