"""Lists of videos: which files under a data root they are, and which split each is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dynsearch.data.byproducts import entries_of, is_folder
from dynsearch.data.layouts.split_names import Role, pick
from dynsearch.errors import DataError

_ENDINGS = (".csv", ".tsv", ".txt")
_FOLDERS = ("annotations", "annotation", "labels", "lists", "splits", "split")


def find_lists(root: Path) -> tuple[dict[Role, Path], list[str]]:
    """Return the list of each split, ``train`` where one is for all, and what is said of other files.

    They lie in the data root or, where it has none, in a folder such as ``annotations/`` or ``splits/``.

    Raises:
        DataError: There is none, or several whose names do not tell them apart, or none to train on.
    """
    names = _lists_in(root)
    for entry in () if _is_any(names) else entries_of(root):
        if entry.name.lower() in _FOLDERS and is_folder(entry):
            names += [f"{entry.name}/{name}" for name in _lists_in(root / entry.name)]
    picked, others = pick(names, words=True, where=str(root))
    tables = [name for name in names if not name.lower().endswith(".txt")] or names
    if not picked and len(tables) == 1:
        picked, others = {"train": tables[0]}, [name for name in names if name != tables[0]]
    elif "train" not in picked:
        raise DataError(
            f"holds {len(tables)} CSV files ({', '.join(tables[:5])}), expected train.csv and test.csv, or one for all"
            if tables
            else "holds 0 CSV files, expected train.csv and test.csv, or one for all",
            where=str(root),
        )
    notes = [f"not read beside {' and '.join(picked.values())}: {', '.join(others[:10])}"] if others else []
    return {role: root / name for role, name in picked.items()}, notes


def _is_any(names: Sequence[str]) -> bool:
    """Return whether there are lists among files, of which a text may be anything."""
    return bool(pick(names, words=True, where="")[0]) or any(
        not name.lower().endswith(".txt") for name in names
    )


def _lists_in(folder: Path) -> list[str]:
    return [
        each.name
        for each in entries_of(folder)
        if not is_folder(each) and each.name.lower().endswith(_ENDINGS)
    ]
