"""From one cell of the grid to a later one: a function of new frames and of what was kept."""

import torch

from dynsearch.families.grid.cells import as_batch
from dynsearch.families.grid.parts import GridParts
from dynsearch.network import Kept
from dynsearch.network.backbone.layout import State, is_exporting, joined, map_state
from dynsearch.plan import Exit

ROW, TOTAL, VECTORS = "row", "total", "vectors"


def extended(
    network: GridParts, done: Exit | None, to: Exit, frames_BTCHW: torch.Tensor | None, kept: Kept
) -> Kept:
    """Compute the cells between the rectangles up to ``done`` and up to ``to``, and return what later ones need.

    It is ``row`` (B, T', ...), the output of the deepest stage done, or ``row0``, ``row1``, ... of several scales, if a
    later exit is deeper; ``total`` (B, ...), what that stage's exits read, summed over frames; ``vectors`` (B, T', C),
    the same frame by frame, if one there reads sequences; and ``tail0``, ... (B, C/div, H, W) for each shift, if more
    frames follow.

    Args:
        network: A grid network in eval mode.
        done: Where the frames and stages done so far end; None at the start.
        to: Not before ``done`` in either axis.
        frames_BTCHW: The frames between them, in feeding order; None if there are none.
        kept: What the call before returned.
    """
    plan, frames_now = network.plan, network.plan.frames_seen(to)
    before, depth = (plan.frames_seen(done), done.depth) if done else (0, 0)
    last = plan.exits.last
    row, total, vectors = _row(kept), kept.get(TOTAL), kept.get(VECTORS)
    more = last.sets > to.sets
    with network.history.going_on(kept, more=more) as tails:
        new: State = None
        if frames_BTCHW is not None:
            network.begin_pass(before, frames_now)
            new = _run(network, as_batch(frames_BTCHW), 0, depth)
        if to.depth > depth:
            network.begin_pass(0, frames_now)
            row = _run(network, put_together(row, new, before), depth, to.depth)
            total, vectors = read(network, row, to.depth, frames_now)
        else:
            added, more_vectors = read(network, new, depth, frames_now - before)
            assert total is not None
            total = total + added
            if vectors is not None and more_vectors is not None:
                vectors = torch.cat([vectors, more_vectors], 1)
            row = None if row is None else put_together(row, new, before)
    left: Kept = {}
    if last.depth > to.depth:
        by_video = map_state(lambda x: x.unflatten(0, (-1, frames_now)), row)
        names = [ROW] if isinstance(by_video, torch.Tensor) else [f"{ROW}{i}" for i in range(len(by_video))]
        left = dict(zip(names, [by_video] if isinstance(by_video, torch.Tensor) else by_video, strict=True))
    left[TOTAL] = total
    if vectors is not None:
        left[VECTORS] = vectors
    if more:
        left |= {name: kept[name] for name in kept if name.startswith("tail")} | tails
    return left


def answer(network: GridParts, k: int, kept: Kept) -> torch.Tensor:
    """Return the logits (B, K) of exit ``k``, up to which ``kept`` has been computed."""
    exit_ = network.plan.exits.exits[k]
    reader, seen = network.readers[exit_.depth - 1], network.plan.frames_seen(exit_)
    mean, times = kept[TOTAL] / seen, network.frames_in_order[:seen]
    return reader.answer(network.head(k), mean, kept.get(VECTORS), times).float()


def _row(kept: Kept) -> State:
    if ROW in kept:
        return _as_frames(kept[ROW])
    scales = [name for name in kept if name.startswith(ROW)]
    return [_as_frames(kept[f"{ROW}{i}"]) for i in range(len(scales))] or None


def _as_frames(x: torch.Tensor) -> torch.Tensor:
    """Return (B, T', ...) as (B x T', ...): of one frame with the strides of several, without which pools are slow."""
    flat = x.flatten(0, 1)
    if is_exporting() or len(flat) > 1:
        return flat
    return flat.as_strided(flat.shape, (flat.numel(), *flat.stride()[1:]))


def _run(network: GridParts, state: State, first: int, last: int) -> State:
    for stage in range(first, last):
        state = network.backbone.forward_stage(state, stage)
    return state


def put_together(old: State, new: State, num_old: int) -> State:
    """Return ``num_old`` old and all new frames of each video one after the other, (B x T', ...)."""
    if old is None or new is None:
        return new if old is None else old

    def join(old_: torch.Tensor, new_: torch.Tensor) -> torch.Tensor:
        by_video = old_.unflatten(0, (-1, num_old))
        return joined([by_video, new_.unflatten(0, (by_video.shape[0], -1))], 1).flatten(0, 1)

    return map_state(join, old, new)


def read(
    network: GridParts, state: State, depth: int, num_frames: int
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return what the exits at ``depth`` read: summed over frames, and frame by frame where one needs that."""
    reader = network.readers[depth - 1]
    read = reader.read(network.backbone, state).unflatten(0, (-1, num_frames))
    return read.sum(dim=1), reader.vectors(read) if reader.sequence else None
