"""Training interrupted at any moment goes on from its last finished epoch."""

from __future__ import annotations

import json
import os
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from dynsearch.files import written_whole


class TrainingState:
    """Model, momentum and progress of one training in one safetensors file.

    Random numbers need no saving: each epoch's are drawn from (seed, epoch).

    Args:
        path: The file.
        key: Describes the plan, the settings and the data; a state with another key is not resumed.
    """

    def __init__(self, path: str | os.PathLike[str], key: str) -> None:
        self.path = Path(path)
        self.key = key

    def save(
        self,
        network: nn.Module,
        optimizer: torch.optim.Optimizer,
        epoch: int,
        scale: float,
        average: nn.Module | None = None,
    ) -> None:
        """Write the state after ``epoch`` finished epochs, whole or not at all.

        Args:
            network: The network in training.
            optimizer: Its optimizer.
            epoch: Finished epochs.
            scale: Loss scale of mixed precision.
            average: The moving average of the network, if one is kept.
        """
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        if average is not None:
            tensors |= {f"average.{name}": value for name, value in average.state_dict().items()}
        for index, slots in optimizer.state_dict()["state"].items():
            if slots.get("momentum_buffer") is not None:
                tensors[f"momentum.{index}"] = slots["momentum_buffer"]
        tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        facts = {"key": self.key, "epoch": epoch, "scale": scale}
        with written_whole(self.path) as temporary:
            safetensors.torch.save_file(tensors, temporary, metadata={"dynsearch": json.dumps(facts)})

    def restore(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None = None
    ) -> tuple[int, float | None]:
        """Load the state if there is one for this training.

        Returns:
            How many epochs are finished, and the loss scale; (0, None) when training begins anew.
        """
        if not self.path.is_file():
            return 0, None
        try:
            with safe_open(self.path, framework="pt") as file:
                facts = json.loads((file.metadata() or {}).get("dynsearch", "{}"))
                if facts.get("key") != self.key:
                    return 0, None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError):
            return 0, None
        for prefix, module in (("network.", network), ("average.", average)):
            if module is not None:
                own = {name: value for name, value in tensors.items() if name.startswith(prefix)}
                module.load_state_dict({name.removeprefix(prefix): value for name, value in own.items()})
        state = optimizer.state_dict()
        state["state"] = {
            int(name.removeprefix("momentum.")): {"momentum_buffer": value}
            for name, value in tensors.items()
            if name.startswith("momentum.")
        }
        optimizer.load_state_dict(state)
        return int(facts["epoch"]), float(facts["scale"])

    def delete(self) -> None:
        """Remove the file once the trained weights are safe."""
        self.path.unlink(missing_ok=True)
