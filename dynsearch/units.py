"""The one unit of cost.

GFLOPs here are 10^9 multiply-accumulates per video, as in the papers of this field, in TSM and in
fvcore. Tools that count a multiply and an add apart (torch's ``FlopCounterMode``) show twice as much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

MACS_PER_GFLOP = 10**9


def to_gflops(macs: float) -> float:
    """Return multiply-accumulates as GFLOPs (10^9 multiply-accumulates)."""
    return macs / MACS_PER_GFLOP


def format_cost(cost: float) -> str:
    """Return a cost with four significant digits, for tables and messages."""
    return f"{cost:.4g}"


def spelled(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values by name as a user reads them: ``cost`` is ``gflops``, ``budget`` is ``max_gflops``."""
    names = {"budget": "max_gflops"}
    return {
        names.get(name, re.sub(r"(^|_)cost$", r"\1gflops", name)): value for name, value in values.items()
    }
