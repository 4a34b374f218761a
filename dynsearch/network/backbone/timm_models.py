"""Creating timm models by name, including the one that timm lacks."""

import difflib
from typing import Any

import timm
from torch import nn

from dynsearch.errors import PlanError
from dynsearch.network.backbone import msdnet as msdnet  # Registers msdnet38 with timm.
from dynsearch.plugins import import_from_environment


def create_timm_model(name: str, image_size: int | None = None, **options: Any) -> nn.Module:
    """Return timm's model ``name`` without classifier, freshly initialised.

    Args:
        name: Name of a timm model.
        image_size: Side of the square input in pixels. Models built for one size are told; None keeps theirs.
        **options: Passed on to timm, for instance ``pretrained=True``.

    Modules named in the environment variable DYNSEARCH_IMPORT, which register models of the user's, come first.

    Raises:
        PlanError: timm has no model of that name (the message gives the nearest), or it can't be built for
            that image size.
        InputError: A module of the user's can't be imported.
    """
    import_from_environment()
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=3)
        raise PlanError(
            f"timm has no model {name!r}",
            where="backbone",
            hint=f"Nearest: {', '.join(near)}" if near else None,
        )
    options = {"pretrained": False, "num_classes": 0} | options
    if image_size is None or not needs_image_size(name, image_size):
        return timm.create_model(name, **options)
    try:
        return timm.create_model(name, img_size=image_size, **options)
    except (TypeError, ValueError, AssertionError, RuntimeError) as error:
        if options["pretrained"]:
            raise
        reason = " ".join(str(error).split())[:200]
        raise PlanError(f"{name} can't be built for {image_size} px: {reason}", where="image_size") from error


def needs_image_size(name: str, image_size: int) -> bool:
    """Return whether ``name`` is built for one input size, and ``image_size`` is another."""
    config = timm.get_pretrained_cfg(name)
    return bool(config and config.fixed_input_size and config.input_size[-1] != image_size)
