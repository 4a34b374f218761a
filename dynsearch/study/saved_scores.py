"""Exit scores of a study's trials, read from its folder when they are wanted."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping

from dynsearch.scores import ExitScores
from dynsearch.study.folder import StudyFolder
from dynsearch.training.made import SCORES

_KEPT = 4  # files; those of large data sets take hundreds of MB each


class SavedScores(Mapping[int, tuple[ExitScores, ExitScores]]):
    """By trial number, exit scores on calibration and test; only the last few are kept in memory.

    Args:
        folder: The study's files.
        numbers: The trials there are; may grow.
    """

    def __init__(self, folder: StudyFolder, numbers: Collection[int]) -> None:
        self._folder, self._numbers = folder, numbers
        self._read = functools.lru_cache(maxsize=_KEPT)(ExitScores.load)

    def of(self, number: int, split: str) -> ExitScores:
        """Return a trial's scores on one split.

        Raises:
            ScoresError: They can't be read.
        """
        return self._read(self._folder.trial(number) / SCORES[split])

    def __getitem__(self, number: int) -> tuple[ExitScores, ExitScores]:
        return self.of(number, "calibration"), self.of(number, "test")

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)
