"""Shell completion, as click's scripts for bash, zsh and fish ask for it."""

import os
import subprocess
import sys

import pytest


def completed(shell, words, position):
    """Return what completes the word at ``position``."""
    environment = {
        **os.environ, "_DYNSEARCH_COMPLETE": f"{shell}_complete", "COMP_WORDS": words, "COMP_CWORD": str(position),
    }  # fmt: skip
    code = "from dynsearch.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    return done.stdout.split()


def test_commands_and_options_are_completed():
    assert completed("bash", "dynsearch ex", 1) == ["plain,export"]
    assert completed("bash", "dynsearch export --form", 2) == ["plain,--format"]
    assert "plain,torch-export" in completed("bash", "dynsearch export --format ", 3)


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_a_script_for_every_shell_can_be_had(shell):
    environment = {**os.environ, "_DYNSEARCH_COMPLETE": f"{shell}_source"}
    code = "from dynsearch.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "_DYNSEARCH_COMPLETE" in done.stdout
    assert "Traceback" not in done.stderr
