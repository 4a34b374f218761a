"""Which class a video belongs to after its pictures are mirrored, left for right.

Something-Something and Jester tell left from right, so that a mirrored "Swiping Left" is a "Swiping Right".
"""

import re
from collections.abc import Sequence

import torch

from dynsearch.data.dataset_info import FlipRule

_DIRECTIONS = (
    {"left": "right", "cw": "ccw", "clockwise": "counterclockwise"},
    {"clockwise": "anticlockwise"},
)
_SWAPS = tuple(table | {value: key for key, value in table.items()} for table in _DIRECTIONS)
_WORD = re.compile(rf"\b({'|'.join(word for swap in _SWAPS for word in swap)})\b", re.IGNORECASE)
_NEVER = -1


def mirrored_classes(class_names: Sequence[str], rule: FlipRule) -> torch.Tensor:
    """Return the class that each class becomes, int64 (K,); -1 where there is none, so it must not be mirrored."""
    labels = {name: label for label, name in enumerate(class_names)}
    if rule == "plain":
        return torch.arange(len(class_names))
    return torch.tensor([_mirrored(name, labels) for name in class_names])


def flip_clip(
    clip_TCHW: torch.Tensor, label: torch.Tensor, mirrored_K: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return all frames mirrored, and the classes they have then; both unchanged where these do not exist.

    ``label`` is the class, (), or 0/1 for each class, (K,); ``mirrored_K`` comes from :func:`mirrored_classes`.
    """
    now = mirrored_K[label if label.ndim == 0 else label.nonzero()[:, 0]]
    if (now == _NEVER).any():
        return clip_TCHW, label
    if label.ndim:
        several = torch.zeros_like(label)
        several[now] = 1
        now = several
    return clip_TCHW.flip(-1), now


def _mirrored(name: str, labels: dict[str, int]) -> int:
    if not _WORD.search(name):
        return labels[name]
    swapped = [_swap_words(name, swap) for swap in _SWAPS]
    return next((labels[other] for other in swapped if other in labels and other != name), _NEVER)


def _swap_words(name: str, swap: dict[str, str]) -> str:
    return _WORD.sub(lambda match: _swap_word(match[0], swap), name)


def _swap_word(word: str, swap: dict[str, str]) -> str:
    """Return the other direction, written with the same capitals."""
    other = swap.get(word.lower(), word.lower())
    if word.isupper():
        return other.upper()
    return other.capitalize() if word[0].isupper() else other
