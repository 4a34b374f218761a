"""Groups of videos by name, from a column of the scores' own table or from a table of their own."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.scores.tables import is_table, read_table


def load_groups(source: str, scores_path: str | os.PathLike[str], scores: ExitScores) -> NDArray[np.str_]:
    """Return (N,): the name of the group of each video.

    Args:
        source: A ``.csv`` or ``.parquet`` file with columns ``video_id`` and ``group``; or the name of a column
            of the table at ``scores_path``.
        scores_path: Where the scores came from.
        scores: The scores; a file of groups is matched with their video ids.

    Raises:
        ScoresError: There is no such file or column, or a video has no group, or two.
    """
    if is_table(source):
        return _matched(source, scores)
    if not is_table(scores_path):
        raise ScoresError(
            f"has no column {source!r}: it is no table",
            where=os.fspath(scores_path),
            hint="Give groups as a .csv file with columns video_id and group",
        )
    table = read_table(scores_path)
    if source not in table:
        raise ScoresError(
            f"has no column {source!r}",
            where=os.fspath(scores_path),
            hint=f"Columns: {', '.join(table.columns)}",
        )
    return table[source].astype(str).to_numpy(dtype=str)


def _matched(path: str, scores: ExitScores) -> NDArray[np.str_]:
    if scores.video_ids_N is None:
        raise ScoresError("the scores have no video_ids to match groups with", where=path)
    table = read_table(path)
    for column in ("video_id", "group"):
        if column not in table:
            raise ScoresError(f"has no column {column}", where=path, hint="It needs video_id and group")
    names, groups = table["video_id"].astype(str), table["group"].astype(str)
    if names.duplicated().any():
        raise ScoresError(f"video {names[names.duplicated()].iloc[0]!r} is there twice", where=path)
    group_of = dict(zip(names, groups, strict=True))
    missing = [name for name in scores.video_ids_N.tolist() if name not in group_of]
    if missing:
        raise ScoresError(
            f"{len(missing)} of {scores.num_videos} videos have no group, one is {missing[0]!r}", where=path
        )
    return np.array([group_of[name] for name in scores.video_ids_N.tolist()], dtype=str)
