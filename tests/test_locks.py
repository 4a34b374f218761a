import subprocess
import sys
import time

import pytest

from dynsearch.errors import DynsearchError
from dynsearch.locks import held_lock

HOLD = """
import sys, time
from pathlib import Path
from dynsearch.locks import held_lock
with held_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(path, seconds):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path), str(seconds)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_process_waits(tmp_path):
    process = hold(tmp_path / "lock", 0.5)
    started = time.monotonic()
    with held_lock(tmp_path / "lock"):
        waited = time.monotonic() - started
    process.wait()

    assert waited > 0.3


def test_a_killed_process_holds_nothing(tmp_path):
    process = hold(tmp_path / "lock", 60)
    process.kill()
    process.wait()

    started = time.monotonic()
    with held_lock(tmp_path / "lock"):
        assert time.monotonic() - started < 5


def test_a_folder_that_can_not_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(DynsearchError, match=r"file.*can't be written to.*DYNSEARCH_HOME"),
        held_lock(tmp_path / "file/lock"),
    ):
        pass
