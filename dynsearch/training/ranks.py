"""The processes that train one network together, and what they tell each other."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn

from dynsearch.errors import InputError, Stopped, TrainingError
from dynsearch.training.launcher import LOST, STOPPED, is_rank, rendezvous_file

Value = TypeVar("Value")


@dataclass(frozen=True)
class Ranks:
    """This process's place among those that train one network together. All of them make the same calls.

    Ranks are counted from 0; process 0 reads and writes the files.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """Return the place in torch's process group, alone where there is none."""
        if not dist.is_initialized():
            return ALONE
        return cls(dist.get_rank(), dist.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether this process reads and writes the files."""
        return self.rank == 0

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Return what ``make`` returns in the first process; the others wait as long as that takes."""
        box = [make() if self.is_first else None]
        if self.count > 1:
            dist.broadcast_object_list(box, src=0, group=_patient_group())
        return box[0]  # type: ignore[return-value]

    def gather(self, value: Value) -> list[Value]:
        """Return every process's ``value``, by rank."""
        values: list[Any] = [value] * self.count
        if self.count > 1:
            dist.all_gather_object(values, value)
        return values

    def any(self, flag: bool) -> bool:
        """Return whether ``flag`` is true in some process."""
        if self.count == 1:
            return flag
        value = torch.tensor(float(flag))
        dist.all_reduce(value, op=dist.ReduceOp.MAX)
        return bool(value)

    def share(self, network: nn.Module) -> None:
        """Give every process the parameters and buffers that ``network`` has in the first one."""
        if self.count > 1:
            state = self.from_first(lambda: {name: v.cpu() for name, v in network.state_dict().items()})
            network.load_state_dict(state)


_PATIENT: dict[Any, Any] = {}
_PATIENCE = timedelta(days=7)


def _patient_group() -> Any:
    """Return a group of all processes for waits on one that works alone, such as fitting heads, which may take hours.

    One that ends is noticed all the same, by its connection.
    """
    world = dist.group.WORLD
    if world not in _PATIENT:
        _PATIENT.clear()
        _PATIENT[world] = dist.new_group(backend="gloo", timeout=_PATIENCE)
    return _PATIENT[world]


ALONE = Ranks()
"""One process on its own."""


@contextlib.contextmanager
def joined_ranks(timeout: float) -> Iterator[Ranks]:
    """Join the processes that ``dynsearch train --nproc`` or torchrun started; yield this one's place.

    Each takes a GPU of its own and talks NCCL, or gloo on machines without GPUs, and waits ``timeout`` seconds for
    another.

    Raises:
        InputError: There is no GPU left for this process.
        TrainingError: Another process ended, or did not answer in time.
        Stopped: This process was asked to stop, and is the first one.
    """
    if not is_rank():
        yield ALONE
        return
    backend = _take_device(int(os.environ["LOCAL_RANK"]))
    path = rendezvous_file()
    try:
        dist.init_process_group(
            backend,
            init_method=f"file://{path}" if path else "env://",
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            timeout=timedelta(seconds=timeout),
        )
        yield Ranks.current()
    except Stopped as stopped:
        if rendezvous_file():
            raise SystemExit(STOPPED) from stopped
        if os.environ["RANK"] != "0":  # Under torchrun one process says it for all.
            raise SystemExit(0) from stopped
        raise
    except RuntimeError as error:
        if not means_lost(error):
            raise
        if rendezvous_file():
            raise SystemExit(LOST) from error
        raise TrainingError(
            f"process {os.environ['RANK']} waited for another one, which ended or did not answer "
            f"within {timeout:g} seconds",
            hint="Look for the first error above; the same command again goes on from the last saved state",
        ) from error
    dist.destroy_process_group()


def _take_device(local_rank: int) -> str:
    """Return the backend to talk by, after choosing a GPU if there are any."""
    if not torch.cuda.is_available():
        return "gloo"
    if local_rank >= torch.cuda.device_count():
        raise InputError(
            f"process {local_rank + 1} on this machine has no GPU: there are {torch.cuda.device_count()}",
            hint="Start as many processes as there are GPUs",
        )
    torch.cuda.set_device(local_rank)
    return "cpu:gloo,cuda:nccl"  # NCCL for gradients, gloo for what is in main memory.


def means_lost(error: RuntimeError) -> bool:
    """Return whether ``error`` is that another process ended or is silent; gloo's have no type of their own."""
    return isinstance(error, dist.DistError) or (type(error) is RuntimeError and "gloo" in str(error))
