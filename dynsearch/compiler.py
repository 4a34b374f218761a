"""Torch's compiler, loaded when it is used: much of torch and around it asks for it only to say what not to compile."""

import contextlib
import functools
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType, NoneType
from typing import Any

_NAME = "torch._dynamo"


@contextlib.contextmanager
def only_shapes() -> Iterator[None]:
    """Create tensors on the meta device, and run them there."""
    import torch

    with not_yet(), torch.device("meta"):
        yield


@contextlib.contextmanager
def not_yet() -> Iterator[None]:
    """Let torchvision, timm and torch's FLOP counter be imported, and shapes be computed, without it and triton.

    It takes 100 MB and a second. As long as it is not loaded there is nothing to disable; what is asked for by name
    loads it when called, and anything else at once. Nothing changes where it is loaded already.
    """
    import torch

    if _NAME in sys.modules or "triton" in sys.modules:
        yield
        return
    names = (_NAME, f"{_NAME}.utils", "triton.runtime.jit")
    absent = {name: ModuleType(name) for name in names}

    def forget() -> None:
        for name, module in absent.items():
            if sys.modules.get(name) is module:
                del sys.modules[name]
        if torch.__dict__.get("_dynamo") is absent[_NAME]:
            del torch._dynamo

    def really(module: str, name: str) -> Any:
        if name.startswith("__"):  # Whoever looks at all modules wants to load none.
            raise AttributeError(name)
        forget()
        return getattr(import_module(module), name)

    def is_compile_supported(device: str) -> bool:
        return bool(import_module(names[1]).is_compile_supported(device))

    known = (_disabled, "disable"), (is_compile_supported, "is_compile_supported"), (NoneType, "JITFunction")
    for (name, module), (value, own) in zip(absent.items(), known, strict=True):
        vars(module).update({own: value, "__getattr__": functools.partial(really, name)})
    sys.modules.update(absent)
    torch.__dict__["_dynamo"] = absent[_NAME]
    try:
        yield
    finally:
        forget()


def _disabled(function: Callable[..., Any], *how: Any, **why: Any) -> Callable[..., Any]:
    """Return what ``torch._dynamo.disable`` does, from when the compiler is loaded on."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        compiler = sys.modules.get(_NAME)
        if compiler is None or compiler.disable is _disabled:
            return function(*args, **kwargs)
        return compiler.disable(function, *how, **why)(*args, **kwargs)

    return call
