"""Fields of a plan as they are typed: in YAML, and in Python."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from dynsearch.errors import PlanError, shown
from dynsearch.plan.exit_placement import Exit, ExitPlacement
from dynsearch.plan.frame_order import LARGEST, FrameOrder
from dynsearch.plan.temporal_shift import TemporalShift

OrderLike = FrameOrder | str | Mapping[str, object]
"""A frame order, its name, or its ``sets`` and ``groups``."""

ExitsLike = ExitPlacement | str | Iterable[Exit | str]
"""A placement, or exits as texts: ``"2x3 8x5"`` or ``["2x3", "8x5"]``."""

ShiftLike = TemporalShift | str | Mapping[str, object]
"""A temporal shift, its kind, or its fields."""

_MISSING = object()
_TYPE_NAMES: dict[type, str] = {
    int: "a whole number", str: "a text", list: "a list", dict: "a mapping", bool: "true or false",
}  # fmt: skip


def get(values: Mapping[str, Any], name: str, kind: type, default: Any = _MISSING) -> Any:
    """Return a field of the type ``kind``, a whole number of at most ``LARGEST``.

    Raises:
        PlanError: It is missing and has no default, or is something else.
    """
    value = values.get(name, default)
    if value is _MISSING:
        raise PlanError("is missing", where=name)
    return checked(value, name, kind)


def checked(value: Any, name: str, kind: type) -> Any:
    """Return a field's value if it is of the type ``kind``, and a whole number of at most ``LARGEST``.

    Raises:
        PlanError: It is something else.
    """
    if not isinstance(value, kind) or isinstance(value, bool) != (kind is bool):
        raise PlanError(f"must be {_TYPE_NAMES[kind]}, got {shown(value)}", where=name)
    if isinstance(value, int) and value > LARGEST:
        raise PlanError(f"must be at most {LARGEST:,}, got {shown(value)}", where=name)
    return value


def frame_order_of(value: object, num_sets: int | None, num_frames: int) -> FrameOrder:
    """Return the frame order that ``value`` says; without ``num_sets`` every frame is a set.

    Raises:
        PlanError: It says none, or one of another number of sets.
    """
    if isinstance(value, FrameOrder):
        if num_sets not in (None, value.num_sets):
            raise PlanError(f"has {value.num_sets} sets, but num_sets is {num_sets}", where="frame_order")
        return value
    num_sets = num_frames if num_sets is None else num_sets
    if isinstance(value, str):
        return FrameOrder.named(value, num_sets)
    if not isinstance(value, dict) or not set(value) <= {"sets", "groups"}:
        raise PlanError(f"must be a name, or sets with groups, got {shown(value)}", where="frame_order")
    sets = _integers(value.get("sets"), "frame_order.sets")
    groups = _integers(value.get("groups", [len(sets)]), "frame_order.groups")
    if len(sets) != num_sets:
        raise PlanError(f"has {len(sets)} sets, but num_sets is {num_sets}", where="frame_order.sets")
    return FrameOrder(sets, groups)


def _integers(value: Any, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(item) is int for item in value):
        raise PlanError(f"must be a list of whole numbers, got {shown(value)}", where=where)
    return tuple(value)


def exits_of(value: object) -> ExitPlacement:
    """Return the exit placement that ``value`` says.

    Raises:
        PlanError: It says none.
    """
    if isinstance(value, ExitPlacement):
        return value
    texts = value.split() if isinstance(value, str) else value
    if not isinstance(texts, Iterable):
        raise PlanError(f"must be a list, or a text such as 2x3 8x5, got {shown(value)}", where="exits")
    return ExitPlacement(tuple(exit_ if isinstance(exit_, Exit) else Exit.parse(exit_) for exit_ in texts))


def temporal_shift_of(value: object) -> TemporalShift:
    """Return the temporal shift that ``value`` says.

    Raises:
        PlanError: It says none.
    """
    if isinstance(value, TemporalShift):
        return value
    if isinstance(value, str):
        return TemporalShift(value)
    values = get({"temporal_shift": value}, "temporal_shift", dict)
    default = asdict(TemporalShift())
    unknown = sorted(set(map(str, values)) - set(default))
    if unknown:
        raise PlanError(
            f"unknown field {shown(unknown[0])}", where="temporal_shift", hint=f"Fields: {', '.join(default)}"
        )
    typed = {name: checked(v, f"temporal_shift.{name}", type(default[name])) for name, v in values.items()}
    return TemporalShift(**typed)
