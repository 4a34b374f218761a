"""What videos take one after the other, for real, beside what a table of times says of them."""

from __future__ import annotations

import timeit
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from dynsearch.export.bundle import Bundle
from dynsearch.export.loaded import LoadedNetwork
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.tables import TableCosts

_WARM = 3


@dataclass(frozen=True)
class Latency:
    """Milliseconds per video: mean, median, 95th and 99th percentile.

    Attributes:
        on: The device, its threads, the runtime, and how many videos at a time.
        num_videos: How many were measured.
        rows: By name: ``measured``; ``table``, what the table says of the exits where these videos left; and, where the
            bundle says so, ``promised``, the same of the exits where its test videos left.
        table_on: On what the table was measured.
        budgets: What was asked for: ``max_ms``, ``max_p95_ms``.
    """

    on: str
    num_videos: int
    rows: dict[str, dict[str, float]]
    table_on: str
    budgets: dict[str, float]


@dataclass
class Stopwatch:
    """Lets videos stop early, as many at a time as milliseconds are of, and notes what each took."""

    loaded: LoadedNetwork
    costs: TableCosts
    _pending: list[torch.Tensor] = field(default_factory=list)
    _ms: list[float] = field(default_factory=list)

    def feed(self, clips_BTCHW: torch.Tensor) -> None:
        """Measure videos; those that are too few for a batch wait for more."""
        self._pending += clips_BTCHW
        size = self.costs.asked.batch
        while len(self._pending) >= size:
            self._run(torch.stack(self._pending[:size]))
            del self._pending[:size]

    def _run(self, clips_BTCHW: torch.Tensor) -> None:
        run = partial(
            self.loaded.network.forward_until, clips_BTCHW, self.loaded.bundle.policy, self.loaded.ready[1]
        )
        # Answers are on the CPU when it ends.
        spent = timeit.repeat(run, number=1, repeat=1 if self._ms else 1 + _WARM)[-1]
        self._ms += [1000 * spent / len(clips_BTCHW)] * len(clips_BTCHW)

    def read(self, exit_share_E: Sequence[float]) -> Latency:
        """Return what was measured of videos that left at exits in these shares."""
        if not self._ms:  # Fewer than one batch.
            self._run(torch.stack(self._pending))
        loaded, recipe = self.loaded, self.loaded.bundle.recipe
        cost_E = np.asarray(loaded.network.cost_E)
        rows = {"measured": _times(self._ms), "table": _times(cost_E, exit_share_E)}
        # At another budget thresholds are others, and nothing was promised.
        own = Bundle.load(loaded.bundle.folder)
        if own.policy == loaded.bundle.policy and (promised := own.promised()) is not None:
            rows["promised"] = _times(cost_E, promised.exit_share)
        asked = {"device": str(loaded.device), "batch": self.costs.asked.batch, "runtime": loaded.ready[0]}
        budgets = {recipe.measure.budget_name: recipe.budget, **recipe.limits}
        on, table_on = Setup.here(Asked.model_validate(asked)), self.costs.table(loaded.bundle.plan).setup
        return Latency(str(on), len(self._ms), rows, str(table_on), budgets)


def _times(ms: Sequence[float] | np.ndarray, weights: Sequence[float] | None = None) -> dict[str, float]:
    quantiles = np.quantile(ms, (0.5, 0.95, 0.99), weights=weights, method="inverted_cdf")
    values = (float(np.average(ms, weights=weights)), *quantiles.tolist())
    return dict(zip(("mean", "p50", "p95", "p99"), values, strict=True))
