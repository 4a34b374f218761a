"""All mistakes of a configuration file in one message."""

from __future__ import annotations

from pydantic import ValidationError


def describe(error: ValidationError) -> str:
    """Return every problem pydantic found as ``field: what is wrong (got value)``, joined by semicolons."""
    problems = []
    for item in error.errors(include_url=False):
        field = ".".join(str(part) for part in item["loc"])
        if item["type"] == "missing":
            problems.append(f"{field}: is missing")
        elif item["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            problems.append(f"{field}: unknown field")
        else:
            message = item["msg"].removeprefix("Value error, ")
            shown = "" if isinstance(item["input"], dict) else f" (got {item['input']!r})"
            problems.append(f"{field}: {message}{shown}" if field else f"{message}{shown}")
    return "; ".join(problems)
