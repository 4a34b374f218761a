"""One dense pass of a one-shot network under one frame order: the score grid."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from dynsearch.cost.backbone import head_cost
from dynsearch.data.loader import Batches, begin_epoch
from dynsearch.errors import Stopped
from dynsearch.families.grid.cost import grid_cost
from dynsearch.families.grid.one_shot import FedNetwork, grid_cells
from dynsearch.measures import COUNTED, CostMeasure, in_units
from dynsearch.plan import ExitPlacement, Plan
from dynsearch.plan.heads import head_kinds
from dynsearch.scores.grid_files import GridWriter
from dynsearch.scores.score_grid import ScoreGrid
from dynsearch.scores.step_costs import RectangleSteps, StepTable
from dynsearch.training.clip_source import ClipSource
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.stopping import stop_wanted

SPLIT = "calibration"


def open_grid(
    folder: Path,
    trunk: Plan,
    source: ClipSource,
    *,
    first_depth: int,
    weights: str,
    max_bytes: int,
    measure: CostMeasure = COUNTED,
) -> GridWriter:
    """Return the writer of the trunk's score grid, which knows how far an earlier one came.

    ``first_depth`` is the shallowest depth that has heads, ``weights`` a digest of the network's weights: other
    weights make another grid.

    Raises:
        InputError: The measure can't say what a plan costs.
        ScoresError: The grid would be larger than ``max_bytes`` or the space left on the disk.
    """
    num_depths = len(grid_cells(trunk, first_depth)) // trunk.num_sets
    return ScoreGrid.create(
        folder,
        num_classes=source.num_classes,
        labels_N=source.labels(SPLIT),
        steps=grid_steps(trunk, source.num_classes, first_depth, measure),
        num_sets=trunk.num_sets,
        num_depths=num_depths,
        first_depth=first_depth,
        video_ids_N=np.asarray(source.video_ids(SPLIT)),
        split=SPLIT,
        order=str(trunk.frame_order),
        source=f"{weights} {trunk.plan_id}",
        max_bytes=max_bytes,
    )


@torch.inference_mode()
def fill_grid(
    writer: GridWriter | None,
    network: FedNetwork,
    loader: Batches,
    device: torch.device,
    ranks: Ranks = ALONE,
) -> None:
    """Compute what the grid lacks, batch by batch of the calibration videos in their own order.

    The network is in evaluation mode, with statistics for the trunk's order. Of several processes each takes every n-th
    batch, as its loader gives them, and the first has the ``writer``.

    Raises:
        Stopped: A process was asked to stop.
    """
    shape, size = (network.plan.num_sets, -1), loader.batch_sampler.batch_size
    done, num_videos = ranks.from_first(lambda: (writer.num_done, writer.num_videos) if writer else (0, 0))
    begin_epoch(loader, 0, first_batch=done // size // ranks.count)
    batches = iter(loader)
    for _ in range(done // size // ranks.count * ranks.count, -(-num_videos // size), ranks.count):
        own = None
        if (batch := next(batches, None)) is not None:
            clips, _, indices = batch
            new = network(clips.to(device))[:, indices >= done].float().cpu()
            own = new.unflatten(0, shape).numpy()
        for logits_SMBK in ranks.gather(own):
            if writer and logits_SMBK is not None and logits_SMBK.shape[2]:
                writer.write(logits_SMBK)
        if ranks.any(stop_wanted()):
            raise Stopped
    if writer:
        writer.finish()


def grid_steps(
    trunk: Plan, num_classes: int, first_depth: int, measure: CostMeasure = COUNTED
) -> RectangleSteps | StepTable:
    """Return what each step of the trunk's grid costs: counted, or as the measure says of plans with that step."""
    if measure != COUNTED:
        return _measured_steps(trunk, num_classes, first_depth, measure)
    table = grid_cost(trunk, num_classes)
    early, last = head_kinds(trunk.head)
    cells = grid_cells(trunk, first_depth)
    kinds = [last if cell == trunk.exits.last else early for cell in cells]
    heads = [
        head_cost(
            kind,
            table.backbone.layouts[cell.depth - 1],
            num_classes,
            trunk.num_frames,
            trunk.frames_seen(cell),
        ).macs
        for kind, cell in zip(kinds, cells, strict=True)
    ]
    trunks = [in_units(table.cell_macs(cell.sets, cell.depth)) for cell in cells]
    return RectangleSteps.of(trunks, [in_units(macs) for macs in heads])


def _measured_steps(trunk: Plan, num_classes: int, first_depth: int, measure: CostMeasure) -> StepTable:
    """Return the steps of plans that have the exits of one step, and the trunk's last one."""
    cells = grid_cells(trunk, first_depth)
    table = np.full((len(cells) + 1, len(cells)), np.inf)
    for to, cell in enumerate(cells):
        for row, before in enumerate([None, *cells[:to]]):
            if before is not None and before.depth > cell.depth:
                continue
            step = (cell,) if before is None else (before, cell)
            exits = step if cell == cells[-1] else (*step, cells[-1])
            cost_E = measure.cost_E(replace(trunk, exits=ExitPlacement(exits)), num_classes)
            table[row, to] = cost_E[0] if before is None else cost_E[1] - cost_E[0]
    return StepTable(table, measure)
