"""The guide's own code and commands, run as they stand."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from dynsearch.cli.calibrate import calibrate
from dynsearch.thresholds import ExitPolicy

GUIDE = (Path(__file__).parents[2] / "docs" / "calibrate.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("guide")
    subprocess.run([sys.executable, "-c", PYTHON[0]], cwd=path, check=True)
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_guide_runs(folder, monkeypatch, command):
    monkeypatch.chdir(folder)
    program, name, *arguments = shlex.split(command)
    assert (program, name) == ("dynsearch", "calibrate")
    result = CliRunner().invoke(calibrate, arguments)
    assert result.exit_code == 0, result.exception
    assert "best point" in result.stdout
    if "--policy" in arguments:
        assert ExitPolicy.load("policy.yaml").plan_id == "cosines"


def test_the_python_of_the_guide_runs(folder):
    output = subprocess.run(
        [sys.executable, "-c", PYTHON[1]], cwd=folder, check=True, capture_output=True, text=True
    )
    assert 0.5 < float(output.stdout.split()[-1]) < 1
