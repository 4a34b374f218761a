"""The local engine: jobs run in this process, one after the other."""

from __future__ import annotations

from collections import deque

from dynsearch.errors import InputError
from dynsearch.search.engines.engine import Evaluator, Job, Outcome


class LocalEngine:
    """Evaluates each job when its outcome is asked for.

    A job that fails is reported with its reason and the study goes on. A mistake in the user's input (a
    missing file, weights that can't be had) would fail every job alike, so it is raised.
    """

    num_slots = 1

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self._jobs: deque[Job] = deque()

    def submit(self, job: Job) -> None:
        """Queue ``job``."""
        self._jobs.append(job)

    def collect(self) -> Outcome:
        """Run the oldest job and return what became of it."""
        job = self._jobs.popleft()
        try:
            return Outcome(job, self.evaluator(job))
        except InputError:
            raise
        except Exception as error:  # Whatever breaks one trial must not end the study.
            reason = " ".join(str(error).split())
            return Outcome(job, None, f"{type(error).__name__}: {reason}"[:500])
