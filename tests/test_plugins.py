"""Modules of the user's: imported where he names them, and nowhere because a file names them."""

import pickle
import subprocess
import sys

import pytest

from dynsearch import plugins
from dynsearch.errors import InputError
from dynsearch.registry import Registry


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder in which modules are found; what they load is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(plugins, "_imported", {})
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if (tmp_path / f"{name}.py").exists():
            del sys.modules[name]


def test_a_file_and_a_module_are_imported_once(here):
    for name in ("own_file", "own_module"):
        (here / f"{name}.py").write_text("COUNT = [0]\nCOUNT[0] += 1\n")
    plugins.import_plugins(["own_file.py", "own_module", "own_file.py"])
    plugins.import_plugins([str(here / "own_file.py")])
    assert sys.modules["own_file"].COUNT == sys.modules["own_module"].COUNT == [1]
    assert plugins.imported()[:2] == ("own_file.py", "own_module")


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (
            None,
            "nowhere.py",
            r"--plugin nowhere\.py: there is no such file",
        ),
        (None, "no_such_module", "can't import 'no_such_module': ModuleNotFoundError"),
        ("def", "broken.py", r"can't import 'broken\.py': SyntaxError"),
        ("raise RuntimeError('no\\nGPU')", "broken.py", "RuntimeError: no GPU"),
        (
            "from dynsearch import SOLVERS\nSOLVERS.register('risk', print)\n",
            "mine.py",
            r"mine\.py: there is a threshold solver 'risk' already",
        ),
        ("", "json.py", "there is a module json already"),
    ],
)
def test_what_can_not_be_imported_is_one_message(here, content, name, says):
    if content is not None:
        (here / name).write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        plugins.import_plugins([name])
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert plugins.imported() == ()


def test_an_unknown_name_is_looked_for_in_what_the_environment_names(here, monkeypatch):
    known = Registry("threshold solver", {"one": 1})
    monkeypatch.setitem(sys.modules, "the_registry", type(sys)("the_registry"))
    sys.modules["the_registry"].known = known
    (here / "named_there.py").write_text("import the_registry\nthe_registry.known.register('two', 2)\n")
    with pytest.raises(InputError, match=r"there is no threshold solver 'two'\. Known: one"):
        known["two"]
    monkeypatch.setenv("DYNSEARCH_IMPORT", " named_there ,")
    assert known["two"] == 2
    assert (known.is_shipped("one"), known.is_shipped("two")) == (True, False)
    monkeypatch.setenv("DYNSEARCH_IMPORT", "not_there")
    with pytest.raises(InputError, match="DYNSEARCH_IMPORT: can't import 'not_there'"):
        known["three"]


def test_what_a_file_names_is_required_and_never_imported(here):
    (here / "planted.py").write_text("raise SystemExit('this must not run')")
    with pytest.raises(InputError, match=r"net: .*not imported: 'planted\.py'\. .*--plugin /else/planted"):
        plugins.require(["/else/planted.py"], "net")
    plugins.require(["json", "/elsewhere/json.py"], "net")


def test_names_go_elsewhere_without_their_folders():
    assert plugins.portable(["/home/me/own.py", "pkg.mod"]) == ("own.py", "pkg.mod")
    assert plugins.joined(["own.py", "pkg.mod"], ["/here/own.py"]) == ("/here/own.py", "pkg.mod")


def test_another_process_imports_them_before_it_reads_the_rest(here):
    (here / "own_class.py").write_text("class Own:\n    value = 7\n")
    path = str(here / "own_class.py")
    plugins.import_plugins([path])
    message = pickle.dumps({"plugins": plugins.Imported([path]), "own": sys.modules["own_class"].Own()})
    (here / "message").write_bytes(message)
    code = "import pickle; print(pickle.load(open('message', 'rb'))['own'].value)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=here, capture_output=True, text=True, check=False
    )
    assert done.stdout == "7\n", done.stderr
