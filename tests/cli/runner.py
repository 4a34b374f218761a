"""Running the real command in a real process."""

import json
import subprocess
import sys


class Result:
    """What a command printed and how it ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    @property
    def json(self):
        return json.loads(self.out)


def dynsearch(*arguments, cwd, code=0):
    """Run ``dynsearch`` in ``cwd``, check its exit code and that no traceback is shown, return its output."""
    command = [sys.executable, "-m", "dynsearch.cli", *map(str, arguments)]
    result = Result(subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=600))
    assert "Traceback" not in result.err, result.err
    assert result.code == code, f"exit code {result.code}\n{result.out}\n{result.err}"
    return result
