"""``--reliability``: the tests that hold a row of ``docs/reliability.md``, and no others, counted on the last line.

A test holds a row by its marker: ``@pytest.mark.reliability(section, fault, happens=..., sees=...)``; see
``tests/docs/reliability_page.py``, which makes the page from the markers.
"""

import gc
import os
import sys
import tempfile
from functools import cache
from pathlib import Path

import pytest

import dynsearch
from dynsearch import plugins
from dynsearch.registry import Registry
from tests.own_folders import use_own_folders

gc.disable()  # While all modules are imported: a quarter of that time is spent looking for garbage where none is.
OUTCOMES = pytest.StashKey[dict[str, str]]()


def pytest_addoption(parser):
    parser.addoption(
        "--reliability", action="store_true", help="run the tests of docs/reliability.md, fuzzing in full"
    )


def pytest_configure(config):
    config.stash[OUTCOMES] = {}
    if not hasattr(config, "workerinput"):  # Workers have the folders of the one that starts them.
        use_own_folders()
    if config.getoption("--reliability"):
        os.environ.setdefault("DYNSEARCH_MUTATIONS", "2000")  # tests/mutations.py
        config.pluginmanager.register(Tally(config), "reliability")


@cache
def registries():
    """Not before a test asks: the process that only hands tests to workers needs no torch."""
    return [value for name in dynsearch.__all__ if isinstance(value := getattr(dynsearch, name), Registry)]


def pytest_collection_finish():
    gc.freeze()  # What was imported stays; later collections need not walk through it.
    gc.enable()


@pytest.fixture(autouse=True)
def _plugins_of_one_test_are_not_those_of_the_next():
    """A command run in this process imports what it is told; the next one is another user's."""
    imported, names = dict(plugins._imported), [set(registry) for registry in registries()]
    yield
    for name in plugins._imported.keys() - imported.keys():
        sys.modules.pop(plugins._module_name(name), None)
    plugins._imported.clear()
    plugins._imported.update(imported)
    for registry, there in zip(registries(), names, strict=True):
        for name in set(registry) - there:
            del registry._values[name]


@pytest.fixture
def open_folder():
    """A folder that everybody can look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def pytest_collection_modifyitems(config, items):
    # Files that take minutes come first: at the end one would hold a core while all others wait.
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    if config.getoption("--reliability"):
        others = [item for item in items if item.get_closest_marker("reliability") is None]
        items[:] = [item for item in items if item.get_closest_marker("reliability")]
        config.hook.pytest_deselected(items=others)


class Tally:
    """Counts the tests and prints the count after everything else."""

    def __init__(self, config):
        self.config = config
        self.outcomes = config.stash[OUTCOMES]

    def pytest_runtest_logreport(self, report):
        """Keep the worst outcome of a test's set-up, call and tear-down."""
        if report.when == "call" or not report.passed:
            worst = "failed" if "failed" in (report.outcome, self.outcomes.get(report.nodeid)) else None
            self.outcomes[report.nodeid] = worst or report.outcome

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self):
        result = yield
        if not hasattr(self.config, "workerinput"):
            print(f"\n{summary(self.outcomes)}")
        return result


def summary(outcomes):
    """Return the last line, after one about tests that could not be run here."""
    found = list(outcomes.values())
    skipped = found.count("skipped")
    line = f"tried {len(found) - skipped}, held {found.count('passed')}"
    return f"not tried here, something they need is missing: {skipped}\n{line}" if skipped else line
