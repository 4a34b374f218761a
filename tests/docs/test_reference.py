"""The API reference is made from the docstrings, and every public name is in it."""

import runpy

import pytest

import dynsearch
from dynsearch.registry import Registry
from tests.docs.guide import DOCS
from tests.warm import Warm


def write_reference(folder):
    """Without the source beside every docstring: to colour it takes as long as the rest."""
    runpy.run_path(str(DOCS / "reference.py"))["write"](folder, show_source=False)


@pytest.mark.slow
def test_every_public_name_has_its_place_with_its_docstring(tmp_path):
    pytest.importorskip("pdoc", reason="needs pdoc: make install")
    process = Warm.calls(write_reference, tmp_path)
    _, told = process.communicate()
    assert process.returncode == 0, told
    pages = {path: path.read_text() for path in tmp_path.rglob("*.html")}
    assert len(pages) > 100
    for name in dynsearch.__all__:
        module, attribute = dynsearch._PUBLIC[name]
        if not isinstance(getattr(dynsearch, name), Registry):  # Which stands where it is made.
            found = getattr(dynsearch, name)
            module, attribute = found.__module__, found.__name__
        page = tmp_path / f"{module.replace('.', '/')}.html"
        assert f'id="{attribute}"' in pages[page], name


def test_every_public_name_says_what_it_is():
    for name in dynsearch.__all__:
        assert (getattr(dynsearch, name).__doc__ or "").strip(), name
