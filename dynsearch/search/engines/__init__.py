"""Where trials run: here, or on a cluster, behind one Protocol."""

from dynsearch.search.engines.engine import End as End
from dynsearch.search.engines.engine import Engine as Engine
from dynsearch.search.engines.engine import Evaluator as Evaluator
from dynsearch.search.engines.engine import Job as Job
from dynsearch.search.engines.engine import Monitor as Monitor
from dynsearch.search.engines.engine import Outcome as Outcome
from dynsearch.search.engines.engine import Rung as Rung
from dynsearch.search.engines.local import LocalEngine as LocalEngine
from dynsearch.search.engines.ray_engine import RayEngine as RayEngine

__all__ = [
    "End",
    "Engine",
    "Evaluator",
    "Job",
    "LocalEngine",
    "Monitor",
    "Outcome",
    "RayEngine",
    "Rung",
]
