"""What lies where in the features between two stages: maps, channels-last maps, tokens, several scales."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from dynsearch.errors import PlanError

State = Any
"""What one stage hands to the next: a tensor, or a list of tensors, finest scale first."""


def map_state(function: Callable[..., torch.Tensor], *states: State) -> State:
    """Return ``function`` of each tensor in ``states``, which are built alike."""
    if isinstance(states[0], torch.Tensor):
        return function(*states)
    return [function(*tensors) for tensors in zip(*states, strict=True)]


def is_state(value: object) -> bool:
    """Return whether ``value`` can be handed from stage to stage."""
    if isinstance(value, torch.Tensor):
        return value.ndim >= 2
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(is_state, value))


def features_of(state: State) -> torch.Tensor:
    """Return what an exit reads: the state itself, or its last and coarsest scale."""
    while not isinstance(state, torch.Tensor):
        state = state[-1]
    return state


def channel_axis(shape: Sequence[int], *, prefer_last: bool = False) -> int:
    """Return the axis of the channels of features (B, C, H, W), (B, H, W, C), (B, tokens, C) or (B, C).

    Inputs are square, so of four axes the two equal neighbours are space.

    Args:
        shape: Shape of the features.
        prefer_last: Decides when all three axes are equal.
    """
    if len(shape) != 4:
        return len(shape) - 1
    last = shape[1] == shape[2] and (shape[2] != shape[3] or prefer_last)
    return 3 if last else 1


@dataclass(frozen=True)
class Layout:
    """Where space and channels are in the features of one stage.

    Attributes:
        shape: Shape for one frame, batch axis first.
        axis: Axis of the channels.
        num_prefix: Tokens that stand for no place (class token, registers); exits leave them out.
        by_token: Whether exits that read vectors take the class token, where there is one, and leave out the rest.
    """

    shape: tuple[int, ...]
    axis: int
    num_prefix: int = 0
    by_token: bool = False

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[self.axis]

    @property
    def num_places(self) -> int:
        """Places in space: H x W, or tokens without the prefix."""
        return math.prod(self.shape[1:]) // self.channels - self.num_prefix

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the features as a map.

        Raises:
            PlanError: The tokens fill no square.
        """
        side = math.isqrt(self.num_places)
        if side * side != self.num_places:
            raise PlanError(
                f"{self.num_places} tokens are no square map, which a convolutional head needs",
                where="head",
                hint="Use the linear head",
            )
        return self.channels, side, side

    def pool(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features averaged over space, (B, C), or the class token."""
        if self.by_token and self.num_prefix:
            return features[:, 0]
        if len(self.shape) == 4:
            if self.axis == 3:
                return features.mean(dim=(1, 2))
            if features.requires_grad:
                # The gradient gets the layout in memory that maps have, channels last, and not one of its own.
                return features.movedim(1, -1).mean(dim=(1, 2))
            return features.mean(dim=(2, 3))
        if len(self.shape) == 3:
            return features[:, self.num_prefix :].mean(dim=1)
        return features

    def to_map(self, features: torch.Tensor) -> torch.Tensor:
        """Return the features as a map, (B, C, H, W)."""
        if len(self.shape) == 4:
            return features.permute(0, 3, 1, 2) if self.axis == 3 else features
        if len(self.shape) == 2:
            return features[:, :, None, None]
        tokens = features[:, self.num_prefix :].transpose(1, 2)
        return tokens.unflatten(2, self.map_shape[1:])


def layout_of(features: torch.Tensor, num_prefix: int) -> Layout:
    """Return the layout of ``features``, whose model puts ``num_prefix`` tokens before those of the image."""
    shape = tuple(features.shape)
    if len(shape) != 3 or math.isqrt(shape[1] - num_prefix) ** 2 != shape[1] - num_prefix:
        num_prefix = 0
    return Layout(shape, channel_axis(shape), num_prefix)


def is_exporting() -> bool:
    """Return whether a graph is being written; torch 2.6 only knows whether one is being made."""
    known = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)
    return bool(known())


def joined(parts: Sequence[torch.Tensor], axis: int) -> torch.Tensor:
    """Return ``torch.cat`` of tensors that lies in memory as the first does: channels last stay last."""
    first = parts[0]
    if is_exporting():
        return torch.cat(list(parts), axis)

    def stride(axis: int) -> float:
        """Return that of an axis; of one of length one, which says nothing, that of the axis before."""
        if first.shape[axis] > 1:
            return first.stride(axis)
        return stride(axis - 1) if axis else torch.inf

    order = sorted(range(first.ndim), key=stride, reverse=True)
    back = [order.index(i) for i in range(first.ndim)]
    return torch.cat([part.permute(order) for part in parts], order.index(axis)).permute(back)
