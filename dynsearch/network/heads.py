"""Exit heads: from the features of the frames seen so far to logits."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from dynsearch import compiler
from dynsearch.errors import PlanError
from dynsearch.plan import HEADS, Plan
from dynsearch.plan.features import is_plain
from dynsearch.plan.heads import head_kinds


class ExitHead(nn.Module):
    """From features of the frames seen to logits (B, K).

    Attributes:
        reads: What its ``forward`` takes. ``mean``: features averaged over frames and space, (B, C); ``maps``:
            averaged over frames, (B, C, H, W); ``sequence``: averaged over space, (B, T', C), in the order in which
            the T' frames were fed, and their T' positions among the plan's frames in time. A class of heads that
            reads sequences says so itself, and is also given ``num_frames=T``.
    """

    reads: Literal["mean", "maps", "sequence"] = "mean"

    def first_layers(self) -> tuple[nn.Linear, ...]:
        """Return the layers that read the features, linear with a bias; none where something else reads them too.

        Heads that are fitted alone are fitted on standardised features, which these layers then absorb.
        """
        return ()

    def after_each(
        self, frames_BTC: torch.Tensor, times: Sequence[int], counts: Sequence[int]
    ) -> torch.Tensor:
        """Return the logits (E, B, K) after each of E numbers of frames, of a head that reads no maps.

        Args:
            frames_BTC: Features of T' frames, averaged over space, in the order fed.
            times: Their positions in time.
            counts: How many of the first frames are seen.
        """
        if self.reads == "sequence":
            return torch.stack([self(frames_BTC[:, :count], times[:count]) for count in counts])
        means_EBC = running_sums(frames_BTC.movedim(1, 0), counts) / torch.tensor(
            counts, device=frames_BTC.device
        ).view(-1, 1, 1)
        logits_EBK: torch.Tensor = self(means_EBC.flatten(0, 1)).unflatten(0, (len(counts), -1))
        return logits_EBK

    def wait(self) -> None:
        """Answer, until the heads are fitted anew, with what trains the backbone only; by default that is all."""


def running_sums(values: torch.Tensor, counts: Sequence[int]) -> torch.Tensor:
    """Return the sums of the first ``counts`` of ``values``, over their first dimension."""
    return values.cumsum(dim=0)[[count - 1 for count in counts]]


class LinearHead(ExitHead):
    """Dropout and one linear layer on features averaged over space and over the frames seen.

    The paper's MSDNet head as its text has it (section 4): "an average pooling and a linear layer".
    """

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(channels, num_classes)
        nn.init.normal_(self.linear.weight, std=0.01)
        nn.init.zeros_(self.linear.bias)

    def first_layers(self) -> tuple[nn.Linear, ...]:
        """Return the one layer."""
        return (self.linear,)

    def forward(self, mean_BC: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) for features averaged over space and frames, (B, C)."""
        return self.linear(self.dropout(mean_BC))


class MlpHead(ExitHead):
    """Two linear layers, 64 numbers between them, on features averaged over space and over the frames seen."""

    def __init__(self, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.hidden, self.dropout = nn.Linear(channels, 64), nn.Dropout(dropout)
        self.linear = nn.Linear(64, num_classes)
        nn.init.kaiming_normal_(self.hidden.weight, nonlinearity="relu")
        nn.init.normal_(self.linear.weight, std=0.01)
        for layer in (self.hidden, self.linear):
            nn.init.zeros_(layer.bias)

    def first_layers(self) -> tuple[nn.Linear, ...]:
        """Return the hidden layer."""
        return (self.hidden,)

    def forward(self, mean_BC: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) for features averaged over space and frames, (B, C)."""
        return self.linear(self.dropout(self.hidden(mean_BC).relu()))


class ConvHead(ExitHead):
    """Two stride-2 3x3 convolutions, average pool, linear layer, on maps averaged over the frames seen.

    The classifier of MSDNet (Huang et al., ICLR 2018, section 4), and the paper's for ResNets.

    Args:
        channels: Channels that come in.
        width: Channels of both convolutions; None keeps the ``channels``.
        num_classes: K.
        dropout: Dropout before the linear layer.
    """

    reads = "maps"

    def __init__(self, channels: int, width: int | None, num_classes: int, dropout: float) -> None:
        super().__init__()
        width = width or channels
        self.convs = nn.Sequential(*_halve(channels, width), *_halve(width, width))
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(width, num_classes)

    def forward(self, mean_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K) for maps averaged over frames, (B, C, H, W)."""
        return self.linear(self.dropout(self.convs(mean_BCHW).mean(dim=(2, 3))))


def _halve(in_channels: int, out_channels: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(out_channels), nn.ReLU(inplace=True)


def conv_head(channels: int, num_classes: int, dropout: float) -> ConvHead:
    """Return MSDNet's head, which keeps the channels."""
    return ConvHead(channels, None, num_classes, dropout)


def conv_head_128(channels: int, num_classes: int, dropout: float) -> ConvHead:
    """Return MSDNet's head with 128 channels."""
    return ConvHead(channels, 128, num_classes, dropout)


@dataclass(frozen=True)
class HeadSlot:
    """Which head an exit uses.

    Attributes:
        index: Position among the network's heads; exits may share one.
        kind: Its name in :data:`dynsearch.plan.HEADS`.
        depth: The depth stage whose features it reads.
    """

    index: int
    kind: str
    depth: int


def head_slots(plan: Plan) -> tuple[HeadSlot, ...]:
    """Return the head of each exit."""
    early, last = head_kinds(plan.head)
    taken: dict[object, int] = {}
    slots = []
    for k, exit_ in enumerate(plan.exits.exits):
        kind = last if k == len(plan.exits) - 1 else early
        key = (exit_.depth, kind) if plan.share_heads else k
        slots.append(HeadSlot(taken.setdefault(key, len(taken)), kind, exit_.depth))
    return tuple(slots)


def reads_as_timm(plan: Plan, backbone: str | None = None) -> bool:
    """Return whether exits on the plan's backbone, or on another of its backbones, need timm's head.

    Heads that read maps read those of the last stage; then all do.
    """
    if plan.features != "timm" or is_plain(backbone or plan.backbone):
        return False
    with compiler.only_shapes():
        return all(build_head(kind, 8, 2, 0.0).reads != "maps" for kind in head_kinds(plan.head))


def reads_sequences(kind: str) -> bool:
    """Return whether heads of this kind read the frames one by one.

    Raises:
        PlanError: There is no such kind.
    """
    return getattr(HEADS[kind], "reads", None) == "sequence"


def build_head(kind: str, channels: int, num_classes: int, dropout: float, num_frames: int = 1) -> ExitHead:
    """Return an exit head of the given kind, freshly initialised, for clips of ``num_frames``.

    Raises:
        PlanError: There is no such kind, or what was registered makes no exit head.
    """
    of_clips = {"num_frames": num_frames} if reads_sequences(kind) else {}
    head = HEADS[kind](channels, num_classes, dropout, **of_clips)
    if not isinstance(head, ExitHead):
        raise PlanError(
            f"what is registered as {kind} makes a {type(head).__name__}, and no exit head",
            where="head",
            hint="Derive it from dynsearch.network.heads.ExitHead",
        )
    return head
