"""What ``dynsearch calibrate`` is asked: its options, and which of them go together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dynsearch.errors import InputError, ScoresError
from dynsearch.scores import ExitScores
from dynsearch.scores.tables import is_table, load_scores

_RISK_DELTA = 0.05


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of the command; see its help."""

    scores: Path
    budget: float | None = None
    solver: str = "frontier"
    confidence: str = "max-softmax"
    costs: str | None = None
    qs: str | None = None
    stop_at_ties: bool = False
    sampler: Literal["tpe", "nsga2"] | None = None
    num_trials: int | None = None
    apply_to: Path | None = None
    allow_overlap: bool = False
    cross_fit: bool = False
    safe: bool = False
    max_drop: float | None = None
    delta: float | None = None
    temperatures: bool = False
    by_class: bool = False
    by_group: str | None = None
    check_on: Path | None = None
    rematch_on: Path | None = None

    def __post_init__(self) -> None:
        if self.max_drop is not None and self.solver != "risk":
            raise InputError("--max-drop is a promise of --solver risk", hint="Add --solver risk")
        if self.delta is not None and self.solver != "risk" and not self.safe:
            raise InputError("--delta is for --safe or --solver risk")
        if self.safe and self.solver == "risk":
            raise InputError("--solver risk makes its own promise; leave out --safe")
        if self.by_class and self.by_group is not None:
            raise InputError("--by-class and --by are two views; ask for one")
        for name, given, solver in [
            ("--qs", self.qs is not None, "geometric"),
            ("--stop-at-ties", self.stop_at_ties, "geometric"),
            ("--sampler", self.sampler is not None, "optuna"),
            ("--trials", self.num_trials is not None, "optuna"),
        ]:
            if given and self.solver != solver:
                raise InputError(f"{name} is for --solver {solver}", hint=f"Add --solver {solver}")

    @property
    def chooses_a_point(self) -> bool:
        """Whether one point is chosen: by a budget, or as the cheapest that keeps a promise."""
        return self.budget is not None or self.solver == "risk"

    @property
    def promises_accuracy(self) -> bool:
        """Whether the promise is about top-1, not about cost."""
        return self.solver == "risk" and (self.max_drop is not None or self.budget is None)

    def solver_options(self) -> dict[str, Any]:
        """Return the options of the solver's own that were given."""
        options: dict[str, Any] = {}
        if self.solver == "risk":
            options["delta"] = _RISK_DELTA if self.delta is None else self.delta
            if self.promises_accuracy:
                options["max_drop"] = self.max_drop
            else:
                options["budget"] = self.budget
        if self.qs is not None:
            options["qs"] = parse_grid(self.qs)
        if self.stop_at_ties:
            options["ties"] = ">="
        if self.sampler is not None:
            options["sampler"] = self.sampler
        if self.num_trials is not None:
            options["num_trials"] = self.num_trials
        return options

    def load(self, path: Path, *, labelled: bool = False) -> ExitScores:
        """Read scores; the costs of a table are the request's.

        Raises:
            ScoresError: They can't be read, or are not ``labelled`` where they must be.
        """
        scores = load_scores(path, self._costs() if is_table(path) else None)
        if labelled and not scores.has_truth:
            raise ScoresError(
                "unlabelled, so there is no accuracy",
                where=str(path),
                hint="Add correct (exits, videos), or labels beside logits",
            )
        return scores

    def _costs(self) -> list[float] | None:
        if self.costs is None:
            return None
        try:
            return [float(part) for part in self.costs.split(",")]
        except ValueError as error:
            raise InputError(f"--gmacs must be numbers such as 4,8,13, got {self.costs!r}") from error


def parse_grid(text: str) -> list[float]:
    """Return the numbers of ``0.8,1,1.2``, or of ``0.05:1.95:200``: from, to, how many.

    Raises:
        InputError: It is neither, or not all numbers are finite.
    """
    try:
        if ":" in text:
            first, last, count = text.split(":")
            steps = max(int(count) - 1, 1)
            if int(count) < 1:
                raise ValueError
            values = [
                float(first) + (float(last) - float(first)) * step / steps for step in range(int(count))
            ]
        else:
            values = [float(part) for part in text.split(",")]
    except ValueError as error:
        raise InputError(
            f"a grid must be numbers such as 0.8,1,1.2 or 0.05:1.95:200, got {text!r}"
        ) from error
    if not all(math.isfinite(value) for value in values):
        raise InputError(f"a grid must hold finite numbers, got {text!r}")
    return values
