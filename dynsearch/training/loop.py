"""The training loop."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from dynsearch.data.loader import Batches, ClipLoader, begin_epoch
from dynsearch.errors import Stopped, TrainingError
from dynsearch.network import PlannedNetwork
from dynsearch.network.losses import ExitLoss
from dynsearch.training.config import TrainingConfig
from dynsearch.training.progress import OnStep, StepReporter
from dynsearch.training.ranks import ALONE, Ranks
from dynsearch.training.schedule import learning_rate
from dynsearch.training.seeding import seed_torch
from dynsearch.training.state import Progress, TrainingState
from dynsearch.training.stepper import Stepper
from dynsearch.training.stopping import stop_wanted


@dataclass(frozen=True)
class EpochReport:
    """What one epoch of training did, in all processes together.

    Attributes:
        epoch: Finished epochs, this one included.
        loss: Mean over batches of the loss over all exits.
        top1: Share of training videos whose first choice at the last exit is (one of) their label, 0..1.
        learning_rate: At the epoch's last step.
        seconds: How long it took.
        bad_videos: Training videos that were replaced so far because they can't be read.
    """

    epoch: int
    loss: float
    top1: float
    learning_rate: float
    seconds: float
    bad_videos: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, for a line of ``metrics.jsonl``."""
        return asdict(self)


def train(
    network: PlannedNetwork,
    loader: Batches,
    config: TrainingConfig,
    *,
    device: torch.device,
    seed: int = 0,
    state: TrainingState | None = None,
    ranks: Ranks = ALONE,
    on_epoch: Callable[[EpochReport], None] | None = None,
    on_resume: Callable[[int], None] | None = None,
    loss: ExitLoss | None = None,
    on_step: OnStep | None = None,
) -> None:
    """Train ``network`` in place.

    Args:
        network: What is trained; moved to ``device``.
        loader: This process's batches of (clips, labels, indices) of the training split, as of
            :func:`dynsearch.data.loader.ClipLoader`.
        config: Training settings.
        device: Where to train.
        seed: With the epoch, the batch and the process, it decides the random numbers of dropout.
        state: Where to keep the state; training goes on from it if it is there.
        ranks: The processes that train together. They begin with the first one's weights; in the end only its
            statistics of batch normalisation count.
        on_epoch: Called after every epoch, in every process.
        on_resume: Called with the number of finished epochs when training goes on after one.
        loss: Used instead of the one that ``config`` names.
        on_step: Called a few times a second, in this process.

    Raises:
        TrainingError: The loss is not a finite number.
        InputError: The state was saved by another number of processes.
        Stopped: A process was asked to stop; the state is saved.
    """
    stepper = Stepper(network, config, device, ranks, loss)
    progress = stepper.restore(state) if state else Progress()
    if on_resume and progress.epoch and not progress.batch:
        on_resume(progress.epoch)
    while progress.epoch < config.epochs:
        report = _EpochUnderWay(stepper, loader, config, progress, seed, state).run(on_step)
        progress = Progress(report.epoch)
        if state:
            stepper.save(state, progress)
        if on_epoch:
            on_epoch(report)
        if ranks.any(stop_wanted()):
            raise Stopped
    stepper.finish()
    ranks.share(network)


class _EpochUnderWay:
    """One epoch, from its beginning or from where it was interrupted.

    Args:
        stepper: The network in training.
        loader: This process's batches.
        config: Training settings.
        progress: Where to begin.
        seed: Seed of dropout.
        state: Where the state is kept.
    """

    def __init__(
        self,
        stepper: Stepper,
        loader: Batches,
        config: TrainingConfig,
        progress: Progress,
        seed: int,
        state: TrainingState | None,
    ) -> None:
        self.stepper, self.loader, self.config = stepper, loader, config
        self.begun, self.seed, self.state = progress, seed, state
        self.started = time.perf_counter()
        # The sums of earlier batches are those of all processes; one of them goes on adding to them.
        before = progress if stepper.ranks.is_first else Progress()
        self.loss_sum, self.num_right, self.num_videos = before.loss_sum, before.num_right, before.num_videos

    def run(self, on_step: OnStep | None) -> EpochReport:
        """Train on the rest of the epoch, and tell ``on_step`` where it is."""
        stepper, config, epoch = self.stepper, self.config, self.begun.epoch
        stepper.begin_epoch()
        begin_epoch(self.loader, epoch, first_batch=self.begun.batch)
        num_batches, rate = len(self.loader), 0.0
        reporter = StepReporter(
            on_step, "training", len(self.loader.dataset), epoch=epoch + 1, num_epochs=config.epochs
        )
        for batch, (clips, labels, _) in enumerate(self.loader, start=self.begun.batch):
            rate = stepper.ranks.count * learning_rate(config, epoch * num_batches + batch, num_batches)
            first = batch - batch % config.accumulate
            in_step = min(config.accumulate, num_batches - first)
            update = batch - first == in_step - 1
            self._step(batch, clips, labels, rate, share=1 / in_step, update=update)
            if update and batch + 1 < num_batches:
                self._save_sometimes(batch + 1)
            self._tell(reporter, batch + 1, num_batches)
        end = self._progress(num_batches)
        mean_loss = end.loss_sum / num_batches / stepper.ranks.count
        bad = self.loader.bad_video_ids() if isinstance(self.loader, ClipLoader) else ()
        return EpochReport(
            epoch=epoch + 1,
            loss=mean_loss,
            top1=end.num_right / end.num_videos,
            learning_rate=rate,
            seconds=end.seconds,
            bad_videos=tuple(sorted(set().union(*stepper.ranks.gather(bad)))),
        )

    def _tell(self, reporter: StepReporter, done: int, num_batches: int) -> None:
        """Say how far the epoch is, with the means so far."""
        summed = self.begun.batch * self.stepper.ranks.count + done - self.begun.batch
        num_videos = len(self.loader.dataset) * done // num_batches
        reporter.tell(num_videos, self.loss_sum / summed, self.num_right / self.num_videos)

    def _step(
        self,
        batch: int,
        clips: torch.Tensor,
        labels: torch.Tensor,
        rate: float,
        *,
        share: float,
        update: bool,
    ) -> None:
        device, epoch, rank = self.stepper.device, self.begun.epoch, self.stepper.ranks.rank
        clips, labels = clips.to(device, non_blocking=True), labels.to(device, non_blocking=True)
        seed_torch(self.seed, "batch", epoch, batch, 0)
        self.stepper.network.draw()
        if rank:
            seed_torch(self.seed, "batch", epoch, batch, rank)
        value, right = self.stepper.step(clips, labels, rate, share=share, update=update)
        if not math.isfinite(value):
            raise TrainingError(
                f"the loss became {value} in epoch {epoch + 1}, step {batch + 1}, at learning rate {rate:.3g}",
                hint="Lower training.learning_rate or set training.grad_clip",
            )
        self.loss_sum += value
        self.num_right += right
        self.num_videos += len(labels)

    def _save_sometimes(self, batches: int) -> None:
        """Save the state if a step has ended after which that is due, or training shall stop.

        Raises:
            Stopped: A process was asked to stop.
        """
        every = self.state.every if self.state else None
        stops = self.stepper.ranks.any(stop_wanted())
        if self.state and (stops or (every and batches % (every * self.config.accumulate) == 0)):
            self.stepper.save(self.state, self._progress(batches))
        if stops:
            raise Stopped

    def _progress(self, batches: int) -> Progress:
        seconds = self.begun.seconds + time.perf_counter() - self.started
        sums = self.stepper.ranks.gather((self.loss_sum, self.num_right, self.num_videos))
        losses, right, videos = zip(*sums, strict=True)
        return Progress(self.begun.epoch, batches, sum(losses), sum(right), sum(videos), seconds)
