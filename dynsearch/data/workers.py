"""The same function on many items, in worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from dynsearch.errors import DynsearchError
from dynsearch.machine import available_cores

Item = TypeVar("Item")
Result = TypeVar("Result")

Progress = Callable[[int, int], None]
"""Called with the number of items done and the number of all."""


def map_in_workers(
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    num_workers: int | None = None,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in order.

    Args:
        function: A module-level function, because it is sent to the workers by name.
        items: Its arguments.
        num_workers: Worker processes; None means one per core, 0 or 1 means this process.
        progress: Told after every item.

    Raises:
        DynsearchError: A worker process was killed or crashed; the items it may have had are named.
    """
    count = min(available_cores() if num_workers is None else num_workers, len(items))
    if count <= 1:
        yield from _counted(map(function, items), len(items), progress)
        return
    chunk = max(1, min(64, len(items) // (8 * count)))
    with ProcessPoolExecutor(count) as pool:
        done = 0
        try:
            for result in _counted(pool.map(function, items, chunksize=chunk), len(items), progress):
                done += 1
                yield result
        except BrokenProcessPool as error:
            suspects = ", ".join(str(item) for item in items[done : done + chunk * count][:10])
            raise DynsearchError(
                "a worker process crashed or was killed (out of memory, or a file its decoder can't stand)",
                where=f"one of the next files, first {suspects}",
                hint="Use fewer --workers, or take those files out one by one",
            ) from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _counted(results: Iterator[Result], total: int, progress: Progress | None) -> Iterator[Result]:
    for done, result in enumerate(results, start=1):
        if progress is not None:
            progress(done, total)
        yield result
