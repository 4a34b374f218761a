"""The rules exit scores must keep, each with its message.

Shapes: E exits, N videos, K classes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, shown
from dynsearch.measures import COUNTED
from dynsearch.scores.foreign import turned
from dynsearch.scores.labels import several_labels

EVERY_EXIT = "Log every exit of every video: a network that stops early leaves the later ones out"
"""What to do about scores with gaps."""
_PLAIN_COUNT = 1e6
"""GFLOPs that no video costs: the largest networks take less for all views of one."""
_NOT_FINITE = {
    "nan": EVERY_EXIT,
    "inf": "float16 ends at 65,504: save logits as float32",
    "-inf": "A class with -inf has a probability of zero; one class at least must have one",
}


def numeric_array(name: str, value: Any, dtype: type, ndim: int, letters: str) -> NDArray[Any]:
    """Return ``value`` as an array of ``dtype`` with ``ndim`` axes, called ``letters``."""
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
        if dtype is np.bool_ and not np.isin(array, (0, 1)).all():
            raise ScoresError(
                "must hold true and false (or 1 and 0) only",
                where=name,
                hint="Of predictions, take predictions == labels",
            )
        if dtype is np.int64 and not _are_whole(array):
            raise ScoresError("must hold whole numbers", where=name)
        with np.errstate(over="ignore"):  # logits beyond float32 become infinite, and are refused as such
            array = array.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, ScoresError):
            raise
        hint = "Give class numbers: 0 for the class of the first logit" if name == "labels" else None
        raise ScoresError("must be an array of numbers", where=name, hint=hint) from error
    if array.ndim != ndim:
        hint = None
        if array.squeeze().ndim == ndim:
            hint = f"Did you mean {name}.squeeze(), of shape {array.squeeze().shape}?"
        elif array.ndim == ndim - 1 and letters.startswith("(exits,"):
            hint = f"Of a single exit it is {name}[None]"
        raise ScoresError(f"must have the axes {letters}, got shape {array.shape}", where=name, hint=hint)
    return array


def text_array(name: str, value: Any) -> NDArray[np.str_]:
    """Return ``value`` as an array of texts, none missing; bytes are UTF-8, numbers are written out."""
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
    """Return labels, one a video (N,), or several (N, K), as whole numbers."""
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
    """Return a single text; an array of one is as good."""
    if np.ndim(value) > 0 and np.size(value) != 1:
        raise ScoresError(f"must be one text, got {np.size(value)} values", where=name)
    return str(np.asarray(value).reshape(-1)[0])


def check_costs(cost_E: NDArray[np.float64], where: str, unit: str) -> None:
    """Refuse costs that are not positive, finite and rising."""
    if cost_E.size == 0:
        raise ScoresError("no exits: the array is empty", where=where)
    for exit_index, cost in enumerate(cost_E, start=1):
        if not np.isfinite(cost) or cost <= 0:
            raise ScoresError(
                f"the cost of exit {exit_index} is {cost:g}; costs must be positive and finite", where=where
            )
    falls = np.flatnonzero(np.diff(cost_E) < 0)
    if falls.size:
        first = int(falls[0])
        raise ScoresError(
            f"cost falls from {cost_E[first]:g} to {cost_E[first + 1]:g} at exit {first + 2}",
            where=where,
            hint=f"Costs are cumulative {unit}, in the order the exits are met: the numpy.cumsum of each step's",
        )
    if where == COUNTED.array and cost_E[-1] >= _PLAIN_COUNT:
        raise ScoresError(
            f"the last exit costs {cost_E[-1]:g} {unit}: these look like plain multiply-accumulates",
            where=where,
            hint="Divide them by 10^9, or say that they are in another unit: --cost-unit macs",
        )


def check_logits(logits_ENK: NDArray[np.float32]) -> None:
    """Refuse logits without classes, or with a row that holds NaN or inf, or nothing but -inf."""
    if logits_ENK.shape[2] == 0:
        raise ScoresError("no classes: the last axis is empty", where="logits")
    for exit_index, logits_NK in enumerate(logits_ENK, start=1):
        highest_N = logits_NK.max(axis=1)  # NaN where there is one
        videos = np.flatnonzero(~np.isfinite(highest_N))
        if videos.size:
            value = highest_N[videos[0]]
            raise ScoresError(
                f"exit {exit_index} has values that are not finite numbers for {videos.size} videos,"
                f" the first at position {videos[0]}: {'all ' if value < 0 else ''}{value:g}",
                where="logits",
                hint=_NOT_FINITE["nan" if np.isnan(value) else f"{value:g}"],
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
                f"has {labels.shape[1]} classes but the logits have {num_classes}",
                where="labels",
                hint="One class number a video has one axis: labels[:, 0]" if labels.shape[1] == 1 else None,
            )
        return
    bad = labels < 0 if num_classes is None else (labels < 0) | (labels >= num_classes)
    if bad.any():
        limit = "0 or more" if num_classes is None else f"in 0..{num_classes - 1}"
        position = int(np.flatnonzero(bad)[0])
        hint = None
        if num_classes == 1:
            hint = (
                "One logit for two classes is a second one beside 0: numpy.stack([0 * logit, logit], axis=-1)"
            )
        elif labels.min() == -1:
            hint = "If -1 means unlabelled, leave these videos out"
        elif labels.min() > 0 and labels.max() == num_classes:
            hint = f"They run from {labels.min()} to {num_classes}: did you mean labels - 1?"
        raise ScoresError(
            f"the label at position {position} is {labels[position]}, but labels must be {limit}",
            where="labels",
            hint=hint,
        )


def check_shapes(shapes: Mapping[str, tuple[str, tuple[int, ...]]], num_exits: int, costs: str) -> None:
    """Refuse arrays that disagree on E or N: for each the letters of its axes, for instance ``ENK``, and its shape.

    ``num_exits`` is E, as given by the array of costs, called ``costs``.
    """
    first, (axes, shape) = next(iter(shapes.items()))
    num_videos = shape[axes.index("N")]
    known = {"E": num_exits} | {axes[0]: shape[0] for axes, shape in shapes.values() if axes[0] == "N"}
    for name, (axes, shape) in shapes.items():
        if axes[0] == "E" and shape[0] != num_exits:
            raise ScoresError(
                f"has {shape[0]} exits but {costs} has {num_exits}",
                where=name,
                hint=turned(name, axes, shape, known),
            )
    for name, (axes, shape) in shapes.items():
        length = shape[axes.index("N")]
        if length != num_videos:
            raise ScoresError(
                f"has {length} videos but {first} has {num_videos}",
                where=name,
                hint=turned(name, axes, shape, {"E": num_exits, "N": num_videos})
                or turned(first, *shapes[first], {"E": num_exits, "N": length}),
            )
    if num_videos == 0:
        raise ScoresError("the split is empty: no videos", where=first)
