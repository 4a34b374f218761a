"""Weight files of other programs: what their layouts are, and how their names become ours.

The files' names are in ``docs/bring.md``. MSDNet's ``blocks.B.P.layers.I`` is our ``blocks.B.L...scaleS``: the stem is
place P = 0 of block 0, so there L = P - 1, else L = P; the I-th of n scales is S = 4 - n + 1 + I.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import torch

Tensors = dict[str, torch.Tensor]

_PARTS = {"0": "squeeze.conv", "1": "squeeze.bn", "3": "grow.conv", "4": "grow.bn"}
_CONV_BN = {"0": "conv", "1": "bn"}
_HEAD_CONVS = {"0.0": "0", "0.1": "1", "1.0": "3", "1.1": "4"}
_SIDES = {"conv_normal": "same", "conv_down": "down"}
_SCALES = 4
_MOBILENETV2 = [
    "conv_stem", "bn1",
    *(
        f"blocks.{stage}.{block}.{layer}"
        for stage, blocks in enumerate((1, 2, 3, 4, 3, 3, 1)) for block in range(blocks)
        for layer in ("conv_dw bn1 conv_pw bn2" if stage == 0 else "conv_pw bn1 conv_dw bn2 conv_pwl bn3").split()
    ),
    "conv_head", "bn2",
]  # fmt: skip
"""timm's names of a MobileNetV2's layers, as they run."""
_RESNET_ROW = {"0": "conv1", "1": "bn1", "4": "layer1", "5": "layer2", "6": "layer3", "7": "layer4"}
"""A ResNet's parts as torchvision's children stand in a row."""
_WRAPPERS = ("module.", "_orig_mod.", "model.", "network.", "net.")


@dataclass(frozen=True)
class PublicWeights:
    """A weights file under our names.

    Attributes:
        backbone: By the backbone's own names, as in timm.
        heads: By depth, the tensors of an exit head there; depth 0 stands for the end of the backbone.
        shifted: Paths of the layers or blocks that a temporal shift wraps; None where the layout does not say.
        layout: The layout's name.
        left: What else is in the file and has no place, in words.
    """

    backbone: Tensors
    heads: dict[int, Tensors] = field(default_factory=dict)
    shifted: frozenset[str] | None = None
    layout: str = "timm"
    left: tuple[str, ...] = ()


def to_our_names(tensors: Tensors, wanted: Tensors) -> PublicWeights:
    """Return the tensors of a public file under our names, read in that layout which gives most of the ``wanted``."""
    tensors, beside = without_wrappers(tensors)
    found = [replace(read(tensors), layout=layout) for layout, read in LAYOUTS.items()]
    best = max(
        found, key=lambda one: (fitting(one.backbone, wanted), len(tensors.keys() - one.backbone.keys()))
    )
    return replace(best, left=(*beside, *best.left))


def without_wrappers(tensors: Tensors) -> tuple[Tensors, list[str]]:
    """Return the tensors without the names of modules that wrap the whole network, and what few lie beside it."""
    beside: list[str] = []
    while wrapper := next(
        (w for w in _WRAPPERS if sum(n.startswith(w) for n in tensors) > 0.9 * len(tensors)), None
    ):
        beside += [
            f"{n} {tuple(v.shape)}: beside {wrapper}" for n, v in tensors.items() if not n.startswith(wrapper)
        ]
        tensors = {n.removeprefix(wrapper): v for n, v in tensors.items() if n.startswith(wrapper)}
    return tensors, beside


def fitting(tensors: Tensors, wanted: Tensors) -> int:
    """Return how many of ``wanted`` are there, in their shapes."""
    return sum(name in tensors and tensors[name].shape == value.shape for name, value in wanted.items())


def _unwrapped(tensors: Tensors, body: str = "", head: str = "classifier.1.") -> PublicWeights:
    """Read a network whose backbone is called ``body`` and its classifier ``head``; what is in a ``net`` is shifted."""
    if not any(name.startswith(body) for name in tensors):
        return PublicWeights(tensors)
    backbone: Tensors = {}
    linear: Tensors = {}
    shifted = set()
    for name, value in tensors.items():
        if name.startswith(head):
            linear[f"linear.{name.removeprefix(head)}"] = value
            continue
        place, wrapped, last = name.removeprefix(body).partition(".net.")
        if wrapped:
            shifted.add(place)
        backbone[f"{place}.{last}" if wrapped else place] = value
    modules = {name.rpartition(".")[0] for name in backbone if not name.startswith("classifier.")}
    rename = _renaming(modules)
    layers = (f"{place}.conv." if f"{place}.conv" in modules else f"{place}." for place in shifted)
    places = frozenset(rename(layer).removesuffix(".") for layer in layers) if body else None
    return PublicWeights(
        {rename(name): value for name, value in backbone.items()}, {0: linear} if linear else {}, places
    )


def _renaming(modules: set[str]) -> Callable[[str], str]:
    """Return what makes timm's names of those of mmaction2's ResNets, or of the layers in a row of a MobileNetV2."""
    ordered = sorted(modules, key=_running_order)
    timms = dict(zip(ordered, _MOBILENETV2, strict=True)) if len(ordered) == len(_MOBILENETV2) else {}

    def rename(name: str) -> str:
        path, _, last = name.rpartition(".")
        if path in timms:
            return f"{timms[path]}.{last}"
        name = re.sub(r"\bconv(\d)\.(conv|bn)\.", r"\2\1.", name)
        return name.replace("downsample.conv.", "downsample.0.").replace("downsample.bn.", "downsample.1.")

    return rename


def _running_order(path: str) -> str:
    """Return what sorts the layers of a MobileNetV2 as they run: mmaction2 calls the last one ``conv2``."""
    path = re.sub(r"^conv2\.", "~.", path).replace("bn", "d")
    return re.sub(r"\d+", lambda digits: digits[0].zfill(3), path)


def _from_msdnet(tensors: Tensors) -> PublicWeights:
    found = PublicWeights({})
    places = {pair for pair in map(_place_and_scale, tensors) if pair is not None}
    scales = Counter(place for place, _ in places)
    for name, value in tensors.items():
        if match := re.fullmatch(r"classifier\.(\d+)\.(?:m\.([01])\.net\.([01])|(linear))\.(\w+)", name):
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


def _from_frameexit(tensors: Tensors) -> PublicWeights:
    """Read the ResNet of a FrameExit network."""
    if not any(re.match(r"(backbone\.)?4\.", name) for name in tensors):
        return PublicWeights(tensors)
    backbone = {
        re.sub(r"^(?:backbone\.)?([014567])\.", lambda row: f"{_RESNET_ROW[row[1]]}.", name): value
        for name, value in tensors.items()
        if not name.startswith(("mlp.", "classifiers.", "exit_selector."))
    }
    more = len(tensors) - len(backbone)
    said = f"{more} tensors of FrameExit's hidden layer, classifiers and gates: no head here is made so"
    return PublicWeights(backbone, left=(said,) if more else ())


LAYOUTS: dict[str, Callable[[Tensors], PublicWeights]] = {
    "timm": PublicWeights,
    "MSDNet": _from_msdnet,
    "TSN/TSM": partial(_unwrapped, body="base_model.", head="new_fc."),
    "mmaction2": partial(_unwrapped, body="backbone.", head="cls_head.fc_cls."),
    "MobileNetV2": _unwrapped,
    "FrameExit": _from_frameexit,
}
"""The layouts that are read, by name."""
