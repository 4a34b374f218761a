"""Selective feature compression: the features of many frames become those of few (Liu et al., ICCV 2021).

The paper's abstract says that features are compressed in time and space without changing the backbone; the queries
come from an abstraction layer and TopK pooling, the values are the features themselves, so that the tail finds what
it knows. What more it takes to build one is our choice: the layers of the abstraction, TopK over time for each
channel and place, and an attention that begins near its own place and moment.
"""

import torch
from torch import nn
from torch.nn import functional as F


class Compression(nn.Module):
    """Attends from few places in time and space to all of them.

    Args:
        channels: C of the features.
        side: Places of a frame lie on a square of this side; None for tokens, which have no sides.
        side_ratio: The square's side gets so many times shorter, rounded up.
    """

    def __init__(self, channels: int, side: int | None, side_ratio: int) -> None:
        super().__init__()
        width = max(16, channels // 4)
        self.side, self.side_ratio = side, side_ratio
        self.abstraction = nn.Sequential(
            nn.Linear(channels, width), nn.LayerNorm(width), nn.ReLU(inplace=True), nn.Linear(width, width)
        )
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(width, width, bias=False)
        # How much less a place counts that is another one, and one that is a frame away (softplus of these).
        self.elsewhere = nn.Parameter(torch.tensor(6.0))
        self.away = nn.Parameter(torch.tensor(1.0))

    def forward(self, features_BTPC: torch.Tensor, num_frames: int) -> torch.Tensor:
        """Return features of ``num_frames`` frames, (B, T', P', C): averages of those given, weighted by attention.

        Args:
            features_BTPC: Features of T frames at P places each.
            num_frames: T'.
        """
        abstract_BTPD = self.abstraction(features_BTPC)
        queries = self.query(self._fewer_places(top_in_time(abstract_BTPD, num_frames))).flatten(1, 2)
        keys = self.key(abstract_BTPD).flatten(1, 2)
        scores = queries @ keys.transpose(1, 2) / keys.shape[-1] ** 0.5
        bias = self._bias(features_BTPC.shape[1], num_frames, features_BTPC.shape[2])
        chosen = (scores + bias).softmax(dim=2) @ features_BTPC.flatten(1, 2)
        return chosen.unflatten(1, (num_frames, -1))

    def _fewer_places(self, abstract_BTPD: torch.Tensor) -> torch.Tensor:
        """Return the mean of the places that become one."""
        if self.side is None or self.side_ratio == 1:
            return abstract_BTPD
        shape = abstract_BTPD.shape
        maps = abstract_BTPD.flatten(0, 1).transpose(1, 2).unflatten(2, (self.side, self.side))
        maps = F.avg_pool2d(maps, self.side_ratio, ceil_mode=True)
        return maps.flatten(2).transpose(1, 2).unflatten(0, shape[:2])

    def _bias(self, num_frames: int, num_left: int, num_places: int) -> torch.Tensor:
        """Return what is added to the scores, (T' x P', T x P)."""
        device = self.away.device
        place_P = torch.arange(num_places, device=device)
        if self.side is not None:
            left = -(-self.side // self.side_ratio)
            place_P = place_P // self.side // self.side_ratio * left + place_P % self.side // self.side_ratio
            num_places = left * left
        elsewhere_QP = torch.arange(num_places, device=device)[:, None] != place_P
        moment_T = (torch.arange(num_frames, device=device) + 0.5) * num_left / num_frames - 0.5
        away_ST = (torch.arange(num_left, device=device)[:, None] - moment_T).square()
        bias = F.softplus(self.away) * away_ST[:, None, :, None]
        bias = bias + F.softplus(self.elsewhere) * elsewhere_QP[None, :, None, :]
        return -bias.flatten(2, 3).flatten(0, 1)


def top_in_time(features_BTPC: torch.Tensor, count: int) -> torch.Tensor:
    """Return for each place and channel the ``count`` largest values over time, in order of time: TopK pooling."""
    order = features_BTPC.topk(count, dim=1).indices.sort(dim=1).values
    return features_BTPC.gather(1, order)
