"""Settings read from files: refused unless they mean one thing, with all mistakes in one message."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from dynsearch.errors import InputError, did_you_mean, named, shown

_MAX_PROBLEMS = 10


class Settings(BaseModel):
    """Fields of a YAML file. Unknown fields, infinite numbers, and true or false for a number are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def resolved(self) -> dict[str, Any]:
        """Return all fields, defaults included, as plain values."""
        return self.model_dump(mode="json")

    @field_validator("*", mode="before")
    @classmethod
    def _truth_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[info.field_name or ""]
        if value is False and "off" in get_args(field.annotation):
            return "off"  # What YAML reads as false.
        wants_truth = _mentions(field.annotation, bool)
        is_mapping = get_origin(field.annotation) in (dict, Mapping)
        parts = list(value.values()) if is_mapping and isinstance(value, dict) else value
        if not wants_truth and _holds(parts, bool):
            raise ValueError("must not be true or false")
        if wants_truth and _holds(parts, int | float | str, other_than=bool):
            raise ValueError("must be true or false")
        return value


def differences(before: Any, now: Any, may_change: Collection[str] = (), path: str = "") -> Iterator[str]:
    """Yield ``field was X, now Y`` for all fields of nested mappings that differ, but those that ``may_change``."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in {**before, **now}:
            name = f"{path}.{key}" if path else str(key)
            if name not in may_change:
                yield from differences(before.get(key), now.get(key), may_change, name)
    elif before != now:
        yield f"{path.removeprefix('recipe.')} was {named(str(before))}, now {named(str(now))}"


def _mentions(annotation: Any, kind: type) -> bool:
    return annotation is kind or any(_mentions(part, kind) for part in get_args(annotation))


def _holds(value: Any, kind: Any, other_than: Any = ()) -> bool:
    """Return whether ``value``, or a part of a list, is of ``kind``."""
    if isinstance(value, list | tuple):
        return any(_holds(part, kind, other_than) for part in value)
    return isinstance(value, kind) and not isinstance(value, other_than)


def accepted_by(check: Callable[[str], object]) -> AfterValidator:
    """Return what makes a field refuse a text that ``check`` refuses with an :class:`InputError`, in its words."""

    def same(value: str) -> str:
        try:
            check(value)
        except InputError as error:
            raise ValueError(f"{error.problem}. {error.hint}" if error.hint else error.problem) from error
        return value

    return AfterValidator(same)


def _fields(model: str, place: Sequence[int | str]) -> list[str]:
    """Return the names of the fields at a place in the settings called ``model``."""
    found: Any = next((kind for kind in _kinds(Settings) if kind.__name__ == model), None)
    for part in place:
        inside = found.model_fields.get(part) if found is not None else None
        found = next(_kinds_in(inside.annotation), None) if inside is not None else None
    return list(found.model_fields) if found is not None else []


def _kinds(kind: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)


def _kinds_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _kinds_in(part)


def describe(
    error: ValidationError, *, inside: str | None = None, names: Mapping[str, str] = MappingProxyType({})
) -> str:
    """Return every problem pydantic found as ``field: what is wrong (got value)``, joined by semicolons.

    The fields of the section ``inside`` are named without it; ``names`` says how fields are spelled that have another
    name inside.
    """
    problems = []
    for item in error.errors(include_url=False):
        place = item["loc"][1:] if item["loc"][:1] == (inside,) else item["loc"]
        field = ".".join(str(part)[:80] for part in place)
        field = names.get(field, field)
        if item["type"] == "missing":
            problems.append(f"{field}: is missing")
        elif item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            known = [names.get(name, name) for name in _fields(error.title, item["loc"][:-1])]
            problems.append(f"{field}: unknown field. {did_you_mean(place[-1], known)}".rstrip(". "))
        else:
            message = item["msg"].removeprefix("Value error, ")
            got = "" if isinstance(item["input"], dict) else f" (got {shown(item['input'])})"
            problems.append(f"{field}: {message}{got}" if field else f"{message}{got}")
    more = len(problems) - _MAX_PROBLEMS
    return "; ".join(problems[:_MAX_PROBLEMS]) + (f"; and {more} more" if more > 0 else "")
