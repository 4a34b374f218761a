"""Calibrating any early-exit network from its exit scores: what is asked, what is computed, and the answer."""

from dynsearch.calibration.calibrate import calibrate as calibrate
from dynsearch.calibration.result import Calibration as Calibration

__all__ = ["Calibration", "calibrate"]
