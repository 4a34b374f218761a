"""Running the real command in a real process, or in this one where starting another would be all the time."""

import contextlib
import io
import json

from dynsearch.cli.main import main
from tests.warm import Warm


class Result:
    """What a command printed and how it ended."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def checked(self, code):
        """Check the exit code and that no traceback is shown."""
        assert "Traceback" not in self.err, self.err
        assert self.code == code, f"exit code {self.code}\n{self.out}\n{self.err}"
        return self

    @property
    def json(self):
        return json.loads(self.out)


def dynsearch(*arguments, cwd, code=0):
    """Run ``dynsearch`` in ``cwd``, check its exit code and that no traceback is shown, return its output."""
    process = Warm(arguments, cwd=cwd)
    out, err = process.communicate()
    return Result(process.returncode, out, err).checked(code)


def dynsearch_here(*arguments, cwd, code=0):
    """Do the same in this process, where torch is loaded already."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(list(map(str, arguments)))
        except SystemExit as end:
            ended = end.code or 0
    return Result(ended, out.getvalue(), err.getvalue()).checked(code)
