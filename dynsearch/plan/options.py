"""Fields that only plans of one family have."""

import json
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

from dynsearch.errors import PlanError
from dynsearch.validation import describe


@dataclass(frozen=True)
class Options:
    """What plans of one family have beyond the fields of all plans.

    A family derives a frozen dataclass of plain values, which refuses in ``__post_init__`` what makes no sense.
    """

    __pydantic_config__: ClassVar[Any] = {"extra": "forbid", "strict": True}

    def to_dict(self) -> dict[str, Any]:
        """Return the options as plain values; those that are None are left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, values: object) -> Self:
        """Return the options that :meth:`to_dict` wrote.

        Raises:
            PlanError: A field is missing, unknown or of the wrong type.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_json(json.dumps(values, default=str))
        except ValidationError as error:
            raise PlanError(describe(error), where="options") from error
