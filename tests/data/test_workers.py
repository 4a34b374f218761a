import os

import pytest

from dynsearch.data.workers import map_in_workers
from dynsearch.errors import DynsearchError
from dynsearch.machine import available_cores


def square(number):
    return number * number


def process_of(number):
    return os.getpid()


def fail_at_five(number):
    if number == 5:
        raise ValueError("five")
    return number


def die_at_five(number):
    if number == 5:
        os._exit(1)
    return number


@pytest.mark.parametrize("num_workers", [0, 1, 2, None])
def test_results_come_in_order(num_workers):
    assert list(map_in_workers(square, range(50), num_workers=num_workers)) == [n * n for n in range(50)]


def test_two_workers_are_other_processes():
    assert os.getpid() not in set(map_in_workers(process_of, range(20), num_workers=2))
    assert set(map_in_workers(process_of, range(20), num_workers=1)) == {os.getpid()}


def test_an_error_in_a_worker_is_raised_here():
    with pytest.raises(ValueError, match="five"):
        list(map_in_workers(fail_at_five, range(20), num_workers=2))


def test_a_worker_that_dies_is_an_error_that_names_what_it_may_have_had():
    with pytest.raises(DynsearchError, match=r"one of the next files.*5.*worker process"):
        list(map_in_workers(die_at_five, range(20), num_workers=2))


def test_nothing_to_do():
    assert list(map_in_workers(square, [])) == []
    assert available_cores() >= 1
