"""Measuring what a video's time is the sum of: in turns, warmed up, many times over."""

from __future__ import annotations

import datetime
import os
import platform
import random
import time
import timeit
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib.metadata import version
from itertools import pairwise
from typing import Any, cast

import numpy as np
import torch

from dynsearch.families import family_of
from dynsearch.families.grid.parts import GridParts
from dynsearch.families.grid.steps import answer, extended, put_together, read
from dynsearch.network import Kept, MultiExitNetwork
from dynsearch.network.backbone.layout import map_state
from dynsearch.network.backbone.stages import backbone_stages
from dynsearch.network.heads import reads_as_timm
from dynsearch.network.runtimes import runtime_for
from dynsearch.network.waiting import Steps
from dynsearch.plan import Exit, ExitPlacement, FrameOrder, Plan
from dynsearch.plan.heads import head_kinds
from dynsearch.thresholds import ExitPolicy
from dynsearch.timing.setup import Asked, Setup
from dynsearch.timing.table import CLASSES, TimeTable, described
from dynsearch.training.device import checked_device, pick_device

WIDE = 0.25
"""A spread that says of a machine that it is busy with other work."""
_AGAIN = 2  # times that a wide spread is measured anew
_ROUNDS, _PASSES, _CALLS = 6, 2, 25


@dataclass
class Clocked:
    """Steps that note when each begins; the rule by which videos leave waits for a GPU, so all before is done then."""

    steps: Steps
    begun: list[float] = field(default_factory=list)

    def frames_at(self, k: int) -> Sequence[int]:
        """See :class:`Steps`."""
        return self.steps.frames_at(k)

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """See :class:`Steps`."""
        self.begun.append(time.perf_counter())
        return self.steps.step(k, frames_BTCHW, kept)


@dataclass
class Runner:
    """One network, passes of which are timed step by step, on clips of noise."""

    network: MultiExitNetwork
    steps: Steps
    clips_BTCHW: torch.Tensor
    policy: ExitPolicy
    ms: list[list[float]] = field(default_factory=list)

    def run(self, passes: int, *, warm: int = 1) -> None:
        """Let videos go to their exit, ``warm`` times unnoticed, then note the time of each step, a video's share."""
        for i in range(warm + passes):
            clock = Clocked(self.steps)
            started = time.perf_counter()
            self.network.forward_until(self.clips_BTCHW, self.policy, clock)
            stamps = [started, *clock.begun[1:], time.perf_counter()]
            if i >= warm:
                share = 1000 / len(self.clips_BTCHW)
                self.ms.append([share * (after - before) for before, after in pairwise(stamps)])

    @property
    def spread(self) -> float:
        """By how much the 95th percentile of its passes is above their median."""
        whole = np.sum(self.ms, axis=1)
        return float(np.percentile(whole, 95) / np.median(whole) - 1)


def made(
    plan: Plan, asked: Asked, runtime: str | None, *, num_classes: int = CLASSES[0], last: int | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> Runner:  # fmt: skip
    """Return what runs a plan's network, freshly initialised, to its exit ``last``, on the device that is asked for."""
    device = checked_device(asked.device) if asked.device else pick_device()
    network = family_of(plan).build(plan, num_classes).to(device).to(memory_format=torch.channels_last).eval()
    exits = len(plan.exits)
    stops = [float("inf")] * (exits - 1) + [float("-inf")]
    if last is not None:
        stops[last:] = [float("-inf")] * (exits - last)
    clips = torch.randn(asked.batch, plan.num_frames, 3, plan.image_size, plan.image_size, device=device)
    policy = ExitPolicy(tuple(stops), "max-softmax", plan.plan_id)
    steps = runtime_for(runtime, network, tell)[1] if runtime else network
    return Runner(network, steps, clips, policy)


def measured(plan: Plan, asked: Asked, tell: Callable[[str], None] = lambda text: None) -> TimeTable:
    """Return the table of a plan's backbone, for as many frames as the plan has; of no grid, that of the plan.

    Args:
        plan: The plan.
        asked: On which device, for how many videos at a time, run by what.
        tell: Told how it goes.

    Raises:
        InputError: There is no such device or runtime here.
        PlanError: The plan's network can't be built.
    """
    setup = Setup.here(asked)
    whole = plan.family != "grid"
    sizes = [] if whole else [n for n in _SIZES if n < plan.num_frames] + [plan.num_frames]
    tell(f"measuring {plan.backbone} on {setup}")
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > 1.5:
        tell(f"other work runs on this machine (load {load:.1f}): times will be too long")
    with torch.inference_mode():
        if whole:
            runners = [made(plan, asked, setup.runtime, tell=tell)]
        else:
            ways = [(n, step) for n in sizes for step in (True, False)]
            runners = [_through(plan, n, asked, setup.runtime, tell, by_stage=step) for n, step in ways]
        spread = in_turns(runners, tell)
        parts: dict[str, Any] = {"steps": _median(runners[0]).tolist()}
        if not whole:
            by_stage, at_once = runners[::2], runners[1::2]
            parts = _parts(plan, by_stage[-1], asked)
            parts |= stages_and_heads(
                np.array([_median(runner) for runner in by_stage]),
                np.array([_median(runner)[0] for runner in at_once]),
                sizes,
                parts,
            )
            parts["p95"] = np.transpose(
                [np.percentile(runner.ms, 95, axis=0) for runner in by_stage]
            ).tolist()
        else:
            parts["p95"] = [np.percentile(runners[0].ms, 95, axis=0).tolist()]
    table = TimeTable(
        setup=setup,
        of=described(plan),
        date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        versions={name: version(name) for name in ("dynsearch", "torch", "timm")}
        | {"python": platform.python_version()},
        spread=max(spread, 0.0),
        frames=sizes,
        **parts,
    )
    return table if whole else held(table, list(_others(plan, len(table.stages), asked, setup.runtime, tell)))


_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
"""Numbers of frames, the powers of two and what lies between."""


def in_turns(runners: Sequence[Runner], tell: Callable[[str], None]) -> float:
    """Run all, one after the other and again; return the spread of what was kept, the narrowest of a few tries."""
    best: tuple[float, list[list[list[float]]]] | None = None
    for attempt in range(1 + _AGAIN):
        for runner in runners:
            runner.ms = []
        for _ in range(_ROUNDS):
            for runner in runners:
                runner.run(_PASSES)
        spread = float(np.median([runner.spread for runner in runners]))
        if best is None or spread < best[0]:
            best = spread, [runner.ms for runner in runners]
        if spread <= WIDE:
            break
        then = (
            "measuring again"
            if attempt < _AGAIN
            else "the narrowest measurement is kept, and its times are rough"
        )
        tell(f"times spread by {100 * spread:.0f}%: the machine is busy; {then}")
    assert best is not None
    for runner, ms in zip(runners, best[1], strict=True):
        runner.ms = ms
    return best[0]


def stages_and_heads(
    by_stage_FM: np.ndarray, at_once_F: np.ndarray, frames_F: Sequence[int], parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the time of each stage alone, and of heads as they are between stages.

    After a convolution all that leaving an exit takes is slower than over and over by itself. So what exits behind
    all stages take more than one exit behind the last is shared out among them.

    Args:
        by_stage_FM: Time of each stage with an exit behind it.
        at_once_F: Time of all stages with an exit behind the last one only.
        frames_F: On how many frames.
        parts: ``heads`` and ``last_heads`` (M, 2), measured by themselves, and ``read`` (M,).
    """
    read_FM = np.outer(frames_F, parts["read"])
    more_F = by_stage_FM.sum(axis=1) - at_once_F - read_FM[:, :-1].sum(axis=1)
    alone_M = np.array(parts["heads"])[:, 0]
    # Of the exits that only one of both has.
    more = max(float(np.median(more_F)) - alone_M[:-1].sum(), 0.0) / max(len(alone_M) - 1, 1)
    own_FM = by_stage_FM - alone_M - more - read_FM
    # Of a stage that takes no time noise is left.
    stages_MF = np.maximum(own_FM, 0.01 * by_stage_FM).T
    heads = {name: (np.array(parts[name]) + more).tolist() for name in ("heads", "last_heads")}
    return {"stages": stages_MF.tolist(), **heads}


def held(table: TimeTable, runs: Sequence[tuple[Plan, Runner]]) -> TimeTable:
    """Return the table with all times multiplied by what whole passes of some plans took over what it says of them.

    Sums leave out what stages take from each other: cold caches, tensors that lie elsewhere.

    Args:
        table: As its parts were measured.
        runs: Plans that it is of, with what has run them.
    """
    over = [_median(runner).sum() / sum(table.step_E(plan, CLASSES[0])) for plan, runner in runs]
    by = float(np.median(over))

    def times(rows: Sequence[Any]) -> list[Any]:
        return [times(row) if isinstance(row, Sequence) else by * row for row in rows]

    parts = {
        name: times(getattr(table, name)) for name in ("stages", "p95", "heads", "last_heads", "read", "kept")
    }
    return TimeTable.model_validate(table.resolved() | parts | {"whole_passes": over})


def _others(
    plan: Plan, depth: int, asked: Asked, runtime: str, tell: Callable[[str], None]
) -> Iterator[tuple[Plan, Runner]]:
    """Yield plans like one with other exits, each with what has run it as it is built, for a while."""
    draws = random.Random(1)
    for count in (2, 3, 4, 2, 3):
        sets = [draws.randint(1, plan.frame_order.num_sets) for _ in range(count)]
        exits = ExitPlacement.rising(sets, [draws.randint(min(2, depth), depth) for _ in range(count)])
        other = replace(plan, exits=exits)
        runner = made(other, asked, runtime, num_classes=CLASSES[0], tell=tell)
        runner.run(_ROUNDS, warm=_PASSES)
        yield other, runner


def _through(
    plan: Plan, frames: int, asked: Asked, runtime: str, tell: Callable[[str], None], *, by_stage: bool
) -> Runner:
    """Return what takes so many frames through all stages, with an exit behind each, or behind the last only.

    Its network is one for the plan's frames.
    """
    as_timm = reads_as_timm(plan)
    depth = len(backbone_stages(plan.backbone, plan.image_size, plan.stages, as_timm=as_timm))
    total = frames if plan.temporal_shift.kind == "bidirectional" else plan.num_frames
    exits = [Exit(frames, d) for d in range(1 if by_stage else depth, depth + 1)]
    of_it = replace(
        plan,
        num_frames=total,
        frame_order=FrameOrder.named("sequential", total),
        exits=ExitPlacement(tuple(exits if frames == total else [*exits, Exit(total, depth)])),
        head="linear",
        features="timm" if as_timm else "mean",
        share_heads=False,
    )
    return made(of_it, asked, runtime, last=len(exits) - 1, tell=tell)


@dataclass
class _HeadsOnly:
    """Steps that do no more than answer from what was kept of others."""

    network: GridParts
    kept: list[Kept]

    def frames_at(self, k: int) -> Sequence[int]:
        return self.network.frames_at(k)

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        return answer(self.network, k, self.kept[k]), {}


def _parts(plan: Plan, runner: Runner, asked: Asked) -> dict[str, Any]:
    """Return the time of heads of both kinds, of reading features, and of putting kept states together."""
    early, last = head_kinds(plan.head)
    to_depths, shape = runner.network.plan, runner.clips_BTCHW
    found: dict[str, Any] = {}
    for name, kind in (("heads", early), ("last_heads", last)):
        if name == "last_heads" and kind == early:
            found[name] = found["heads"]
            continue
        of_kind = replace(to_depths, head=kind)
        columns = [_heads(of_kind, shape, asked, num_classes) for num_classes in CLASSES]
        found[name] = np.transpose(columns).tolist()
    network = cast(GridParts, runner.network)
    frames = to_depths.num_frames
    state: Any = network.frames(shape, 0, frames)
    network.begin_pass(0, frames)
    found |= {"read": [], "kept": []}
    for depth in range(1, len(network.backbone.stages) + 1):
        state = network.backbone.forward_stage(state, depth - 1)
        reading = partial(read, network, state, depth, frames)
        found["read"].append(timed(reading, shape) / frames)
        half = frames // 2
        halves = [_rows(state, frames, part) for part in (slice(half), slice(half, None))]
        together = partial(put_together, halves[0], halves[1], half)
        found["kept"].append(timed(together, shape) / frames if half else 0.0)
    return found


def _heads(plan: Plan, clips_BTCHW: torch.Tensor, asked: Asked, num_classes: int) -> list[float]:
    """Return the time of each exit's head, with what it takes to leave there or to go on."""
    runner = made(plan, asked, None, num_classes=num_classes)
    network = cast(GridParts, runner.network)
    kept: list[Kept] = []
    for k, exit_ in enumerate(plan.exits.exits):
        frames = clips_BTCHW[:, network.frames_at(k)] if network.frames_at(k) else None
        done = plan.exits.exits[k - 1] if k else None
        kept.append(extended(network, done, exit_, frames, kept[-1] if k else {}))
    runner.steps = _HeadsOnly(network, kept)
    runner.run(_CALLS, warm=5)
    return _median(runner).tolist()


def _rows(state: Any, frames: int, part: slice) -> Any:
    return map_state(lambda x: x.unflatten(0, (-1, frames))[:, part].flatten(0, 1).clone(), state)


def timed(function: Callable[[], object], clips_BTCHW: torch.Tensor, calls: int = _CALLS) -> float:
    """Return the milliseconds of a call, a video's share."""

    def call() -> None:
        function()
        if clips_BTCHW.device.type == "cuda":
            torch.cuda.synchronize(clips_BTCHW.device)

    return float(np.median(timeit.repeat(call, number=1, repeat=calls))) * 1000 / len(clips_BTCHW)


def _median(runner: Runner) -> np.ndarray:
    return np.median(runner.ms, axis=0)
