"""Which list or folder is which split, by the names that people give them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from dynsearch.data.records import Annotations, VideoRecord
from dynsearch.errors import DataError

Role = Literal["train", "val", "test"]
NAMES: Mapping[Role, tuple[str, ...]] = {
    "train": ("train", "training", "trn", "trainval"),
    "val": ("val", "valid", "validation", "validate", "validating", "dev", "eval", "evaluation"),
    "test": ("test", "testing", "tst"),
}
_ROLE_OF = {name: role for role, names in NAMES.items() for name in names}
_WITH = re.compile(
    rf"({'|'.join(sorted(_ROLE_OF, key=len, reverse=True))})(?:lists?|set|split|data|videos|files)?"
)


def role_of(name: str) -> Role | None:
    """Return the split that a word means (``Training``, ``val``, ``testlist01``), or None."""
    found = _WITH.fullmatch(re.sub(r"[\W\d_]+", "", name.lower()))
    return _ROLE_OF[found[1]] if found else None


def role_in(name: str) -> Role | None:
    """Return the split that one word of a name means (``kinetics_train_v2``), or None where none or several do."""
    whole = role_of(name)
    roles = {role_of(word) for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)} - {None}
    return whole or (roles.pop() if len(roles) == 1 else None)


def pick(names: Iterable[str], *, words: bool, where: str) -> tuple[dict[Role, str], list[str]]:
    """Return the name that stands for each split, and those that stand for none.

    A plain name goes before others, of numbered ones (``trainlist01`` to ``03``) the first is taken. With ``words``,
    one word of a name is enough.

    Raises:
        DataError: Two names may stand for one split.
    """
    left = sorted(names)
    picked: dict[Role, str] = {}
    for role in NAMES:
        of_role = [name for name in left if (role_in if words else role_of)(Path(name).stem) == role]
        plain = [name for name in of_role if Path(name).stem.lower() in _ROLE_OF]
        best = plain or of_role
        if len({re.sub(r"\d+", "", Path(name).stem.lower()) for name in best} - {"trainval"}) > 1:
            raise DataError(
                f"{' and '.join(best)} may both be the {role} split",
                where=where,
                hint=f"Call one of them {role}",
            )
        if best:
            picked[role] = min(best, key=lambda name: ("trainval" in name.lower(), name))
    return picked, [name for name in left if name not in picked.values()]


def annotations_of(
    class_names: Sequence[str],
    parts: Mapping[Role, Sequence[VideoRecord]],
    names: Mapping[Role, str],
    *,
    where: str,
    notes: Iterable[str] = (),
) -> Annotations:
    """Return the splits that lists or folders of these roles, called ``names``, are, and say which is which.

    Where there are both, ``val`` calibrates and ``test`` is the test split; equal ones are one test split.
    ``val`` alone is the test split, as in Kinetics.

    Raises:
        DataError: There are videos to test on, but none to train on.
    """
    said = list(notes)
    train, val, test = (list(parts.get(role, ())) for role in ("train", "val", "test"))
    if not train:
        raise DataError(f"holds {' and '.join(names.values())}, but nothing to train on", where=where)
    if val and test and _are_same(val, test):
        said.append(f"{names['val']} and {names['test']} hold the same videos, which are the test split")
        val = []
    elif val and test:
        said.append(
            f"{names['val']} ({len(val)} videos) calibrates, {names['test']} ({len(test)}) is the test split"
        )
    elif val:
        said.append(f"{names['val']} ({len(val)} videos) is the test split, for there is no other")
        val, test = [], val
    return Annotations(
        class_names=tuple(class_names), train=train, calibration=val, test=test, notes=tuple(said), own=True
    )


def _are_same(one: Sequence[VideoRecord], other: Sequence[VideoRecord]) -> bool:
    """Return whether two splits hold the same files, or copies of them."""
    if {record.key for record in one} == {record.key for record in other}:
        return True
    pairs = list(zip(sorted(one, key=_name), sorted(other, key=_name), strict=False))
    if len(one) != len(other) or any(_name(a) != _name(b) for a, b in pairs):
        return False
    if any((a.state() or (0,))[0] != (b.state() or (0,))[0] for a, b in pairs):
        return False
    some = pairs[:: max(1, len(pairs) // 20)]
    return all(a.path.is_file() and a.path.read_bytes() == b.path.read_bytes() for a, b in some)


def _name(record: VideoRecord) -> tuple[int, str, str]:
    return record.label, record.path.name, str(record.seconds)
