"""What a study's trainings wrote of their epochs, ``metrics.jsonl``: learning curves, and how long they took."""

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dynsearch.study.folder import StudyFolder
from dynsearch.study.predictions import one_shot_folder

Curve = list[tuple[int, float, float]]
"""Of each epoch its number, the loss summed over exits, and top-1 on the training videos."""


def learning_curves(folder: StudyFolder, trials: Iterable[int]) -> dict[str, Curve]:
    """Return the curves of some trials and of all one-shot networks, by name; of those that have one."""
    logs = {f"trial {number}": folder.trial(number) for number in trials}
    logs |= {f"one-shot {path.name}": path for path in one_shot_folders(folder)}
    names = ("epoch", "loss", "top1")
    found = {
        name: [(int(row[0]), row[1], row[2]) for row in _rows(log, *names)] for name, log in logs.items()
    }
    return {name: curve for name, curve in found.items() if curve}


def one_shot_folders(folder: StudyFolder) -> list[Path]:
    """Return the folders of the one-shot networks' trainings."""
    return sorted(path.parent for path in one_shot_folder(folder).glob("*/metrics.jsonl"))


def seconds_of_training(training: Path) -> float:
    """Return the seconds of all epochs of a training; 0 where none is written."""
    return sum(seconds for (seconds,) in _rows(training, "seconds"))


def _rows(training: Path, *names: str) -> Iterator[list[float]]:
    """Yield these figures of each epoch that has all of them, finite."""
    try:
        lines = (training / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return
    for line in lines:
        try:
            values = json.loads(line)
        except ValueError:  # A line that was cut off.
            continue
        row: list[Any] = [values.get(name) for name in names] if isinstance(values, dict) else [None]
        if all(isinstance(figure, int | float) and math.isfinite(figure) for figure in row):
            yield row
