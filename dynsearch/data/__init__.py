"""Data sets: the catalogue, reading videos, sampling, augmentation and the frame cache.

Importing this package is cheap: torch comes with ``clips``, decord with the first video that is read.
"""

from dynsearch.data.catalogue import DATASETS, DatasetInfo, get_info, open_dataset
from dynsearch.data.reader import READERS, VideoReader, get_reader, num_frames, read_frames
from dynsearch.data.records import SPLIT_NAMES, VideoDataset, VideoRecord

__all__ = [
    "DATASETS",
    "READERS",
    "SPLIT_NAMES",
    "DatasetInfo",
    "VideoDataset",
    "VideoReader",
    "VideoRecord",
    "get_info",
    "get_reader",
    "num_frames",
    "open_dataset",
    "read_frames",
]
