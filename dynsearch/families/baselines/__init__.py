"""Baselines: what video networks without early exits do."""

from dynsearch.families.baselines.family import TSM as TSM
from dynsearch.families.baselines.family import TSN as TSN

__all__ = ["TSM", "TSN"]
