"""Labels of many videos as one tensor."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from dynsearch.data.records import VideoRecord
from dynsearch.errors import InputError


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
