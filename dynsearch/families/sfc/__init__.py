"""Selective feature compression between the head and the tail of a trained network."""

from dynsearch.families.sfc.family import FAMILY as FAMILY
from dynsearch.families.sfc.options import CompressionOptions as CompressionOptions

__all__ = ["FAMILY", "CompressionOptions"]
