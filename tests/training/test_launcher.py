"""The launcher ends all its processes, whatever ends one of them. The processes here are tiny scripts."""

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from dynsearch.errors import TrainingError
from dynsearch.training import launcher
from dynsearch.training.launcher import LOST, launch

SLEEPS = "import time; time.sleep(600)"


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    monkeypatch.setattr(launcher, "_GRACE_SECONDS", 1.0)


def run(*scripts):
    """Launch one process per script."""
    chosen = f"import os; exec({list(scripts)!r}[int(os.environ['RANK'])])"
    return launch([sys.executable, "-c", chosen], len(scripts))


def noted(folder, then):
    """A script that holds a lock on a file of its own in ``folder`` for as long as it lives."""
    return f"""
import fcntl, os, time
file = open(os.path.join({str(folder)!r}, os.environ["RANK"]), "w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", file=file, flush=True)
{then}
"""


def once_noted(folder, count, then):
    """A script that waits for ``count`` others to hold their locks."""
    return f"""
import os, pathlib, time
while sum(path.read_text() == "locked\\n" for path in pathlib.Path({str(folder)!r}).iterdir()) < {count}:
    time.sleep(0.05)
{then}
"""


def num_noted(folder):
    return sum(path.read_text() == "locked\n" for path in folder.iterdir())


def assert_gone(folder, count):
    """All processes that hold a lock in ``folder`` end."""
    assert num_noted(folder) == count
    for path in folder.iterdir():
        with path.open() as file:
            for _ in range(600):
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.1)
            else:
                pytest.fail(f"process {path.name} still runs")


def test_each_process_knows_its_place(tmp_path):
    text = f"""
import os, pathlib
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")
pathlib.Path({str(tmp_path)!r}, os.environ["RANK"]).write_text(" ".join(os.environ[n] for n in names))
assert pathlib.Path(os.environ["DYNSEARCH_RANKS"]).is_dir()
"""
    assert run(text, text, text) == 0
    assert [(tmp_path / str(rank)).read_text() for rank in range(3)] == ["0 0 3 3", "1 1 3 3", "2 2 3 3"]


@pytest.mark.parametrize(
    ("codes", "code"), [((0, 0), 0), ((0, 1), 1), ((2, 1), 2), ((LOST, 2), 2), ((LOST, 3), 1)]
)
def test_the_exit_code_is_that_of_the_cause(codes, code):
    assert run(*(f"raise SystemExit({each})" for each in codes)) == code


def test_a_killed_process_is_named_and_ends_the_others(tmp_path):
    dies = once_noted(tmp_path, 2, "os.kill(os.getpid(), 9)")
    with pytest.raises(TrainingError, match=r"process 1 \(of 0 to 2\) was killed by SIGKILL; all were ended"):
        run(noted(tmp_path, SLEEPS), dies, noted(tmp_path, SLEEPS))
    assert_gone(tmp_path, 2)


def test_a_process_that_does_not_answer_is_named(tmp_path):
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {SLEEPS}"
    with pytest.raises(TrainingError, match="process 1 did not answer the others in time"):
        run(once_noted(tmp_path, 1, f"raise SystemExit({LOST})"), noted(tmp_path, deaf))
    assert_gone(tmp_path, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_launcher(tmp_path, number):
    follows = "from dynsearch.training.launcher import prepare_rank; prepare_rank(); "
    script = """
import signal, sys
from dynsearch.errors import Stopped
from dynsearch.training.launcher import launch
signal.signal(signal.SIGINT, signal.default_int_handler)  # A shell in the background has it ignored.
try:
    sys.exit(launch({}, 2))
except Stopped:
    sys.exit(99)
"""
    command = [sys.executable, "-c", follows + noted(tmp_path, SLEEPS)]
    parent = subprocess.Popen([sys.executable, "-c", script.format(command)], stderr=subprocess.DEVNULL)
    while num_noted(tmp_path) < 2:
        assert parent.poll() is None
        time.sleep(0.05)
    os.kill(parent.pid, number)
    code = parent.wait(60)
    assert code in {signal.SIGTERM: {99}, signal.SIGINT: {-2, 1}, signal.SIGKILL: {-9}}[number]
    assert_gone(tmp_path, 2)
