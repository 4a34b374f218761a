"""The frontier as a short table for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from dynsearch.display.tables import format_table
from dynsearch.display.words import cost_text, threshold_text
from dynsearch.measures import COUNTED, CostMeasure

_LEADING = {"test_map": "mAP"}
_FURTHER = {"test_top5": "top-5", "test_mean_class": "mean class"}


def further_metrics(row: Mapping[str, Any]) -> dict[str, float]:
    """Return what a row of ``frontier.csv`` says of test besides top-1, by the name people know (0..1)."""
    return {title: row[key] for key, title in (_LEADING | _FURTHER).items() if key in row}


def frontier_table(rows: Sequence[Mapping[str, Any]], measure: CostMeasure = COUNTED) -> str:
    """Return rows of ``frontier.csv`` as a table: cost, the metrics on test, and the plan.

    The network family is named where any is not the grid.
    """
    several = {row["family"] for row in rows} != {"grid"}
    return format_table(
        [
            {
                **({"study": row["study"]} if "study" in row else {}),
                **({"family": row["family"]} if several else {}),
                measure.unit: cost_text(row[f"test_{measure.name}"]),
                **{title: f"{100 * row[key]:.1f}%" for key, title in _LEADING.items() if key in row},
                "top-1": f"{100 * row['test_top1']:.1f}%",
                "95% interval": f"{100 * row['test_top1_low']:.1f} - {100 * row['test_top1_high']:.1f}",
                **{title: f"{100 * row[key]:.1f}%" for key, title in _FURTHER.items() if key in row},
                **({"expected": _expected(row)} if row.get("expected_top1") is not None else {}),
                "trial": str(row["trial"]),
                "frames": str(row["num_frames"]),
                "order": str(row["frame_order"]),
                "exits": str(row["exits"]),
                "thresholds": " ".join(
                    threshold_text(float(value)) for value in str(row["thresholds"]).split()
                ),
            }
            for row in rows
        ]
    )


def _expected(row: Mapping[str, Any]) -> str:
    """Return the top-1 that calibration let expect, with a mark where it can't tell the loss from several points."""
    return f"{100 * row['expected_top1']:.1f}%{'?' * row['doubtful']}"
