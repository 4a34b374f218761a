"""The same function on many items in worker processes that may die or hang: the item is named, the rest goes on."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

from dynsearch.data.worker_pool import Lost, Pool
from dynsearch.machine import available_cores

__all__ = ["Lost", "Progress", "map_in_order", "map_watched"]

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called with the number of items done and the number of all."""


def map_watched(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_workers: int | None = None,
    seconds: float = 300.0,
    progress: Progress | None = None,
) -> Iterator[tuple[int, Result | Lost]]:
    """Yield (position, ``function(item)`` or ``Lost``) for every item, as they are done.

    ``function`` is a module-level one, because it is sent to the workers by name; what it raises is raised here.
    ``num_workers`` None means one per core, 0 this process, unwatched. ``seconds`` is the time limit of one item; time
    in which this process did not run either is not counted. ``progress`` is told after every item.
    """
    count = min(available_cores() if num_workers is None else num_workers, len(items))
    if count == 0:
        for position, item in enumerate(items):
            yield position, function(item)
            if progress is not None:
                progress(position + 1, len(items))
        return
    waiting = iter(enumerate(items))
    done = 0
    with closing(Pool(function, count, seconds)) as pool:
        while True:
            for position, item in itertools.islice(waiting, len(pool.idle)):
                pool.give(position, item)
            if not pool.busy:
                return
            for position, result in pool.take():
                done += 1
                if progress is not None:
                    progress(done, len(items))
                yield position, result


def map_in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    num_workers: int,
    retry: Callable[[Item, Lost], Item],
    seconds: float = 300.0,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order, while workers work ahead.

    ``function`` can be sent to the workers; items are looked at shortly before they are needed. Each worker has one; up
    to two results for each may wait. ``retry`` gives the item to try again with after its worker was lost, or raises.
    ``seconds`` is the time limit of one item, or from one ``note`` to the next.
    """
    waiting = iter(enumerate(items))
    given: dict[int, Item] = {}
    done: dict[int, Result] = {}
    with closing(Pool(function, num_workers, seconds)) as pool:
        for following in itertools.count():
            while True:
                room = min(len(pool.idle), 3 * num_workers - len(given) - len(done))
                for position, item in itertools.islice(waiting, max(0, room)):
                    given[position] = item
                    pool.give(position, item)
                if following in done and not pool.has_result():
                    break
                if not pool.busy:
                    if following not in done:
                        return
                    break
                for position, result in pool.take():
                    if isinstance(result, Lost):
                        given[position] = retry(given[position], result)
                        pool.give(position, given[position])
                    else:
                        done[position] = result
                        del given[position]
            yield done.pop(following)
