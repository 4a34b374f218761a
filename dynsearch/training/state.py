"""Training interrupted at any moment goes on from its last saved step, and ends the same."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from dynsearch.files import written_whole
from dynsearch.training import optimizer_state
from dynsearch.training.made import CONTENT, Made, facts_in


@dataclass(frozen=True)
class Progress:
    """How far a training is.

    Attributes:
        epoch: Finished epochs.
        batch: Batches that each process has finished of the epoch under way; the sums below are over those of
            all processes.
        loss_sum: Sum of their losses.
        num_right: Videos right at the last exit.
        num_videos: Videos seen.
        seconds: Time they took.
    """

    epoch: int = 0
    batch: int = 0
    loss_sum: float = 0.0
    num_right: int = 0
    num_videos: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class SavedTraining:
    """What a state file holds: tensors by name, the loss scale, the progress, and the optimizer's numbers.

    Tensors are those of the network, its average and the optimizer; files of 0.1 have no numbers.
    """

    tensors: dict[str, torch.Tensor]
    scaler: dict[str, Any]
    progress: Progress
    numbers: dict[str, Any] | None = None

    def load_into(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        average: nn.Module | None = None,
    ) -> None:
        """Put a training back where it was."""
        network.load_state_dict(self._below("network."))
        if average is not None:
            average.load_state_dict(self._below("average."))
        optimizer_state.restore(optimizer, self.tensors, self.numbers)
        if self.scaler:
            scaler.load_state_dict(self.scaler)

    def _below(self, prefix: str) -> dict[str, torch.Tensor]:
        return {k.removeprefix(prefix): value for k, value in self.tensors.items() if k.startswith(prefix)}


class TrainingState:
    """All that one training needs to go on, in one safetensors file.

    Random numbers need no saving: those of each step are drawn from (seed, epoch, batch, process).

    Args:
        path: The file.
        made: What makes the training.
        every: Steps after which it is saved within an epoch; None saves it after each epoch only.
    """

    def __init__(self, path: str | os.PathLike[str], made: Made, *, every: int | None = 1000) -> None:
        self.path = Path(path)
        self.made = made
        self.every = every

    def save(
        self,
        progress: Progress,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        scaler: torch.amp.GradScaler,
        average: nn.Module | None = None,
    ) -> None:
        """Write the state between two steps, whole or not at all.

        Args:
            progress: How far the training is.
            network: The network in training.
            optimizer: Its optimizer.
            scaler: The loss scale of mixed precision.
            average: The moving average of the network, if one is kept.
        """
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        if average is not None:
            tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
        tensors |= optimizer_state.tensors_of(optimizer)
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        facts = {
            "scaler": scaler.state_dict(),
            "optimizer": optimizer_state.numbers_of(optimizer),
            "progress": asdict(progress),
        }
        with written_whole(self.path) as temporary:
            safetensors.torch.save_file(
                tensors, temporary, metadata={"dynsearch": json.dumps(facts), "made": self.made.text}
            )

    def read(self) -> SavedTraining | None:
        """Return what was saved; None if there is nothing of this training, which then begins anew.

        Raises:
            InputError: It is of another training: other settings, other videos, another number of processes.
        """
        if not self.path.is_file():
            return None
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = json.loads((file.metadata() or {}).get("dynsearch", "{}"))
                found = facts_in(self.path)
                if found is None and facts.get("key") in self.made.former:
                    found = json.loads(self.made.text)
                    found |= {"processes": facts["num_ranks"]} if "processes" in found else {}
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError):
            return None
        if found is None:
            return None
        if "processes" in self.made.facts:  # One-shot networks of before don't say so.
            found = {"processes": 1} | found
        self.made.refuse_others(found, self.path)
        # By another version of torch, or with larger batches; files of videos may have been mended.
        if found | {CONTENT: None} != json.loads(self.made.text) | {CONTENT: None}:
            return None
        return SavedTraining(tensors, facts["scaler"], Progress(**facts["progress"]), facts.get("optimizer"))

    def delete(self) -> None:
        """Remove the file once the trained weights are safe."""
        self.path.unlink(missing_ok=True)
