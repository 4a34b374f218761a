"""What the driver's thread and Ray's tell each other."""

import queue
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dynsearch.errors import DynsearchError
from dynsearch.search.engines.engine import Job, Outcome, Rung

if TYPE_CHECKING:
    from dynsearch.training.loop import EpochReport

Event = Outcome | Rung | tuple[Job, "EpochReport"] | DynsearchError
"""An outcome, a question, a finished epoch, or what ends the study: a user's mistake, or the end of Ray."""


@dataclass(frozen=True)
class Wires:
    """The driver's thread puts jobs and answers in, Ray's puts events in.

    Answers are to rungs, one after the other. ``stopping`` is set when trials shall stop after the epoch under way,
    ``closing`` when no further job comes.
    """

    jobs: queue.SimpleQueue[Job] = field(default_factory=queue.SimpleQueue)
    events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    answers: queue.SimpleQueue[bool] = field(default_factory=queue.SimpleQueue)
    stopping: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)
