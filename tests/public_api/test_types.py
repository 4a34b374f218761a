"""Types of what others may rely on: none is Any."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dynsearch
from dynsearch.registry import Registry

SCRIPT = Path(__file__).with_name("user_script.py")
ROOT = Path(__file__).parents[2]
_ANY = re.compile(r"\bAny\b")


@pytest.mark.slow
def test_a_users_script_is_typed_and_meets_no_any(tmp_path):
    """numpy says ``tuple[Any, ...]`` of the shape of every array; that is not ours.

    To read all of torch would take as long as the rest; whatever it types is Any here, which would be seen.
    """
    (tmp_path / "mypy.ini").write_text("[mypy]\n[mypy-torch.*,torchvision.*,timm.*]\nfollow_imports = skip\n")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--follow-imports", "silent"]
    command += ["--ignore-missing-imports", "--config-file", str(tmp_path / "mypy.ini"), str(SCRIPT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    lines = done.stdout.splitlines()
    assert not [line for line in lines if ": error:" in line], done.stdout
    revealed = [line.split('Revealed type is "')[1].rstrip('"') for line in lines if "Revealed type" in line]
    assert len(revealed) == SCRIPT.read_text().count("reveal_type(")
    of_any = [kind for kind in revealed if _ANY.search(kind.replace("tuple[Any, ...]", ""))]
    assert not of_any


def signatures():
    """Every public function, and of every public class what has no underscore, with the place of each annotation."""
    for name in dynsearch.__all__:
        value = getattr(dynsearch, name)
        if inspect.isclass(value):
            for key, kind in vars(value).get("__annotations__", {}).items():
                if not key.startswith("_"):
                    yield f"{name}.{key}", kind
            for key, member in vars(value).items():
                if not key.startswith("_") or key == "__init__":
                    yield from annotated(f"{name}.{key}", member)
        elif not isinstance(value, Registry):
            yield from annotated(name, value)


def annotated(where, member):
    function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    function = function.fget if isinstance(function, property) else function
    if not inspect.isroutine(function):
        return
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        if parameter.name not in ("self", "cls"):
            yield f"{where}({parameter.name})", parameter.annotation
    yield f"{where} returns", signature.return_annotation


def test_no_public_signature_says_any():
    found = dict(signatures())
    assert len(found) > 150
    assert not [where for where, kind in found.items() if kind is inspect.Parameter.empty]
    assert not {where: kind for where, kind in found.items() if _ANY.search(str(kind))}
