"""Every module is found from its test, or its test from it."""

import ast
from functools import cache

import pytest

from tests.docs.tests_page import PAGE, ROOT, holders, modules, page

held = cache(holders)


def test_every_module_has_tests():
    assert [module for module, (tests, _) in held().items() if not tests] == []


def test_what_tests_name_is_there():
    known = set(modules()) | {module.rpartition(".")[0] for module in modules()}
    named = [
        (path.name, name)
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TESTS"
        for name in ast.literal_eval(node.value)
    ]
    assert [pair for pair in named if pair[1] not in known] == []
    assert len(named) > 5


def test_the_page_is_what_the_tests_say():
    assert PAGE.read_text() == page(), "run `make tests-page`"


@pytest.mark.parametrize(
    ("module", "tests", "way"),
    [
        ("dynsearch.scores.overlap", ["tests/scores/test_overlap.py"], None),
        ("dynsearch.cli.train", ["tests/cli/test_bundles.py", "tests/cli/test_folds.py"], None),
        ("dynsearch.thresholds.direct.price_search", ["tests/thresholds/test_frontier_solver.py"],
         "dynsearch.thresholds.frontier_solver"),
    ],
)  # fmt: skip
def test_some_that_one_can_check_by_hand(module, tests, way):
    assert held()[module] == (tests, way)
