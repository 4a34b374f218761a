"""Experiment trackers a study or a training reports to, besides its own files."""

from dynsearch.search.loggers.logger import LOGGERS as LOGGERS
from dynsearch.search.loggers.logger import TrialLogger as TrialLogger
from dynsearch.search.loggers.logger import open_loggers as open_loggers

__all__ = ["LOGGERS", "TrialLogger", "open_loggers"]
