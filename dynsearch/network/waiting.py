"""Going from exit to exit: the videos that are sure enough leave, the others wait for the next step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dynsearch.network.backbone.layout import joined
from dynsearch.network.clips import check_clips
from dynsearch.network.sureness import stop_rule
from dynsearch.plan import Plan
from dynsearch.thresholds import ExitPolicy

Kept = dict[str, torch.Tensor]
"""What a step leaves for later ones, by name, videos along the first axis of each tensor."""


class Steps(Protocol):
    """What runs the steps of a network: the network itself, or a runtime; see :class:`MultiExitNetwork`."""

    def frames_at(self, k: int) -> Sequence[int]:
        """Return the positions in time of the frames that go into the step to exit ``k``."""

    def step(self, k: int, frames_BTCHW: torch.Tensor | None, kept: Kept) -> tuple[torch.Tensor, Kept]:
        """Return the logits (B, K) of exit ``k``, and what later steps need."""


class Answer(NamedTuple):
    """Where a video stopped, and with which logits (K,), float32 on the CPU."""

    logits: torch.Tensor
    exit: int


@dataclass
class _Videos:
    """Videos before a step: their numbers, the frames that are still to be fed, and what is known of them."""

    numbers: NDArray[np.int64]
    frames_BTCHW: torch.Tensor
    kept: Kept
    seen: NDArray[np.float64] | None = None

    def __getitem__(self, rows: slice) -> _Videos:
        kept = {name: value[rows] for name, value in self.kept.items()}
        seen = None if self.seen is None else self.seen[:, rows]
        return _Videos(self.numbers[rows], self.frames_BTCHW[rows], kept, seen)

    @classmethod
    def together(cls, parts: list[_Videos]) -> _Videos:
        first = parts[0]
        if len(parts) == 1:
            return first
        return cls(
            np.concatenate([part.numbers for part in parts]),
            torch.cat([part.frames_BTCHW for part in parts]),
            {name: joined([part.kept[name] for part in parts], 0) for name in first.kept},
            None if first.seen is None else np.hstack([part.seen for part in parts if part.seen is not None]),
        )


class Waiting:
    """Videos on their way from exit to exit, in batches that stay full.

    Those that go on after an exit wait until a full batch of them is there, whatever batch they came in, so that no
    step runs on few videos because others have stopped. What is computed together hangs on the videos alone, and their
    order.

    Args:
        plan: Of the network.
        steps: What runs the steps.
        policy: Confidence measure and thresholds.
        batch: Videos to a step; None lets those that were fed together go on together, and none waits.
        max_waiting: How many videos :meth:`feed` may leave waiting, with frames and what is kept of them; more
            than that go on in batches that are not full. None: as many as there are.

    Raises:
        PolicyError: The policy is for another number of exits or another plan.
    """

    def __init__(
        self,
        plan: Plan,
        steps: Steps,
        policy: ExitPolicy,
        *,
        batch: int | None = None,
        max_waiting: int | None = None,
    ) -> None:
        num_exits = len(plan.exits)
        policy.check_fits(num_exits, plan.plan_id)
        self._plan, self._steps, self._rule = plan, steps, stop_rule(policy)
        self._batch, self._max_waiting = batch, max_waiting
        self._lanes: list[list[_Videos]] = [[] for _ in range(num_exits)]
        self._times = [list(steps.frames_at(k)) for k in range(num_exits)]
        # Before step k, the frames that it and later ones take.
        self._left = [sorted(set().union(*self._times[k:])) for k in range(num_exits)] + [[]]
        self._fed = self._taken = 0
        self._answers: dict[int, Answer] = {}

    @property
    def count(self) -> int:
        """How many videos wait."""
        return sum(map(self._in_lane, range(len(self._lanes))))

    @torch.inference_mode()
    def feed(self, clips_BTCHW: torch.Tensor) -> None:
        """Take videos, float32 (B, T, C, H, W), T frames in temporal order, and run all steps that are due.

        Raises:
            PlanError: The clips have another shape than the plan.
        """
        check_clips(clips_BTCHW, self._plan)
        numbers = np.arange(self._fed, self._fed + len(clips_BTCHW))
        self._fed += len(clips_BTCHW)
        self._lanes[0].append(_Videos(numbers, _frames(clips_BTCHW, self._left[0]), {}))
        if self._batch is None:
            self.finish()
        self._run_full()
        while self._max_waiting is not None and self.count > self._max_waiting:
            self._run(max(range(len(self._lanes)), key=lambda k: (self._in_lane(k), k)))
            self._run_full()

    @torch.inference_mode()
    def finish(self) -> None:
        """Take all videos that wait to their exits."""
        while self.count:
            self._run(next(k for k in range(len(self._lanes)) if self._in_lane(k)))
            self._run_full()

    def taken(self) -> list[Answer]:
        """Return the answers that were not taken yet, in the order in which videos were fed, up to one that waits."""
        answers = []
        while self._taken in self._answers:
            answers.append(self._answers.pop(self._taken))
            self._taken += 1
        return answers

    def _in_lane(self, k: int) -> int:
        return sum(len(videos.numbers) for videos in self._lanes[k])

    def _run_full(self) -> None:
        """Run the steps for which a full batch waits, the last first: it sets most memory free."""
        while full := [k for k in range(len(self._lanes)) if self._in_lane(k) >= (self._batch or np.inf)]:
            self._run(full[-1])

    def _run(self, k: int) -> None:
        """Run step ``k`` on the first batch of those that wait for it."""
        videos = _Videos.together(self._lanes[k])
        rest = videos[self._batch :] if self._batch else None
        self._lanes[k] = [rest] if rest and len(rest.numbers) else []
        videos = videos[: self._batch]
        left, times = self._left[k], self._times[k]
        frames = _frames(videos.frames_BTCHW, [left.index(time) for time in times]) if times else None
        logits, kept = self._steps.step(k, frames, videos.kept)
        stops, seen = self._rule.meet(videos.seen, logits)
        if stops.any():
            leaving = torch.from_numpy(np.flatnonzero(stops)).to(logits.device)
            for number, logits_K in zip(videos.numbers[stops], logits[leaving].float().cpu(), strict=True):
                self._answers[int(number)] = Answer(logits_K, k)
        if stops.all():
            return
        frames = _frames(videos.frames_BTCHW, [left.index(time) for time in self._left[k + 1]])
        on = _Videos(videos.numbers, frames, kept, seen)
        if stops.any():
            rows = torch.from_numpy(np.flatnonzero(~stops)).to(logits.device)
            kept = {name: value[rows] for name, value in kept.items()}
            on = _Videos(videos.numbers[~stops], frames[rows.to(frames.device)], kept, seen[:, ~stops])
        self._lanes[k + 1].append(on)


def _frames(clips_BTCHW: torch.Tensor, positions: list[int]) -> torch.Tensor:
    """Return the frames at these positions, without a copy if they are all."""
    return clips_BTCHW if positions == list(range(clips_BTCHW.shape[1])) else clips_BTCHW[:, positions]


def every_exit(steps: Steps, clips_BTCHW: torch.Tensor, num_exits: int) -> torch.Tensor:
    """Return the logits of all exits, (E, B, K), computed step by step."""
    logits, kept = [], Kept()
    for k in range(num_exits):
        times = list(steps.frames_at(k))
        logits_BK, kept = steps.step(k, clips_BTCHW[:, times] if times else None, kept)
        logits.append(logits_BK)
    return torch.stack(logits)
