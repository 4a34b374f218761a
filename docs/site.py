"""Makes the documentation as a site that needs no network: python docs/site.py FOLDER."""

from __future__ import annotations

import json
import re
import sys
from html import escape, unescape
from pathlib import Path

import markdown2

DOCS = Path(__file__).parent
PAGES = {
    "Begin": ("README", "quickstart", "which-command", "own-data", "choosing", "how-long"),
    "Use": ("reading-a-frontier", "dashboard", "calibrate", "trained-network", "training", "serving", "moving",
            "python"),
    "Understand": ("architecture", "one-shot", "families", "heads", "own-backbone", "bring", "milliseconds", "scale"),
    "Look up": ("fields", "errors", "reliability", "tests", "performance", "results", "results-placements",
                "results-thresholds", "paper"),
    "The project": ("CHANGELOG", "CONTRIBUTING", "SECURITY"),
}  # fmt: skip


def source_of(name: str) -> Path:
    """Return the file of a page."""
    return (DOCS.parent if name.isupper() else DOCS) / f"{name}.md"


def title_of(text: str, name: str) -> str:
    """Return a page's title: its first heading."""
    found = re.search(r"^# (.+)$", text, re.M)
    return found[1] if found else name


def anchor(heading: str) -> str:
    """Return a heading's anchor, as code hosts make it."""
    text = unescape(re.sub(r"<.+?>", "", heading)).lower()
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", text).strip())


def rendered(text: str) -> str:
    """Return Markdown as HTML, with anchors, and links to pages of the site."""
    html = str(markdown2.markdown(text, extras=["fenced-code-blocks", "tables", "cuddled-lists"]))
    html = re.sub(
        r"<h([1-6])>(.*?)</h\1>",
        lambda found: f'<h{found[1]} id="{anchor(found[2])}">{found[2]}</h{found[1]}>',
        html,
    )
    html = re.sub(r'href="(?:\.\./)?(?:docs/)?([\w-]+)\.md(#[^"]*)?"', r'href="\1.html\2"', html)
    return html.replace('src="docs/', 'src="')


def pages() -> dict[str, str]:
    """Return every page's Markdown by its name."""
    return {name: source_of(name).read_text(encoding="utf-8") for names in PAGES.values() for name in names}


def index_of(name: str, text: str) -> list[list[str]]:
    """Return address, title and words of every part of a page, for the search."""
    title, found = title_of(text, name), []
    for part in re.split(r"^(?=#{1,3} )", text, flags=re.M):
        heading = re.match(r"#+ (.+)", part)
        own = heading[1] if heading else title
        found.append([f"{name}.html#{anchor(own)}", f"{title}: {own}", " ".join(part.lower().split())])
    return found


def menu(texts: dict[str, str], here: str) -> str:
    """Return the menu of all pages, with the one that it stands on marked."""
    parts = []
    for group, names in PAGES.items():
        links = (
            f'<li><a href="{name}.html"{" aria-current=page" * (name == here)}>'
            f"{escape(title_of(texts[name], name))}</a>"
            for name in names
        )
        parts.append(f"<h2>{group}</h2><ul>{''.join(links)}</ul>")
    return "".join(parts) + '<h2>API</h2><ul><li><a href="api/index.html">Every module</a></ul>'


def write(folder: Path) -> None:
    """Write all pages and the search index to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = pages()
    index = [part for name, text in texts.items() for part in index_of(name, text)]
    style = (DOCS / "site.css").read_text(encoding="utf-8")
    script = (DOCS / "site.js").read_text(encoding="utf-8")
    (folder / "search.js").write_text(f"const INDEX = {json.dumps(index)};\n{script}", encoding="utf-8")
    for name, text in texts.items():
        page = (
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title_of(text, name))}: dynsearch</title><style>{style}</style><nav>"
            '<input id="find" type="search" placeholder="Search" aria-label="Search"><ul id="found"></ul>'
            f'{menu(texts, name)}</nav><main>{rendered(text)}</main><script src="search.js"></script></html>\n'
        )
        (folder / f"{name}.html").write_text(page, encoding="utf-8")
    to_first = '<!doctype html><meta http-equiv="refresh" content="0; url=README.html">\n'
    (folder / "index.html").write_text(to_first, encoding="utf-8")
    for picture in DOCS.glob("*.png"):
        (folder / picture.name).write_bytes(picture.read_bytes())


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "build/docs")
    write(target)
    print(target / "index.html")
