"""The model card of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from dynsearch.display.words import threshold_text
from dynsearch.frontier import MergedPoint
from dynsearch.measures import CostMeasure
from dynsearch.plan import Plan
from dynsearch.study.recipe import StudyRecipe
from dynsearch.thresholds import OperatingPoint

if TYPE_CHECKING:
    from dynsearch.cost import NetworkCost

_POINTS_SHOWN = 12


@dataclass(frozen=True)
class CardFacts:
    """What a model card says.

    Attributes:
        plan: The plan.
        point: The operating point, on calibration and on test.
        full: The same network on test if no video stopped early.
        frontier: The points the operating point was chosen from, rising in cost; each with its plan.
        table: The plan's cost.
        recipe: How the network was trained.
        class_names: K names.
        brought: Whether the network was trained elsewhere.
    """

    plan: Plan
    point: MergedPoint[int]
    full: OperatingPoint
    frontier: Sequence[tuple[Plan, MergedPoint[int]]]
    table: NetworkCost
    recipe: StudyRecipe
    class_names: Sequence[str]
    brought: bool = False


def model_card(facts: CardFacts) -> str:
    """Return the bundle's ``README.md``: what it is, what it achieves, how it was made and how to use it."""
    plan, point, recipe, table = facts.plan, facts.point, facts.recipe, facts.table
    measure, (low, high) = point.measure, (100 * end for end in point.test_interval)
    groups = f" by {point.test.spread.num_groups} groups" if point.test.spread else ""
    return f"""---
{yaml.safe_dump(_metadata(facts), sort_keys=False, allow_unicode=True).strip()}
---

# {plan.backbone} on {recipe.dataset}, plan {plan.plan_id}

A multi-exit video action network that stops early on easy videos, made with dynsearch.
{len(facts.class_names)} classes, {plan.num_frames} frames of {plan.image_size} x {plan.image_size} pixels in
{plan.num_sets} frame sets, order {plan.frame_order}, {plan.temporal_shift},
{table.parameters / 1e6:.2f} million parameters.

    import dynsearch
    net = dynsearch.load("path/of/this/folder")
    print(net.predict("video.mp4"))

## What it achieves

| measured on | videos | top-1 | {measure.per_video} |
|---|---|---|---|
| test (95% interval{groups} {low:.1f} to {high:.1f}) | {_measured(point.test)} |
| test, if no video stopped early | {_measured(facts.full)} |
| calibration (chose the thresholds, so optimistic) | {_measured(point.calibration)} |
{_expected(point.calibration)}
{_meaning(measure)}The point was chosen on calibration videos, which training did not see; what
counts are the figures on test, which decided nothing. They hold for videos like those of {recipe.dataset}, read
and cropped as here: on others, calibrate again (`dynsearch calibrate`) before relying on them.

| exit (sets x depth) | frames | {measure.unit} up to here | threshold | test videos that stop here |
|---|---|---|---|---|
{_exits(facts)}

A video stops at the first exit whose confidence ({point.test.policy.confidence}) is above its threshold.

## The frontier it was chosen from

| | plan | exits | {measure.unit} on calibration | {measure.unit} on test | top-1 on test | 95% interval |
|---|---|---|---|---|---|---|
{_frontier(facts)}

## How it was made

{_made(facts)}
    dynsearch evaluate . --dataset {recipe.dataset}
    dynsearch predict . video.mp4
    dynsearch train . --output longer --set training.epochs={2 * recipe.training.epochs}
"""


def _expected(point: OperatingPoint) -> str:
    if point.expected is None:
        return f"\n**{point.doubt}** (calibration).\n" if point.doubt else ""
    said = f"\nCalibration let expect a top-1 of {100 * point.expected:.2f}% on new videos."
    return f"{said} **{point.doubt}.**\n" if point.doubt else f"{said}\n"


def _made(facts: CardFacts) -> str:
    recipe, measure = facts.recipe, facts.point.measure
    if facts.brought:
        return (
            "The network was trained elsewhere; with dynsearch its exits were scored and its thresholds chosen, budget "
            f"{recipe.budget:.4g} {measure.per_video}.\n`recipe.yaml` says how videos were split.\n"
        )
    return (
        f"Trained for {recipe.plan_epochs} epochs with seed {recipe.seed}, budget {recipe.budget:g} "
        f"{measure.per_video};\n`recipe.yaml` has all settings.\n"
    )


def _metadata(facts: CardFacts) -> dict[str, object]:
    """Return the card's head, by which a model hub finds and lists it."""
    measured = {
        "top1": round(facts.point.test.top1, 4),
        f"{facts.point.measure.name}_per_video": round(facts.point.test.cost, 5),
    }
    return {
        "library_name": "dynsearch",
        "pipeline_tag": "video-classification",
        "tags": ["early-exit", "dynamic-inference", "action-recognition"],
        "datasets": [facts.recipe.dataset],
        "model-index": [
            {
                "name": f"{facts.plan.backbone}-{facts.plan.plan_id}",
                "results": [
                    {
                        "task": {"type": "video-classification"},
                        "dataset": {"name": facts.recipe.dataset, "type": facts.recipe.dataset, "split": "test"},
                        "metrics": [{"type": name, "value": value} for name, value in measured.items()],
                    }
                ],
            }
        ],
    }  # fmt: skip


def _meaning(measure: CostMeasure) -> str:
    return f"{measure.unit} are {measure.meaning}. " if measure.meaning else ""


def _measured(point: OperatingPoint) -> str:
    return f"{point.num_videos} | {100 * point.top1:.2f}% | {point.cost:.4g}"


def _exits(facts: CardFacts) -> str:
    plan, test = facts.plan, facts.point.test
    cost_E = facts.point.measure.cost_E(plan, len(facts.class_names))
    return "\n".join(
        f"| {exit_} | {plan.frames_seen(exit_)} | {cost:.4g} | {threshold_text(threshold, '.4f')} | "
        f"{100 * share:.1f}% |"
        for exit_, cost, threshold, share in zip(
            plan.exits.exits, cost_E, test.thresholds, test.exit_share, strict=True
        )
    )


def _frontier(facts: CardFacts) -> str:
    """Return up to a dozen points, evenly spread, this one always among them."""
    points = list(facts.frontier)
    here = next(i for i, (_, point) in enumerate(points) if point is facts.point)
    steps = range(min(_POINTS_SHOWN, len(points)))
    shown = {round(i * (len(points) - 1) / max(len(steps) - 1, 1)) for i in steps} | {here}
    return "\n".join(
        f"| {'this' if i == here else ''} | {plan.plan_id} | {plan.exits} | {point.calibration.cost:.4g} | "
        f"{point.test.cost:.4g} | {100 * point.test.top1:.2f}% | "
        f"{100 * point.test_interval.low:.1f} to {100 * point.test_interval.high:.1f} |"
        for i, (plan, point) in enumerate(points)
        if i in shown
    )
