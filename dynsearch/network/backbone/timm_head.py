"""What timm's classifier reads: all that lies between a model's last stage and its last linear layer."""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import nn

from dynsearch import compiler
from dynsearch.network.backbone.layout import State
from dynsearch.network.backbone.timm_models import create_timm_model


@dataclass(frozen=True)
class TimmHead:
    """What lies behind the last stage of a timm model.

    Attributes:
        parts: Paths of the modules and parameters it uses; None where the model has no ``forward_head`` of timm's kind.
        channels: C of what the classifier reads, (B, C).
        by_token: Whether it was trained on the class token.
    """

    parts: frozenset[str] | None
    channels: int
    by_token: bool


def headed_model(name: str, image_size: int) -> nn.Module:
    """Return timm's model ``name`` with its head, freshly initialised, the classifier taken out."""
    model = create_timm_model(name, image_size, num_classes=2)
    for path in classifiers(model):
        parent, _, own = path.rpartition(".")
        setattr(model.get_submodule(parent), own, nn.Identity())
    return model


def classifiers(model: nn.Module) -> tuple[str, ...]:
    """Return the paths of a timm model's classifiers; distilled models have two."""
    paths = (getattr(model, "default_cfg", None) or {}).get("classifier") or ()
    modules = dict(model.named_modules())
    return tuple(path for path in ((paths,) if isinstance(paths, str) else paths) if path in modules)


def read_head(model: nn.Module, state: State) -> torch.Tensor:
    """Return what the classifier of a :func:`headed_model` reads of the last stage's output, (B, C)."""
    features: torch.Tensor = model.forward_head(state)  # type: ignore[operator]
    return features


@lru_cache
def timm_head(name: str, image_size: int) -> TimmHead:
    """Return what lies behind the last stage of timm's model ``name``; nothing is computed."""
    called: set[str] = set()
    with compiler.only_shapes(), torch.no_grad():
        model = headed_model(name, image_size).eval()
        by_token = getattr(model, "global_pool", None) == "token"
        try:
            state = model.forward_features(torch.empty(2, 3, image_size, image_size))  # type: ignore[operator]
            for path, module in model.named_modules():
                leaf = not any(True for _ in module.children())
                used = (
                    [path] if leaf else [f"{path}.{own}" for own, _ in module.named_parameters(recurse=False)]
                )
                module.register_forward_pre_hook(lambda _module, _args, used=used: called.update(used))
            features = read_head(model, state)
        except Exception:  # A model of the user's: its head is its own, and raises what it likes.
            features = None
    if not isinstance(features, torch.Tensor) or features.ndim != 2:
        return TimmHead(None, 0, by_token)
    return TimmHead(frozenset(called), features.shape[1], by_token)
