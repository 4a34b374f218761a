"""The grid network: a backbone over frames x depth, with exits (paper section 3.2, Fig. 2d)."""

import torch

from dynsearch.families.grid.cells import read_cells, vectors_at
from dynsearch.families.grid.parts import GridParts
from dynsearch.families.grid.steps import TOTAL, VECTORS, answer, extended
from dynsearch.network import Kept
from dynsearch.network.clips import check_clips


class GridNetwork(GridParts):
    """A multi-exit network on the grid of N frame sets x M depth stages."""

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of all exits.

        Args:
            clips_BTCHW: Clips with their T frames in temporal order.

        Returns:
            Logits, (E, B, K).

        Raises:
            PlanError: The clips have another shape than the plan.
        """
        check_clips(clips_BTCHW, self.plan)
        plan = self.plan
        times = self.frames_in_order[: plan.frames_seen(plan.exits.last)]
        state = self.frames(clips_BTCHW, 0, len(times))
        self.begin_pass(0, len(times))
        cells = [(plan.frames_seen(exit_), exit_.depth) for exit_ in plan.exits.exits]
        heads = [self.head(k) for k in range(len(cells))]
        return torch.stack(read_cells(self.backbone, self.readers, state, times, cells, heads))

    def frame_vectors(self, clips_BTCHW: torch.Tensor) -> dict[int, torch.Tensor]:
        """Return for each depth with exits the features of the T' frames seen there, (B, T', C)."""
        check_clips(clips_BTCHW, self.plan)
        seen = {exit_.depth: self.plan.frames_seen(exit_) for exit_ in self.plan.exits.exits}
        num_frames = max(seen.values())
        state = self.frames(clips_BTCHW, 0, num_frames)
        self.begin_pass(0, num_frames)
        return vectors_at(self.backbone, self.readers, state, num_frames, seen)

    def frames_at(self, k: int) -> list[int]:
        """Return the positions in time of the frames that exit ``k`` sees and the one before does not."""
        exits = self.plan.exits.exits
        return self.frames_in_order[
            k and self.plan.frames_seen(exits[k - 1]) : self.plan.frames_seen(exits[k])
        ]

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Return the logits (B, K) of exit ``k``, and what later ones need; see :func:`extended`."""
        exits = self.plan.exits.exits
        kept = extended(self, exits[k - 1] if k else None, exits[k], frames_BTCHW, kept)
        logits = answer(self, k, kept)
        if k + 1 == len(exits):
            return logits, {}
        if exits[k + 1].depth > exits[k].depth:  # Deeper ones read all frames anew.
            kept = {name: value for name, value in kept.items() if name not in (TOTAL, VECTORS)}
        return logits, kept
