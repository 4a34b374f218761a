"""The ``frontier`` solver: all thresholds for all budgets at once.

Price search for the upper hull, an archive for what lies between, smoothed gains against overfitting;
tiny tables are enumerated. Nothing depends on the scale of cost, on monotone transforms of confidence,
or on the order of the videos.
"""

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import InputError
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.scores.stop_rule import stops_above
from dynsearch.thresholds.direct.archive import Archive
from dynsearch.thresholds.direct.bins import Bins, Positions, bin_confidences, systematic_sample
from dynsearch.thresholds.direct.enumeration import enumerate_frontier, num_policies
from dynsearch.thresholds.direct.gains import Gains
from dynsearch.thresholds.direct.price_search import price_search
from dynsearch.thresholds.direct.smoothing import BANDWIDTH, smoothing_width
from dynsearch.thresholds.operating_point import OperatingPoint, measured
from dynsearch.thresholds.policy import ExitPolicy
from dynsearch.thresholds.target_accuracy import target_accuracy

_MAX_BINS = 512
_MAX_SEARCHED_VIDEOS = 50_000
_MAX_PRICED_VIDEOS = 12_500  # the archive puts right what fewer videos leave inexact
_ENUMERATED_EXITS = 10_000_000  # policies times videos
_FEWEST_SMOOTHED = 65  # with fewer videos the best fit to them is what is asked for
_FEW_VIDEOS = 5_000  # up to here a one-parameter family, which varies less, is offered as well
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
        smoothing: Bandwidth at 500 videos as a share of the confidence ranks; 0 fits the videos as they are.
        max_bins: Most positions tried for one threshold.

    Raises:
        InputError: ``smoothing`` is negative or not a number, or ``max_bins`` is below 2.
    """
    if not smoothing >= 0:
        raise InputError(f"smoothing must be 0 or more, got {smoothing}")
    if max_bins < 2:
        raise InputError(f"max_bins must be at least 2, got {max_bins}")
    bins = bin_confidences(scores.confidence(confidence), max_bins)
    correct_EN = scores.correct()
    tiny = scores.num_videos < _FEWEST_SMOOTHED
    if tiny and num_policies(bins) * scores.num_videos <= _ENUMERATED_EXITS:
        found = enumerate_frontier(bins, correct_EN, scores.cost_E)
        used = set(range(scores.num_exits))
    else:
        found, used = _search(bins, correct_EN, scores.cost_E, 0.0 if tiny else smoothing)
    found += _single_exits(scores.num_exits, bins.num_bins)
    positions_of = {
        ExitPolicy(bins.thresholds_at(positions), confidence, scores.plan_id): positions
        for positions in found
    }
    points = [
        # The bins of all videos stop the same ones as the thresholds between them, and are compared faster.
        measured(policy, stops_above(bins.codes, positions), correct_EN, scores.cost_E, scores.measure)
        for policy, positions in positions_of.items()
    ]
    if smoothing > 0 and not tiny and scores.num_videos <= _FEW_VIDEOS:
        simple = target_accuracy(scores, confidence=confidence)
        points += [p for p in simple if {k for k, share in enumerate(p.exit_share) if share > 0} <= used]
    return points


def _search(
    bins: Bins, correct_EN: NDArray[np.bool_], cost_E: NDArray[np.float64], smoothing: float
) -> tuple[list[Positions], set[int]]:
    """Return good policies for all costs, and the exits that some price makes worth using."""
    gains = _gains(bins, correct_EN, cost_E, smoothing, _MAX_SEARCHED_VIDEOS)
    hull = price_search(_gains(gains.bins, gains.correct_EN, cost_E, smoothing, _MAX_PRICED_VIDEOS))
    # An exit that no price makes worth using could still win by a few lucky videos, or to hit a slot.
    used = gains.used_exits(hull, least_share=_LEAST_SHARE if smoothing > 0 else 0.0)
    num_slots = _NUM_SLOTS if gains.num_videos > _FEW_VIDEOS else _NUM_SLOTS_OF_FEW
    archive = Archive(gains, num_slots, sorted(used - {gains.num_thresholds}))
    for positions in hull:
        cleared = tuple(p if k in used else bins.num_bins for k, p in enumerate(positions))
        archive.offer(cleared, gains.value(cleared))
    many = correct_EN.shape[1] > _MAX_SEARCHED_VIDEOS
    for max_members in _EXPANSIONS_OF_MANY if many else _EXPANSIONS:
        archive.expand(max_members)
    return archive.members(), used


def _gains(
    bins: Bins, correct_EN: NDArray[np.bool_], cost_E: NDArray[np.float64], smoothing: float, most: int
) -> Gains:
    """Return the problem on at most ``most`` of the videos."""
    if correct_EN.shape[1] > most:
        videos = systematic_sample(np.vstack([correct_EN, bins.codes]), most)
        bins, correct_EN = bins.select(videos), correct_EN[:, videos]
    width = smoothing_width(correct_EN.shape[1], bins.num_bins, smoothing)
    return Gains(bins, correct_EN, cost_E, width)


def _single_exits(num_exits: int, never: int) -> list[Positions]:
    """Return the policies that take one exit whatever its confidence."""
    return [
        tuple(0 if exit_index == chosen else never for exit_index in range(num_exits - 1))
        for chosen in range(num_exits)
    ]
