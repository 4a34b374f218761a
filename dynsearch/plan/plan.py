"""The plan: everything that defines a network before training."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dynsearch.errors import PlanError, named, shown
from dynsearch.files import read_yaml, write_yaml
from dynsearch.plan.exit_placement import Exit, ExitPlacement
from dynsearch.plan.features import FEATURES, features_of_file, is_plain
from dynsearch.plan.frame_order import FIRST_NAMES, FrameOrder
from dynsearch.plan.heads import head_kinds
from dynsearch.plan.options import Options
from dynsearch.plan.reading import (
    ExitsLike,
    OrderLike,
    ShiftLike,
    checked,
    exits_of,
    frame_order_of,
    get,
    temporal_shift_of,
)
from dynsearch.plan.temporal_shift import TemporalShift
from dynsearch.registry import Registry

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

_FIELDS = (
    "family", "backbone", "num_frames", "num_sets", "image_size", "frame_order", "temporal_shift", "exits", "head",
    "stages", "share_heads", "features", "options",
)  # fmt: skip
_NEEDED = ("backbone", "num_frames", "exits")
_AS_WRITTEN: dict[str, type] = {
    "backbone": str, "num_frames": int, "num_sets": int, "exits": list, "temporal_shift": dict,
}  # fmt: skip
"""What files hold where Python takes other things as well."""
_ONLINE = TemporalShift()


@dataclass(frozen=True, init=False, repr=False)
class Plan:
    """An immutable, hashable description of one multi-exit network.

    Plans are canonical: two plans that describe the same network are equal and share a ``plan_id``.

    Attributes:
        backbone: Name of a timm model.
        num_frames: T, frames sampled from a video; a multiple of the number of frame sets.
        frame_order: Order of the N frame sets, with its groups. May be given by its name, with ``num_sets``.
        exits: Where the exits sit on the grid of N sets x M depth stages. May be given as ``"2x3 8x5"``.
        image_size: Side of the square input, in pixels.
        temporal_shift: What passes from frame to frame. May be given by its kind.
        head: Kind of the exit heads; ``A+B`` is A at every exit but the last, which has B.
        family: Kind of network.
        stages: M, the number of depth stages. None takes the backbone's own; more cut it finer, by block.
        share_heads: Whether exits at the same depth share a head.
        features: What heads read of the backbone, of :data:`dynsearch.plan.features.FEATURES`.
        options: What the family has beyond these fields; None for the grid.

    Raises:
        PlanError: The fields contradict each other. Depth is checked when the backbone is known.
    """

    backbone: str
    num_frames: int
    frame_order: FrameOrder
    exits: ExitPlacement
    image_size: int = 224
    temporal_shift: TemporalShift = _ONLINE
    head: str = "linear"
    family: str = "grid"
    stages: int | None = None
    share_heads: bool = False
    options: Options | None = None
    features: str = "timm"

    def __init__(
        self,
        backbone: str,
        num_frames: int,
        frame_order: OrderLike,
        exits: ExitsLike,
        image_size: int = 224,
        temporal_shift: ShiftLike = _ONLINE,
        head: str = "linear",
        family: str = "grid",
        stages: int | None = None,
        share_heads: bool = False,
        options: Options | Mapping[str, object] | None = None,
        features: str = "timm",
        *,
        num_sets: int | None = None,
    ) -> None:
        num_frames = checked(num_frames, "num_frames", int)
        num_sets = None if num_sets is None else checked(num_sets, "num_sets", int)
        values = {
            "backbone": checked(backbone, "backbone", str),
            "num_frames": num_frames,
            "frame_order": frame_order_of(frame_order, num_sets, num_frames),
            "exits": exits_of(exits),
            "image_size": checked(image_size, "image_size", int),
            "temporal_shift": temporal_shift_of(temporal_shift),
            "head": checked(head, "head", str),
            "family": checked(family, "family", str),
            "stages": None if stages is None else checked(stages, "stages", int),
            "share_heads": checked(share_heads, "share_heads", bool),
            "options": _options(family, options) if isinstance(options, Mapping) else options,
            "features": checked(features, "features", str),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self._check()

    def _check(self) -> None:
        if self.num_frames < 1 or self.num_frames % self.num_sets:
            raise PlanError(
                f"must be a multiple of the {self.num_sets} frame sets, got {shown(self.num_frames)}",
                where="num_frames",
            )
        if self.image_size < 1:
            raise PlanError(
                f"must be a positive number of pixels, got {shown(self.image_size)}", where="image_size"
            )
        if self.stages is not None and self.stages < self.exits.last.depth:
            raise PlanError(
                f"the exit {self.exits.last} lies outside the grid: the plan has {self.stages} stages",
                where="exits",
            )
        if self.exits.last.sets > self.num_sets:
            raise PlanError(
                f"the exit {self.exits.last} needs {self.exits.last.sets} frame sets, the plan has {self.num_sets}",
                where="exits",
            )
        if self.temporal_shift.kind == "bidirectional" and self.exits.exits[0].sets != self.num_sets:
            raise PlanError(
                f"a bidirectional shift needs every exit to see all {self.num_sets} sets, got {self.exits}",
                where="exits",
                hint="Use the online shift for exits that see only part of the video",
            )
        object.__setattr__(self, "temporal_shift", self._canonical_shift())
        head_kinds(self.head)
        family = FAMILIES[self.family]
        if family.options is None and self.options is not None:
            raise PlanError(f"the family {named(self.family)} has no options", where="options")
        if family.options is not None and not isinstance(self.options, family.options):
            raise PlanError(f"the family {named(self.family)} needs its options", where="options")
        object.__setattr__(self, "options", family.completed(self))
        if self.features not in FEATURES:
            raise PlanError(f"must be {' or '.join(FEATURES)}, got {shown(self.features)}", where="features")
        if all(map(is_plain, self._backbones)):
            object.__setattr__(self, "features", "timm")

    @property
    def _backbones(self) -> tuple[str, str]:
        return self.backbone, getattr(self.options, "local_backbone", self.backbone)

    def _canonical_shift(self) -> TemporalShift:
        shift = self.temporal_shift
        if shift.kind == "none":
            return TemporalShift("none")
        if shift.kind == "bidirectional" or len(self.frame_order.group_sizes) == 1:
            return replace(shift, across_groups=True)
        return shift

    @property
    def num_sets(self) -> int:
        """N, the number of frame sets."""
        return self.frame_order.num_sets

    @property
    def frames_per_set(self) -> int:
        """E of the paper's Eq. 5: consecutive frames in a set."""
        return self.num_frames // self.num_sets

    @property
    def plan_id(self) -> str:
        """Twelve hexadecimal digits that name this plan: a hash of its canonical form."""
        text = json.dumps(self.to_dict(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def frames_seen(self, exit_: Exit) -> int:
        """Return how many frames have been fed when ``exit_`` is reached."""
        return exit_.sets * self.frames_per_set

    def to_dict(self) -> dict[str, object]:
        """Return the plan as plain values, as written to ``plan.yaml``.

        Fields that came later are left out at their defaults, so that the ids of older plans stay.
        """
        order = self.frame_order
        later: dict[str, Any] = {} if self.stages is None else {"stages": self.stages}
        if self.share_heads:
            later["share_heads"] = True
        if self.features == "timm" and not all(map(is_plain, self._backbones)):
            later["features"] = self.features
        if self.options is not None:
            later["options"] = self.options.to_dict()
        return later | {
            "family": self.family,
            "backbone": self.backbone,
            "num_frames": self.num_frames,
            "num_sets": self.num_sets,
            "image_size": self.image_size,
            "frame_order": order.name
            if order.name in FIRST_NAMES
            else {"sets": list(order.sets), "groups": list(order.group_sizes)},
            "temporal_shift": self.temporal_shift.to_dict(),
            "exits": [str(exit_) for exit_ in self.exits.exits],
            "head": self.head,
        }

    @classmethod
    def from_dict(cls, values: object) -> Plan:
        """Return the plan that :meth:`to_dict` wrote.

        Raises:
            PlanError: A field is missing, unknown or of the wrong type; the message names it.
        """
        if not isinstance(values, dict):
            raise PlanError(f"a plan is a mapping of fields, got {type(values).__name__}")
        unknown = sorted(set(map(str, values)) - set(_FIELDS))
        if unknown:
            raise PlanError(
                f"unknown field {shown(unknown[0])}", where="plan", hint=f"Fields: {', '.join(_FIELDS)}"
            )
        for name, kind in _AS_WRITTEN.items():
            if name in values or name in _NEEDED:
                get(values, name, kind)
        family = get(values, "family", str, "grid")
        options = _options(family, values.get("options"))
        fields: dict[str, Any] = (
            {"frame_order": "sequential", "features": features_of_file(values)}
            | values
            | {"family": family, "options": options}
        )
        return cls(**fields)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the plan to ``path`` as YAML."""
        write_yaml(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """Read a plan from the YAML file at ``path``.

        Raises:
            PlanError: The file is missing or does not hold a plan; the message names the file and the field.
        """
        values = read_yaml(path, PlanError)
        try:
            return cls.from_dict(values)
        except PlanError as error:
            where = f"{path}: {error.where}" if error.where else str(path)
            raise PlanError(error.problem, where=where, hint=error.hint) from error

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each exit: its cell, the frames seen and the depth stages passed."""
        import pandas

        rows = [
            {"exit": k, "cell": str(exit_), "frames": self.frames_seen(exit_), "depth": exit_.depth}
            for k, exit_ in enumerate(self.exits.exits, start=1)
        ]
        return pandas.DataFrame(rows)

    def plot(self, axes: Axes | None = None, *, exit_share: Sequence[float] | None = None) -> Axes:
        """Draw which cell of the grid is computed for which exit.

        Args:
            axes: Where to draw; None makes a new figure.
            exit_share: Share of videos leaving at each exit, written beside it.
        """
        from dynsearch.display.figures import own_axes
        from dynsearch.plan.grid_plot import draw_grid, picture_size

        axes = own_axes(*picture_size(self)) if axes is None else axes
        draw_grid(self, axes, title=f"plan {self.plan_id}", exit_share=exit_share)
        return axes

    def _repr_html_(self) -> str:
        from dynsearch.display.notebook import page
        from dynsearch.plan.plan_grid import grid_text

        return page(repr(self), text=grid_text(self))

    def __repr__(self) -> str:
        return f"Plan({self.plan_id}: {self})"

    def __str__(self) -> str:
        more = f", features {self.features}" if self.features != "timm" else ""
        more += f", {self.options}" if self.options is not None else ""
        return (
            f"{self.backbone}, {self.num_frames} frames of {self.image_size} px in {self.num_sets} sets, "
            f"order {self.frame_order}, {self.temporal_shift}, exits {self.exits}{more}"
        )


class PlanFamily:
    """What a family knows of its plans.

    Attributes:
        options: The class of what its plans have beyond the fields of all plans; None where that is nothing.
    """

    options: type[Options] | None = None

    def completed(self, plan: Plan) -> Options | None:
        """Return the plan's options in the one form that they have for it.

        Raises:
            PlanError: The plan is none that this family can build.
        """
        return plan.options

    def holds(self, plan: Plan) -> bool:
        """Return whether ``plan`` counts as this family's where families are compared."""
        return FAMILIES[plan.family] is self


FAMILIES: Registry[PlanFamily] = Registry(
    "network family",
    {
        "grid": "dynsearch.families.grid:FAMILY",
        "adafocus": "dynsearch.families.adafocus:FAMILY",
        "sfc": "dynsearch.families.sfc:FAMILY",
        "tsn": "dynsearch.families.baselines:TSN",
        "tsm": "dynsearch.families.baselines:TSM",
    },
    error=PlanError,
    where="family",
)
"""Network families by the name in a plan's ``family`` and a space's ``families``. They are derived from
:class:`dynsearch.families.Family`, of which this is the part that plans need."""


def _options(family: str, values: object) -> Options | None:
    if values is None:
        return None
    kind = FAMILIES[family].options
    if kind is None:
        raise PlanError(f"the family {named(family)} has no options", where="options")
    return kind.from_dict(values)
