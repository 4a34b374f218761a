"""The model card of a bundle."""

from __future__ import annotations

from dynsearch.cost import CostTable
from dynsearch.frontier import MergedPoint
from dynsearch.plan import Plan
from dynsearch.search.recipe import StudyRecipe


def model_card(
    plan: Plan, point: MergedPoint[int], table: CostTable, recipe: StudyRecipe, num_classes: int
) -> str:
    """Return the bundle's ``README.md``: what it is, what it achieves, how it was made and how to use it."""
    rows = "\n".join(
        f"| {exit_} | {plan.frames_seen(exit_)} | {gmacs:.4g} | {_threshold(threshold)} | {100 * share:.1f}% |"
        for exit_, gmacs, threshold, share in zip(
            plan.exits.exits, table.gmacs_E, point.test.thresholds, point.test.exit_share, strict=True
        )
    )
    low, high = (100 * end for end in point.test_interval)
    measured = "\n".join(
        f"| {name} | {p.num_videos} | {100 * p.top1:.2f}% | {p.gflops:.4g} |"
        for name, p in (
            (f"test (95% interval {low:.1f} to {high:.1f})", point.test),
            ("calibration (chose the thresholds, so optimistic)", point.calibration),
        )
    )
    return f"""# {plan.backbone} on {recipe.dataset}, plan {plan.plan_id}

A multi-exit video action network that stops early on easy videos, made with dynsearch.
{num_classes} classes, {plan.num_frames} frames of {plan.image_size} x {plan.image_size} pixels in
{plan.num_sets} frame sets, order {plan.frame_order}, {plan.temporal_shift},
{table.parameters / 1e6:.2f} million parameters.

| measured on | videos | top-1 | GFLOPs per video |
|---|---|---|---|
{measured}

GFLOPs are 10^9 multiply-accumulates. Full inference costs {table.gmacs_E[-1]:.4g}.

| exit (sets x depth) | frames | GFLOPs up to here | threshold | test videos that stop here |
|---|---|---|---|---|
{rows}

A video stops at the first exit whose confidence ({point.test.policy.confidence}) is above its threshold.
Trained for {recipe.training.epochs} epochs with seed {recipe.seed}; `recipe.yaml` has all settings.

    dynsearch evaluate . --dataset {recipe.dataset}
    dynsearch predict . video.mp4
    dynsearch train . --output longer --set training.epochs={2 * recipe.training.epochs}
"""


def _threshold(value: float) -> str:
    if value == float("inf"):
        return "never stops"
    return "takes the rest" if value == float("-inf") else f"{value:.4f}"
