"""A search space: the plans that a study may propose."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Self

from pydantic import (
    AliasChoices,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)
from pydantic_core import InitErrorDetails

from dynsearch.errors import PlanError, SpaceError
from dynsearch.files import read_yaml
from dynsearch.plan import Plan
from dynsearch.space.axes import SpaceAxes
from dynsearch.space.family import Choices, FamilyName, space_family
from dynsearch.space.trial import Suggester, choose
from dynsearch.validation import describe

_ALWAYS_WRITTEN = ("adafocus", "sfc")
"""Sections written as null where a space has none: they are part of the fingerprints of spaces that have been used."""


class SearchSpace(SpaceAxes):
    """The choices that span all plans of a study. One YAML file in ``search_spaces/``.

    Beside the fields it has a section for each of its families that has choices of its own, by the family's name.

    A plan's number of exits is an explicit parameter and its exits are sorted integers: of eight encodings
    compared in simulation this one let samplers find good placements soonest.
    """

    families: Annotated[
        list[FamilyName],
        Field(min_length=1, validation_alias=AliasChoices("families", "family")),
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
    ] = ["grid"]
    """Kinds of networks. ``grid`` and the baselines need no more than the fields above."""
    _sections: dict[str, Choices] = PrivateAttr(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _with_sections(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        if not isinstance(values, Mapping):
            return handler(values)
        names = [name for name in values if name not in cls.model_fields and _has_section(name)]
        sections, problems = {}, []
        for name in names:
            try:
                if values[name] is not None:
                    sections[name] = space_family(name).choices.model_validate(values[name])
            except ValidationError as error:
                problems += _problems(error, name)
        try:
            space = handler({name: value for name, value in values.items() if name not in names})
        except ValidationError as error:
            problems = _problems(error) + problems
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        space._sections.update(sections)
        for section in sections.values():
            section.check(space)
        for name in space.families:
            space.choices(name)
        return space

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        for name in dict.fromkeys((*_ALWAYS_WRITTEN, *self._sections)):
            section = self._sections.get(name)
            values[name] = None if section is None else section.model_dump(mode=info.mode)
        return values

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SearchSpace:
        """Read a search space from the YAML file at ``path``.

        Raises:
            SpaceError: The file is missing or has wrong fields; the message lists them all.
        """
        values = read_yaml(path, SpaceError)
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise SpaceError(describe(error), where=str(path)) from error

    def only(self, families: Sequence[str] | None) -> SearchSpace:
        """Return the space with these families instead of its own; None leaves it as it is.

        Raises:
            SpaceError: A family is unknown, or the space has no section for it.
        """
        if families is None:
            return self
        try:
            return SearchSpace.model_validate(self.model_dump() | {"families": list(families)})
        except ValidationError as error:
            raise SpaceError(describe(error), where="families") from error

    @property
    def fingerprint(self) -> str:
        """A hash of all choices; a study is resumed only with the space it began with."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def choices(self, family: str) -> Choices:
        """Return what varies among the plans of a family; ValueError where the space has no section for it."""
        kind = space_family(family).choices
        if kind.model_fields and family not in self._sections:
            raise ValueError(f"the family {family} needs a section {family!r}")
        return self._sections.get(family) or kind()

    def cheapest_plans(self) -> Iterator[Plan]:
        """Yield plans among which is that with the cheapest first exit of all."""
        for name in self.families:
            yield from self.choices(name).cheapest(self)

    def sample(self, trial: Suggester) -> Plan:
        """Return the plan that ``trial`` proposes. The same parameters always give the same plan.

        Parameters that have only one choice are not asked for, so that a dashboard shows real choices only.
        """
        return self.choices(choose(trial, "family", list(self.families))).sample(trial, self)


def _has_section(name: str) -> bool:
    """Return whether ``name`` is that of a family with choices of its own."""
    try:
        return bool(space_family(name).choices.model_fields)
    except PlanError:
        return False


def _problems(error: ValidationError, *where: str) -> list[InitErrorDetails]:
    """Return what pydantic found, as of a part of a larger whole."""
    return [
        InitErrorDetails(
            type=item["type"], loc=(*where, *item["loc"]), input=item["input"], ctx=item.get("ctx", {})
        )
        for item in error.errors(include_url=False)
    ]
