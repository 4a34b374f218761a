"""Progressive inference on the grid: compute up to an exit, let the sure videos go, go on with the rest."""

from __future__ import annotations

import torch

from dynsearch.families.grid.parts import GridParts
from dynsearch.network import ExitPass
from dynsearch.network.backbone.layout import State, map_state
from dynsearch.plan import Exit


class GridPass:
    """What has been computed for the videos still running, and nothing that no later cell needs.

    Done so far is the rectangle of ``frames_done`` frames x ``depth_done`` stages. The tails of the temporal
    shift are kept in the network's history, if later exits see more frames.

    Attributes:
        num_videos: B, the videos still running.
        frames_done: Frames fed so far.
        depth_done: Depth stages done for all of them.
        row: Output of the deepest stage done, (B x T', ...), if a later exit is deeper; else None.
        total: What that stage's exits read, summed over frames, (B, C) or (B, C, H, W).
        vectors: It frame by frame and averaged over space, (B, T, C), if an exit there reads sequences; else None.
    """

    def __init__(self, network: GridParts, num_videos: int) -> None:
        self.network = network
        self.num_videos = num_videos
        self.frames_done = 0
        self.depth_done = 0
        self.row: State = None
        self.total = torch.zeros(())
        self.vectors: torch.Tensor | None = None

    def extend_to(self, exit_: Exit, later: tuple[Exit, ...], new_frames: torch.Tensor | None) -> None:
        """Compute the cells up to ``exit_`` that are not done yet.

        Args:
            exit_: The next exit, not before the last one in either axis.
            later: The exits after it; they decide what is kept.
            new_frames: The frames not fed yet that the exit sees, in feeding order, (B x T', C, H, W); None if
                it sees no more than the last one.
        """
        frames_now = self.network.plan.frames_seen(exit_)
        more_frames = bool(later) and later[-1].sets > exit_.sets
        deeper = bool(later) and later[-1].depth > exit_.depth
        new: State = new_frames
        if new is not None:
            self.network.begin_pass(self.frames_done, frames_now, keep_tails=more_frames)
            new = self._run(new, 0, self.depth_done)
        if exit_.depth > self.depth_done:
            self.network.begin_pass(0, frames_now, keep_tails=more_frames)
            row = self._run(self._join(self.row, new), self.depth_done, exit_.depth)
            self.total, self.vectors = self._read(row, exit_.depth)
            self.row = row if deeper else None
        elif new is not None:
            total, vectors = self._read(new, exit_.depth)
            self.total = self.total + total
            self.vectors = (
                None if self.vectors is None or vectors is None else torch.cat([self.vectors, vectors], 1)
            )
            self.row = self._join(self.row, new) if deeper else None
        self.frames_done, self.depth_done = frames_now, exit_.depth

    def logits(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k``, up to which the cells have been computed."""
        reader, times = (
            self.network.readers[self.depth_done - 1],
            self.network.frames_in_order[: self.frames_done],
        )
        return reader.answer(self.network.head(k), self.total / self.frames_done, self.vectors, times).float()

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""
        self.total = self.total[rows]
        self.vectors = None if self.vectors is None else self.vectors[rows]
        if self.row is not None:
            self.row = map_state(
                lambda x: x.unflatten(0, (self.num_videos, -1))[rows].flatten(0, 1), self.row
            )
        tails = self.network.history.tails
        for name in tails:
            tails[name] = tails[name][rows]
        self.num_videos = len(rows)

    def _run(self, state: State, first: int, last: int) -> State:
        for stage in range(first, last):
            state = self.network.backbone.forward_stage(state, stage)
        return state

    def _join(self, old: State, new: State) -> State:
        """Return old and new frames of each video one after the other, (B x T', ...)."""
        if old is None or new is None:
            return new if old is None else old

        def join(*parts: torch.Tensor) -> torch.Tensor:
            return torch.cat([x.unflatten(0, (self.num_videos, -1)) for x in parts], dim=1).flatten(0, 1)

        return map_state(join, old, new)

    def _read(self, state: State, depth: int) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return what the exits at ``depth`` read: summed over frames, and frame by frame where one needs that."""
        reader = self.network.readers[depth - 1]
        read = reader.read(self.network.backbone, state).unflatten(0, (self.num_videos, -1))
        return read.sum(dim=1), reader.vectors(read) if reader.sequence else None


class GridExits(ExitPass):
    """A grid pass fed from clips."""

    def __init__(self, network: GridParts, clips_BTCHW: torch.Tensor) -> None:
        super().__init__(clips_BTCHW)
        self.network = network
        self.network.history.tails = {}
        self.grid_pass = GridPass(network, len(clips_BTCHW))

    def logits_at(self, k: int) -> torch.Tensor:
        """Return the logits (B, K) of exit ``k``, computing the cells that are not done yet."""
        exits = self.network.plan.exits.exits
        done, now = self.grid_pass.frames_done, self.network.plan.frames_seen(exits[k])
        new_frames = self.network.frames(self.clips_BTCHW, done, now) if now > done else None
        self.grid_pass.extend_to(exits[k], exits[k + 1 :], new_frames)
        return self.grid_pass.logits(k)

    def keep(self, rows: torch.Tensor) -> None:
        """Drop every video but those at the positions ``rows``."""
        self.clips_BTCHW = self.clips_BTCHW[rows]
        self.grid_pass.keep(rows)

    def end(self) -> None:
        """Forget what the shifts keep."""
        self.network.history.tails = {}
