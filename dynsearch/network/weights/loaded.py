"""What of a weights file was loaded, and what was not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class HeadPlace:
    """An exit head that may get weights.

    Attributes:
        exit: Its exit, as the plan writes it.
        depth: The depth stage it reads, from 1.
        at_end: Whether that is the backbone's last one.
        head: The head.
    """

    exit: str
    depth: int
    at_end: bool
    head: nn.Module


@dataclass(frozen=True)
class Loaded:
    """What a network began with; ``str`` gives it as text.

    Attributes:
        source: The file, or ``timm``.
        layout: Whose names the file has.
        backbone: Name of the backbone that was loaded, whole.
        tensors: How many of its tensors there were.
        parameters: How many numbers its parameters are.
        heads: Exits whose heads were loaded whole.
        left: What of the file was not loaded, and why, a line each.
        fresh: What begins, in whole or in part, as it was initialised: heads and other parts.
        notes: What else is worth knowing, a line each.
    """

    source: str
    layout: str
    backbone: str
    tensors: int
    parameters: int
    heads: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        heads = f", and the heads of {', '.join(self.heads)}" if self.heads else ""
        afresh = (f"begin afresh: {'; '.join(self.fresh)}",) if self.fresh else ()
        lines = (*(f"not loaded: {line}" for line in self.left), *afresh, *self.notes)
        return "\n  ".join(
            [
                f"{self.source} (names as in {self.layout}): {self.tensors} tensors, {self.parameters:,} parameters of "
                f"{self.backbone}{heads}",
                *lines,
            ]
        )


def load_heads(
    heads: Sequence[HeadPlace], given: Mapping[int, Tensors]
) -> tuple[list[str], list[str], list[str]]:
    """Load what has an exit head's names and shapes; of another number of classes all but the last layer.

    Args:
        heads: The exit heads.
        given: Tensors by depth; 0 stands for the end of the backbone.

    Returns:
        The exits whose heads were loaded whole, why others were not, and the exits that begin afresh.
    """
    whole, left, fresh = [], [], []
    unread = set(given)
    for place in heads:
        depth = 0 if place.at_end and 0 in given else place.depth
        own, theirs = place.head.state_dict(), given.get(depth, {})
        unread.discard(depth)
        fitting = {
            name: value for name, value in theirs.items() if name in own and own[name].shape == value.shape
        }
        place.head.load_state_dict(fitting, strict=False)
        if theirs and len(fitting) == len(own) == len(theirs):
            whole.append(place.exit)
            continue
        fresh.append(place.exit)
        for name, value in theirs.items():
            if name not in fitting:
                why = (
                    f"the network's is {tuple(own[name].shape)}"
                    if name in own
                    else "its head has no such layer"
                )
                left.append(f"{name} {tuple(value.shape)} for exit {place.exit}: {why}")
    for depth in sorted(unread):
        where = f"depth {depth}" if depth else "the end of the backbone"
        why = "no exit reads it" if heads else "heads here are made anew"
        left.append(f"the classifier at {where}, {classes(given[depth])}: {why}")
    return whole, left, fresh


def classes(head: Tensors) -> str:
    """Return for how many classes a head is."""
    return f"{len(next(reversed(head.values())))} classes"
