"""Names of exit heads; the heads themselves are networks, loaded when one is built."""

from collections.abc import Callable

from dynsearch.errors import PlanError, shown
from dynsearch.registry import Registry

HEADS: Registry[Callable[..., object]] = Registry(
    "exit head",
    {
        "linear": "dynsearch.network.heads:LinearHead",
        "mlp": "dynsearch.network.heads:MlpHead",
        "slots": "dynsearch.network.slots:SlotsHead",
        "conv": "dynsearch.network.heads:conv_head",
        "conv128": "dynsearch.network.heads:conv_head_128",
    },
    error=PlanError,
    where="head",
)
"""Exit heads by name: (channels, classes, dropout) -> :class:`dynsearch.network.heads.ExitHead`. ``mlp`` has a hidden
layer, ``slots`` also knows the order of the frames, ``conv`` keeps the channels, ``conv128`` has 128.

A plan's ``head`` is one of them, or two joined by ``+``: all exits but the last one, and the last."""


def head_kinds(head: str) -> tuple[str, str]:
    """Return the kind of all exits but the last one, and of the last.

    Raises:
        PlanError: There is no such exit head.
    """
    kinds = head.split("+")
    if len(kinds) > 2:
        raise PlanError(
            f"there is no exit head {shown(head)}",
            where="head",
            hint="Give one, or two joined by '+', the second for the last exit",
        )
    return HEADS.checked(kinds[0]), HEADS.checked(kinds[-1])
