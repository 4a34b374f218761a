"""Public weight files under other names: what their layouts are, and how they become ours.

| file | its names | ours |
|---|---|---|
| MSDNet, PyTorch (``msdnet-step=7-block=5``) | ``blocks.0.0.layers.0.{0,1}`` | ``stem.finest.{conv,bn}`` |
| | ``blocks.0.0.layers.S.net.{0,1}`` | ``stem.coarser.S-1.{conv,bn}`` |
| | ``blocks.B.P.layers.I.conv_normal.net.{0,1,3,4}`` | ``blocks.B.L.same.scaleS.{squeeze,grow}.{conv,bn}`` |
| | ``blocks.B.P.layers.I.conv_down.net.{0,1,3,4}`` | ``blocks.B.L.down.scaleS.{squeeze,grow}.{conv,bn}`` |
| | ``blocks.B.P.m.I.net.{0,1}`` (transition) | ``blocks.B.L.halve.scaleS.{conv,bn}`` |
| | ``classifier.B.m.{0,1}.net.{0,1}``, ``classifier.B.linear`` | the exit heads at depth B + 1 |
| TSN and TSM | ``base_model.NAME``, ``base_model.NAME.net`` (shifted) | ``NAME`` |
| | ``new_fc`` | the last exit's ``linear`` |

In MSDNet's file the stem is place P = 0 of block 0, so there L = P - 1, else L = P; the I-th of n scales is
S = 4 - n + 1 + I.
A leading ``module.`` (data parallel training) is dropped everywhere.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

import torch

Tensors = dict[str, torch.Tensor]

_PARTS = {"0": "squeeze.conv", "1": "squeeze.bn", "3": "grow.conv", "4": "grow.bn"}
_CONV_BN = {"0": "conv", "1": "bn"}
_HEAD_CONVS = {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4"}
_SIDES = {"conv_normal": "same", "conv_down": "down"}
_SCALES = 4


@dataclass(frozen=True)
class PublicWeights:
    """A weights file under our names.

    Attributes:
        backbone: By the backbone's own names, as in timm.
        heads: By depth, the tensors of an exit head there; depth 0 stands for the last exit.
    """

    backbone: Tensors
    heads: dict[int, Tensors] = field(default_factory=dict)


def to_our_names(tensors: Tensors) -> PublicWeights:
    """Return the tensors of a public file under our names; files in timm's layout pass unchanged."""
    tensors = {name.removeprefix("module."): value for name, value in tensors.items()}
    if "blocks.0.0.layers.0.0.weight" in tensors:
        return _from_msdnet(tensors)
    if any(name.startswith("base_model.") for name in tensors):
        return _from_tsm(tensors)
    return PublicWeights(tensors)


def _from_tsm(tensors: Tensors) -> PublicWeights:
    found = PublicWeights({})
    for name, value in tensors.items():
        kind, _, rest = name.partition(".")
        if kind == "new_fc":
            found.heads.setdefault(0, {})[f"linear.{rest}"] = value
        elif kind == "base_model":
            found.backbone[rest.replace(".net.", ".")] = value
        else:
            found.backbone[name] = value
    return found


def _from_msdnet(tensors: Tensors) -> PublicWeights:
    found = PublicWeights({})
    places = {pair for pair in map(_place_and_scale, tensors) if pair is not None}
    scales = Counter(place for place, _ in places)
    for name, value in tensors.items():
        if match := re.fullmatch(r"classifier\.(\d+)\.(?:m\.(\d)\.net\.(\d)|(linear))\.(\w+)", name):
            block, conv, part, linear, last = match.groups()
            own = linear or f"convs.{_HEAD_CONVS[f'{conv}.{part}']}"
            found.heads.setdefault(int(block) + 1, {})[f"{own}.{last}"] = value
        else:
            found.backbone[_msdnet_name(name, scales)] = value
    return found


def _place_and_scale(name: str) -> tuple[str, str] | None:
    match = re.match(r"(blocks\.\d+\.\d+)\.(?:layers|m)\.(\d+)\.", name)
    return (match[1], match[2]) if match else None


def _msdnet_name(name: str, scales: Counter[str]) -> str:
    """Return our name for one of the backbone's tensors, or the name itself if it is of no known form."""
    if match := re.fullmatch(r"blocks\.0\.0\.layers\.0\.([01])\.(\w+)", name):
        return f"stem.finest.{_CONV_BN[match[1]]}.{match[2]}"
    if match := re.fullmatch(r"blocks\.0\.0\.layers\.(\d)\.net\.([01])\.(\w+)", name):
        return f"stem.coarser.{int(match[1]) - 1}.{_CONV_BN[match[2]]}.{match[3]}"
    form = r"(blocks\.(\d+)\.(\d+))\.(?:layers\.(\d)\.(conv_\w+)\.net\.([0134])|m\.(\d)\.net\.([01]))\.(\w+)"
    match = re.fullmatch(form, name)
    if match is None or (match[5] and match[5] not in _SIDES):
        return name
    place, block, position, layer, side, part, halved, conv_bn, last = match.groups()
    own = int(position) - (block == "0")
    scale = f"scale{_SCALES - scales[place] + 1 + int(layer or halved)}"
    if side:
        return f"blocks.{block}.{own}.{_SIDES[side]}.{scale}.{_PARTS[part]}.{last}"
    return f"blocks.{block}.{own}.halve.{scale}.{_CONV_BN[conv_bn]}.{last}"
