"""Reading the logits of grid cells: what a head gets from the stage before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.layout import Layout, State, features_of
from dynsearch.network.heads import ExitHead


@dataclass(frozen=True)
class Reader:
    """Takes from a stage what the exits behind it need, and no more.

    Attributes:
        layout: Of the stage's features.
        maps: Whether some exit there needs maps; else features are averaged over space at once.
    """

    layout: Layout
    maps: bool

    def __post_init__(self) -> None:
        if self.maps:
            _ = self.layout.map_shape  # Says so if there is no map.

    def read(self, state: State) -> torch.Tensor:
        """Return the features per frame, (B x T, C) or (B x T, C, H, W)."""
        features = features_of(state)
        return self.layout.to_map(features) if self.maps else self.layout.pool(features)

    def for_head(self, mean: torch.Tensor, *, maps: bool) -> torch.Tensor:
        """Return features averaged over frames as a head wants them: maps, or averaged over space too."""
        return mean.mean(dim=(2, 3)) if self.maps and not maps else mean


def take_frames(clips_BTCHW: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
    """Return the frames at these positions in time, in this order, as a batch (B x T', C, H, W)."""
    x = clips_BTCHW[:, list(frames)].flatten(0, 1)
    return x.contiguous(memory_format=torch.channels_last)


def read_cells(
    backbone: Backbone,
    readers: Sequence[Reader],
    state: State,
    num_frames: int,
    cells: Sequence[tuple[int, int]],
    heads: Sequence[ExitHead],
) -> list[torch.Tensor]:
    """Return the logits (B, K) of cells of the grid, computing every stage once.

    Args:
        backbone: The backbone, as deep as there are readers.
        readers: Of each depth stage.
        state: The frames fed, (B x T', C, H, W).
        num_frames: T', how many each video has.
        cells: Of each cell the number of frames seen and the depth.
        heads: Of each cell.
    """
    logits: dict[int, torch.Tensor] = {}
    deepest = max(depth for _, depth in cells)
    for depth, reader in enumerate(readers[:deepest], start=1):
        state = backbone.forward_stage(state, depth - 1)
        here = [k for k, cell in enumerate(cells) if cell[1] == depth]
        if here:
            read = reader.read(state).unflatten(0, (-1, num_frames))
            for k in here:
                mean = mean_of_first(read, cells[k][0])
                logits[k] = heads[k](reader.for_head(mean, maps=heads[k].wants_maps))
    return [logits[k] for k in range(len(cells))]


def mean_of_first(read: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Return features per frame, (B, T, C) or (B, T, C, H, W), averaged over the first ``num_frames``."""
    if read.ndim == 5 and read.requires_grad:
        # Maps and their gradients keep their layout in memory, channels last.
        return read.movedim(2, -1)[:, :num_frames].mean(dim=1).movedim(-1, 1)
    return read[:, :num_frames].mean(dim=1)
