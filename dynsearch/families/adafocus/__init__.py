"""AdaFocusV2: a cheap look at whole frames chooses the patches that deserve a closer one."""

from dynsearch.families.adafocus.family import FAMILY as FAMILY
from dynsearch.families.adafocus.options import AdaFocusOptions as AdaFocusOptions

__all__ = ["FAMILY", "AdaFocusOptions"]
