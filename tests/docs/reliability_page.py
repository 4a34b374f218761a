"""Collects the faults that tests hold into ``docs/reliability.md``:  python -m tests.docs.reliability_page

A test holds a row by ``@pytest.mark.reliability(section, fault, happens=..., sees=...)``, all plain strings.
Several tests may hold one row: the others give section and fault only. What a user sees is quoted from the
message, with `...` for what varies.
"""

import ast
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
SECTIONS = ("Files", "Numbers", "Processes", "Statistics", "Determinism", "Security", "Load")

HEAD = """# What can go wrong, and what happens then

Every fault and bad input that dynsearch is tested with, what happens, what a user sees, and the test that holds it.
Made from the tests' markers by `make reliability-page`; `...` stands for what was seen. `make reliability` runs them
all and ends with `tried N, held N`, counted in test cases: most rows have several.
"""


@dataclass
class Row:
    """One fault: what happens, what a user sees, and the tests (file, name) that hold it."""

    section: str
    fault: str
    happens: str = ""
    sees: str = ""
    tests: list[tuple[Path, str]] = field(default_factory=list)


def markers_in(path):
    """Yield (test, positional values, keyword values) of every marker in a file of tests."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            for call in (part for decorator in node.decorator_list for part in ast.walk(decorator)):
                if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "reliability":
                    words = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
                    yield node.name, [ast.literal_eval(value) for value in call.args], words


def rows():
    """Return all rows by section and in the order of the files."""
    found = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for name, (section, fault), words in markers_in(path):
            row = found.setdefault((section, fault), Row(section, fault))
            for part, text in words.items():
                if getattr(row, part):
                    raise ValueError(f"{path.name}, {name}: two tests say {part} of {section}, {fault}")
                setattr(row, part, text)
            row.tests.append((path, name))
    return sorted(found.values(), key=lambda row: SECTIONS.index(row.section))


def line_of(row):
    """Return a row of the table; of several tests in a file only one is linked."""
    links = ", ".join(
        f"[{name.removeprefix('test_').replace('_', ' ')}](../{path.relative_to(ROOT)})"
        for path, name in dict.fromkeys(row.tests)
    )
    cells = [cell.replace("|", "\\|") for cell in (row.fault, row.happens, row.sees)]
    return f"| {' | '.join(cells)} | {links} |\n"


def page():
    """Return the whole page."""
    parts, section = [HEAD], None
    for row in rows():
        if row.section != section:
            section = row.section
            parts.append(
                f"\n## {section}\n\n| fault | what happens | what a user sees | held by |\n|---|---|---|---|\n"
            )
        parts.append(line_of(row))
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
