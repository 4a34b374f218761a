"""What a dashboard says about a study and each of its trials, in Markdown.

All figures are of the calibration split: a dashboard is where people choose, and nothing may choose on test.
"""

import re
import textwrap
from collections.abc import Mapping, Sequence

from dynsearch.display.words import cost_text, percent, threshold_text
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.plan import Plan
from dynsearch.plan.plan_grid import grid_text
from dynsearch.thresholds import OperatingPoint

_GAP = "\u2003"


def plan_note(plan: Plan, status: str) -> str:
    """Return a note on a trial that has not been measured: ``status`` in a sentence, and its plan."""
    exits = [
        (k, exit_, f"{plan.frames_seen(exit_)} of {plan.num_frames}", exit_.depth)
        for k, exit_ in enumerate(plan.exits.exits, start=1)
    ]
    # Broken, for one long path would stretch the page.
    said = "\n".join(map(escape, textwrap.wrap(status, 100)))
    return "\n\n".join([said, table(["exit", "cell", "frames", "depth"], exits), *_plan(plan)])


def point_note(
    plan: Plan, point: OperatingPoint, cost_E: Sequence[float], budget: float, *, full_top1: float
) -> str:
    """Return a note on a measured trial with its best operating point under the budget, on calibration.

    ``cost_E`` are cumulative costs, ``full_top1`` is top-1 when every video goes to the last exit.
    """
    exits = [
        (
            k,
            exit_,
            f"{plan.frames_seen(exit_)} of {plan.num_frames}",
            exit_.depth,
            cost_text(cost),
            threshold_text(threshold),
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
        parts += ["Started with", code_block("\n".join(map(_folded, commands)))]
    parts.append(
        f"Top-1 and {measure.unit} are those of each plan's best operating point within the budget, on the calibration "
        "split. Pruned trials were never trained: their cheapest exit costs more than the budget (their "
        "constraint is positive), or the plan was known already; their notes say which."
    )
    return "\n\n".join(parts)


def _folded(command: str) -> str:
    """Return a command over several lines where it is long."""
    lines = textwrap.wrap(command, 100, break_long_words=False, break_on_hyphens=False)
    return " \\\n    ".join(lines)


def screening_note(name: str, measure: CostMeasure) -> str:
    """Return a note on the study that lists the plans that the one-shot network was asked about."""
    return "\n\n".join(
        [
            "**Predictions, not results.**",
            f"Top-1 and {measure.unit} are what one network, trained for all plans with an exit on every cell, gives "
            "with a plan's exits, on calibration, as expected on new videos. A plan that is trained alone reaches "
            "more; what counts here is the order of the plans.",
            f"The most promising ones are trained alone: their results are in the study {escape(name)}. Its report "
            "shows what was promised and what came.",
            "A trial is a plan within the budget; *is_best* marks the most accurate of its frame order. Pruned trials "
            "are frame orders over the budget or known already.",
        ]
    )


def screened_note(plan: Plan, point: OperatingPoint, expected: float) -> str:
    """Return a note on a plan that was screened, with its thresholds; ``expected`` is its top-1 on new videos."""
    thresholds = " ".join(map(threshold_text, point.thresholds))
    return (
        f"**A prediction: top-1 {percent(expected)} at {cost_text(point.cost)} {point.measure.per_video}**, by the "
        f"one-shot network on calibration.\n\n{escape(plan)}\n\nThresholds {escape(thresholds)}; leaving "
        f"{escape(' '.join(percent(share, 0) for share in point.exit_share))}"
    )


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


def escape(text: object) -> str:
    """Return ``text`` on one line with every character that means something in Markdown or HTML escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(str(text).split()))


def code_block(text: str) -> str:
    """Return ``text`` as a block of code, whatever it holds."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; the cells are escaped, and followed by a space that keeps columns apart where CSS does not."""
    lines = [[f"{escape(cell)}{_GAP}" for cell in row] for row in (heading, *rows)]
    lines.insert(1, ["---"] * len(heading))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
