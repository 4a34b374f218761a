"""What backbones begin with: timm's weights, or a file's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import timm
import torch

from dynsearch.errors import PlanError, WeightsError
from dynsearch.network.backbone.backbone import Backbone
from dynsearch.network.backbone.branches import shifted_places
from dynsearch.network.backbone.timm_models import create_timm_model
from dynsearch.network.multi_exit import PlannedNetwork
from dynsearch.network.weights.files import load_strictly, read_tensors
from dynsearch.network.weights.initialise import wake_residual_branches
from dynsearch.network.weights.loaded import HeadPlace, Loaded, load_heads
from dynsearch.network.weights.public import LAYOUTS, PublicWeights, fitting, to_our_names
from dynsearch.plan import TemporalShift
from dynsearch.plan.temporal_shift import PLACES


def start_backbones(
    network: PlannedNetwork, *, pretrained: bool, weights: Path | None, heads: Sequence[HeadPlace] = ()
) -> tuple[Loaded, ...]:
    """Give the backbones of ``network`` their starting weights, and exit heads those that come with them.

    A backbone that gets none is left as it was initialised, with its residual branches awake.

    Args:
        network: Whose backbones.
        pretrained: Take timm's weights.
        weights: For the plan's backbone take this file instead, in a layout that
            :mod:`dynsearch.network.weights.public` knows, with or without classifiers.
        heads: The exit heads that read the plan's backbone.

    Returns:
        For each backbone that got weights what was loaded, and what was not.

    Raises:
        WeightsError: The weights can't be had, are of another architecture, or trained with another temporal shift.
    """
    loaded = []
    for backbone in network.backbones:
        own = backbone.name == network.plan.backbone
        if weights is not None and own:
            source = str(weights)
            public = to_our_names(read_tensors(weights), backbone.model.state_dict())
        elif pretrained:
            source, public = "timm", PublicWeights(_pretrained_state(backbone))
        else:
            wake_residual_branches(backbone)
            continue
        loaded.append(_load(backbone, public, source, network.plan.temporal_shift, heads if own else ()))
    return tuple(loaded)


def _load(
    backbone: Backbone, public: PublicWeights, source: str, shift: TemporalShift, heads: Sequence[HeadPlace]
) -> Loaded:
    """Load all of ``public`` that has a place, and say what has none."""
    wanted = backbone.model.state_dict()
    whole = _whole_model(backbone)
    tensors, given = dict(public.backbone), dict(public.heads)
    for classifier in (_classifier(backbone.name), "fc", "head", "classifier"):
        names = [f"{classifier}.{last}" for last in ("weight", "bias")]
        if all(name in tensors and name not in wanted for name in names):
            given.setdefault(0, {f"linear.{name.rpartition('.')[2]}": tensors.pop(name) for name in names})
    deeper = [name for name in tensors if name not in wanted and name in whole]
    used = {name: value for name, value in tensors.items() if name not in deeper}
    hint = (
        f"Nearest is the layout {public.layout}, which gives {fitting(used, wanted)} of the {len(wanted)} tensors of "
        f"{backbone.name}; layouts that are read: {', '.join(LAYOUTS)}"
    )
    load_strictly(backbone.model, used, source, hint)
    lines = [f"{len(deeper)} tensors of parts that the network does not use"] if deeper else []
    loaded, left, fresh = load_heads(heads, given)
    differs = _check_shift(backbone, public, shift, source, finished=bool(loaded))
    return Loaded(
        source,
        public.layout,
        backbone.name,
        len(used),
        sum(wanted[name].numel() for name, _ in backbone.model.named_parameters()),
        tuple(loaded),
        (*lines, *left),
        tuple(fresh),
        tuple(differs),
    )


def _check_shift(
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
    kinds = ("bidirectional" if shift.kind == "none" else shift.kind,)
    fields = None if theirs else "kind: none"
    for kind, place, blocks in product(kinds, PLACES, (1, 2, 3, 4)) if theirs else ():
        try:
            same = (
                set(shifted_places(backbone.branches, TemporalShift(kind, blocks=blocks, place=place)))
                == theirs
            )
        except PlanError:
            continue
        if same:
            fields = f"kind: {kind}, blocks: {blocks}, place: {place}"
            break
    examples = ", ".join(sorted(theirs ^ ours)[:3])
    raise WeightsError(
        f"the weights were trained with the temporal shift at {len(theirs)} places, the plan has it at {len(ours)}; "
        f"they differ at {examples}",
        where=source,
        hint=f"Write temporal_shift: {{{fields}}} in the plan" if fields else "No plan shifts there",
    )


def _classifier(name: str) -> str:
    """Return the path of the classifier in timm's model."""
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    classifier = config.classifier if config else None
    return str(classifier) if isinstance(classifier, str) else "fc"


def _whole_model(backbone: Backbone) -> set[str]:
    """Return the names of all tensors of timm's whole model, classifier and deepest stages included."""
    with torch.device("meta"):
        return set(create_timm_model(backbone.name, backbone.image_size, num_classes=1).state_dict())


def _pretrained_state(backbone: Backbone) -> dict[str, torch.Tensor]:
    try:
        return create_timm_model(backbone.name, backbone.image_size, pretrained=True).state_dict()
    except Exception as error:  # The hub client raises errors of many unrelated types.
        raise WeightsError(
            f"timm's weights for {backbone.name} can't be had: {' '.join(str(error).split())[:200]}",
            where="training.pretrained",
            hint="Give a local file with training.weights=FILE, or start from random weights "
            "with training.pretrained=false",
        ) from error
