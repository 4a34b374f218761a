"""A wheel brings the command, the search spaces and the study recipes."""

import contextlib
import subprocess
import sys
import zipfile
from pathlib import Path

import hatchling.build
import pytest

from dynsearch import resources

ROOT = Path(__file__).parents[1]
DATA = sorted(
    str(path.relative_to(ROOT)) for kind in resources._KINDS for path in (ROOT / kind).glob("*.yaml")
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder into which the wheel has been installed, away from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    with contextlib.chdir(ROOT):
        wheel = hatchling.build.build_wheel(str(folder))
    with zipfile.ZipFile(folder / wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_every_space_and_recipe_is_inside(installed):
    shipped = installed / "dynsearch" / "shipped"
    assert sorted(str(path.relative_to(shipped)) for path in shipped.rglob("*.yaml")) == DATA
    for name in DATA:
        assert (shipped / name).read_text() == (ROOT / name).read_text()


def test_the_installed_package_finds_them_from_anywhere(installed, tmp_path):
    code = (
        "import dynsearch\n"
        "from dynsearch import resources\n"
        "from dynsearch.study.recipe_file import load_recipe\n"
        "print(dynsearch.__file__)\n"
        "print(resources.names('search_spaces'), load_recipe('motions')[0].dataset)\n"
    )
    command = [
        sys.executable,
        "-S",
        "-c",
        f"import sys; sys.path[:0] = {[str(installed), *sys.path]!r}\n{code}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    where, found = done.stdout.splitlines()
    assert Path(where).is_relative_to(installed)
    assert (
        found
        == "['families-motions', 'families-real-clips', 'gestures', 'motions', 'own-videos', 'sthv2'] motions"
    )


def test_the_command_is_declared(installed):
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "dynsearch = dynsearch.cli.main:main" in entry_points.read_text()


def test_type_checkers_are_told_that_it_is_typed(installed):
    assert (installed / "dynsearch" / "py.typed").is_file()


def test_the_package_runs_as_a_module(installed, tmp_path):
    code = (
        f"import runpy, sys\nsys.path[:0] = {[str(installed), *sys.path]!r}\nsys.argv[1:] = ['--version']\n"
        "runpy.run_module('dynsearch', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "dynsearch, version 0.1.0\n")
