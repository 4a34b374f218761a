"""The arrows of docs/architecture.md: a package imports only packages above it in this list."""

import ast
import graphlib
import subprocess
import sys
from collections.abc import Set
from pathlib import Path

import pytest

from dynsearch.cli.main import _COMMANDS

ROOT = Path(__file__).parents[1] / "dynsearch"
ORDER = [
    "errors", "plugins", "registry", "machine", "compiler", "locks", "strict_yaml", "files", "tables", "validation",
    "resources", "display", "plan", "measures", "budget", "space", "scores", "thresholds", "frontier", "calibration",
    "report", "network", "cost", "families", "data", "training", "timing", "study", "search", "export", "api", "cli",
]  # fmt: skip
NO_TORCH = ORDER[: ORDER.index("network")]
FILES = sorted(ROOT.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imported_modules(path: Path, *, top_level: bool) -> set[str]:
    """All modules a file imports; with ``top_level`` only those imported when it is loaded."""
    tree = ast.parse(path.read_text())
    nodes = _loaded_nodes(tree) if top_level else ast.walk(tree)
    names = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} uses a relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def _loaded_nodes(tree: ast.Module):
    stack = list(tree.body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        stack += list(ast.iter_child_nodes(node))


def test_every_package_has_its_place():
    assert {package_of(path) for path in FILES} - {"__init__", "__main__"} == set(ORDER)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upwards(path):
    own = package_of(path)
    if own in ("__init__", "__main__"):
        return
    for module in imported_modules(path, top_level=False):
        parts = module.split(".")
        if parts[0] == "dynsearch" and len(parts) > 1 and parts[1] in ORDER:
            assert ORDER.index(parts[1]) <= ORDER.index(own), f"{own} imports {module}"


def test_no_file_needs_a_file_that_needs_it():
    """No circle of imports, counting those for type checkers and inside functions."""
    files = {module_of(path): path for path in FILES}
    needs = {module: needed_files(path, files.keys()) - {module} for module, path in files.items()}
    graphlib.TopologicalSorter(needs).prepare()  # names a circle if there is one


def needed_files(path: Path, files: Set[str]) -> set[str]:
    """The modules among ``files`` that a file imports anything from."""
    needed = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            needed |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            # ``from package import module`` needs the module, and not all that the package offers.
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            needed |= (names & files) | ({node.module} if names - files else set())
    return needed & files


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize(
    "path", [p for p in FILES if package_of(p) in NO_TORCH], ids=lambda p: str(p.relative_to(ROOT))
)
def test_the_fast_side_never_imports_torch(path):
    heavy = {"torch", "torchvision", "timm", "ray", "decord", "optuna"}
    assert not {module.split(".")[0] for module in imported_modules(path, top_level=True)} & heavy


@pytest.mark.parametrize("name", ["main", "options", *_COMMANDS])
def test_commands_import_heavy_parts_only_when_they_run(name):
    allowed = {"click", "dynsearch", "json", "pathlib", "typing", "importlib", "os", "sys", "collections",
               "contextlib", "atexit", "dataclasses", "time", "math", "csv", "__future__"}  # fmt: skip
    loaded = imported_modules(ROOT / "cli" / f"{name}.py", top_level=True)
    assert {module.split(".")[0] for module in loaded} <= allowed
    light = ("dynsearch.cli", "dynsearch.errors", "dynsearch.__version__")
    assert all(m == "dynsearch" or m.startswith(light) for m in loaded if m.startswith("dynsearch"))


@pytest.mark.parametrize("arguments", [["--help"], ["calibrate", "--help"], ["study", "--help"]])
def test_help_loads_no_heavy_library(arguments):
    code = (
        "import sys\nfrom dynsearch.cli.main import main\n"
        f"try:\n    main({arguments!r})\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('LOADED', *sorted({'torch', 'timm', 'ray', 'optuna', 'pandas', 'scipy'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].strip() == "LOADED"


def test_a_study_loads_neither_the_dashboard_nor_what_that_brings():
    """They would cost every process of a study a second and 100 MB."""
    code = (
        "import sys, dynsearch.api.study, dynsearch.export.loaded, dynsearch.study.notes as notes\n"
        "assert notes._dashboard('_note').save_note.__doc__\n"
        "print(sorted({'optuna_dashboard', 'sklearn', 'scipy.stats', 'matplotlib', 'ray'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_importing_dynsearch_is_silent_and_light():
    code = "import sys, dynsearch; print(sorted({'torch', 'numpy', 'optuna'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_rooms_are_small(path):
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= 500
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{node.name} has {length} lines"
