"""Doing something as a user without rights."""

import os
import pickle

import pytest

NOBODY = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else: sudo make test")


def as_nobody(function):
    """Call ``function`` in a copy of this process that may only do what everybody may; return what it returns."""
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            done = function()
        except BaseException as error:
            done = AssertionError(f"{type(error).__name__}: {error}")
        os.write(writable, pickle.dumps(done))
        os._exit(0)
    os.close(writable)
    with os.fdopen(readable, "rb") as file:
        done = pickle.load(file)
    os.waitpid(child, 0)
    if isinstance(done, AssertionError):
        raise done
    return done
