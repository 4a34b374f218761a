"""What backbones begin with: timm's weights, or a file's."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

import torch
from torch import nn

from dynsearch import compiler
from dynsearch.errors import PlanError, WeightsError
from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.branches import shifted_places
from dynsearch.network.backbone.timm_head import classifiers
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.network.heads import reads_as_timm
from dynsearch.network.multi_exit import PlannedNetwork
from dynsearch.network.weights.files import load_strictly, read_weights
from dynsearch.network.weights.loaded import HeadPlace, Loaded, classes, load_heads
from dynsearch.network.weights.public import LAYOUTS, PublicWeights, Tensors, fitting, to_our_names
from dynsearch.plan import Plan, TemporalShift
from dynsearch.plan.features import is_plain
from dynsearch.plan.starting_weights import Weights, check_names
from dynsearch.plan.temporal_shift import PLACES


def start_backbones(
    network: PlannedNetwork,
    *,
    pretrained: bool,
    weights: Weights | None,
    heads: Sequence[HeadPlace] = (),
    names: Sequence[str] = ("backbone",),
) -> tuple[Loaded, ...]:
    """Give the backbones of ``network`` their starting weights, and exit heads those that come with them.

    A backbone that gets none is left as it was initialised, with its residual branches awake.

    Args:
        network: Whose backbones.
        pretrained: Take timm's weights.
        weights: Files by name of a backbone, or one for the plan's, in a layout that
            :mod:`dynsearch.network.weights.public` knows, with or without classifiers.
        heads: The exit heads that read the plan's backbone.
        names: What the backbones are called.

    Returns:
        For each backbone that got weights what was loaded, and what was not; with the last, which parts got none.

    Raises:
        WeightsError: The weights can't be had, are of another architecture, or trained with another temporal shift.
    """
    if len(names) != len(network.backbones):
        names = [backbone.name for backbone in network.backbones]
    check_names(weights, names)
    loaded, fresh, plan = [], [], network.plan
    covered = {id(own) for place in heads for own in place.head.parameters()}
    for name, backbone in zip(names, network.backbones, strict=True):
        covered |= {id(own) for own in backbone.parameters()}
        own = backbone.name == plan.backbone
        file = weights.get(name) if isinstance(weights, Mapping) else weights if own else None
        if file is not None or pretrained:
            tensors, notes = read_weights(file) if file else (_pretrained_state(backbone, plan), [])
            public = to_our_names(tensors, backbone.model.state_dict()) if file else PublicWeights(tensors)
            found = _load(backbone, public, str(file or "timm"), plan, heads if own else ())
            loaded.append(replace(found, notes=(*found.notes, *notes)))
        else:
            wake_residual_branches(backbone)
            fresh.append(f"the {name} {backbone.name}" if name != "backbone" else backbone.name)
    rest = (path.partition(".")[0] for path, own in network.named_parameters() if id(own) not in covered)
    if loaded:
        loaded[-1] = replace(loaded[-1], fresh=(*loaded[-1].fresh, *fresh, *dict.fromkeys(rest)))
    return tuple(loaded)


@torch.no_grad()
def wake_residual_branches(network: nn.Module) -> None:
    """Set to one the scales of normalisation layers that were initialised to zero.

    timm starts the last normalisation of every residual branch at zero, which helps long schedules on images.
    A temporal shift acts inside these branches only, so that a network trained from scratch would at first
    see single frames, and learn movements late.
    """
    for module in network.modules():
        scale = getattr(module, "weight", None)
        if isinstance(module, nn.BatchNorm2d) and scale is not None and not scale.any():
            scale.fill_(1.0)


def _load(
    backbone: Backbone, public: PublicWeights, source: str, plan: Plan, heads: Sequence[HeadPlace]
) -> Loaded:
    """Load all of ``public`` that has a place, and say what has none."""
    wanted = backbone.model.state_dict()
    with compiler.only_shapes():
        model = create_timm_model(backbone.name, backbone.image_size, num_classes=1)
    tensors, given, lines, whole = dict(public.backbone), dict(public.heads), [], model.state_dict()
    ends = [(f"{name}{last}",) for name in ("fc", "head", "classifier") for last in ("", ".1")]
    own = _take_classifier(tensors, (classifiers(model), *ends), wanted)
    if own and (plan.features == "timm" or is_plain(backbone.name)):
        given.setdefault(0, own)
    elif own:
        lines.append(f"timm's classifier, {classes(own)}: with features mean, heads read something else")
    deeper = [name for name in tensors if name not in wanted and name in whole]
    counts = {name: value for name, value in wanted.items() if name.endswith("num_batches_tracked")}
    used = counts | {name: value for name, value in tensors.items() if name not in deeper}
    hint = (
        f"Nearest is the layout {public.layout}, which gives {fitting(public.backbone, wanted)} of the {len(wanted)} "
        f"tensors of {backbone.name}; layouts that are read: {', '.join(LAYOUTS)}, AdaFocusV2"
    )
    load_strictly(backbone.model, used, source, hint)
    lines += public.left
    if deeper:
        lines.append(f"{len(deeper)} tensors of parts that the network does not use")
    loaded, left, fresh = load_heads(heads, given)
    differs = check_shift(backbone, public, plan.temporal_shift, source, finished=bool(loaded))
    return Loaded(
        source,
        public.layout,
        backbone.name,
        len(used),
        sum(wanted[name].numel() for name, _ in backbone.model.named_parameters()),
        tuple(loaded),
        (*lines, *left),
        (f"the heads of {', '.join(fresh)}",) if fresh else (),
        tuple(differs),
    )


def check_shift(
    backbone: Backbone, public: PublicWeights, shift: TemporalShift, source: str, *, finished: bool
) -> list[str]:
    """Refuse weights that were trained with a temporal shift elsewhere than the plan's.

    Weights without a shift may begin a training with one, which is said; not if they are a ``finished`` network's.
    """
    if public.shifted is None:
        return []
    modules = dict(backbone.model.named_modules())
    theirs = {place for place in public.shifted if place in modules}
    ours = set(shifted_places(backbone.branches, shift))
    if theirs == ours:
        return []
    if not theirs and not finished:
        return [f"they were trained without the plan's {shift}"]
    kind = "bidirectional" if shift.kind == "none" else shift.kind
    fields = None if theirs else "kind: none"
    for place, blocks in product(PLACES, (1, 2, 3, 4)) if theirs else ():
        with contextlib.suppress(PlanError):
            other = TemporalShift(kind, blocks=blocks, place=place)
            if set(shifted_places(backbone.branches, other)) == theirs:
                fields = fields or f"kind: {kind}, blocks: {blocks}, place: {place}"
    examples = ", ".join(sorted(theirs ^ ours)[:3])
    raise WeightsError(
        f"the weights were trained with the temporal shift at {len(theirs)} places, the plan has it at {len(ours)}; "
        f"they differ at {examples}",
        where=source,
        hint=f"Write temporal_shift: {{{fields}}} in the plan" if fields else "No plan shifts there",
    )


def _take_classifier(tensors: Tensors, paths: Sequence[tuple[str, ...]], wanted: Tensors) -> Tensors:
    """Return the first classifier that is there as a linear head, and take it out; of two distilled ones the mean."""
    for together in paths:
        names = [[f"{path}.{last}" for path in together] for last in ("weight", "bias")]
        flat = [name for same in names for name in same]
        if flat and all(name in tensors and name not in wanted for name in flat):
            weight, bias = (torch.stack([tensors.pop(name) for name in same]).mean(0) for same in names)
            return {"linear.weight": weight.flatten(1), "linear.bias": bias}
    return {}


def _pretrained_state(backbone: Backbone, plan: Plan) -> Tensors:
    """Return timm's weights; where its head is used, all of it but the classifier."""
    headed = reads_as_timm(plan, backbone.name)
    try:
        model = create_timm_model(
            backbone.name, backbone.image_size, pretrained=True, num_classes=None if headed else 0
        )
        tensors = model.state_dict()
        _take_classifier(tensors, (classifiers(model),), {})
        return tensors
    except Exception as error:  # The hub client raises errors of many unrelated types.
        raise WeightsError(
            f"timm's weights for {backbone.name} can't be had: {' '.join(str(error).split())[:200]}",
            where="training.pretrained",
            hint="Give a local file with training.weights=FILE, or start from random weights "
            "with training.pretrained=false",
        ) from error
