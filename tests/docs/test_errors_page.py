"""The page of error messages, and the form that every message keeps."""

import ast
from functools import cache

import pytest

from tests.docs.errors_page import BAD_USAGE, OURS, PAGE, PASSED, ROOT, messages_in, name_of, page

UNSEEN = {"AttributeError", "SystemExit", "Exit", "ArtifactNotFound", "from_exception_data", "same_kind"}
FILES = sorted((ROOT / "dynsearch").rglob("*.py"))


@cache
def messages():
    return [(path.name, *message) for path in FILES for message in messages_in(path)]


def test_the_page_is_what_the_source_says():
    assert PAGE.read_text() == page(), "run `make errors` and read what changed"


def test_nothing_is_raised_that_the_page_leaves_out():
    """Every call in a ``raise`` makes one of our errors, or is a function that does, or is no message for a user."""
    trees = {path: ast.parse(path.read_text()) for path in FILES}
    makers = {
        function.name
        for tree in trees.values()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        and any(
            isinstance(node, ast.Call) and name_of(node) in OURS | {"error"} for node in ast.walk(function)
        )
    }
    known = OURS | BAD_USAGE | PASSED.keys() | makers | UNSEEN
    raised = [node.exc for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.Raise)]
    assert {name_of(call) for call in raised if isinstance(call, ast.Call)} - known == set()


def test_there_are_many():
    assert len(messages()) > 150


@pytest.mark.parametrize(
    "vague", ["invalid", "illegal", "something went wrong", "failed to", "oops", "error:"]
)
def test_no_message_is_vague(vague):
    assert [text for _, _, text, _ in messages() if vague in text.lower()] == []


def test_hints_are_sentences_that_say_what_to_do():
    assert [
        hint for _, _, _, hint in messages() if hint and hint[0].islower() and not hint.startswith("{")
    ] == []
