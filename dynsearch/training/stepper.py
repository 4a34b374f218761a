"""One training step: forward, loss over all exits, backward, update."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dynsearch.training.config import TrainingConfig
from dynsearch.training.device import amp_dtype, autocast
from dynsearch.training.losses import EXIT_LOSSES, num_hits
from dynsearch.training.objectives import OBJECTIVES
from dynsearch.training.parts import rated_parameters
from dynsearch.training.state import TrainingState


class Stepper:
    """A network in training with all that a step needs: optimizer, loss scale, moving average.

    Args:
        network: A multi-exit network; moved to ``device``.
        config: Training settings.
        device: Where to train.
    """

    def __init__(self, network: Any, config: TrainingConfig, device: torch.device) -> None:
        self.network = network
        self.device = device
        self.grad_clip = config.grad_clip
        self.freeze_batch_norm = config.freeze_batch_norm
        if config.channels_last:
            network.to(device=device, memory_format=torch.channels_last)
        else:
            network.to(device=device)
        for backbone in network.backbones:
            backbone.recompute = config.recompute
        self.forward = torch.compile(network) if config.compile else network
        self.objective = OBJECTIVES[network.plan.family]
        self.loss = EXIT_LOSSES[config.exit_loss]
        self.optimizer = torch.optim.SGD(
            rated_parameters(network, config.part_rates),
            lr=config.learning_rate,
            momentum=config.momentum,
            nesterov=config.nesterov,
            weight_decay=config.weight_decay,
        )
        self.dtype = amp_dtype(config.amp, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)
        self.average = None
        if config.ema_decay is not None:
            average = get_ema_multi_avg_fn(config.ema_decay)
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)

    def restore(self, state: TrainingState) -> int:
        """Load ``state`` if it is there and return how many epochs are finished."""
        finished, scale = state.restore(self.network, self.optimizer, self.average)
        if self.scaler.is_enabled() and scale:
            self.scaler.update(scale)
        return finished

    def save(self, state: TrainingState, epoch: int) -> None:
        """Write ``state`` after ``epoch`` finished epochs."""
        state.save(self.network, self.optimizer, epoch, self.scaler.get_scale(), self.average)

    def begin_epoch(self) -> None:
        """Switch to training mode."""
        self.network.train()
        if self.freeze_batch_norm:
            for module in self.network.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def step(
        self,
        clips: torch.Tensor,
        labels: torch.Tensor,
        rate: float,
        *,
        share: float = 1.0,
        update: bool = True,
    ) -> tuple[float, int]:
        """Add the gradients of one batch, and with ``update`` move the weights.

        Args:
            clips: (B, T, C, H, W).
            labels: (B,) int64, or for several labels a video 0/1 (B, K).
            rate: Learning rate.
            share: What the batch counts for in its step, 1 over the number of batches accumulated.
            update: Whether this is the step's last batch.

        Returns:
            The loss, and how many videos the last exit has right. Nothing moves if the loss is not finite.
        """
        with autocast(self.dtype, self.device):
            loss, logits_EBK = self.objective(self.forward, clips, labels, self.loss)
        value = float(loss.detach())
        if value - value != 0:  # Infinite, or no number.
            return value, 0
        self.scaler.scale(loss * share).backward()
        if update:
            self._update(rate)
        return value, num_hits(logits_EBK[-1], labels)

    def _update(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["part_rate"]
        if self.grad_clip is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.grad_clip)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.network)

    def finish(self) -> None:
        """Switch to evaluation mode, with the averaged weights if an average was kept."""
        if self.average is not None:
            self.network.load_state_dict(self.average.module.state_dict())
        for backbone in self.network.backbones:
            backbone.recompute = False
        self.network.eval()
