"""One training step: forward, loss over all exits, backward, update."""

import contextlib

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from dynsearch.families import family_of
from dynsearch.network import PlannedNetwork
from dynsearch.network.losses import EXIT_LOSSES, ExitLoss, num_hits
from dynsearch.training.config import TrainingConfig
from dynsearch.training.data_parallel import in_parallel, with_synchronised_norms
from dynsearch.training.device import amp_dtype, autocast
from dynsearch.training.optimizers import make_optimizer
from dynsearch.training.parts import rated_parameters
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.state import Progress, TrainingState


class Stepper:
    """A network in training with all that a step needs: optimizer, loss scale, moving average.

    Args:
        network: What is trained; moved to ``device``.
        config: Training settings.
        device: Where to train.
        ranks: The processes that train it together, each on batches of its own.
        loss: Used instead of the one that ``config`` names.
    """

    def __init__(
        self,
        network: PlannedNetwork,
        config: TrainingConfig,
        device: torch.device,
        ranks: Ranks = ALONE,
        loss: ExitLoss | None = None,
    ) -> None:
        self.network = network
        self.device = device
        self.ranks = ranks
        self.grad_clip = config.grad_clip
        self.freeze_batch_norm = config.freeze_batch_norm
        if config.channels_last:
            network.to(device).to(memory_format=torch.channels_last)
        else:
            network.to(device=device)
        ranks.share(network)
        if config.sync_batch_norm:
            with_synchronised_norms(network, device)
        for backbone in network.backbones:
            backbone.recompute = config.recompute
        self.parallel = in_parallel(network, device) if ranks.count > 1 else None
        forward = self.parallel or network
        self.forward = torch.compile(forward) if config.compile else forward
        self.objective = family_of(network.plan).objective
        self.loss = loss or EXIT_LOSSES[config.exit_loss]
        self.optimizer = make_optimizer(rated_parameters(network, config.part_rates), config)
        self.dtype = amp_dtype(config.amp, device)
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype is torch.float16)
        self.average = None
        if config.ema_decay is not None:
            average = get_ema_multi_avg_fn(config.ema_decay)
            self.average = AveragedModel(network, multi_avg_fn=average, use_buffers=True)

    def restore(self, state: TrainingState) -> Progress:
        """Load ``state`` if it is there, and return how far the training is."""
        saved = self.ranks.from_first(state.read)
        if saved is None:
            return Progress()
        saved.load_into(self.network, self.optimizer, self.scaler, self.average)
        return saved.progress

    def save(self, state: TrainingState, progress: Progress) -> None:
        """Write ``state``; the first process does."""
        if self.ranks.is_first:
            state.save(progress, self.network, self.optimizer, self.scaler, self.average)

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
            update: Whether this is the step's last batch. The processes' gradients are averaged then.

        Returns:
            The loss, and how many videos the last exit has right. Nothing moves if the loss is not finite.
        """
        with contextlib.nullcontext() if self.parallel is None or update else self.parallel.no_sync():
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
