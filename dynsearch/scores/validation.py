"""The rules exit scores must keep, each with its message.

Shapes: E exits, N videos, K classes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, shown
from dynsearch.scores.labels import several_labels

EVERY_EXIT = "Log every exit of every video: a network that stops early leaves the later ones out"
"""What to do about scores with gaps."""


def numeric_array(name: str, value: Any, dtype: type, ndim: int, letters: str) -> NDArray[Any]:
    """Return ``value`` as an array of ``dtype`` with ``ndim`` axes.

    Raises:
        ScoresError: It is no such array.
    """
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
        if dtype is np.bool_ and not np.isin(array, (0, 1)).all():
            raise ScoresError("must hold true and false (or 1 and 0) only", where=name)
        if dtype is np.int64 and not _are_whole(array):
            raise ScoresError("must hold whole numbers", where=name)
        with np.errstate(over="ignore"):  # logits beyond float32 become infinite, and are refused as such
            array = array.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ScoresError):
            raise
        raise ScoresError("must be an array of numbers", where=name) from error
    if array.ndim != ndim:
        raise ScoresError(f"must have the axes {letters}, got shape {array.shape}", where=name)
    return array


def text_array(name: str, value: Any) -> NDArray[np.str_]:
    """Return ``value`` as an array of texts; bytes are UTF-8, numbers are written out.

    Raises:
        ScoresError: A value is missing (None, NaN), or no UTF-8.
    """
    array = np.asarray(value)
    if array.dtype.kind == "U":
        return array
    texts = []
    for position, item in enumerate(array.reshape(-1).tolist()):
        if not isinstance(item, str | bytes) and str(item) in ("None", "nan", "NaT", "<NA>"):
            raise ScoresError(f"the one at position {position} is missing", where=name)
        try:
            texts.append(item.decode("utf-8") if isinstance(item, bytes) else str(item))
        except UnicodeDecodeError as error:
            raise ScoresError(
                f"the one at position {position} is not UTF-8: {shown(item)}",
                where=name,
                hint="Save names as text, np.array(names, dtype=str)",
            ) from error
    return np.array(texts, dtype=np.str_).reshape(array.shape)


def stopped_at(confidence_EN: NDArray[np.float64]) -> tuple[int, int] | None:
    """Return (exit, position) of the first gap where some videos have none (NaN) from an exit up to the last.

    So does a network log that really stops. None where there is no such gap, or gaps of other kinds too.
    """
    gaps_EN = np.isnan(confidence_EN)
    if not gaps_EN[-1].any() or gaps_EN[-1].all() or (gaps_EN[:-1] & ~gaps_EN[1:]).any():
        return None
    position = int(gaps_EN[-1].argmax())
    return int(gaps_EN[:, position].argmax()), position


def label_array(value: Any) -> NDArray[np.int64]:
    """Return labels, one a video (N,), or several (N, K).

    Raises:
        ScoresError: They are no whole numbers.
    """
    ndim = 2 if several_labels(np.asanyarray(value)) else 1
    return numeric_array("labels", value, np.int64, ndim, "(videos,)")


def _are_whole(array: NDArray[Any]) -> bool:
    """Return whether all values are whole numbers that fit int64."""
    limit = np.iinfo(np.int64).max
    if array.dtype.kind == "u":
        return bool((array <= limit).all())
    if array.dtype.kind != "f":
        return True
    wide = array.astype(np.float64)  # float16 ends below the limit
    return bool(((wide == np.floor(wide)) & (np.abs(wide) < limit)).all())


def one_text(name: str, value: Any) -> str:
    """Return a single text; an array of one is as good.

    Raises:
        ScoresError: It is several values.
    """
    if np.ndim(value) > 0 and np.size(value) != 1:
        raise ScoresError(f"must be one text, got {np.size(value)} values", where=name)
    return str(np.asarray(value).reshape(-1)[0])


def check_costs(cost_E: NDArray[np.float64], where: str, unit: str) -> None:
    """Refuse costs that are not positive, finite and rising."""
    if cost_E.size == 0:
        raise ScoresError("no exits: the array is empty", where=where)
    for exit_index, cost in enumerate(cost_E):
        if not np.isfinite(cost) or cost <= 0:
            raise ScoresError(
                f"the cost of exit {exit_index} is {cost:g}; costs must be positive and finite", where=where
            )
    falls = np.flatnonzero(np.diff(cost_E) < 0)
    if falls.size:
        first = int(falls[0])
        raise ScoresError(
            f"cost falls from {cost_E[first]:g} to {cost_E[first + 1]:g} at exit {first + 1}",
            where=where,
            hint=f"Costs are cumulative {unit}, in the order the exits are met",
        )


def check_logits(logits_ENK: NDArray[np.float32]) -> None:
    """Refuse logits without classes or with values that are not finite."""
    if logits_ENK.shape[2] == 0:
        raise ScoresError("no classes: the last axis is empty", where="logits")
    for exit_index, logits_NK in enumerate(logits_ENK):
        if not np.isfinite(logits_NK).all():
            videos = np.flatnonzero(~np.isfinite(logits_NK).all(axis=1))
            raise ScoresError(
                f"exit {exit_index} has values that are not finite numbers for {videos.size} videos,"
                f" the first at position {videos[0]}",
                where="logits",
            )


def check_labels(labels: NDArray[Any], num_classes: int | None) -> None:
    """Refuse labels outside ``0 .. num_classes - 1`` (None: no upper limit) and a class axis that differs.

    Several labels a video must be 0 or 1.
    """
    if several_labels(labels):
        if not np.isin(labels, (0, 1)).all():
            raise ScoresError("several labels a video must be 0 and 1 for each class", where="labels")
        if num_classes is not None and labels.shape[1] != num_classes:
            raise ScoresError(
                f"has {labels.shape[1]} classes but the logits have {num_classes}", where="labels"
            )
        return
    bad = labels < 0 if num_classes is None else (labels < 0) | (labels >= num_classes)
    if bad.any():
        limit = "0 or more" if num_classes is None else f"in 0..{num_classes - 1}"
        position = int(np.flatnonzero(bad)[0])
        raise ScoresError(
            f"the label at position {position} is {labels[position]}, but labels must be {limit}",
            where="labels",
        )


def check_lengths(lengths: dict[str, tuple[int, ...]], num_exits: int, costs: str) -> int:
    """Refuse arrays that disagree on E or N; return N.

    Args:
        lengths: For each array its (E, N), or (N,) where it has no exit axis.
        num_exits: E, as given by the costs.
        costs: The name of the array of costs.
    """
    for name, shape in lengths.items():
        if len(shape) == 2 and shape[0] != num_exits:
            raise ScoresError(f"has {shape[0]} exits but {costs} has {num_exits}", where=name)
    reference_name, reference = next(iter(lengths.items()))
    num_videos = reference[-1]
    for name, shape in lengths.items():
        if shape[-1] != num_videos:
            raise ScoresError(f"has {shape[-1]} videos but {reference_name} has {num_videos}", where=name)
    if num_videos == 0:
        raise ScoresError("the split is empty: no videos", where=reference_name)
    return num_videos
