"""Multi-exit networks: families behind one Protocol."""

from dynsearch.network.family import FAMILIES as FAMILIES
from dynsearch.network.family import MultiExitNetwork as MultiExitNetwork
from dynsearch.network.family import build_module as build_module
from dynsearch.network.family import check_known as check_known
from dynsearch.network.progress import ProgressiveResult as ProgressiveResult

__all__ = ["FAMILIES", "MultiExitNetwork", "ProgressiveResult", "build_module", "check_known"]
