"""Running a guide: its files are written, its commands and its Python run, in the order of the page."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.cli.runner import dynsearch_here

DOCS = Path(__file__).parents[2] / "docs"

_BLOCK = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)

MINIATURE = (
    (
        ("dynsearch", "study", "--dataset"),
        (
            "--trials",
            "2",
            "--retrain",
            "1",
            "--set",
            "training.epochs=1",
            "--set",
            "one_shot.finish_epochs=1",
        ),
    ),
    (
        ("dynsearch", "study", "--recipe", "my-recipe.yaml", "--data-root", "my-videos", "--dataset"),
        ("--trials", "1"),
    ),
    (("dynsearch", "train"), ("--epochs", "1")),
)
"""Commands by how they begin, and what is added to make them small; the last of equal options counts."""


def blocks_of(name):
    """Return (language, file name or "", text) of every fenced block of a page."""
    return [match.groups(default="") for match in _BLOCK.finditer((DOCS / name).read_text())]


def run_guide(name, folder):
    """Run a page in ``folder``: ``sh`` line by line, ``python`` in one namespace; other blocks only with a name.

    A block with a file name is written to that file; a Python file is not run until something imports it.
    Returns what the commands and the Python printed, in order.
    """
    printed, namespace = [], {"__name__": "__main__"}
    for language, file, text in blocks_of(name):
        if file:
            (folder / file).write_text(text)
        elif language == "sh":
            printed += [run_command(line, folder) for line in text.splitlines() if line.strip()]
        elif language == "python":
            printed.append(run_python(text, f"{name}, {text.splitlines()[0]}", namespace, folder))
    return printed


def run_command(line, folder):
    """Run one line of ``dynsearch`` or ``python``, the former in this process if no variable is set before it."""
    words = [os.path.expandvars(word) for word in shlex.split(line)]
    if words[0] == "dynsearch":
        for start, more in MINIATURE:
            if tuple(words[: len(start)]) == start:
                words += more
        return dynsearch_here(*words[1:], cwd=folder).out
    environment = dict(os.environ)
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = (
            os.pathsep.join([value, os.environ.get(name, "")]) if name == "PYTHONPATH" else value
        )
    program = [sys.executable, "-m", "dynsearch"] if words[0] == "dynsearch" else [sys.executable]
    done = subprocess.run([*program, *words[1:]], cwd=folder, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout


def run_python(text, where, namespace, folder):
    """Run a block of Python in ``folder`` and return what it prints."""
    import io

    out = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(out):
        exec(compile(text, where, "exec"), namespace)
    return out.getvalue()
