"""What a dashboard says about a study and each of its trials, in Markdown.

All figures are of the calibration split: a dashboard is where people choose, and nothing may choose on test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dynsearch.display.words import cost_text, percent, threshold_text
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import Plan
from dynsearch.plan.plan_grid import grid_text
from dynsearch.report.markdown import code_block, escape, table
from dynsearch.thresholds import OperatingPoint


def plan_note(plan: Plan, status: str) -> str:
    """Return a note on a trial that has not been measured: ``status`` in a sentence, and its plan."""
    exits = [
        (k, exit_, f"{plan.frames_seen(exit_)} of {plan.num_frames}", exit_.depth)
        for k, exit_ in enumerate(plan.exits.exits, start=1)
    ]
    return "\n\n".join([escape(status), table(["exit", "cell", "frames", "depth"], exits), *_plan(plan)])


def point_note(
    plan: Plan, point: OperatingPoint, cost_E: Sequence[float], budget: float, *, full_top1: float
) -> str:
    """Return a note on a measured trial.

    Args:
        plan: The trial's plan.
        point: Its best operating point under the budget, on calibration.
        cost_E: Cumulative cost per video at each exit.
        budget: The budget.
        full_top1: Top-1 on calibration when every video goes to the last exit.
    """
    exits = [
        (
            k,
            exit_,
            f"{plan.frames_seen(exit_)} of {plan.num_frames}",
            exit_.depth,
            cost_text(cost),
            "takes the rest" if k == len(plan.exits) else threshold_text(threshold),
            percent(share),
        )
        for k, (exit_, cost, threshold, share) in enumerate(
            zip(plan.exits.exits, cost_E, point.thresholds, point.exit_share, strict=True), start=1
        )
    ]
    heading = ["exit", "cell", "frames", "depth", f"{point.measure.unit} up to here", "T_k", "videos leaving"]
    return "\n\n".join(
        [
            f"**Top-1 {percent(point.top1)} at {cost_text(point.cost)} {point.measure.per_video}** on calibration "
            f"(budget {cost_text(budget)}; all videos to the last exit: {percent(full_top1)} at "
            f"{cost_text(cost_E[-1])})",
            table(heading, exits),
            *_plan(plan),
            f"A video stops at exit k when its confidence ({escape(point.policy.confidence)}) is above T_k. "
            "Artifacts: frontier.png, grid.png and the exit scores.",
        ]
    )


def study_note(
    *,
    dataset: str,
    budget: float,
    measure: CostMeasure = COUNTED,
    num_trials: int,
    seed: int,
    num_videos: Mapping[str, int],
    commands: Sequence[str],
) -> str:
    """Return a note on a study: its data, its budget, how it was started and how to read the page."""
    facts = [
        ("data set", dataset),
        *((f"videos for {split}", number) for split, number in num_videos.items()),
        ("budget", f"{budget:g} {measure.in_full}"),
        ("trials wanted", num_trials),
        ("seed", seed),
    ]
    parts = [table(["", ""], facts)]
    if commands:
        parts += ["Started with", code_block("\n".join(" ".join(command.split()) for command in commands))]
    parts.append(
        f"Top-1 and {measure.unit} are those of each plan's best operating point within the budget, on the calibration "
        "split. Pruned trials were never trained: their cheapest exit costs more than the budget (their "
        "constraint is positive), or the plan was known already; their notes say which."
    )
    return "\n\n".join(parts)


def _plan(plan: Plan) -> list[str]:
    facts = [
        ("backbone", plan.backbone),
        ("frames", f"{plan.num_frames} of {plan.image_size} pixels in {plan.num_sets} sets"),
        ("frame order", plan.frame_order),
        ("temporal shift", plan.temporal_shift),
        ("exit heads", plan.head),
        ("plan id", plan.plan_id),
    ]
    legend = "Number k: computed for exit k. [k]: exit k. Dot: never computed. Rows in feeding order."
    return ["**Plan**", table(["", ""], facts), "**Grid**", code_block(grid_text(plan)), legend]
