"""Fields that only some network families have."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from dynsearch.errors import PlanError, named
from dynsearch.plan.adafocus import AdaFocusOptions
from dynsearch.plan.compression import CompressionOptions
from dynsearch.validation import describe

FamilyOptions = AdaFocusOptions | CompressionOptions

OPTIONS: dict[str, type[FamilyOptions]] = {"adafocus": AdaFocusOptions, "sfc": CompressionOptions}
"""The options of each family that has any."""


def check_family(family: str, options: object) -> None:
    """Refuse options of another family.

    Raises:
        PlanError: The family needs options and has none, or has those of another.
    """
    kind = OPTIONS.get(family)
    if kind is None and options is not None:
        raise PlanError(f"the family {named(family)} has no options", where="options")
    if kind is not None and not isinstance(options, kind):
        raise PlanError(f"the family {named(family)} needs its options", where="options")


def options_to_dict(options: FamilyOptions) -> dict[str, Any]:
    """Return the options as plain values; those that are None are left out."""
    return {name: value for name, value in asdict(options).items() if value is not None}


def options_from_dict(family: str, values: Any) -> FamilyOptions | None:
    """Return the options of ``family`` that :func:`options_to_dict` wrote.

    Raises:
        PlanError: A field is missing, unknown or of the wrong type, or the family has no options.
    """
    if values is None:
        return None
    if family not in OPTIONS:
        raise PlanError(f"the family {named(family)} has no options", where="options")
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(OPTIONS[family]).validate_json(json.dumps(values, default=str))
    except ValidationError as error:
        raise PlanError(describe(error), where="options") from error
