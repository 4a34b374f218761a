"""What objects show of themselves in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

_ROWS = 12


def page(title: str, *lines: str, table: pandas.DataFrame | None = None, text: str | None = None) -> str:
    """Return a few lines, a table and a text with its own line breaks as HTML; of long tables, rows from all over."""
    parts = [f"<p><code>{escape(title)}</code></p>", *(f"<p>{escape(line)}</p>" for line in lines)]
    if table is not None:
        step = max(len(table) - 1, 1) / (_ROWS - 1)
        shown = table if len(table) <= _ROWS else table.iloc[[round(i * step) for i in range(_ROWS)]]
        parts.append(shown.to_html(float_format=lambda value: f"{value:.4g}", border=0))
    if text is not None:
        parts.append(f"<pre>{escape(text)}</pre>")
    return "".join(parts)
