"""Policies: from the global network's maps to the place of a patch. Layers as in the published code."""

import torch
from torch import nn

_CHANNELS = 64


class RecurrentPolicy(nn.Module):
    """Chooses a place in every frame from what has been seen so far.

    Args:
        map_shape: (C, H, W) of the global network's maps.
        width: Of the hidden layer and of the recurrent unit.
    """

    def __init__(self, map_shape: tuple[int, int, int], width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*_encoder(map_shape, width))
        self.memory = nn.GRUCell(width, width)
        self.place = nn.Sequential(nn.Linear(width, 2), nn.Sigmoid())

    def forward(
        self, maps_BTCHW: torch.Tensor, memory_BW: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return places in 0..1, (B, T, 2), and the memory after the last frame, (B, W).

        Args:
            maps_BTCHW: Maps of T frames, in the order they are seen.
            memory_BW: Memory after the frame before, or None at the start.
        """
        encoded_BTW = self.encoder(maps_BTCHW.flatten(0, 1)).unflatten(0, maps_BTCHW.shape[:2])
        places = []
        for encoded_BW in encoded_BTW.unbind(dim=1):
            memory_BW = self.memory(encoded_BW, memory_BW)
            places.append(self.place(memory_BW))
        assert memory_BW is not None
        return torch.stack(places, dim=1), memory_BW


class WholeVideoPolicy(nn.Module):
    """Chooses one place from the maps of all frames.

    Args:
        map_shape: (C, H, W) of the global network's maps.
        num_frames: T, how many frames they are of.
        width: Of the first hidden layer; the second has half of it.
    """

    def __init__(self, map_shape: tuple[int, int, int], num_frames: int, width: int) -> None:
        super().__init__()
        channels, *sides = map_shape
        self.layers = nn.Sequential(
            *_encoder((channels * num_frames, *sides), width),
            nn.Linear(width, width // 2, bias=False),
            nn.BatchNorm1d(width // 2),
            nn.Tanh(),
            nn.Linear(width // 2, 2),
            nn.Sigmoid(),
        )

    def forward(self, maps_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return one place per video in 0..1, (B, 2)."""
        places_B2: torch.Tensor = self.layers(maps_BTCHW.flatten(1, 2))
        return places_B2


def _encoder(map_shape: tuple[int, ...], width: int) -> tuple[nn.Module, ...]:
    channels, height, wide = map_shape
    return (
        nn.Conv2d(channels, _CHANNELS, 1, bias=False),
        nn.BatchNorm2d(_CHANNELS),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(_CHANNELS * height * wide, width, bias=False),
        nn.BatchNorm1d(width),
        nn.Tanh(),
    )
