"""dynsearch: budget search and calibration for multi-exit video action networks."""

__version__ = "0.1.0"
