"""What the training loop sees of a one-shot network: every step draws a frame order and some cells."""

from typing import Any

import torch

from dynsearch.families.grid.choices import sample_trunk
from dynsearch.families.grid.one_shot import OneShotNetwork, grid_cells
from dynsearch.network import PlannedNetwork
from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.losses import ExitLoss
from dynsearch.plan import Exit, Plan
from dynsearch.space import SearchSpace

OTHERS_WEIGHT = 2.0


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


class SandwichTraining(PlannedNetwork):
    """Trains ``network`` by the sandwich rule (Yu & Huang, ICCV 2019; Once-for-All, ICLR 2020), for two axes.

    Each step draws a trunk of the space - frame order, groups, shift - and computes the last cell of every depth,
    the first cell of all, and others, ``num_others`` together; None computes all. All share the backbone's one pass.
    """

    def __init__(self, network: OneShotNetwork, space: SearchSpace, num_others: int | None) -> None:
        super().__init__(network.plan, network.num_classes)
        self.network = network
        self.space = space
        self.num_others = num_others
        self._drawn: tuple[Plan, list[Exit]] | None = None

    @property
    def backbones(self) -> tuple[Backbone, ...]:
        """The network's backbone."""
        return self.network.backbones

    def draw(self) -> None:
        """Draw the trunk and the cells of the next step."""
        trunk = sample_trunk(self.space, TorchDraws())
        self._drawn = trunk, drawn_cells(trunk, self.network.first_depth, self.num_others)

    def forward(self, clips_BTCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of the cells drawn, (E, B, K), the last cell's last."""
        assert self._drawn is not None
        trunk, cells = self._drawn
        return self.network(clips_BTCHW, trunk.frame_order, trunk.temporal_shift, cells)


def drawn_cells(trunk: Plan, first_depth: int, num_others: int | None) -> list[Exit]:
    """Return the first cell and others, ``num_others`` in all, and then the last cell of every depth."""
    cells = grid_cells(trunk, first_depth)
    lasts = [cell for cell in cells if cell.sets == trunk.num_sets]
    others = [cell for cell in cells if cell.sets < trunk.num_sets]
    if num_others is None or num_others >= len(others):
        return [*others, *lasts]
    drawn = torch.randperm(len(others) - 1)[: num_others - 1] + 1
    return [others[0], *(others[i] for i in sorted(drawn.tolist())), *lasts]


def weighted(loss: ExitLoss, num_depths: int) -> ExitLoss:
    """Return a loss over cells in which the last one of every depth weighs 1, and all others together 2.

    With equal weights the many cells that have seen little outweigh the few that can learn movements, and the
    whole network learns them late or never; with one last cell only, the stages before the last learn little.
    ``loss`` is a sum over exits, of which the last may teach the others.
    """

    def total(logits_EBK: torch.Tensor, labels_B: torch.Tensor) -> torch.Tensor:
        last = loss(logits_EBK[-1:], labels_B)
        alone = [loss(logits_EBK[[k, -1]], labels_B) - last for k in range(len(logits_EBK) - 1)]
        num_others = len(logits_EBK) - num_depths
        weights = [OTHERS_WEIGHT / max(num_others, 1)] * num_others + [1.0] * (num_depths - 1)
        return torch.stack([w * own for w, own in zip(weights, alone, strict=True)]).sum() + last

    return total
