"""The API reference is made from the docstrings, and every public name is in it."""

import subprocess
import sys

import pytest

import dynsearch
from dynsearch.registry import Registry
from tests.docs.guide import DOCS


@pytest.mark.slow
def test_every_public_name_has_its_place_with_its_docstring(tmp_path):
    pytest.importorskip("pdoc", reason="needs pdoc: make install")
    command = [sys.executable, str(DOCS / "reference.py"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
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
