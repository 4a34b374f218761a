"""What a calibration is asked, and which wishes go together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dynsearch.errors import InputError

_RISK_DELTA = 0.05
_OWN_OPTIONS = {
    "qs": "geometric",
    "ties": "geometric",
    "rule": "geometric",
    "sampler": "optuna",
    "num_trials": "optuna",
}
_TYPED = {"ties": "--stop-at-ties", "num_trials": "--trials"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of scores; see :func:`~dynsearch.calibration.calibrate.calibrate`, whose parameters these are."""

    budget: float | None = None
    solver: str = "frontier"
    confidence: str | None = None
    allow_overlap: bool = False
    cross_fit: bool = False
    safe: bool = False
    max_drop: float | None = None
    delta: float | None = None
    temperatures: bool = False
    by_class: bool = False
    by: str | Sequence[str] | None = None
    options: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.max_drop is not None and self.solver != "risk":
            raise InputError("--max-drop is a promise of --solver risk", hint="Add --solver risk")
        if self.delta is not None and self.solver != "risk" and not self.safe:
            raise InputError("--delta is for --safe or --solver risk")
        if self.safe and self.solver == "risk":
            raise InputError("--solver risk makes its own promise; leave out --safe")
        if self.by_class and self.by is not None:
            raise InputError("--by-class and --by are two views; ask for one")
        for name, solver in _OWN_OPTIONS.items():
            if name in self.options and self.solver != solver:
                name = _TYPED.get(name, f"--{name}")
                raise InputError(f"{name} is for --solver {solver}", hint=f"Add --solver {solver}")

    @property
    def chooses_a_point(self) -> bool:
        """Whether one point is chosen: by a budget, or as the cheapest that keeps a promise."""
        return self.budget is not None or self.solver == "risk"

    @property
    def promises_accuracy(self) -> bool:
        """Whether the promise is about top-1, not about cost."""
        return self.solver == "risk" and (self.max_drop is not None or self.budget is None)

    @property
    def risk_delta(self) -> float:
        """The chance left for the promise of the solver ``risk`` not to hold."""
        return _RISK_DELTA if self.delta is None else self.delta

    def solver_options(self) -> dict[str, object]:
        """Return the solver's own options, those of its promise among them."""
        promise: dict[str, object] = {}
        if self.solver == "risk":
            promise["delta"] = self.risk_delta
            if self.promises_accuracy:
                promise["max_drop"] = self.max_drop
            else:
                promise["budget"] = self.budget
        return promise | dict(self.options)
