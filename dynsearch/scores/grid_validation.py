"""The rules a score grid must keep, each with its message.

Shapes: S frame sets, M depth stages, N videos, K classes.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError
from dynsearch.scores import validation

DTYPES = ("float16", "float32")
TRUNK, HEAD = "trunk_gmacs", "head_gmacs"
"""The names, in files, of what rectangles of cells and their heads cost."""


def checked_logits(value: Any) -> NDArray[Any]:
    """Return (S, M, N, K) logits; those in memory are finite, those of a file were checked when written."""
    logits = np.asanyarray(value)
    if logits.dtype.name not in DTYPES:
        raise ScoresError(f"must be float16 or float32, got {logits.dtype.name}", where="logits")
    if logits.ndim != 4:
        raise ScoresError(
            f"must have the axes (sets, depths, videos, classes), got shape {logits.shape}", where="logits"
        )
    for axis, name in enumerate(("frame sets", "depth stages", "videos", "classes")):
        if logits.shape[axis] == 0:
            raise ScoresError(f"no {name}: the array is empty", where="logits")
    if not isinstance(logits, np.memmap):
        check_finite(logits)
    return logits


def check_finite(logits_SMNK: NDArray[Any], first_video: int = 0) -> None:
    """Refuse logits that are not finite; the message names the first cell and video, counted from ``first_video``."""
    for row, column in np.ndindex(logits_SMNK.shape[:2]):
        finite_N = np.isfinite(logits_SMNK[row, column]).all(axis=1)
        if not finite_N.all():
            bad = np.flatnonzero(~finite_N)
            raise ScoresError(
                f"the cell of row {row}, column {column} has values that are not finite numbers for"
                f" {bad.size} videos, the first at position {bad[0] + first_video}",
                where="logits",
            )


def checked_costs(
    trunk: Any, head: Any, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the (S, M) costs of the cells, which are possible and do not fall along an axis, and of their heads."""
    trunk_SM, head_SM = (
        validation.numeric_array(name, value, np.float64, 2, "(sets, depths)")
        for name, value in ((TRUNK, trunk), (HEAD, head))
    )
    if trunk_SM.size == 0:
        raise ScoresError("no cells: the array is empty", where=TRUNK)
    for name, array in ((TRUNK, trunk_SM), (HEAD, head_SM)):
        if array.shape != shape:
            raise ScoresError(f"has {array.shape} cells, but there are {shape}", where=name)
        positive = array > 0 if name == TRUNK else array >= 0
        if not (positive & np.isfinite(array)).all():
            bad = tuple(int(i) for i in np.argwhere(~(positive & np.isfinite(array)))[0])
            raise ScoresError(
                f"the cost of cell {bad} is {array[bad]:g}; costs must be positive and finite", where=name
            )
    for axis, name in enumerate(("frame set", "depth stage")):
        falls = np.argwhere(np.diff(trunk_SM, axis=axis) < 0)
        if len(falls):
            before = tuple(int(i) for i in falls[0])
            after = (before[0] + 1, before[1]) if axis == 0 else (before[0], before[1] + 1)
            raise ScoresError(
                f"cost falls from {trunk_SM[before]:g} to {trunk_SM[after]:g} with a further {name},"
                f" at cell {after}",
                where=TRUNK,
                hint="A cell's cost is that of the whole rectangle of cells up to it",
            )
    return trunk_SM, head_SM


def checked_labels(value: Any, num_videos: int, num_classes: int) -> NDArray[np.int64]:
    """Return labels, one a video (N,), or 0/1 for each class (N, K), that fit the videos and classes."""
    labels = validation.label_array(value)
    if len(labels) != num_videos:
        raise ScoresError(f"has {len(labels)} videos but logits has {num_videos}", where="labels")
    if num_videos == 0:
        raise ScoresError("the split is empty: no videos", where="labels")
    validation.check_labels(labels, num_classes)
    return labels


def checked_ids(value: Any, num_videos: int) -> NDArray[np.str_]:
    """Return the (N,) names of the videos, one for each."""
    ids = np.asarray(value)
    ids = ids.astype(np.str_) if ids.dtype.kind != "U" else ids
    if ids.shape != (num_videos,):
        raise ScoresError(f"has shape {ids.shape} but there are {num_videos} videos", where="video_ids")
    return ids


def checked_first_depth(value: Any) -> int:
    """Return the depth stage of column 0, a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ScoresError(f"must be a whole number from 1, got {value!r}", where="first_depth")
    return int(value)


def checked_dtype(value: Any) -> str:
    """Return the name of the type that logits are kept as, float16 or float32."""
    name = np.dtype(value).name
    if name not in DTYPES:
        raise ScoresError(f"must be float16 or float32, got {name}", where="dtype")
    return name
