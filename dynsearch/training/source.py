"""The clips of a data set as a plan wants them."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dynsearch.data.catalogue import flip_rule
from dynsearch.data.clips import ClipDataset, label_tensor
from dynsearch.data.flips import mirrored_classes
from dynsearch.data.frame_cache import FrameCache, check_limit, is_kept, make_frame_cache
from dynsearch.data.identity import DataIdentity
from dynsearch.data.loader import ClipLoader, EpochOrder
from dynsearch.data.recordings import sources
from dynsearch.data.records import VideoDataset, VideoRecord
from dynsearch.data.sampling import Resize
from dynsearch.data.splits import carve_calibration
from dynsearch.errors import DataError
from dynsearch.plan import Plan
from dynsearch.training.config import FrameCacheConfig, TrainingConfig
from dynsearch.training.made import CONTENT
from dynsearch.training.ranks import ALONE, Ranks

TEST_RESIZE = 256 / 224
"""Test pictures: the short side is resized to this many times the input's side, then the middle cropped."""


class DatasetClips:
    """Loaders over the splits of one data set.

    Args:
        dataset: The data set.
        frame_cache: Which frames are kept decoded; None keeps none.
        write: Told what is made.
        reader: What decodes videos.
        num_workers: Processes that read and decode videos, for each process that trains.
        max_cache_gb: Most that the kept frames of all splits may take on disk, in 10^9 bytes.

    Attributes:
        num_classes: K.
        fingerprint: Changes when the ids of the videos of a split do.
    """

    def __init__(
        self,
        dataset: VideoDataset,
        frame_cache: FrameCacheConfig | None = None,
        write: Callable[[str], None] | None = None,
        reader: str = "auto",
        num_workers: int = 4,
        max_cache_gb: float = 200.0,
    ) -> None:
        self.dataset = dataset
        self.num_classes = len(dataset.class_names)
        ids = ",".join(
            f"{split}:{record.video_id}" for split in dataset.splits for record in dataset.splits[split]
        )
        self.fingerprint = hashlib.sha256(ids.encode()).hexdigest()[:12]
        self._mirrored = mirrored_classes(dataset.class_names, flip_rule(dataset.name))
        self._write = write or (lambda line: None)
        self._cache_settings = frame_cache
        self._folder: Path | None = None  # of the caches; None is their usual one
        # Whose training videos all splits are of, which share its cache.
        self._whole: DatasetClips | None = None
        self._reader, self._num_workers, self._max_cache_gb = reader, num_workers, max_cache_gb
        self._cache = lru_cache(maxsize=None)(self._make_cache)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process: neither opened caches nor a way to write to this terminal."""
        kept = {name: value for name, value in self.__dict__.items() if name != "identity"}
        return kept | {"_write": None, "_cache": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._write = lambda line: None
        self._cache = lru_cache(maxsize=None)(self._make_cache)

    @cached_property
    def identity(self) -> DataIdentity:
        """What results on these clips hang on."""
        return DataIdentity.of(self.dataset)

    @cached_property
    def key(self) -> dict[str, Any]:
        """Facts that decide the clips, plain values by name; results carry them."""
        frames, splits = self._cache_settings, self.dataset.splits.items()
        sizes = ", ".join(f"{len(records)} {split}" for split, records in splits)
        return {
            "dataset": self.dataset.name,
            "videos": f"{sizes} ({self.identity.without_content().digest})",
            CONTENT: self.identity.digest,
            "frame_cache": frames and {"num_frames": frames.num_frames, "size": frames.size},
        }

    def facts(self) -> dict[str, Any]:
        """Return what a study records of the data: sizes of the splits, and the groups that are held out."""
        sizes = {split: len(records) for split, records in self.dataset.splits.items()}
        groups = {split: self.dataset.groups(split) for split in ("calibration", "test")}
        held_out = {f"{split}_groups": names for split, names in groups.items() if names}
        notes = {"notes": list(self.dataset.notes)} if self.dataset.notes else {}
        return {"videos": sizes, "missing": len(self.dataset.missing), **held_out, **notes}

    def video_ids(self, split: str) -> Sequence[str]:
        """Return the names of the split's videos; the loader's indices point into them."""
        return [record.video_id for record in self.dataset.splits[split]]

    def groups(self, split: str) -> Sequence[str]:
        """Return what each of the split's videos belongs to: its group, or its file where it has none."""
        return [record.group or str(record.path) for record in self.dataset.splits[split]]

    def sources(self, split: str) -> Sequence[str] | None:
        """Return what each of the split's videos is of, if others are of the same; see ``data.recordings``."""
        return sources(self.dataset.splits[split])

    def labels(self, split: str) -> npt.NDArray[np.generic]:
        """Return the labels of the split's videos, int64 (N,), or uint8 (N, K) where they may have several."""
        return label_tensor(self.dataset.splits[split], self.num_classes).numpy()

    def loader(
        self,
        split: str,
        plan: Plan,
        config: TrainingConfig,
        *,
        training: bool,
        seed: int,
        ranks: Ranks = ALONE,
    ) -> ClipLoader:
        """Return this process's batches of (clips, labels, indices) of ``split`` as ``plan`` wants them.

        Clips are float32 (B, T, C, H, W) in temporal order. Training shuffles, draws frames, and crops if
        ``config`` says so; everything else sees the middle frames and the middle crop.
        """
        share = config.max_bad_videos if training else 0.0
        cache = self._cache(split, share, config.resize) if self._cache_settings else None
        clips = ClipDataset(
            self.dataset.splits[split],
            num_frames=plan.num_frames,
            image_size=plan.image_size,
            training=training,
            seed=seed,
            cache=cache,
            reader=self._reader,
            short_side=None if cache else round(plan.image_size * TEST_RESIZE),
            resize=config.resize,
            sampling=config.sampling,
            multi_scale_crop=config.multi_scale_crop,
            num_classes=self.num_classes,
            mirrored_K=self._mirrored if config.flip and training else None,
        )
        in_one_go = cache is not None and not clips.multi_scale_crop
        return ClipLoader(
            clips,
            EpochOrder(
                clips, config.batch_size, shuffle=training, seed=seed, rank=ranks.rank, num_ranks=ranks.count
            ),
            num_workers=0 if in_one_go else self._num_workers,
            max_bad_videos=share,
            write=self._write,
        )

    def few(self, count: int, folder: Path) -> "DatasetClips":
        """Return the clips of so few videos of each split, read in this process, with their cache in ``folder``."""
        splits = {split: records[:count] for split, records in self.dataset.splits.items()}
        dataset = dataclasses.replace(self.dataset, splits=splits)
        found = DatasetClips(dataset, self._cache_settings, None, self._reader, 0, self._max_cache_gb)
        found._folder = folder
        return found

    @property
    def is_cached(self) -> bool:
        """Whether the frames that are to be kept are there, of all splits; true where none are."""
        frames, splits = self._cache_settings, self.dataset.splits.items()
        return frames is None or all(
            is_kept(records, f"{self.dataset.name}-{split}", frames.num_frames, frames.size)
            for split, records in splits
        )

    def folds(self, most: int, config: TrainingConfig, seed: int) -> list["DatasetClips"]:
        """Return the clips of as many folds of the training videos, or fewer where groups or files are few.

        A fold's ``train`` is what is left of the training videos without it, its ``calibration`` and ``test`` are the
        fold. Groups and files are whole, and classes spread as in :func:`~dynsearch.data.splits.carve_calibration`.
        Videos that the frame cache could not read are in none.

        Raises:
            DataError: There are too few for two folds.
        """
        bad = self._cache("train", config.max_bad_videos, config.resize).bad if self._cache_settings else ()
        every = left = [record for n, record in enumerate(self.dataset.splits["train"]) if n not in bad]
        parts: list[list[VideoRecord]] = []
        for share in range(most, 1, -1):
            try:
                left, part = carve_calibration(left, 1 / share, seed, purpose="a fold")
            except DataError:
                if not parts:
                    raise
                break
            parts.append(part)
        return [self._without(part, every) for part in (*parts, left)]

    def _without(self, part: list[VideoRecord], every: Sequence[VideoRecord]) -> "DatasetClips":
        held = {record.video_id for record in part}
        fitted = [record for record in every if record.video_id not in held]
        own = dataclasses.replace(self.dataset, splits={"train": fitted, "calibration": part, "test": part})
        found = DatasetClips(own, self._cache_settings, self._write, self._reader, self._num_workers)
        found._whole = self
        return found

    def _make_cache(self, split: str, max_bad_videos: float, resize: Resize) -> FrameCache:
        settings = self._cache_settings
        assert settings is not None
        if self._whole is not None:
            place_of = {name: place for place, name in enumerate(self._whole.video_ids("train"))}
            places_N = np.array([place_of[name] for name in self.video_ids(split)], dtype=np.intp)
            whole = self._whole._cache("train", max_bad_videos, resize)
            return dataclasses.replace(whole, places_N=places_N)
        sizes = [len(records) for records in self.dataset.splits.values()]
        check_limit(sizes, settings.num_frames, settings.size, self._max_cache_gb)
        return make_frame_cache(
            self.dataset.splits[split],
            name=f"{self.dataset.name}-{split}",
            num_frames=settings.num_frames,
            size=settings.size,
            resize=resize,
            reader=self._reader,
            folder=self._folder,
            max_bad_videos=max_bad_videos,
            write=self._write,
        )
