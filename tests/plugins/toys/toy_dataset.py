"""A data set in one file: numbered videos, whose number says the class and the split."""

from pathlib import Path

from dynsearch import DATASETS
from dynsearch.data import DatasetInfo
from dynsearch.data.records import Annotations, VideoRecord

CLASSES = ("left", "right", "up")


def read(root: Path) -> Annotations:
    """Return the videos below ``root``: the first 24 train."""
    paths = sorted(root.rglob("*.webm"), key=lambda path: int(path.stem))
    records = [VideoRecord(path.stem, path, (int(path.stem) - 1) % len(CLASSES)) for path in paths]
    return Annotations(class_names=CLASSES, train=records[:24], test=records[24:])


DATASETS.register(
    "toy-numbers",
    DatasetInfo(
        name="toy-numbers",
        title="Numbered videos",
        layout="NUMBER.webm anywhere below the folder",
        licence_page="none",
        how_to_get="make some",
        splits="the first 24 train",
        calibration_fraction=0.25,
        metrics=("top1",),
        read=read,
    ),
)
