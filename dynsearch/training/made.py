"""What made a result: every file of results carries the facts that decided it, and is taken up under the same only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors

from dynsearch.errors import InputError, WeightsError
from dynsearch.plan import Plan
from dynsearch.plan.starting_weights import Weights
from dynsearch.scores.storage import read_arrays
from dynsearch.training.config import TrainingConfig
from dynsearch.validation import differences

WEIGHTS = "weights.safetensors"
STATE = "training-state.safetensors"
SCORES = {split: f"scores-{split}.npz" for split in ("calibration", "test")}
RESULTS = (WEIGHTS, *SCORES.values(), STATE)
"""Files of a training, finished or not, that carry the facts that made them."""
CONTENT = "content of the videos"
"""A fact of its own, for an interrupted training goes on when a broken file has been mended."""
_LATER: frozenset[str] = frozenset({"optimizer", "refit_heads", "resize", "sampling"})
"""Training settings that came after 0.1. At their defaults they are not in its keys."""
_UNSAID = {"calibration": "split"}
"""What facts are where results don't say them: these came after 0.1, and results made so say nothing of them."""
_DO_NOT_BLOCK = ("torch", "halvings")
"""What finished results may differ in: an interrupted training begins anew, and its result stands for the same."""


@dataclass(frozen=True)
class Made:
    """The facts that decide a result, plain values by name, and the keys by which earlier versions knew it."""

    facts: Mapping[str, Any]
    former: tuple[str, ...] = ()

    @classmethod
    def by(
        cls,
        clips: Mapping[str, Any],
        config: TrainingConfig,
        seed: int,
        plan: Plan | None = None,
        **more: Any,
    ) -> Made:
        """Return what makes the results of a training of a plan, or what all plans of a study have in common.

        ``clips`` is the ``key`` of the clips; ``more`` are further facts.

        Raises:
            WeightsError: The weights that training starts from are not there.
        """
        own = {} if plan is None else {"plan": plan.plan_id}
        facts = {**own, **clips, "seed": seed, **more}
        start = _of_files(config.weights, file_digest)
        return cls(facts | {"digest of training.weights": start, "training": settings_facts(config)})

    @property
    def text(self) -> str:
        """The facts, as files carry them."""
        return json.dumps(self.facts, sort_keys=True)

    def differences(self, found: Mapping[str, Any]) -> list[str]:
        """Return in what facts that were found differ, a text each; what an older version did not write is left out."""
        facts: dict[str, Any] = {**_UNSAID, **self.facts}
        before = {name: found[name] for name in facts if name in found and name not in _DO_NOT_BLOCK}
        if "training" in before:
            before["training"] = settings_facts(TrainingConfig()) | before["training"]
        return list(differences(before, {name: facts[name] for name in before}))

    def refuse_others(self, found: Mapping[str, Any], path: Path) -> None:
        """Refuse a result that other facts made; InputError says in what they differ."""
        unfinished = path.name == STATE
        if others := self.differences({k: v for k, v in found.items() if not (unfinished and k == CONTENT)}):
            raise InputError(
                f"was made otherwise: {'; '.join(others)}",
                where=str(path),
                hint="Use what it was made with, give another --name or --output, or delete the folder "
                f"{path.parent} to train anew",
            )

    def check(self, folder: Path) -> list[Path]:
        """Return which results in ``folder`` don't say what made them; InputError where one was made otherwise."""
        unknown = []
        for path in (folder / name for name in RESULTS if (folder / name).is_file()):
            if (found := facts_in(path)) is not None:
                self.refuse_others(_UNSAID | found, path)
            elif path.name != STATE:
                unknown.append(path)
        return unknown

    def check_study(self, folder: Path) -> list[Path]:
        """Return which results below a study's folder don't say what made them; InputError as of :meth:`check`."""
        others = Made(
            {name: self.facts[name] for name in self.facts if name not in ("start", "measure", *_UNSAID)}
        )
        homes = sorted({path.parent for name in RESULTS for path in folder.glob(f"*/*/{name}")})
        return [
            path for home in homes for path in (self if home.parent.name == "trials" else others).check(home)
        ]


def settings_facts(config: TrainingConfig) -> dict[str, Any]:
    """Return training settings as facts; a file of weights by its name, for its folder may be another elsewhere."""
    return config.model_dump(mode="json") | {"weights": _of_files(config.weights, lambda path: path.name)}


def _of_files(weights: Weights | None, fact: Callable[[Path], str]) -> Any:
    """Return a fact of the file of weights, or of each by name of its backbone."""
    if isinstance(weights, Mapping):
        return {name: fact(path) for name, path in weights.items()}
    return weights and fact(weights)


def file_digest(path: Path) -> str:
    """Return what tells the content of a weights file from others; WeightsError where there is no such file."""
    if not path.is_file():
        raise WeightsError("there is no such weights file", where=str(path))
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def facts_in(path: Path) -> dict[str, Any] | None:
    """Return the facts that a file of weights or exit scores carries; None where it has none or can't be read."""
    try:
        if path.suffix == ".npz":
            text = str(read_arrays(path, ("made",))["made"])
        else:
            with safetensors.safe_open(path, framework="numpy") as file:
                text = file.metadata()["made"]
        facts = json.loads(text)
    except (InputError, safetensors.SafetensorError, OSError, KeyError, TypeError, ValueError):
        return None
    return facts if isinstance(facts, dict) else None


def key_in(path: Path) -> str | None:
    """Return the key of the facts that a file carries; None where it has none."""
    facts = facts_in(path)
    return None if facts is None else hashed(json.dumps(facts, sort_keys=True))


def hashed(*facts: object) -> str:
    """Return 16 hexadecimal digits that stand for ``facts``."""
    return hashlib.sha256(" ".join(map(str, facts)).encode()).hexdigest()[:16]


def former_text(config: TrainingConfig) -> str:
    """Return what stood for training settings in the keys of earlier versions."""
    return config.model_dump_json(exclude=_at_default(config))


def first_text(config: TrainingConfig, num_workers: int, save_every_steps: int | None, timeout: float) -> str:
    """Return what 0.1 wrote for the settings of a one-shot network, when these three were among them."""
    values = {name: getattr(config, name) for name in type(config).model_fields}
    values = {name: value for name, value in values.items() if name not in _at_default(config)}
    bad = values.pop("max_bad_videos")
    values |= {"num_workers": num_workers, "max_bad_videos": bad}
    values |= {"save_every_steps": save_every_steps, "timeout": timeout}
    return " ".join(f"{name}={value!r}" for name, value in values.items())


def _at_default(config: TrainingConfig) -> set[str]:
    return {name for name in _LATER if getattr(config, name) == type(config).model_fields[name].default}
