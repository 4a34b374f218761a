"""What networks of all families are made of: backbones, exit heads, the way from exit to exit, losses and weights."""

from dynsearch.network.heads import ExitHead as ExitHead
from dynsearch.network.multi_exit import MultiExitNetwork as MultiExitNetwork
from dynsearch.network.multi_exit import PlannedNetwork as PlannedNetwork
from dynsearch.network.progress import ProgressiveResult as ProgressiveResult
from dynsearch.network.waiting import Kept as Kept

__all__ = ["ExitHead", "Kept", "MultiExitNetwork", "PlannedNetwork", "ProgressiveResult"]
