"""Whether two splits share videos. Thresholds must be judged on videos they were not fitted on."""

from __future__ import annotations

import numpy as np

from dynsearch.errors import ScoresError
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.tables import composed


def check_disjoint(calibration: ExitScores, other: ExitScores) -> bool:
    """Refuse two splits with videos in common.

    Returns:
        Whether it could be checked by video ids. Without ids only identical scores are noticed.

    Raises:
        ScoresError: Some video is in both; the message names one and says how many.
    """
    if calibration.video_ids_N is not None and other.video_ids_N is not None:
        first, second = (
            set(map(composed, ids.tolist())) for ids in (calibration.video_ids_N, other.video_ids_N)
        )
        both = sorted(first & second)
        if both:
            raise ScoresError(
                f"{len(both)} of {other.num_videos} videos are also in the calibration scores,"
                f" one is {both[0]!r}",
                hint="Results on them would be too good. Give other videos, or insist with --allow-overlap",
            )
        return True
    if _identical(calibration, other):
        raise ScoresError(
            "these are the calibration scores themselves",
            hint="Results on them would be too good. Give other videos, or insist with --allow-overlap",
        )
    return False


def _identical(first: ExitScores, second: ExitScores) -> bool:
    if first.num_videos != second.num_videos or first.num_exits != second.num_exits:
        return False
    for name in ("logits_ENK", "confidence_EN"):
        one, other = getattr(first, name), getattr(second, name)
        if one is not None and other is not None:
            return np.array_equal(one, other, equal_nan=True)
    return False
