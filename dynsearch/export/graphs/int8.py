"""What int8 graphs reach, beside the float32 network, with thresholds of their own."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from dynsearch.budget import last_that_fits
from dynsearch.data.loader import ClipLoader
from dynsearch.export.bundle import Bundle
from dynsearch.export.graphs.quantize import NUM_CLIPS, quantise
from dynsearch.frontier import MergedPoint, merge
from dynsearch.network import MultiExitNetwork
from dynsearch.network.runtimes.onnx import OnnxSteps
from dynsearch.network.waiting import Steps
from dynsearch.scores import ExitScores
from dynsearch.training.device import pick_device
from dynsearch.training.progress import OnStep
from dynsearch.training.scorer import score
from dynsearch.training.source import DatasetClips

_BATCH = 8


class Int8(NamedTuple):
    """Both networks on the same videos.

    Attributes:
        scores: Exit scores of the int8 network on calibration and test.
        chosen: Its operating point under the bundle's budget.
        points: Its frontier, chosen on calibration.
        float32: The frontier of the float32 network.
    """

    scores: tuple[ExitScores, ExitScores]
    chosen: MergedPoint[int]
    points: list[MergedPoint[int]]
    float32: list[MergedPoint[int]]


def quantised(
    bundle: Bundle,
    network: MultiExitNetwork,
    files: Sequence[Path],
    source: DatasetClips,
    on_step: OnStep | None = None,
) -> Int8:
    """Replace a bundle's float32 graphs by int8 ones, and solve its thresholds again on the scores of these.

    Args:
        bundle: Its budget, solver and confidence measure are taken again.
        network: The bundle's, in eval mode, on the CPU.
        files: The graphs, all in one folder.
        source: Has the splits ``calibration`` and ``test``.
        on_step: Told how far scoring is.

    Raises:
        BundleError: The graphs can't be quantised.
        InfeasibleBudgetError: Every point of the int8 network is over the budget.
    """
    recipe = bundle.recipe
    config = recipe.training.model_copy(update={"batch_size": _BATCH})
    calibration, test = (
        source.loader(split, bundle.plan, config, training=False, seed=recipe.seed)
        for split in ("calibration", "test")
    )
    count = len(calibration.dataset)
    clips, _, _ = calibration.dataset.batch(range(0, count, -(-count // NUM_CLIPS)))
    quantise(network, files, clips.split(1))

    def scored(split: str, loader: ClipLoader, steps: Steps | None) -> ExitScores:
        device = torch.device("cpu") if steps else pick_device()
        found = score(
            network, loader, video_ids=source.video_ids(split), groups=source.sources(split), split=split,
            device=device, steps=steps, on_step=on_step,
        )  # fmt: skip
        return replace(found, activation=bundle.activation)

    def measured(steps: Steps | None) -> tuple[tuple[ExitScores, ExitScores], list[MergedPoint[int]]]:
        both = scored("calibration", calibration, steps), scored("test", test, steps)
        confidence = bundle.policy.confidence
        return both, merge({0: both}, solver=recipe.solver, confidence=confidence, **recipe.solver_options)

    scores, points = measured(OnnxSteps(network, files[0].parent))
    chosen = last_that_fits(points, recipe.budget, lambda point: point.calibration.cost, recipe.measure)
    return Int8(scores, chosen, points, measured(None)[1])
