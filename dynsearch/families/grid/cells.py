"""Reading the logits of grid cells: what a head gets from the stage before it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch

from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.layout import State, is_exporting
from dynsearch.network.backbone.stages import Stage
from dynsearch.network.heads import ExitHead


@dataclass(frozen=True)
class Reader:
    """Takes from a stage what the exits behind it need, and no more.

    Attributes:
        stage: The stage.
        maps: Whether some exit there needs maps; else features are averaged over space at once.
        sequence: Whether some exit there reads the frames one by one.
    """

    stage: Stage
    maps: bool
    sequence: bool

    @classmethod
    def of(cls, stage: Stage, heads: Iterable[ExitHead]) -> Reader:
        """Return what reads for these heads."""
        read = {head.reads for head in heads}
        if "maps" in read:
            _ = stage.layout.map_shape  # Says so if there is no map.
        return cls(stage, "maps" in read, "sequence" in read)

    def read(self, backbone: Backbone, state: State) -> torch.Tensor:
        """Return the features per frame, (B x T, C) or (B x T, C, H, W)."""
        features, layout = self.stage.read(backbone.model, state), self.stage.layout
        return layout.to_map(features) if self.maps else layout.pool(features)

    def vectors(self, read: torch.Tensor) -> torch.Tensor:
        """Return what was read of T' frames, (B, T', C) or (B, T', C, H, W), averaged over space."""
        return read.mean(dim=(3, 4)) if self.maps else read

    def answer(
        self, head: ExitHead, mean: torch.Tensor, vectors: torch.Tensor | None, times: Sequence[int]
    ) -> torch.Tensor:
        """Return the logits (B, K) of a head.

        Args:
            head: The head.
            mean: What was read, averaged over the T' frames seen.
            vectors: What was read, averaged over space, (B, T', C); needed by heads that read sequences.
            times: Positions in time of the T' frames.
        """
        if head.reads == "sequence":
            logits: torch.Tensor = head(vectors, times)
        else:
            logits = head(mean.mean(dim=(2, 3)) if self.maps and head.reads == "mean" else mean)
        return logits


def take_frames(clips_BTCHW: torch.Tensor, frames: Sequence[int]) -> torch.Tensor:
    """Return the frames at these positions in time, in this order, as a batch (B x T', C, H, W)."""
    return as_batch(clips_BTCHW[:, list(frames)])


def as_batch(frames_BTCHW: torch.Tensor) -> torch.Tensor:
    """Return the frames of all videos as one batch, (B x T, C, H, W); graphs choose their own layout in memory."""
    x = frames_BTCHW.flatten(0, 1)
    return x if is_exporting() else x.contiguous(memory_format=torch.channels_last)


def read_cells(
    backbone: Backbone,
    readers: Sequence[Reader],
    state: State,
    times: Sequence[int],
    cells: Sequence[tuple[int, int]],
    heads: Sequence[ExitHead],
) -> list[torch.Tensor]:
    """Return the logits (B, K) of cells of the grid, computing every stage once.

    Args:
        backbone: The backbone, as deep as there are readers.
        readers: Of each depth stage.
        state: The frames fed, (B x T', C, H, W).
        times: Positions in time of the T' frames that each video has.
        cells: Of each cell the number of frames seen and the depth.
        heads: Of each cell.
    """
    logits: dict[int, torch.Tensor] = {}
    deepest = max(depth for _, depth in cells)
    for depth, reader in enumerate(readers[:deepest], start=1):
        state = backbone.forward_stage(state, depth - 1)
        here = [k for k, cell in enumerate(cells) if cell[1] == depth]
        if here:
            read = reader.read(backbone, state).unflatten(0, (-1, len(times)))
            vectors = reader.vectors(read) if reader.sequence else None
            for k in here:
                seen = cells[k][0]
                first = None if vectors is None else vectors[:, :seen]
                logits[k] = reader.answer(heads[k], mean_of_first(read, seen), first, times[:seen])
    return [logits[k] for k in range(len(cells))]


def vectors_at(
    backbone: Backbone, readers: Sequence[Reader], state: State, num_frames: int, seen: Mapping[int, int]
) -> dict[int, torch.Tensor]:
    """Return for each depth of ``seen`` the vectors of so many first frames, (B, T', C), of ``num_frames`` fed."""
    vectors = {}
    for depth, reader in enumerate(readers[: max(seen)], start=1):
        state = backbone.forward_stage(state, depth - 1)
        if depth in seen:
            read = reader.read(backbone, state).unflatten(0, (-1, num_frames))
            vectors[depth] = reader.vectors(read)[:, : seen[depth]]
    return vectors


def mean_of_first(read: torch.Tensor, num_frames: int) -> torch.Tensor:
    """Return features per frame, (B, T, C) or (B, T, C, H, W), averaged over the first ``num_frames``."""
    if read.ndim == 5 and read.requires_grad:
        # Maps and their gradients keep their layout in memory, channels last.
        return read.movedim(2, -1)[:, :num_frames].mean(dim=1).movedim(-1, 1)
    return read[:, :num_frames].mean(dim=1)
