"""MSDNet-38, the multi-scale dense network of the paper, and its two shallower siblings, as timm models.

Huang et al., "Multi-Scale Dense Networks for Resource Efficient Image Classification" (ICLR 2018): features at
four scales (56, 28, 14 and 7 pixels for a 224 px input), dense connections along depth, and a path from
each scale to the next coarser one, so that coarse features fit for a classifier exist from the first layer on.
These are the configurations whose weights are public: 5 blocks of 4, 6 or 7 dense layers, 32 channels, growth rate 16,
width factors 1-2-4-4, a scale dropped after each quarter of the layers (7: after 9, 18 and 27). With the stem and three
transitions they are 23, 33 and 38 layers deep.
"""

from typing import Any

import torch
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

__all__ = ["MSDNet"]

GROWTH = 16
WIDTH = (1, 2, 4, 4)
"""By scale: its channels and its growth are this many times the narrowest scale's."""
BOTTLENECK = (1, 2, 4, 4)
"""By scale: widest 1x1 convolution, as a multiple of what the 3x3 convolution behind it produces."""
SCALES = len(WIDTH)
BLOCKS = 5

Scales = list[torch.Tensor]


class ConvNormAct(nn.Sequential):
    """Convolution, batch normalisation, ReLU."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, bias: bool = False
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2, bias=bias)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = nn.ReLU(inplace=True)


class Branch(nn.Sequential):
    """1x1 then 3x3 convolution, from one scale to the same or the next coarser one."""

    def __init__(self, in_channels: int, out_channels: int, bottleneck: int, *, stride: int = 1) -> None:
        super().__init__()
        inner = min(in_channels, bottleneck * out_channels)
        self.squeeze = ConvNormAct(in_channels, inner, 1)
        self.grow = ConvNormAct(inner, out_channels, 3, stride=stride)


class Stem(nn.Module):
    """The first layer: four scales from the image, each from the one before."""

    def __init__(self, in_chans: int) -> None:
        super().__init__()
        channels = [2 * GROWTH * width for width in WIDTH]
        self.finest = ConvNormAct(in_chans, channels[0], 7, stride=2, bias=True)
        self.pool = nn.MaxPool2d(3, stride=2, padding=1)
        self.coarser = nn.ModuleList(
            ConvNormAct(channels[s - 1], channels[s], 3, stride=2) for s in range(1, SCALES)
        )

    def forward(self, x: torch.Tensor) -> Scales:
        """Return the four scales, finest first."""
        scales = [self.pool(self.finest(x))]
        for layer in self.coarser:
            scales.append(layer(scales[-1]))
        return scales


class MSDLayer(nn.Module):
    """A dense layer: to each surviving scale it adds channels made from that scale and the next finer one.

    Args:
        base: Width of the narrowest scale; scale s comes in with ``base * WIDTH[s]`` channels.
        finest_in: First scale (from 0) that comes in.
        finest_out: First scale that goes out.
    """

    def __init__(self, base: int, finest_in: int, finest_out: int) -> None:
        super().__init__()
        self.finest_in = finest_in
        self.finest_out = finest_out
        self.same = nn.ModuleDict()
        self.down = nn.ModuleDict()
        for s in range(finest_out, SCALES):
            growth = GROWTH * WIDTH[s]
            if s > finest_in:
                growth //= 2
                self.down[f"scale{s + 1}"] = Branch(base * WIDTH[s - 1], growth, BOTTLENECK[s - 1], stride=2)
            self.same[f"scale{s + 1}"] = Branch(base * WIDTH[s], growth, BOTTLENECK[s])

    def forward(self, scales: Scales) -> Scales:
        """Return the surviving scales with their new channels behind the old ones."""
        grown = []
        for s in range(self.finest_out, SCALES):
            name = f"scale{s + 1}"
            x = scales[s - self.finest_in]
            parts = [x]
            if s > self.finest_in:
                parts.append(self.down[name](scales[s - 1 - self.finest_in]))
            parts.append(self.same[name](x))
            grown.append(torch.cat(parts, dim=1))
        return grown


class Transition(nn.Module):
    """Halves the channels of every scale, after a scale has been dropped."""

    def __init__(self, base: int, finest: int) -> None:
        super().__init__()
        self.halve = nn.ModuleDict(
            {
                f"scale{s + 1}": ConvNormAct(base * WIDTH[s], base // 2 * WIDTH[s], 1)
                for s in range(finest, SCALES)
            }
        )

    def forward(self, scales: Scales) -> Scales:
        """Return the scales with half their channels."""
        return [halve(x) for halve, x in zip(self.halve.values(), scales, strict=True)]


class MSDNet(nn.Module):
    """MSDNet without its classifiers but for one average pool and linear layer at the end.

    Args:
        num_classes: Classes of the linear layer; 0 leaves it out.
        in_chans: Channels of the image.
        step: Dense layers of a block.
    """

    def __init__(self, num_classes: int = 1000, in_chans: int = 3, step: int = 7) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.stem = Stem(in_chans)
        self.blocks = nn.ModuleList()
        self.feature_info = []
        base, finest = 2 * GROWTH, 0
        interval = -(-BLOCKS * step // SCALES)
        for block in range(BLOCKS):
            layers: list[nn.Module] = []
            for layer in range(block * step, (block + 1) * step):
                before, finest = finest, layer // interval
                layers.append(MSDLayer(base, before, finest))
                base += GROWTH
                if finest > before:
                    layers.append(Transition(base, finest))
                    base //= 2
            self.blocks.append(nn.Sequential(*layers))
            channels = base * WIDTH[-1]
            self.feature_info.append({"num_chs": channels, "reduction": 32, "module": f"blocks.{block}"})
        self.num_features = self.head_hidden_size = base * WIDTH[-1]
        self.head = self._classifier(num_classes)

    def _classifier(self, num_classes: int) -> nn.Module:
        return nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()

    def get_classifier(self) -> nn.Module:
        """Return the classifier (timm's interface)."""
        return self.head

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the classifier by a new one (timm's interface)."""
        self.num_classes = num_classes
        self.head = self._classifier(num_classes)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        """Return the coarsest features, (B, C, H/32, W/32)."""
        scales = self.stem(x)
        for block in self.blocks:
            scales = block(scales)
        return scales[-1]

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Return logits, or the averaged features with ``pre_logits``."""
        x = x.mean(dim=(2, 3))
        return x if pre_logits else self.head(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (B, K)."""
        return self.forward_head(self.forward_features(x))


_STEPS = {"msdnet23": 4, "msdnet33": 6, "msdnet38": 7}
default_cfgs = generate_default_cfgs(
    {
        name: {
            "num_classes": 1000, "input_size": (3, 224, 224), "pool_size": (7, 7), "crop_pct": 0.875,
            "interpolation": "bilinear", "mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225),
            "first_conv": "stem.finest.conv", "classifier": "head",
        }
        for name in _STEPS
    }
)  # fmt: skip


def _register(name: str, step: int) -> None:
    def build(pretrained: bool = False, **kwargs: Any) -> MSDNet:
        return build_model_with_cfg(MSDNet, name, pretrained, step=step, **kwargs)

    build.__name__ = name
    register_model(build)


for _name, _step in _STEPS.items():
    _register(_name, _step)
