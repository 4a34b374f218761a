"""Whether videos still stop where those did that a bundle was measured on, counted as it runs.

Counts are kept in a file, from run to run. They are looked at when there are 50 videos, then at each doubling, with the
test of ``calibrate --check``; the n-th look has a level of 1% / (n (n + 1)), so that all together raise a false alarm
once in a hundred bundles. Exits and cost are all that is seen: networks can be wrong more often and as sure as before.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from dynsearch.errors import BundleError, InputError
from dynsearch.export.bundle import Bundle
from dynsearch.export.ownership import PROMISE
from dynsearch.files import read_json, write_text
from dynsearch.locks import held_lock
from dynsearch.thresholds.drift import Drift, drift_of

OWN_MONITOR = r"\A\{\s*\"monitor_of\""
"""How the file begins."""
_FIRST_LOOK = 50
_LEVEL = 0.01


def forget_others(path: Path) -> None:
    """Remove a file that is no monitor's, so that one can begin there."""
    if path.is_file() and not re.search(OWN_MONITOR, path.read_text(errors="replace")):
        path.unlink()


class ExitMonitor:
    """Counts where videos stop.

    Args:
        bundle: The bundle, which says what was promised.
        path: The file that counts are kept in; one that is there goes on.

    Raises:
        BundleError: The bundle does not say what was promised.
        InputError: The file can't be read, or is of other thresholds.
    """

    def __init__(self, bundle: Bundle, path: Path) -> None:
        promised = bundle.promised()
        if promised is None:
            raise BundleError(
                f"has no {PROMISE}, so what was promised is not known",
                where=str(bundle.folder),
                hint="Export it again",
            )
        self.promised, self.path = promised, path
        self.cost_E = np.asarray(bundle.recipe.measure.cost_E(bundle.plan, len(bundle.class_names)))
        self._of = {"monitor_of": bundle.plan.plan_id, "thresholds": list(map(str, bundle.policy.thresholds))}
        self._new_E = np.zeros(len(self.cost_E), dtype=np.int64)
        self._kept = self._read()

    def count(self, exit_index: int) -> str | None:
        """Count a video that stopped at an exit, counted from 0; return what is to be said, where that is new."""
        self._new_E[exit_index] += 1
        due = _FIRST_LOOK * 2 ** self._kept["looks"]
        return self.keep() if sum(self._kept["exits"]) + self._new_E.sum() >= due else None

    def keep(self) -> str | None:
        """Add to the file what was counted since; return what is to be said, if there is anything new."""
        with held_lock(self.path.with_name(f".{self.path.name}.lock")):
            self._kept = kept = self._read()
            count_E = np.array(kept["exits"]) + self._new_E
            self._new_E[:] = 0
            kept["exits"], said = count_E.tolist(), None
            if count_E.sum() >= _FIRST_LOOK * 2 ** kept["looks"]:
                kept["looks"] = int(np.log2(count_E.sum() / _FIRST_LOOK)) + 1
                found = drift_of(self.promised, count_E, self.cost_E)
                if found.moved(_LEVEL / (kept["looks"] * (kept["looks"] + 1))) and kept["left_after"] is None:
                    kept["left_after"] = int(count_E.sum())
                    said = self.text(found)
            write_text(self.path, json.dumps(kept | self._facts(count_E), indent=1) + "\n")
        return said

    def text(self, found: Drift | None = None) -> str:
        """Return in a line what was counted, against what was promised."""
        count_E, after = np.array(self._kept["exits"]), self._kept["left_after"]
        if not count_E.sum():
            return "monitor: no video yet"
        shares = " ".join(f"{100 * share:.0f}" for share in count_E / count_E.sum())
        before = " ".join(f"{100 * share:.0f}" for share in self.promised.exit_share)
        left = (
            "as promised" if after is None else f"beyond chance from what was promised since {after} videos"
        )
        measure = self.promised.measure
        return (
            f"monitor: {count_E.sum()} videos, {measure.text(count_E @ self.cost_E / count_E.sum())} (promised "
            f"{self.promised.cost:.4g}), {shares} % stop (promised {before}): {left}"
        )

    def _facts(self, count_E: Any) -> dict[str, Any]:
        share_E = count_E / max(count_E.sum(), 1)
        return {
            "videos": int(count_E.sum()),
            "cost": float(share_E @ self.cost_E),
            "promised": {"cost": self.promised.cost, "exit_share": list(self.promised.exit_share)},
        }

    def _read(self) -> dict[str, Any]:
        fresh = {**self._of, "exits": [0] * len(self.cost_E), "looks": 0, "left_after": None}
        if not self.path.exists():
            return fresh
        kept = read_json(self.path)
        same = isinstance(kept, dict) and {name: kept.get(name) for name in self._of} == self._of
        whole = (
            same
            and fresh.keys() <= kept.keys()
            and list(map(type, kept["exits"])) == [int] * len(self.cost_E)
        )
        if not whole or type(kept["looks"]) is not int:
            raise InputError(
                "counts videos of other thresholds than this bundle's" if not same else "is damaged",
                where=str(self.path),
                hint="Give another --monitor FILE",
            )
        return {name: kept[name] for name in fresh}
