"""ExitPolicy: when an exit is sure enough to stop.

Shapes: E exits, N videos.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import PolicyError, named, shown, within
from dynsearch.files import read_yaml, write_yaml
from dynsearch.scores import DEFAULT_MEASURE, ExitScores
from dynsearch.scores.gain import LEARNED_GAIN, GainModel
from dynsearch.scores.stop_rule import FIRST_CHOICE, PATIENCE, confidence_at, stops_above


@dataclass(frozen=True)
class ExitPolicy:
    """A confidence measure and one threshold for each exit.

    A video stops at the first exit k whose confidence is above T_k (strictly, as in the paper's section 3.4).

    Args:
        thresholds: T_k of every exit. ``inf`` never stops there, ``-inf`` always does. The last is ``-inf``:
            the last exit takes every video that is left.
        confidence: The confidence measure the thresholds are meant for.
        plan_id: The plan they were fitted for; empty when unknown.
        gain: What the thresholds are compared with when ``confidence`` is ``learned-gain``.

    Raises:
        PolicyError: No thresholds, one that is not a number, or a last one other than ``-inf``.
    """

    thresholds: tuple[float, ...]
    confidence: str = DEFAULT_MEASURE
    plan_id: str = ""
    gain: GainModel | None = None

    def __post_init__(self) -> None:
        try:
            values = tuple(float(value) for value in self.thresholds)
        except (TypeError, ValueError, OverflowError) as error:
            raise PolicyError(f"thresholds must be numbers, got {shown(self.thresholds)}") from error
        if not values:
            raise PolicyError("a policy needs one threshold for each exit, got none")
        if any(math.isnan(value) for value in values):
            raise PolicyError(f"a threshold is not a number: {shown(values)}")
        if values[-1] != -math.inf:
            raise PolicyError(
                f"the last threshold must be -inf, got {values[-1]:g}",
                hint="The last exit takes every video that is left",
            )
        if (self.gain is not None) != (self.confidence == LEARNED_GAIN):
            raise PolicyError(
                f"confidence {shown(self.confidence)} {'has' if self.gain is None else 'comes with'} "
                f"{'no gain' if self.gain is None else 'a gain'}",
                hint=f"A gain goes with confidence {LEARNED_GAIN}, and only with that",
            )
        if self.gain is not None and self.gain.num_exits != len(values):
            raise PolicyError(
                f"the gain is for {self.gain.num_exits} exits, the thresholds for {len(values)}"
            )
        object.__setattr__(self, "thresholds", values)

    @classmethod
    def never_early(cls, num_exits: int, confidence: str = DEFAULT_MEASURE, plan_id: str = "") -> ExitPolicy:
        """Return the policy under which every video goes to the last exit: full inference."""
        return cls((math.inf,) * (num_exits - 1) + (-math.inf,), confidence, plan_id)

    @property
    def num_exits(self) -> int:
        """E, the number of exits the policy is for."""
        return len(self.thresholds)

    @property
    def measure(self) -> str:
        """What to compute from each exit's logits: the confidence, or what it is made of."""
        if self.gain is not None:
            return self.gain.base
        return FIRST_CHOICE if self.confidence == PATIENCE else self.confidence

    def confidence_at(self, seen: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (N,): what the threshold of exit k is compared with, from ``measure`` at exits 0 to k, (k + 1, N)."""
        return confidence_at(seen, self.confidence) if self.gain is None else self.gain.gain_at(seen)

    def confidence_of(self, scores: ExitScores) -> NDArray[np.float64]:
        """Return (E, N): what the thresholds are compared with, for every exit of ``scores``."""
        if self.gain is not None:
            return self.gain.gains(scores.confidence(self.gain.base))
        return scores.confidence(self.confidence)

    def first_exit(self, confidence_EN: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return (N,): the exit at which each video stops, by this policy's confidences (E, N); NaN never stops.

        Raises:
            PolicyError: The number of exits differs.
        """
        exit_N = np.zeros(np.shape(confidence_EN)[-1], dtype=np.int64)
        for exit_index, stops_N in enumerate(self.stops(confidence_EN)):
            np.putmask(exit_N, stops_N, exit_index)
        return exit_N

    def stops(self, confidence_EN: NDArray[np.float64]) -> Iterator[NDArray[np.bool_]]:
        """Yield for each exit in turn (N,): which videos stop there, each once; PolicyError if E differs."""
        confidence_EN = np.asarray(confidence_EN)
        if confidence_EN.ndim != 2 or len(confidence_EN) != self.num_exits:
            raise PolicyError(
                f"thresholds are for {self.num_exits} exits, but confidence has shape {confidence_EN.shape}"
            )
        yield from stops_above(confidence_EN[:-1], self.thresholds[:-1])

    def check_fits(self, num_exits: int, plan_id: str = "") -> None:
        """Raise PolicyError if the number of exits differs, or both plans are known and differ."""
        if num_exits != self.num_exits:
            raise PolicyError(f"thresholds are for {self.num_exits} exits, but there are {num_exits}")
        if self.plan_id and plan_id and plan_id != self.plan_id:
            raise PolicyError(
                f"fitted for plan {named(self.plan_id)}, not {named(plan_id)}",
                hint="Calibrate it on its own scores",
            )

    def to_dict(self) -> dict[str, object]:
        """Return plain values, as written to ``policy.yaml``."""
        values: dict[str, object] = {
            "plan_id": self.plan_id,
            "confidence": self.confidence,
            "thresholds": list(self.thresholds),
        }
        return values if self.gain is None else values | {"gain": self.gain.to_dict()}

    @classmethod
    def from_dict(cls, values: Mapping[str, object]) -> ExitPolicy:
        """Return the policy that ``to_dict`` described; PolicyError where a field is missing, unknown or wrong."""
        if not isinstance(values, Mapping):
            raise PolicyError(f"must be a mapping with thresholds, got {type(values).__name__}")
        unknown = sorted(set(map(str, values)) - {"plan_id", "confidence", "thresholds", "gain"})
        if unknown:
            raise PolicyError(
                f"unknown field {shown(unknown[0])}", hint="Known: plan_id, confidence, thresholds, gain"
            )
        thresholds = values.get("thresholds")
        if not isinstance(thresholds, list | tuple):
            raise PolicyError(f"thresholds must be a list, got {shown(thresholds)}")
        if any(isinstance(value, bool | str) for value in thresholds):
            raise PolicyError(f"thresholds must be numbers, got {shown(thresholds)}")
        confidence, plan_id = values.get("confidence", DEFAULT_MEASURE), values.get("plan_id", "")
        if not isinstance(confidence, str) or not isinstance(plan_id, str):
            raise PolicyError(
                f"confidence and plan_id must be texts, got {shown(confidence)} and {shown(plan_id)}"
            )
        gain = None if values.get("gain") is None else GainModel.from_dict(values["gain"])
        return cls(thresholds=tuple(thresholds), confidence=confidence, plan_id=plan_id, gain=gain)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the policy to ``path`` as YAML, whole or not at all."""
        write_yaml(path, self.to_dict())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> ExitPolicy:
        """Read a policy from a YAML file; PolicyError, which names it, where it holds none."""
        values = read_yaml(path, PolicyError)
        with within(os.fspath(path)):
            return cls.from_dict(values)
