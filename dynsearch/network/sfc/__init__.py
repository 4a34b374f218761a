"""Selective feature compression between the head and the tail of a trained network."""

from dynsearch.network.sfc.network import CompressedNetwork as CompressedNetwork

__all__ = ["CompressedNetwork"]
