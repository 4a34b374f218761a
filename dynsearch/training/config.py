"""How a network is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from dynsearch.data.sampling import Resize, Sampling
from dynsearch.families import part_names
from dynsearch.files import at_home
from dynsearch.validation import Settings


def _known_part(name: str) -> str:
    if name not in (known := part_names()):
        raise ValueError(f"no network has such a part. Known: {', '.join(sorted(known))}")
    return name


Part = Annotated[str, AfterValidator(_known_part)]
"""Name of a part that networks of some family have."""


class FrameCacheConfig(Settings):
    """Which frames are kept decoded on disk."""

    num_frames: int = Field(ge=1)
    """Evenly spaced frames kept of every video."""
    size: int = Field(ge=8)
    """Side of the kept square, in pixels."""


class RefitConfig(Settings):
    """How heads are fitted on a backbone that is trained."""

    passes: int = Field(default=2, ge=1)
    """Times that the training videos are looked at: once as in testing, then with clips drawn as in training."""
    seeds: int = Field(default=2, ge=1)
    """Heads of different first weights that are fitted for each exit; the best on held-out training videos stays."""
    epochs: int = Field(default=60, ge=1)
    """At most so many passes over the features."""


class TrainingConfig(Settings):
    """Training settings; a recipe's ``training`` section. Unknown fields are refused.

    The defaults are the paper's for Something-Something (section 4.2): SGD, momentum 0.9, weight decay 5e-4,
    batch 128, learning rate 0.01 divided by 10 at epochs 25, 35 and 45 of 50, dropout 0.5.
    """

    epochs: int = Field(default=50, ge=1)
    """Passes over the training split."""
    batch_size: int = Field(default=128, ge=1)
    """Videos per forward pass of one process. P processes (GPUs) train on P times as many at once."""
    accumulate: int = Field(default=1, ge=1)
    """Forward passes whose gradients make one step; a step sees ``batch_size`` x this x P videos."""
    optimizer: str = "sgd"
    """``sgd``, any of ``timm.optim``, for instance ``adamw``, or one that a plugin registers."""
    learning_rate: float = Field(default=0.01, gt=0)
    """Highest learning rate, after warm-up. State it for one process with the batch size given: P processes
    train with P times as much (linear scaling, Goyal et al., 2017; they add five epochs of warm-up)."""
    momentum: float = Field(default=0.9, ge=0, lt=1)
    """Of ``sgd``."""
    nesterov: bool = False
    """Nesterov's form of momentum."""
    weight_decay: float = Field(default=5e-4, ge=0)
    """Pull of weights towards zero in each step."""
    schedule: Literal["step", "cosine", "tanh", "poly"] = "step"
    """``step`` multiplies the learning rate by ``gamma`` at each milestone, ``cosine`` falls to zero, and so do timm's
    ``tanh`` and ``poly``."""
    milestones: tuple[int, ...] = (25, 35, 45)
    """Epochs at which ``step`` lowers the learning rate."""
    gamma: float = Field(default=0.1, gt=0, le=1)
    """What ``step`` multiplies the learning rate by."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """Epochs, or parts of one, over which the learning rate rises linearly."""
    part_rates: dict[Part, Annotated[float, Field(gt=0)]] = {}
    """By name of a part of a network, what its learning rate is multiplied by. Families have different parts."""
    dropout: float = Field(default=0.5, ge=0, lt=1)
    """Share of features that a head does not see in a training step."""
    grad_clip: float | None = Field(default=None, gt=0)
    """Largest norm of the gradient of all parameters; none means no limit."""
    amp: Literal["auto", "native", "off", "bf16", "fp16"] = "auto"
    """Mixed precision. ``auto``: bf16 (fp16 on GPUs without it) on a GPU, off on a CPU. ``native``: bf16 on a CPU too,
    if it computes it itself (AVX-512 BF16, AMX); others take many times as long for it."""
    channels_last: bool = True
    """Keep maps with channels as the last axis in memory: what convolutions in mixed precision are fast on."""
    compile: bool = False
    """Compile the network with torch.compile. The first step takes minutes; pays off in long trainings."""
    recompute: bool = False
    """Activation checkpointing: a third more computing for a fraction of the memory."""
    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Train on, but keep an exponential moving average of all weights with this decay per step."""
    exit_loss: Literal["sum", "linear", "distill"] = "sum"
    """How the exits' losses add up: as they are (the paper), more for later exits, or taught by the last exit."""
    refit_heads: RefitConfig | None = None
    """Fit the exits' heads anew on the trained backbone, by these settings; ``{}`` takes the defaults."""
    freeze_batch_norm: bool = False
    """Keep the statistics of batch normalisation. The paper trains them."""
    sync_batch_norm: bool = False
    """Normalise over the batches of all GPUs together, instead of each over its own: for small batches."""
    pretrained: bool = True
    """Start the backbone from timm's weights."""
    weights: Path | dict[str, Path] | None = None
    """Start the backbone from this file (safetensors, or ``.pth`` of plain tensors) instead; a network of several
    from files by their names, as ``{global: FILE, local: FILE}``."""
    resize: Resize = "crop"
    """How a frame becomes a square. ``crop``: its middle, which of wide clips leaves half out; ``squeeze``: all of it,
    narrower; ``letterbox``: all of it in its shape, between black bars."""
    sampling: Sampling = "segments"
    """Which frames calibration, test and predictions see: the middle of each of ``segments``; evenly between both
    ``ends``, as FrameExit; or segments, but the last frame again where there are too few (``padded``), as AdaFocus."""
    multi_scale_crop: bool = True
    """TSN's random crops; without it, training sees the same square crop as testing."""
    flip: bool = False
    """Mirror half of the training clips, as TSN and TSM do; classes that tell left from right change places."""
    max_bad_videos: float = Field(default=0.01, ge=0, lt=1)
    """Share of the training videos that may be unreadable. They are replaced by others and named; more end the
    training. Calibration and test never replace a video."""

    def lasting(self, epochs: int) -> TrainingConfig:
        """Return the settings for so many epochs; milestones move in proportion."""
        milestones = tuple(round(epoch * epochs / self.epochs) for epoch in self.milestones)
        return self.model_copy(update={"epochs": epochs, "milestones": milestones})

    def halved(self, times: int) -> TrainingConfig:
        """Return the settings with the batch halved so often, and as many more accumulated for each step."""
        parts = min(2**times, self.batch_size)
        batch_size, accumulate = -(-self.batch_size // parts), self.accumulate * parts
        return self.model_copy(update={"batch_size": batch_size, "accumulate": accumulate})

    @field_validator("weights", mode="before")
    @classmethod
    def _are_named(cls, value: Any) -> Any:
        files = value if isinstance(value, dict) else {"": value}
        if value is None:
            return None
        if not files or not all(isinstance(file, str | Path) and str(file) for file in files.values()):
            raise ValueError("must name a file, or files by the names of backbones")
        paths = {str(name): Path(at_home(str(file))) for name, file in files.items()}
        return paths if isinstance(value, dict) else paths[""]
