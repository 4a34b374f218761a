"""Markdown from texts that may hold anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

_GAP = "\u2003"


def escape(text: object) -> str:
    """Return ``text`` on one line with every character that means something in Markdown or HTML escaped."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(str(text).split()))


def code_block(text: str) -> str:
    """Return ``text`` as a block of code, whatever it holds."""
    return "\n".join(f"    {line}" for line in text.splitlines())


def table(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a table; the cells are escaped, and followed by a space that keeps columns apart where CSS does not."""
    lines = [[f"{escape(cell)}{_GAP}" for cell in row] for row in (heading, *rows)]
    lines.insert(1, ["---"] * len(heading))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
