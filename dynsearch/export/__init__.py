"""The bundle: one operating point with its network, ready to train in full and to run on videos."""

from dynsearch.export.bundle import Bundle as Bundle
from dynsearch.export.bundle import write_bundle as write_bundle

__all__ = ["Bundle", "write_bundle"]
