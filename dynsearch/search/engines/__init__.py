"""Where trials run: here, or on a cluster, behind one Protocol."""

from dynsearch.search.engines.engine import Engine as Engine
from dynsearch.search.engines.engine import Evaluator as Evaluator
from dynsearch.search.engines.engine import Job as Job
from dynsearch.search.engines.engine import Outcome as Outcome
from dynsearch.search.engines.local import LocalEngine as LocalEngine

__all__ = ["Engine", "Evaluator", "Job", "LocalEngine", "Outcome"]
