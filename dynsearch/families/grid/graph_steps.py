"""The steps of a grid network, from one exit to the next, as functions of tensors alone."""

from __future__ import annotations

import torch

from dynsearch.families.grid.parts import GridParts
from dynsearch.families.grid.progressive import GridPass
from dynsearch.network.graph_step import FRAMES, NEXT, GraphStep

ROW, TOTAL, VECTORS, TAIL = "row", "total", "vectors", "tail"
"""Names of what goes in besides frames: the deepest stage's output, what its exits read of all frames and of each, and
the shift's tails."""

Tensors = dict[str, torch.Tensor]


class GridStep(GraphStep):
    """Computes the cells between exit k - 1 and exit k.

    What :class:`GridPass` keeps between exits goes in and comes out as tensors, videos along the first axis:
    ``frames`` (B, T', C, H, W) fed newly, ``row0`` ... (B, T'', ...) the output of the deepest stage (one
    tensor, or one for each scale), ``total`` (B, ...), ``vectors`` (B, T'', C) and ``tail0`` ... (B, C/div, H, W),
    one for each shift.

    Args:
        network: A grid network in eval mode.
        k: The exit, counted from 0.
        carried: Tensors that earlier steps left; only those the step needs become its inputs.
    """

    def __init__(self, network: GridParts, k: int, carried: Tensors) -> None:
        super().__init__()
        self.network = network
        self.k = k
        exits = network.plan.exits.exits
        self.before = exits[k - 1] if k else None
        self.start = network.plan.frames_seen(self.before) if self.before else 0
        self.stop = network.plan.frames_seen(exits[k])
        self.shifts = {branch.name: f"{TAIL}{i}" for i, branch in enumerate(network.backbone.branches)}
        deeper = self.before is None or exits[k].depth > self.before.depth
        wanted = (ROW,) + ((TAIL,) if self.stop > self.start else ()) + (() if deeper else (TOTAL, VECTORS))
        self.inputs = ([FRAMES] if self.stop > self.start else []) + [
            name for name in carried if name.startswith(wanted)
        ]
        self.outputs: list[str] = []

    def forward(self, tensors: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        """Return the exit's logits (B, K) and what later steps need; the names are in ``outputs``.

        Args:
            tensors: What ``inputs`` names.
        """
        given = dict(zip(self.inputs, tensors, strict=True))
        history, exits = self.network.history, self.network.plan.exits.exits
        history.tails = {name: given[short] for name, short in self.shifts.items() if short in given}
        grid_pass = GridPass(self.network, tensors[0].shape[0])
        if self.before is not None:
            grid_pass.frames_done, grid_pass.depth_done = self.start, self.before.depth
        rows = [given[name].flatten(0, 1) for name in self.inputs if name.startswith(ROW)]
        # One tensor, or a list of several scales: what the stage handed on.
        grid_pass.row = (rows[0] if len(rows) == 1 else rows) if rows else None
        grid_pass.total = given.get(TOTAL, grid_pass.total)
        grid_pass.vectors = given.get(VECTORS)
        frames = given[FRAMES].flatten(0, 1) if FRAMES in given else None
        grid_pass.extend_to(exits[self.k], exits[self.k + 1 :], frames)
        results = {"logits": grid_pass.logits(self.k)}
        if self.k + 1 < len(exits):
            results |= {NEXT + name: value for name, value in self._kept(grid_pass).items()}
        history.tails = {}
        self.outputs = list(results)
        return tuple(results.values())

    def _kept(self, grid_pass: GridPass) -> Tensors:
        kept: Tensors = {}
        if grid_pass.row is not None:
            rows = [grid_pass.row] if isinstance(grid_pass.row, torch.Tensor) else grid_pass.row
            for i, row in enumerate(rows):
                kept[f"{ROW}{i}"] = row.unflatten(0, (grid_pass.num_videos, -1))
        exits = self.network.plan.exits.exits
        if exits[self.k + 1].depth == exits[self.k].depth:
            kept[TOTAL] = grid_pass.total
            if grid_pass.vectors is not None:
                kept[VECTORS] = grid_pass.vectors
        if exits[-1].sets > exits[self.k].sets:
            tails = self.network.history.tails
            kept |= {short: tails[name] for name, short in self.shifts.items() if name in tails}
        return kept


def steps_of(
    network: GridParts, clips_BTCHW: torch.Tensor
) -> list[tuple[GridStep, tuple[torch.Tensor, ...]]]:
    """Return every step of ``network`` with the tensors that go into it for ``clips_BTCHW``."""
    steps = []
    carried: Tensors = {}
    with torch.no_grad():
        for k in range(len(network.plan.exits)):
            step = GridStep(network, k, carried)
            frames = network.frames(clips_BTCHW, step.start, step.stop) if step.stop > step.start else None
            available = dict(carried)
            if frames is not None:
                available[FRAMES] = frames.unflatten(0, (len(clips_BTCHW), -1)).contiguous()
            tensors = tuple(available[name] for name in step.inputs)
            results = step(tensors)
            # Rows and totals are of the last step only; the tails stay until more frames come.
            carried = {name: value for name, value in carried.items() if name.startswith(TAIL)} | {
                name.removeprefix(NEXT): value
                for name, value in zip(step.outputs, results, strict=True)
                if name.startswith(NEXT)
            }
            steps.append((step, tensors))
    return steps
