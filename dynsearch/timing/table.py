"""A table of measured times, from which plans are costed by addition.

Shapes: F numbers of frames that were measured, M depth stages, E exits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from dynsearch.errors import InputError
from dynsearch.files import read_json, write_text
from dynsearch.plan import Plan
from dynsearch.timing.setup import Setup
from dynsearch.validation import Settings, describe

Time = Annotated[float, Field(ge=0)]
CLASSES = (2, 1000)
"""Numbers of classes for which heads are measured; between and beyond them time is linear."""


class Besides(Settings):
    """Milliseconds that are in no step, medians and 95th percentiles.

    Of reading a clip's frames from ``videos`` videos; or of each frame that is computed as it comes, where the first
    exit answers with frame ``first_answer``, counted from 1.
    """

    ms: list[Time]
    p95: list[Time]
    videos: int = 0
    first_answer: int = 0


class TimeTable(Settings):
    """Milliseconds per video, medians, measured on one device.

    A step of a grid network takes its new frames through the stages done before, and all frames seen through the new
    stages; it puts old and new frames together where later stages need them, and runs a head. So it is the sum of times
    of stages, each on that many frames at once: a step on few frames is dearer by the frame than one on many. Networks
    of other families are measured plan by plan, step by step.

    Attributes:
        setup: What it was measured on.
        of: What it is of: all of a plan that decides the time of a step.
        date: When, UTC.
        versions: Of what ran.
        spread: By how much the 95th percentile of whole passes is above their median, as a share.
        whole_passes: Of some plans, what whole passes took over what the parts add up to; times are multiplied by the
            median of it.
        frames: The F numbers of frames, rising, the first 1.
        stages: (M, F) time of each stage on so many frames at once.
        p95: (M, F) the 95th percentile of the same with an exit there; or (1, E) that of ``steps``.
        heads: (M, 2) time of a head at each depth, with what leaving there takes, for each of :data:`CLASSES`.
        last_heads: (M, 2) the same of the kind of head that a plan's last exit has.
        read: (M,) time of reading a frame's features behind each stage, for an exit there.
        kept: (M,) time of putting what is kept of a frame behind each stage together with that of others.
        steps: (E,) time of each step of the one plan it is of.
        besides: By what it is of, what was measured besides.
    """

    time_table: Literal[1] = 1
    setup: Setup
    of: dict[str, Any]
    date: str
    versions: dict[str, str] = {}
    spread: Time = 0.0
    whole_passes: list[Time] = []
    frames: list[int] = []
    stages: list[list[Time]] = []
    p95: list[list[Time]] = []
    heads: list[tuple[Time, Time]] = []
    last_heads: list[tuple[Time, Time]] = []
    read: list[Time] = []
    kept: list[Time] = []
    steps: list[Annotated[float, Field(gt=0)]] = []
    besides: dict[str, Besides] = {}

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.steps:
            return self
        if not self.stages or self.frames[:1] != [1] or any(a >= b for a, b in pairwise(self.frames)):
            raise ValueError("needs stages, and numbers of frames that rise from 1")
        if {len(row) for row in self.stages} != {len(self.frames)}:
            raise ValueError("needs a time of each stage for each number of frames")
        if {len(self.stages)} != {len(x) for x in (self.heads, self.last_heads, self.read, self.kept)}:
            raise ValueError("needs heads, and what is read and kept, for each stage")
        if min(map(min, self.stages)) <= 0:
            raise ValueError("holds a stage that takes no time")
        return self

    @property
    def backbone(self) -> str:
        """Of the networks it is of."""
        return str(self.of["backbone"])

    @property
    def max_frames(self) -> int:
        """How many frames at most a plan may see."""
        return self.frames[-1] if self.frames else int(self.of.get("num_frames", 0))

    @cached_property
    def _upto(self) -> list[list[float]]:
        """(M + 1, max_frames + 1): time of the first stages on so many frames at once."""
        rows = [self._row(times) for times in self.stages]
        return [[0.0] * (self.max_frames + 1), *(list(row) for row in accumulate(rows, _sum))]

    def _row(self, times: Sequence[float]) -> list[float]:
        """Return the times on 0, 1, 2, ... frames: between two numbers that were measured it is linear."""
        row = [0.0, times[0]]
        for (start, before), (stop, after) in pairwise(zip(self.frames, times, strict=True)):
            row += [before + (after - before) * i / (stop - start) for i in range(1, stop - start + 1)]
        return row

    def step_E(self, plan: Plan, num_classes: int) -> list[float]:
        """Return the time of each step from exit to exit of a plan that it is of.

        Raises:
            InputError: The plan sees more frames, or more stages, than were measured.
        """
        if self.steps:
            return list(self.steps)
        exits, last = plan.exits.exits, plan.exits.last
        if last.depth > len(self.stages) or plan.frames_seen(last) > self.max_frames:
            raise InputError(
                f"was measured to {len(self.stages)} stages and {self.max_frames} frames, and the exit {last} needs "
                f"{last.depth} and {plan.frames_seen(last)}",
                where=f"table of times of {self.backbone}",
                hint="Measure it for this plan: dynsearch cost PLAN --measure ms",
            )
        share = (num_classes - CLASSES[0]) / (CLASSES[1] - CLASSES[0])
        upto, seen, depth, times = self._upto, 0, 0, []
        for exit_ in exits:
            frames = plan.frames_seen(exit_)
            few, many = (self.last_heads if exit_ is last else self.heads)[exit_.depth - 1]
            time = upto[depth][frames - seen] + upto[exit_.depth][frames] - upto[depth][frames]
            if depth and frames > seen and last.depth > depth:
                time += self.kept[depth - 1] * frames
            time += self.read[exit_.depth - 1] * (frames if exit_.depth > depth else frames - seen)
            times.append(time + max(few + (many - few) * share, 0.0))
            seen, depth = frames, exit_.depth
        return times

    def cost_E(self, plan: Plan, num_classes: int) -> list[float]:
        """Return the cumulative time at each exit."""
        return list(accumulate(self.step_E(plan, num_classes)))

    @property
    def file_name(self) -> str:
        """Its name among others: the same for what is measured alike."""
        known = json.dumps([self.of, self.setup.resolved()], sort_keys=True)
        return f"{self.backbone.replace('/', '-')}-{hashlib.sha256(known.encode()).hexdigest()[:12]}.json"

    def save(self, folder: Path) -> Path:
        """Write it into ``folder``, whole or not at all, and return the file."""
        path = folder / self.file_name
        write_text(path, json.dumps(self.resolved(), indent=1))
        return path

    @classmethod
    def load(cls, path: Path) -> TimeTable:
        """Read the file at ``path``; InputError where it holds no table."""
        values = read_json(path)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InputError(
                f"is no table of times: {describe(error)}",
                where=str(path),
                hint="Remove it, and measure again: dynsearch cost --backbone NAME --measure ms",
            ) from error


def described(plan: Plan) -> dict[str, Any]:
    """Return all of a plan that decides how long its steps take, given its exits if it is a grid."""
    if plan.family != "grid":
        return {"backbone": plan.backbone, "family": plan.family, "plan_id": plan.plan_id,
                "num_frames": plan.num_frames}  # fmt: skip
    shift = {name: value for name, value in plan.temporal_shift.to_dict().items() if name != "across_groups"}
    return {
        "backbone": plan.backbone,
        "image_size": plan.image_size,
        "stages": plan.stages,
        "temporal_shift": shift if plan.temporal_shift.kind != "none" else None,
        "head": plan.head,
        "features": plan.features,
    }


def _sum(row: list[float], other: list[float]) -> list[float]:
    return [a + b for a, b in zip(row, other, strict=True)]
