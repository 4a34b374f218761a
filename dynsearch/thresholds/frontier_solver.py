"""The ``frontier`` solver: all thresholds for all budgets at once.

Price search for the upper hull, an archive for what lies between, smoothed gains against overfitting. With few
videos points are chosen by how likely each exit is right, not by their labels alone. Nothing depends on the scale of
cost, on monotone transforms of confidence, or on the order of the videos.

Shapes: E exits, N videos.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.scores.spread import Groups
from dynsearch.scores.stop_rule import stops_above
from dynsearch.thresholds.direct.archive import Archive
from dynsearch.thresholds.direct.bins import Bins, Positions, bin_confidences, systematic_sample
from dynsearch.thresholds.direct.enumeration import enumerate_frontier, num_policies
from dynsearch.thresholds.direct.gains import Gains
from dynsearch.thresholds.direct.likely import likely_right
from dynsearch.thresholds.direct.price_search import price_search
from dynsearch.thresholds.direct.smoothing import BANDWIDTH, smoothing_width
from dynsearch.thresholds.expected import expected_loss
from dynsearch.thresholds.operating_point import OperatingPoint, measured
from dynsearch.thresholds.policy import ExitPolicy

_MAX_BINS = 512
_MAX_SEARCHED_VIDEOS = 50_000
_MAX_PRICED_VIDEOS = 12_500  # the archive puts right what fewer videos leave inexact
_ENUMERATED_EXITS = 10_000_000  # policies times videos
_FEW_VIDEOS = 5_000  # up to here labels alone are not enough
_AFTER_FIT = 0.5  # of the bandwidth: what was fitted needs less smoothing
_LEAST_SHARE = 0.02
_NUM_SLOTS = 1500
_NUM_SLOTS_OF_FEW = 800  # finer slots would only be filled by noise
_EXPANSIONS = (64, 200)
_EXPANSIONS_OF_MANY = (64, 64)  # each takes long, and more of them win a thousandth of a point


def frontier(
    scores: ExitScores,
    *,
    confidence: str = DEFAULT_MEASURE,
    smoothing: float = BANDWIDTH,
    max_bins: int = _MAX_BINS,
) -> list[OperatingPoint]:
    """Return operating points near the best that thresholds can do at every cost.

    Args:
        scores: Labelled calibration scores.
        confidence: The confidence measure.
        smoothing: Bandwidth at 500 videos as a share of the confidence ranks; 0 fits the videos as they are, and
            expects what was counted.
        max_bins: Most positions tried for one threshold.

    Raises:
        InputError: ``smoothing`` is negative or not a number, or ``max_bins`` is below 2.
    """
    if not smoothing >= 0:
        raise InputError(f"smoothing must be 0 or more, got {smoothing}")
    if max_bins < 2:
        raise InputError(f"max_bins must be at least 2, got {max_bins}")
    confidence_EN, correct_EN, cost_E = scores.confidence(confidence), scores.correct(), scores.cost_E
    bins = bin_confidences(confidence_EN, max_bins)
    order = np.lexsort(np.vstack([correct_EN, bins.codes]))  # so that sums are the same in any order
    bins, correct_EN, confidence_EN = (
        bins.select(order),
        correct_EN.take(order, 1),
        confidence_EN.take(order, 1),
    )
    groups = None if scores.groups_N is None or not scores.groups else Groups(scores.groups_N[order])
    right_EN: NDArray[Any] = correct_EN
    tiny = num_policies(bins) * scores.num_videos <= _ENUMERATED_EXITS
    if tiny and (smoothing == 0 or scores.num_exits == 1):
        found = enumerate_frontier(bins, correct_EN, cost_E)
    else:
        bandwidth = smoothing
        if smoothing > 0 and scores.num_videos <= _FEW_VIDEOS:
            bandwidth *= _AFTER_FIT
            right_EN = likely_right(confidence_EN, correct_EN, bandwidth)
        found = _search(bins, right_EN, cost_E, bandwidth)
    found = list(dict.fromkeys(found + _single_exits(scores.num_exits, bins.num_bins)))
    points, full = [], float(right_EN[-1].mean())
    for positions in found:
        policy = ExitPolicy(bins.thresholds_at(positions), confidence, scores.plan_id)
        # The bins of all videos stop the same ones as the thresholds between them, and are compared faster.
        stops_EN = list(stops_above(bins.codes, positions))
        point = measured(policy, stops_EN, correct_EN, cost_E, scores.measure, groups)
        if smoothing > 0:
            loss = point.loss
            if right_EN is not correct_EN:
                loss = full - sum(map(np.dot, right_EN, stops_EN)) / scores.num_videos
            point = replace(point, expected=full - expected_loss(loss, point.loss_error))
        points.append(point)
    return points


def _search(
    bins: Bins, right_EN: NDArray[Any], cost_E: NDArray[np.float64], smoothing: float
) -> list[Positions]:
    """Return good policies for all costs."""
    gains = _gains(bins, right_EN, cost_E, smoothing, _MAX_SEARCHED_VIDEOS)
    hull = price_search(_gains(gains.bins, gains.right_EN, cost_E, smoothing, _MAX_PRICED_VIDEOS))
    # An exit that no price makes worth using could still win by a few lucky videos, or to hit a slot.
    used = gains.used_exits(hull, least_share=_LEAST_SHARE if smoothing > 0 else 0.0)
    num_slots = _NUM_SLOTS if gains.num_videos > _FEW_VIDEOS else _NUM_SLOTS_OF_FEW
    archive = Archive(gains, num_slots, sorted(used - {gains.num_thresholds}))
    for positions in hull:
        cleared = tuple(p if k in used else bins.num_bins for k, p in enumerate(positions))
        archive.offer(cleared, gains.value(cleared))
    many = right_EN.shape[1] > _MAX_SEARCHED_VIDEOS
    for max_members in _EXPANSIONS_OF_MANY if many else _EXPANSIONS:
        archive.expand(max_members)
    return archive.members()


def _gains(
    bins: Bins, right_EN: NDArray[Any], cost_E: NDArray[np.float64], smoothing: float, most: int
) -> Gains:
    """Return the problem on at most ``most`` of the videos."""
    if right_EN.shape[1] > most:
        videos = systematic_sample(np.vstack([right_EN, bins.codes]), most)
        bins, right_EN = bins.select(videos), right_EN.take(videos, 1)
    width = smoothing_width(right_EN.shape[1], bins.num_bins, smoothing)
    return Gains(bins, right_EN, cost_E, width)


def _single_exits(num_exits: int, never: int) -> list[Positions]:
    """Return the policies that take one exit whatever its confidence."""
    return [
        tuple(0 if exit_index == chosen else never for exit_index in range(num_exits - 1))
        for chosen in range(num_exits)
    ]
