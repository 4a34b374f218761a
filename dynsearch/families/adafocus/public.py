"""AdaFocusV2's own checkpoints: the whole network under our names. Theirs are in ``docs/bring.md``."""

import re
from pathlib import Path

from dynsearch.errors import WeightsError
from dynsearch.families.adafocus.network import FocusNetwork
from dynsearch.network.weights.files import load_strictly, read_weights
from dynsearch.network.weights.loaded import Loaded
from dynsearch.network.weights.public import Tensors, to_our_names, without_wrappers
from dynsearch.network.weights.start import check_shift

_NAMES = (
    (r"policy_stn\.encoder\.", "policy.encoder."),
    (r"policy_stn\.gru\.(\w+)_l0$", r"policy.memory.\1"),
    (r"policy_stn\.fc\.", "policy.place."),
    (r"policy_stn\.(?=\d)", "policy.layers."),
    (r"classifier\.mlp\.layers\.", "classifier.hidden."),
    (r"(global|local)_CNN(?:_fc\.1|\.new_new_fc)\.", r"\1_aux.linear."),
    (r"(global|local)_CNN\.new_fc\.", r"\1_head.linear."),
)


def load_whole(network: FocusNetwork, path: Path) -> tuple[Loaded, ...]:
    """Load both backbones, policy and classifiers from a file of AdaFocusV2's; nothing where it is none.

    Last layers for another number of classes begin afresh.

    Raises:
        WeightsError: It can't be read, or is of a network that the plan does not describe.
    """
    tensors, notes = read_weights(path)
    tensors, left = without_wrappers(tensors)
    if not {"global_CNN", "local_CNN"} <= {name.partition(".")[0] for name in tensors}:
        return ()
    _refuse_other_options(network, tensors, path)
    ours, wanted = _renamed(network, tensors, path), network.state_dict()
    for name in ours.keys() - wanted.keys():
        left.append(f"{name} {tuple(ours[name].shape)}: the plan has no such layer")
        if re.search(r"_net\.backbone\.model\.(fc|classifier)\.|^classifier\.classifiers\.", name):
            del ours[name]  # what AdaFocusV2 does not use, and the classifiers of steps without an exit
    fresh: dict[str, None] = {}
    for name, value in wanted.items():
        if name not in ours and name.endswith("num_batches_tracked"):
            ours[name] = value
        elif ".linear." in name and name in ours and ours[name].shape != value.shape:
            left.append(f"{name} {tuple(ours[name].shape)}: the network's is {tuple(value.shape)}")
            fresh[name.partition(".linear.")[0]], ours[name] = None, value
    load_strictly(network, ours, path)
    size = sum(value.numel() for value in network.parameters())
    heads = () if fresh else tuple(map(str, network.plan.exits.exits))
    whole = "both backbones, policy and classifiers"
    return (
        Loaded(
            str(path),
            "AdaFocusV2",
            whole,
            len(ours),
            size,
            heads,
            tuple(sorted(left)),
            tuple(fresh),
            tuple(notes),
        ),
    )


def _refuse_other_options(network: FocusNetwork, tensors: Tensors, path: Path) -> None:
    """Refuse a file that is not of the plan's options, as far as it shows."""
    options, recurrent = network.options, any(".gru." in name for name in tensors)
    says: dict[str, object] = {"patch_per": "frame" if recurrent else "video"}
    if recurrent and options.global_size:
        says["global_resize"] = "aligned"
    for name, value in tensors.items():
        if width := re.fullmatch(
            r"(policy)_stn\.(?:encoder\.)?4\.weight|(classifier)\.mlp\.layers\.0\.weight", name
        ):
            says[f"{width[1] or width[2]}_width"] = len(value)
    wrong = ", ".join(f"{name}: {value}" for name, value in says.items() if getattr(options, name) != value)
    if wrong:
        raise WeightsError(
            f"weights of AdaFocusV2 with {wrong}",
            where=str(path),
            hint=f"Write options: {{{wrong}}} in the plan",
        )


def _renamed(network: FocusNetwork, tensors: Tensors, path: Path) -> Tensors:
    """Return the tensors by our names: biases before a norm in its mean, places across before down."""
    ours, wanted, ends = {}, network.state_dict(), getattr(network, "ends", [])
    for name, value in tensors.items():
        for old, new in _NAMES:
            name = re.sub(f"^{old}", new, name)
        step = re.fullmatch(r"classifier\.classifiers\.(\d+)\.1\.(\w+)", name)
        if step and int(step[1]) + 1 in ends:
            name = f"classifier.heads.{ends.index(int(step[1]) + 1)}.linear.{step[2]}"
        ours[name] = value.flip(0) if re.match(r"policy\.(place\.0|layers\.10)\.", name) else value
    for net, backbone in zip(("global", "local"), network.backbones, strict=True):
        own = [name for name in ours if name.startswith(f"{net}_CNN.")]
        inside = {name.removeprefix(f"{net}_CNN."): ours.pop(name) for name in own}
        public = to_our_names(inside, backbone.model.state_dict())
        check_shift(backbone, public, network.plan.temporal_shift, str(path), finished=True)
        ours |= {f"{net}_net.backbone.model.{name}": value for name, value in public.backbone.items()}
    for name in [name for name in ours if name.endswith(".bias") and name not in wanted]:
        stem, _, layer = name.removesuffix(".bias").rpartition(".")
        mean = f"{stem}.{int(layer) + 1}.running_mean" if layer.isdecimal() else ""
        if mean in ours:
            ours[mean] = ours[mean].float() - ours.pop(name).float()
    return ours
