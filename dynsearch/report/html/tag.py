"""HTML and SVG elements whose texts and attributes are always escaped."""

from markupsafe import Markup, escape


def tag(name: str, *children: object, **attributes: object) -> Markup:
    """Return an element of texts, which are escaped, and elements, which are not.

    Of attributes, ``class_`` stands for ``class`` and ``stroke_width`` for ``stroke-width``; None leaves one out.
    Floats are written with two decimals.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_short(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{''.join(map(escape, children))}</{name}>")


def _short(value: object) -> object:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else value
