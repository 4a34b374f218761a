"""A recipe and a search space that fit the videos in a folder."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dynsearch.data.catalogue import read_annotations, split_up
from dynsearch.data.record_frames import num_record_frames, read_record
from dynsearch.data.recordings import sources
from dynsearch.data.records import VideoRecord
from dynsearch.errors import DataError, VideoError
from dynsearch.scores.spread import FEW_GROUPS, groups_note

_LOOKED_AT = 12  # videos
_FEWEST = 100  # calibration videos
_NETWORKS = (
    (2000, "mobilenetv2_100", 112, 0.4),
    (10_000, "resnet18", 160, 4.0),
    (None, "resnet50", 224, 20.0),
)
"""Up to how many training videos: a backbone, side of its pictures, and a budget of about half of all it can cost."""


def fitting(root: Path) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    """Return a recipe and a space for the videos in ``root``, as YAML has them, and what is to be said of the videos.

    Few videos get a light network, small batches and many epochs; all start from ImageNet's weights.

    Raises:
        DataError: There are neither class folders nor lists of videos, or too few videos.
    """
    try:
        dataset, found = "folders", read_annotations("folders", root)
    except DataError as no_folders:
        try:
            dataset, found = "csv", read_annotations("csv", root)
        except DataError as error:
            none = not root.is_dir() or "holds 0 CSV files" in error.problem
            raise (no_folders if none else error) from None
    fraction = 0.3 if len(found.train) < 400 else 0.15
    splits = split_up(dataset, found, fraction, 0)
    shapes = [
        shape for record in found.train[:: -(-len(found.train) // _LOOKED_AT)] if (shape := _shape(record))
    ]
    if not shapes:
        raise DataError("the first videos can't be read", where=str(root), hint="Run `dynsearch data check`")
    frames, height, width = (statistics.median_low(sizes) for sizes in zip(*shapes, strict=True))
    count = len(splits["train"])
    _, backbone, wanted, budget = next(one for one in _NETWORKS if one[0] is None or count <= one[0])
    image_size = max(32, min(wanted, height // 32 * 32, width // 32 * 32))
    num_frames = 8 if frames >= 8 else 4
    batch = 8 if count < 200 else 16 if count < 2000 else 32
    recipe = {
        "dataset": dataset,
        "max_gflops": round(budget * num_frames / 8 * (image_size / wanted) ** 2, 3),
        "strategy": "retrain" if count <= 2000 else "one-shot",
        "num_trials": 4 if count <= 2000 else 12,
        "calibration_fraction": fraction,
        "frame_cache": {"num_frames": 2 * num_frames, "size": image_size * 8 // 7},
        "training": {
            "epochs": min(40, max(15, 12_000 // count)),
            "batch_size": batch,
            "learning_rate": 0.01 * batch / 16,
            "nesterov": True,
            "schedule": "cosine",
            "warmup_epochs": 1,
            "weight_decay": 5e-4,
            "dropout": 0.5,
            "grad_clip": 5,
            "pretrained": True,
        },
    }
    space = {
        "backbones": [backbone],
        "frames": [{"num_frames": num_frames, "num_sets": num_frames}],
        "image_sizes": [image_size],
        "frame_orders": ["sequential", "paper"],
        "temporal_shifts": ["online"],
        "heads": ["slots"],
        "exits": {"min_exits": 3, "max_exits": 4, "min_depth": 3, "max_depth": 5, "last": "full"},
    }
    sizes = ", ".join(f"{len(records)} {split}" for split, records in splits.items())
    about = f"{len(found.class_names)} classes, {sizes} videos of about {frames} frames of {width} x {height}"
    return recipe, space, [about, *found.notes, *few_videos(splits)]


def few_videos(splits: Mapping[str, Sequence[VideoRecord]], *, folds: bool = False) -> list[str]:
    """Return what is said where splits are so small that figures or thresholds on them mean little."""
    said = []
    calibrating = [*splits["calibration"], *(splits["train"] if folds and splits["calibration"] else ())]
    count, most = len(calibrating), len(splits["calibration"]) + len(splits["train"])
    if folds and count:
        said.append(f"thresholds are fitted to {most} videos, cross-fitted over folds: more networks a trial")
    if 0 < count < _FEWEST:
        share = math.ceil(100 * _FEWEST / most) / 100
        better = (
            f"--set calibration_fraction={share:g} would make" if share <= 0.5 else "collect more: it takes"
        )
        said.append(
            f"only {count} calibration videos can't tell a loss by early exits from one of several points; {better} "
            f"{_FEWEST}"
            + (
                ""
                if folds
                else f"; --strategy retrain --set calibration=folds would fit thresholds to all {most}"
            )
        )
    if 0 < (count := len(splits["test"])) < 50:
        points = 98 / count**0.5  # of the widest 95% interval
        said.append(
            f"only {count} test videos: top-1 on them may be off by {points:.0f} points; 50 or more are better"
        )
    for split, records in ("calibration", calibrating), ("test", splits["test"]):
        names = set(sources(records) or ())
        if 0 < len(names) < FEW_GROUPS:
            said.append(f"{split}: {groups_note(len(records), len(names))}")
    fewest = min(Counter(record.label for record in splits["train"]).values(), default=0)
    if 0 < fewest < 10:
        said.append(
            f"only {fewest} training videos of a class: start from weights that know pictures, and add videos"
        )
    return said


def _shape(record: VideoRecord) -> tuple[int, int, int] | None:
    try:
        count = num_record_frames(record)
        return count, *read_record(record, lambda count: [0], strict=False).shape[1:3]
    except VideoError:
        return None
