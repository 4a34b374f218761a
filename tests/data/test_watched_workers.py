import os
import re
import signal
import subprocess
import sys
import time

import pytest

from dynsearch.data.watched_workers import Lost, map_watched
from dynsearch.errors import VideoError


def square(number):
    return number * number


def process_of(number):
    return os.getpid()


def die_at_five(number):
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def leave_at_five(number):
    if number == 5:
        os._exit(3)
    return number


def hang_at_five(number):
    if number == 5:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    return number


def fail_at_five(number):
    if number == 5:
        raise VideoError("five", where="5.mp4", hint="six")
    return number


@pytest.mark.parametrize("num_workers", [0, 1, 2, None])
def test_every_item_has_its_result(num_workers):
    calls = []
    found = dict(
        map_watched(square, range(30), num_workers=num_workers, progress=lambda *call: calls.append(call))
    )

    assert found == {number: number * number for number in range(30)}
    assert calls == [(done, 30) for done in range(1, 31)]


def test_no_workers_is_this_process_and_one_is_another():
    assert {result for _, result in map_watched(process_of, range(5), num_workers=0)} == {os.getpid()}
    assert os.getpid() not in {result for _, result in map_watched(process_of, range(5), num_workers=1)}


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (die_at_five, r"ended the process that read it \(signal SIGKILL\)"),
        (leave_at_five, r"ended the process that read it \(exit code 3\)"),
        (hang_at_five, "was not read within 0.3 seconds"),
    ],
)
@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_lost_worker_costs_one_item(function, reason, num_workers):
    found = dict(map_watched(function, range(12), num_workers=num_workers, seconds=0.3))

    lost = found.pop(5)
    assert isinstance(lost, Lost)
    assert re.fullmatch(reason, lost.reason)
    assert found == {number: number for number in range(12) if number != 5}


def test_an_error_of_the_function_is_raised_here_with_all_it_says():
    with pytest.raises(VideoError, match="5.mp4: five. six") as caught:
        list(map_watched(fail_at_five, range(12), num_workers=2))
    assert (caught.value.where, caught.value.hint) == ("5.mp4", "six")


def test_workers_end_with_the_loop_that_is_left():
    results = map_watched(process_of, range(100), num_workers=1)
    _, worker = next(results)
    results.close()

    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_workers_do_not_outlive_a_parent_that_is_killed():
    program = (
        "import os, time\n"
        "from dynsearch.data.watched_workers import map_watched\n"
        "from tests.data.test_watched_workers import process_of\n"
        "results = map_watched(process_of, range(9), num_workers=2)\n"
        "print(next(results)[1], next(results)[1], flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(number) for number in parent.stdout.readline().split()]
        parent.kill()
    deadline = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{number}") for number in workers) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not any(os.path.exists(f"/proc/{number}") for number in workers)


def test_nothing_to_do():
    assert list(map_watched(square, [])) == []
