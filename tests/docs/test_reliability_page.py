"""The page of faults: what the tests' markers say, and nothing that no message says."""

import ast
import re
from functools import cache

import pytest

from tests.conftest import summary
from tests.docs.reliability_page import PAGE, ROOT, page, rows

ROWS = rows()


@cache
def texts():
    """Return the texts of the source."""
    return [
        " ".join(node.value.split())
        for path in (ROOT / "dynsearch").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_the_page_is_what_the_markers_say():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make reliability-page`"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.fault)
def test_every_row_says_what_happens_and_every_quoted_message_exists(row):
    """Between two `...`, quoted words are those of one text in the source, or of the test that holds the row."""
    assert row.happens
    held_by = [" ".join(path.read_text(encoding="utf-8").replace("\\", "").split()) for path, _ in row.tests]
    marked = [row.sees, row.happens]
    for quoted in re.findall(r"`([^`]+)`", row.sees):
        for words in filter(None, (" ".join(part.split()) for part in quoted.split("..."))):
            in_tests = sum(text.count(words) for text in held_by) > sum(text.count(words) for text in marked)
            assert in_tests or any(words in text for text in texts()), words


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([], "tried 0, held 0"),
        (["passed", "passed"], "tried 2, held 2"),
        (["passed", "failed"], "tried 2, held 1"),
        (["passed", "skipped"], "not tried here, something they need is missing: 1\ntried 1, held 1"),
    ],
)
def test_the_last_line_counts(outcomes, said):
    assert summary({str(number): outcome for number, outcome in enumerate(outcomes)}) == said
