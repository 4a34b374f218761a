"""What the training loop sees of a one-shot network: every step draws a frame order and some cells."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from dynsearch.network.grid.backbone import Backbone
from dynsearch.network.grid.one_shot import OneShotNetwork
from dynsearch.plan import Exit, Plan
from dynsearch.space import SearchSpace


class TorchDraws:
    """A trial whose every parameter is drawn at random, from torch's own generator.

    The training loop seeds it for every epoch, so that an interrupted training draws the same again.
    """

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """Return one of ``choices``."""
        return choices[self.suggest_int(name, 0, len(choices) - 1)]

    def suggest_int(self, name: str, low: int, high: int) -> int:
        """Return an integer in [low, high]."""
        return int(torch.randint(low, high + 1, ()))


class SandwichTraining(nn.Module):
    """Trains ``network`` by the sandwich rule (Yu & Huang, ICCV 2019; Once-for-All, ICLR 2020).

    Each step draws a trunk of the space - frame order, groups, shift - and computes the last cell of its grid,
    the first, and others drawn at random. All share the backbone's one pass.

    Args:
        network: The one-shot network.
        space: The space whose trunks it stands for.
        num_cells: Cells in a step; None computes all.
    """

    def __init__(self, network: OneShotNetwork, space: SearchSpace, num_cells: int | None) -> None:
        super().__init__()
        self.network = network
        self.space = space
        self.num_cells = num_cells

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The network's backbone."""
        return self.network.backbones

    @property
    def plan(self) -> Plan:
        """The network's trunk."""
        return self.network.plan

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of the cells drawn, (E, B, K), the last cell's last."""
        trunk = self.space.sample_trunk(TorchDraws())
        cells = drawn_cells(trunk, self.network.first_depth, self.num_cells)
        return self.network(clips_BTCHW, trunk.frame_order, trunk.temporal_shift, cells)


def grid_cells(trunk: Plan, first_depth: int) -> list[Exit]:
    """Return all cells of the trunk's grid that have heads, by sets, then by depth; the last cell is last."""
    depths = range(first_depth, trunk.exits.last.depth + 1)
    return [Exit(sets, depth) for sets in range(1, trunk.num_sets + 1) for depth in depths]


def drawn_cells(trunk: Plan, first_depth: int, num_cells: int | None) -> list[Exit]:
    """Return the first and the last cell and others drawn from those between, ``num_cells`` in all."""
    cells = grid_cells(trunk, first_depth)
    if num_cells is None or num_cells >= len(cells):
        return cells
    between = torch.randperm(len(cells) - 2)[: num_cells - 2] + 1
    return [cells[0], *(cells[i] for i in sorted(between.tolist())), cells[-1]]


def scaled_to(
    num_exits: float, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Return ``loss``, a sum over exits, scaled from the number of cells in a step to that of a plan's exits.

    So the learning rate that suits plans suits the one-shot network.
    """
    return lambda logits_EBK, labels_B: loss(logits_EBK, labels_B) * (num_exits / len(logits_EBK))
