"""The two ways to run the command without its script."""

import subprocess
import sys

import pytest

import dynsearch
from dynsearch.cli.main import main

TESTS = ("dynsearch.__main__", "dynsearch.cli.__main__")


@pytest.mark.parametrize("module", ["dynsearch", "dynsearch.cli"])
def test_as_a_module(module):
    done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split()[-1] == dynsearch.__version__
    wrong = subprocess.run([sys.executable, "-m", module, "nonsense"], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "nonsense" in wrong.stderr


def test_every_command_is_listed_with_a_line(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    assert all(
        f"\n  {name} " in shown for name in ("calibrate", "cost", "study", "frontier", "export", "predict")
    )
