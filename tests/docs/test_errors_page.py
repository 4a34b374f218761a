"""The page of error messages, and the form that every message keeps."""

import pytest

from tests.docs.errors_page import PAGE, ROOT, messages_in, page

FILES = sorted((ROOT / "dynsearch").rglob("*.py"))
ALL = [(path.name, *message) for path in FILES for message in messages_in(path)]


def test_the_page_holds_what_is_made_from_the_source():
    """Messages may change without the page being made again at once; the page is never another's."""
    assert page().startswith(PAGE.read_text().split("\n## ")[0])
    kept = {line for line in PAGE.read_text().splitlines() if line.startswith("* ")}
    now = {line for line in page().splitlines() if line.startswith("* ")}
    assert len(kept & now) > 0.7 * len(now), "run `make errors` and read what changed"


def test_there_are_many():
    assert len(ALL) > 150


@pytest.mark.parametrize(
    "vague", ["invalid", "illegal", "something went wrong", "failed to", "oops", "error:"]
)
def test_no_message_is_vague(vague):
    assert [text for _, _, text, _ in ALL if vague in text.lower()] == []


def test_hints_are_sentences_that_say_what_to_do():
    assert [hint for _, _, _, hint in ALL if hint and hint[0].islower() and not hint.startswith("{")] == []
