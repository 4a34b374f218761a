"""The one unit of cost.

GFLOPs here are 10^9 multiply-accumulates per video, as in the papers of this field, in TSM and in
fvcore. Tools that count a multiply and an add apart (torch's ``FlopCounterMode``) show twice as much.
"""

from __future__ import annotations

MACS_PER_GFLOP = 10**9


def to_gflops(macs: float) -> float:
    """Return multiply-accumulates as GFLOPs (10^9 multiply-accumulates)."""
    return macs / MACS_PER_GFLOP


def format_gflops(gflops: float) -> str:
    """Return ``gflops`` with four significant digits, for tables and messages."""
    return f"{gflops:.4g}"
