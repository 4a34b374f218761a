"""Experiment trackers a study or a training reports to, besides its own files."""

from dynsearch.search.loggers.logger import LOGGERS, TrialLogger, open_loggers

__all__ = ["LOGGERS", "TrialLogger", "open_loggers"]
