"""Groups of videos by name, from a column of the scores' own table or from a table of their own."""

import os
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, within
from dynsearch.scores.exit_scores import ExitScores
from dynsearch.scores.tables import class_numbers, is_table
from dynsearch.tables import GROUP_COLUMNS, Table, composed, read_table, unmatched_rows

MISSING = "missing"
"""The group of videos whose cell is blank."""


def load_groups(
    source: str, scores_path: str | os.PathLike[str], scores: ExitScores, blank_as: str = MISSING
) -> tuple[NDArray[np.str_], list[str]]:
    """Return (N,), the name of the group of each video, as written, and what is to be said of them.

    Args:
        source: A ``.csv`` or ``.parquet`` file with columns ``video_id`` and ``group``; or the name of a column
            of the table at ``scores_path``.
        scores_path: Where the scores came from.
        scores: The scores; a file of groups is matched with their video ids.
        blank_as: The group of videos whose cell is blank, in brackets where another is called so.

    Raises:
        ScoresError: There is no such file or column, or a video has no group, or two.
    """
    if is_table(source):
        groups, notes = _matched(read_table(source, ScoresError), scores)
    elif not is_table(scores_path):
        raise ScoresError(
            f"has no column {source!r}: it is no table",
            where=os.fspath(scores_path),
            hint="Give groups as a .csv file with columns video_id and group",
        )
    else:
        table = read_table(scores_path, ScoresError)
        groups, notes = table.column(_place(table, source)), []
    blank = groups.count("")
    if blank and blank_as:
        name = blank_as if blank_as not in groups else f"({blank_as})"
        groups = [group or name for group in groups]
        notes.append(f"{blank} of {len(groups)} videos have a blank for their group, and are shown as {name}")
    return np.array(groups, dtype=str), notes


def with_labels(scores: ExitScores, path: str | os.PathLike[str]) -> ExitScores:
    """Return those of the scores' videos that a table with columns ``video_id`` and ``label`` gives a class number.

    Raises:
        ScoresError: It can't be read, names none of the videos or one twice; or there are no logits.
    """
    table = read_table(path, ScoresError)
    if scores.video_ids_N is None or scores.logits_ENK is None:
        raise ScoresError("the scores have no video_ids and logits to match labels with", where=table.path)
    names = [composed(name) for name in table.filled(_place(table, "video_id")).tolist()]
    place = _place(table, "label")
    rows = zip(names, class_numbers(table, place, blank=True), table.column(place), strict=True)
    label_of = {name: label for name, label, cell in rows if cell}  # The others are unlabelled.
    if len(set(names)) < len(names):
        raise ScoresError("a video is there twice", where=table.path)
    known_N = np.array([composed(name) in label_of for name in scores.video_ids_N.tolist()])
    if known_N.sum() < len(label_of) or not known_N.any():
        missing = len(label_of) - int(known_N.sum())
        raise ScoresError(
            f"{missing} of its {len(label_of)} videos are not among the scores", where=table.path
        )
    chosen = scores.select(known_N)
    labels_N = np.array([label_of[composed(name)] for name in np.asarray(chosen.video_ids_N).tolist()])
    with within(table.path):
        return replace(chosen, labels_N=labels_N, correct_EN=None)


def _place(table: Table, *names: str) -> int:
    place = table.place(*names)
    if place is None:
        raise ScoresError(
            f"has no column {names[0]!r}", where=table.path, hint=f"Columns: {', '.join(table.header)}"
        )
    return place


def _matched(table: Table, scores: ExitScores) -> tuple[list[str], list[str]]:
    if scores.video_ids_N is None:
        raise ScoresError("the scores have no video_ids to match groups with", where=table.path)
    names = [composed(name) for name in table.filled(_place(table, "video_id")).tolist()]
    group_of = dict(zip(names, table.column(_place(table, *GROUP_COLUMNS)), strict=True))
    if len(group_of) < len(names):
        twice = next(name for row, name in enumerate(names) if name in names[:row])
        raise ScoresError(f"video {twice!r} is there twice", where=table.path)
    wanted = [composed(name) for name in scores.video_ids_N.tolist()]
    known = set(wanted)
    missing = [name for name in wanted if name not in group_of]
    if missing:
        raise ScoresError(
            f"{len(missing)} of {scores.num_videos} videos have no group, one is {missing[0]!r}",
            where=table.path,
        )
    unknown = [name for name in names if name not in known]
    return [group_of[name] for name in wanted], unmatched_rows(table.path, unknown, len(names))
