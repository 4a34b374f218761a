"""The classifier over time steps."""

from collections.abc import Sequence

import torch
from torch import nn

from dynsearch.network.heads import LinearHead


class RunningMaxClassifier(nn.Module):
    """One hidden layer on each frame, its running maximum over frames, and a linear layer for every exit.

    Args:
        channels: Channels of a frame's features.
        width: Of the hidden layer.
        num_classes: K.
        num_exits: E.
        dropout: Dropout before each linear layer.
    """

    def __init__(self, channels: int, width: int, num_classes: int, num_exits: int, dropout: float) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Linear(channels, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)
        )
        self.heads = nn.ModuleList(LinearHead(width, num_classes, dropout) for _ in range(num_exits))

    def peaks(
        self, features_BTC: torch.Tensor, ends: Sequence[int], peak_BW: torch.Tensor | None = None
    ) -> list[torch.Tensor]:
        """Return the maximum over all frames up to each of ``ends``, (B, W) each.

        Args:
            features_BTC: Features of T frames in the order they are seen.
            ends: Numbers of frames, rising, the last at most T.
            peak_BW: The maximum over the frames before these.
        """
        hidden_BTW = self.hidden(features_BTC.flatten(0, 1)).unflatten(0, features_BTC.shape[:2])
        peaks, start = [], 0
        for end in ends:
            if end > start:
                new_BW = hidden_BTW[:, start:end].amax(dim=1)
                peak_BW = new_BW if peak_BW is None else torch.maximum(peak_BW, new_BW)
                start = end
            assert peak_BW is not None
            peaks.append(peak_BW)
        return peaks
