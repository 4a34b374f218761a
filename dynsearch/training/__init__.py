"""Training a plan's network and measuring its exits. Modules that need torch are imported where used."""

from dynsearch.training.config import TrainingConfig as TrainingConfig

__all__ = ["TrainingConfig"]
