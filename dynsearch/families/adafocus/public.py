"""AdaFocusV2's own checkpoints: the whole network under our names. Theirs are in ``docs/bring.md``."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from dynsearch.errors import WeightsError
from dynsearch.families.adafocus.network import FocusNetwork
from dynsearch.families.adafocus.recurrent import RecurrentFocusNetwork
from dynsearch.network.weights.files import load_strictly, read_weights
from dynsearch.network.weights.loaded import Loaded
from dynsearch.network.weights.public import Tensors, to_our_names, without_wrappers
from dynsearch.network.weights.start import load_backbone

_NETS = ("global", "local")
_LAYOUT = "AdaFocusV2"
_NAMES = (
    (r"policy_stn\.encoder\.", "policy.encoder."),
    (r"policy_stn\.gru\.(\w+)_l0$", r"policy.memory.\1"),
    (r"policy_stn\.fc\.", "policy.place."),
    (r"policy_stn\.(?=\d)", "policy.layers."),
    (r"classifier\.mlp\.layers\.", "classifier.hidden."),
    (r"(global|local)_CNN(?:_fc\.1|\.new_new_fc)\.", r"\1_aux.linear."),
    (r"(global|local)_CNN\.new_fc\.", r"\1_head.linear."),
)
_PLACE = r"policy\.(place\.0|layers\.10)\."


def load_whole(network: FocusNetwork, path: Path) -> tuple[Loaded, ...]:
    """Load both backbones, policy and classifiers from a file of AdaFocusV2's; nothing where it is none.

    Raises:
        WeightsError: It can't be read, or is of a network that the plan does not describe.
    """
    tensors, notes = read_weights(path)
    tensors = without_wrappers(tensors)
    if not all(any(name.startswith(f"{net}_CNN.") for name in tensors) for net in _NETS):
        return ()
    options = network.options
    per = "frame" if any(".gru." in name for name in tensors) else "video"
    wishes = {"patch_per": per} if per != options.patch_per else {}
    if per == "frame" and options.global_size and options.global_resize != "aligned":
        wishes["global_resize"] = "aligned"
    if wishes:
        raise WeightsError(
            f"weights of a network that looks otherwise: AdaFocusV2's with one patch per {per}"
            + (", whose glance is resized with aligned corners" if "global_resize" in wishes else ""),
            where=str(path),
            hint=f"Write {', '.join(f'options.{name}: {value}' for name, value in wishes.items())} in the plan",
        )
    loaded, rest, left = [], {}, []
    unused = re.compile(r"(global|local)_CNN\.(?:fc|classifier)\.")
    nets: dict[str, Tensors] = {net: {} for net in _NETS}
    for theirs, value in tensors.items():
        name = theirs
        for old, new in _NAMES:
            name = re.sub(f"^{old}", new, name)
        if unused.match(name):
            left.append(f"{theirs} {tuple(value.shape)}: AdaFocusV2 does not use it")
        elif name.startswith(("global_CNN.", "local_CNN.")):
            net, _, inside = name.partition("_CNN.")
            nets[net][inside] = value
        else:
            rest[name] = value
    for net, backbone in zip(_NETS, network.backbones, strict=True):
        public = to_our_names(nets[net], backbone.model.state_dict())
        found = load_backbone(backbone, replace(public, heads={}), str(path), network.plan, finished=True)
        loaded.append(replace(found, layout=_LAYOUT))
    found = _load_rest(network, _as_ours(network, rest, left), path)
    return (*loaded, replace(found, left=(*left, *found.left), notes=tuple(notes)))


def _as_ours(network: FocusNetwork, rest: Tensors, left: list[str]) -> Tensors:
    """Return policy and classifiers by our names: biases before a norm in its mean, places across before down."""
    wanted, ours = network.state_dict(), {}
    steps = (
        {end - 1: k for k, end in enumerate(network.ends)}
        if isinstance(network, RecurrentFocusNetwork)
        else {}
    )
    for name, value in rest.items():
        if step := re.fullmatch(r"classifier\.classifiers\.(\d+)\.1\.(\w+)", name):
            if (k := steps.get(int(step[1]))) is None:
                left.append(f"{name} {tuple(value.shape)}: no exit is there")
                continue
            name = f"classifier.heads.{k}.linear.{step[2]}"
        ours[name] = value.flip(0) if re.match(_PLACE, name) else value
    for name in [name for name in ours if name.endswith(".bias") and name not in wanted]:
        stem, _, layer = name.removesuffix(".bias").rpartition(".")
        mean = f"{stem}.{int(layer) + 1}.running_mean" if layer.isdecimal() else ""
        if mean in ours:
            ours[mean] = ours[mean].float() - ours.pop(name).float()
    return ours


def _load_rest(network: FocusNetwork, ours: Tensors, path: Path) -> Loaded:
    """Load all but the backbones; last layers for another number of classes are left as they are, and said."""
    wanted, kept, left = network.state_dict(), {}, []
    for name, value in wanted.items():
        given = ours.get(name)
        if name.startswith(("global_net.", "local_net.")):
            kept[name] = value
        elif ".linear." in name and given is not None and given.shape != value.shape:
            left.append(f"{name} {tuple(given.shape)}: the network's is {tuple(value.shape)}")
            kept[name] = value
    widths = {
        "policy_width": ours.get("policy.encoder.4.weight", ours.get("policy.layers.4.weight")),
        "classifier_width": ours.get("classifier.hidden.0.weight"),
    }
    hint = ", ".join(f"{name}: {len(value)}" for name, value in widths.items() if value is not None)
    load_strictly(network, ours | kept, path, f"In the file's network options are {hint}")
    fresh = dict.fromkeys(name.partition(".linear.")[0] for name in kept if ".linear." in name)
    heads = () if fresh else tuple(map(str, network.plan.exits.exits))
    own = ours.keys() - kept.keys()
    learned = [value.numel() for name, value in network.named_parameters() if name in own]
    return Loaded(
        str(path), _LAYOUT, "policy and classifiers", len(own), sum(learned), heads, tuple(left), tuple(fresh)
    )
