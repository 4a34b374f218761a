"""Where trials run: here, or on a cluster, behind one Protocol."""

from dynsearch.search.engines.engine import End, Engine, Evaluator, Job, Monitor, Outcome, Rung
from dynsearch.search.engines.local import LocalEngine
from dynsearch.search.engines.ray_engine import RayEngine

__all__ = ["End", "Engine", "Evaluator", "Job", "LocalEngine", "Monitor", "Outcome", "RayEngine", "Rung"]
