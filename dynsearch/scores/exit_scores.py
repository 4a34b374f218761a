"""ExitScores: the one file between the slow side (training) and the fast side (thresholds).

Shapes: E exits, N videos, K classes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dynsearch.errors import InputError, ScoresError, shown, within
from dynsearch.measures import COUNTED, CostMeasure, measure_called
from dynsearch.scores import foreign, validation
from dynsearch.scores.confidence import ACTIVATIONS, DEFAULT_MEASURE, confidence_from_logits, patience
from dynsearch.scores.labels import first_choice_is_label, several_labels
from dynsearch.scores.spread import Groups
from dynsearch.scores.stop_rule import FIRST_CHOICE, PATIENCE
from dynsearch.scores.storage import read_arrays, write_arrays

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

GIVEN_MEASURE = "given"
"""The name of the confidence column that came with the scores."""

_FILE_KEYS = {
    "confidence": "confidence_EN",
    "correct": "correct_EN",
    "logits": "logits_ENK",
    "labels": "labels_N",
    "video_ids": "video_ids_N",
    "group": "groups_N",
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ExitScores:
    """What every exit said about every held-out video, and what reaching it costs.

    Either ``logits_ENK`` or ``confidence_EN`` must be there. Without labels and ``correct_EN`` the scores
    are unlabelled: good for exit shares and cost, not for accuracy. Arrays are made read-only, not copied.

    Args:
        cost_E: Cost per video up to and with each exit: cumulative, positive, not falling.
        confidence_EN: A confidence column of the user's own, higher is surer; NaN never stops.
        correct_EN: Whether each exit is right; taken from logits and labels when absent.
        logits_ENK: Finite logits, float32.
        labels_N: Class numbers (N,), or for multi-label data 0/1 (N, K).
        video_ids_N: A name for each video.
        groups_N: The name of what each video shares with others (person, camera, source file), or nothing.
        plan_id: The plan whose network made the scores; empty for a network of the user's own.
        split: ``calibration``, ``test``, or another name.
        measure: What the costs are in.
        activation: ``softmax`` or ``sigmoid``: what made probabilities of logits in the network's loss. Empty is
            unknown, and taken for ``sigmoid`` where videos have several labels.

    Raises:
        ScoresError: An array is missing, disagrees with another one, or holds impossible values.
    """

    cost_E: NDArray[np.float64]
    confidence_EN: NDArray[np.float64] | None = None
    correct_EN: NDArray[np.bool_] | None = None
    logits_ENK: NDArray[np.float32] | None = None
    labels_N: NDArray[np.int64] | None = None
    video_ids_N: NDArray[np.str_] | None = None
    groups_N: NDArray[np.str_] | None = None
    plan_id: str = ""
    split: str = ""
    measure: CostMeasure = COUNTED
    activation: str = ""
    _computed: dict[str, Any] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        costs = self.measure.array
        cost_E = validation.numeric_array(costs, self.cost_E, np.float64, 1, "(exits,)")
        validation.check_costs(cost_E, costs, self.measure.per_video)
        self._set("cost_E", cost_E)
        shapes: dict[str, tuple[str, tuple[int, ...]]] = {}
        if self.logits_ENK is not None:
            logits = validation.numeric_array(
                "logits", self.logits_ENK, np.float32, 3, "(exits, videos, classes)"
            )
            shapes["logits"] = "ENK", logits.shape
            self._set("logits_ENK", logits)
        for name, dtype in (("confidence", np.float64), ("correct", np.bool_)):
            value = getattr(self, f"{name}_EN")
            if value is not None:
                array = validation.numeric_array(name, value, dtype, 2, "(exits, videos)")
                shapes[name] = "EN", array.shape
                self._set(f"{name}_EN", array)
        if self.logits_ENK is None and self.confidence_EN is None:
            raise ScoresError(
                "neither logits nor confidence is there",
                hint="Give logits (exits, videos, classes) or confidence (exits, videos)",
            )
        if self.labels_N is not None:
            labels = validation.label_array(self.labels_N)
            shapes["labels"] = "NK"[: len(labels.shape)], labels.shape
            self._set("labels_N", labels)
        for name in ("video_ids", "group"):
            value = getattr(self, _FILE_KEYS[name])
            if value is not None:
                texts = validation.text_array(name, value)
                if texts.ndim != 1:
                    raise ScoresError(f"must have one axis, got shape {texts.shape}", where=name)
                shapes[name] = "N", texts.shape
                self._set(_FILE_KEYS[name], texts)
        validation.check_shapes(shapes, len(cost_E), costs)
        if self.logits_ENK is not None:
            validation.check_logits(self.logits_ENK)
        if self.labels_N is not None:
            num_classes = None if self.logits_ENK is None else self.logits_ENK.shape[2]
            validation.check_labels(self.labels_N, num_classes)
        for name in ("plan_id", "split", "activation"):
            object.__setattr__(self, name, validation.one_text(name, getattr(self, name)))
        if self.activation and self.activation not in ACTIVATIONS:
            raise ScoresError(
                f"must be {' or '.join(ACTIVATIONS)}, got {shown(self.activation)}", where="activation"
            )

    @property
    def gmacs_E(self) -> NDArray[np.float64]:
        """The costs, where they are counted."""
        return self.measure.only("gflops", self.cost_E)

    @property
    def num_exits(self) -> int:
        """E, the number of exits."""
        return len(self.cost_E)

    @property
    def num_videos(self) -> int:
        """N, the number of videos."""
        array = self.logits_ENK if self.logits_ENK is not None else self.confidence_EN
        if array is None:
            raise ScoresError("neither logits nor confidence is there")
        return array.shape[1]

    @property
    def groups(self) -> Groups | None:
        """The groups of the videos; None where each is its own, or they are not known."""
        if self.groups_N is not None and "groups" not in self._computed:
            groups = Groups(self.groups_N)
            self._computed["groups"] = groups if len(groups) < self.num_videos else None
        return self._computed.get("groups")

    def folds(self, num_folds: int, seed: int) -> NDArray[np.intp]:
        """Return (N,): the fold of each video, at random; whole groups where there are any."""
        if self.groups and len(self.groups) > 1:
            return self.groups.folds(num_folds, seed)
        return np.random.default_rng(seed).permutation(self.num_videos) % num_folds

    @property
    def one_label(self) -> bool:
        """Whether there are labels, one class for each video."""
        return self.labels_N is not None and not several_labels(self.labels_N)

    @property
    def several_labels(self) -> bool:
        """Whether there are labels, any number of classes for each video."""
        return self.labels_N is not None and several_labels(self.labels_N)

    @property
    def has_truth(self) -> bool:
        """Whether it is known which exits are right."""
        return self.correct_EN is not None or (self.logits_ENK is not None and self.labels_N is not None)

    @property
    def activated_by(self) -> str:
        """``activation``, or where it is not known what the labels speak for."""
        return self.activation or ("sigmoid" if self.several_labels else "softmax")

    @property
    def default_confidence(self) -> str:
        """The measure taken where none is named: the largest probability of a class."""
        return DEFAULT_MEASURE if self.logits_ENK is None else ACTIVATIONS[self.activated_by]

    def confidence(self, measure: str = DEFAULT_MEASURE) -> NDArray[np.float64]:
        """Return the (E, N) confidence of each exit, float64, higher is surer.

        Args:
            measure: A name of ``CONFIDENCE_MEASURES`` or ``patience``, computed from the logits; or ``given``,
                the column that came with the scores. Scores without logits answer ``max-softmax`` with their column.

        Raises:
            ScoresError: The measure needs logits that are not there, or is unknown.
        """
        if measure == GIVEN_MEASURE or (measure == DEFAULT_MEASURE and self.logits_ENK is None):
            if self.confidence_EN is None:
                raise ScoresError("there is no confidence column", where=self._where, hint="Name a measure")
            return self.confidence_EN
        if self.logits_ENK is None:
            raise ScoresError(
                f"confidence {measure!r} is computed from logits, and there are none",
                where=self._where,
                hint=f"Use {DEFAULT_MEASURE!r}, which then means the confidence column",
            )
        if measure not in self._computed:
            read = FIRST_CHOICE if measure == PATIENCE else measure
            values_EN = confidence_from_logits(read, self.logits_ENK)
            self._computed[measure] = read_only(patience(values_EN) if measure == PATIENCE else values_EN)
        return self._computed[measure]

    def correct(self) -> NDArray[np.bool_]:
        """Return (E, N): whether each exit is right (its first choice is a label of the video).

        Raises:
            ScoresError: The scores are unlabelled.
        """
        if self.correct_EN is not None:
            return self.correct_EN
        if self.logits_ENK is None or self.labels_N is None:
            raise ScoresError(
                "unlabelled: neither correct nor labels with logits is there",
                where=self._where,
            )
        if "correct" not in self._computed:
            self._computed["correct"] = read_only(first_choice_is_label(self.logits_ENK, self.labels_N))
        return self._computed["correct"]

    def reduced(self, measure: str = DEFAULT_MEASURE) -> ExitScores:
        """Return the same videos without logits and labels: one measure as the given column, and what is right.

        Cutting these up again and again costs little, however many classes there are.
        """
        read, right = self.confidence(measure), self.correct()
        return replace(self, confidence_EN=read, correct_EN=right, logits_ENK=None, labels_N=None)

    def select(self, videos: ArrayLike) -> ExitScores:
        """Return the scores of some videos, by an index array or a mask over N."""
        chosen = np.arange(self.num_videos)[np.asarray(videos)]
        arrays = {name: getattr(self, name) for name in _FILE_KEYS.values()}
        # An index would lay videos out in rows of exits, which all that follows reads the other way.
        cut = {
            name: array.take(chosen, axis=0 if name.endswith("_N") else 1)
            for name, array in arrays.items()
            if array is not None
        }
        return replace(self, **cut)

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each video, with the columns that :func:`~dynsearch.scores.tables.load_scores` reads."""
        import pandas

        columns: dict[str, NDArray[Any]] = {}
        if self.video_ids_N is not None:
            columns["video_id"] = self.video_ids_N
        if self.groups_N is not None:
            columns["group"] = self.groups_N
        if self.labels_N is not None and self.one_label:
            columns["label"] = self.labels_N
        for k in range(self.num_exits):
            columns[f"confidence_{k}"] = self.confidence()[k]
            if self.has_truth:
                columns[f"correct_{k}"] = self.correct()[k]
        return pandas.DataFrame(columns)

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the top-1 of every exit, if all videos stop there, against its cost; None makes a new figure.

        Raises:
            ScoresError: The scores are unlabelled.
        """
        from dynsearch.display.curves import Curve, plot_curves

        curve = Curve("all videos at one exit", self.cost_E.tolist(), self.correct().mean(axis=1).tolist())
        return plot_curves([curve], axes, unit=self.measure, marker="o")

    def __repr__(self) -> str:
        of = "" if self.logits_ENK is None else f" of {self.logits_ENK.shape[2]} classes"
        about = "".join(f", {text}" for text in (self.plan_id, self.split) if text)
        return (
            f"ExitScores({self.num_exits} exits, {self.num_videos} videos{of}, {self.cost_E[0]:.4g} to "
            f"{self.measure.text(self.cost_E[-1])}{about})"
        )

    def _repr_html_(self) -> str:
        import pandas

        from dynsearch.display.notebook import page

        exits = pandas.DataFrame({self.measure.unit: self.cost_E})
        if self.has_truth:
            exits["top-1"] = self.correct().mean(axis=1)
        exits["mean confidence"] = self.confidence().mean(axis=1)
        return page(repr(self), table=exits)

    @classmethod
    def from_logits(
        cls,
        logits_ENK: ArrayLike,
        labels_N: ArrayLike | None,
        cost_E: ArrayLike,
        *,
        video_ids: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        plan_id: str = "",
        split: str = "",
        measure: CostMeasure = COUNTED,
        activation: str = "",
    ) -> ExitScores:
        """Return exit scores made of logits; see the class for shapes and units."""
        return cls(
            cost_E=np.asarray(cost_E),
            logits_ENK=np.asarray(logits_ENK),
            labels_N=None if labels_N is None else np.asarray(labels_N),
            video_ids_N=None if video_ids is None else np.asarray(video_ids),
            groups_N=None if groups is None else np.asarray(groups),
            plan_id=plan_id,
            split=split,
            measure=measure,
            activation=activation,
        )

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, measure: CostMeasure | None = None) -> ExitScores:
        """Read exit scores from an ``.npz`` file; nothing in it is executed.

        Args:
            path: The file.
            measure: What its costs are in where the file does not say; None means that they are counted.

        Raises:
            ScoresError: The file can't be read, or breaks a rule of the class; the message names the file.
        """
        where = os.fspath(path)
        names = (COUNTED.array, "cost")
        arrays = read_arrays(path, ("measure", *names, *_FILE_KEYS, "plan_id", "split", "activation"))
        said = measure_in(arrays, where)
        if said is not None and measure is not None and said != measure:
            raise ScoresError(f"its costs are in {said.unit}, not in {measure.unit}", where=where)
        measure = said or measure or COUNTED
        costs = [name for name in (measure.array, COUNTED.array if said is None else None) if name in arrays]
        if not costs or not arrays.keys() & {"logits", "confidence"}:
            near = foreign.meant(path)
            raise ScoresError(
                f"has no array {'logits (or confidence)' if costs else measure.array}",
                where=where,
                hint=(f"Did you mean {'; '.join(near)}? " if near else "")
                + f"{measure.array} is the cumulative cost of each exit in {measure.in_full}",
            )
        fields: dict[str, Any] = {
            _FILE_KEYS.get(key, key): value for key, value in arrays.items() if key not in ("measure", *names)
        }
        with within(where):
            scores = cls(cost_E=arrays[costs[0]], measure=measure, **fields)
            scores.check_complete()
            return scores

    def check_complete(self) -> None:
        """Refuse scores of a network that really stopped: some have no confidence (NaN) up to the last exit."""
        gap = None if self.confidence_EN is None else validation.stopped_at(self.confidence_EN)
        if gap is not None:
            raise ScoresError(
                f"exit {gap[0] + 1} and those after it have none (NaN) for the video at position {gap[1]}",
                where="confidence",
                hint=validation.EVERY_EXIT,
            )

    def save(self, path: str | os.PathLike[str], made: str = "") -> None:
        """Write the scores to ``path`` as ``.npz``, whole or not at all; ``made`` says what made them."""
        arrays = {self.measure.array: self.cost_E}
        arrays |= {key: getattr(self, field) for key, field in _FILE_KEYS.items()}
        arrays = {key: value for key, value in arrays.items() if value is not None}
        arrays |= {"plan_id": np.array(self.plan_id), "split": np.array(self.split)}
        if self.activation:
            arrays["activation"] = np.array(self.activation)
        if self.measure != COUNTED:
            arrays["measure"] = np.array(self.measure.name)
        if made:
            arrays["made"] = np.array(made)
        if self.several_labels:
            arrays["labels"] = arrays["labels"].astype(np.uint8)
        # Logits hardly shrink, and compressing them takes longer than writing them.
        write_arrays(path, arrays, compressed=self.logits_ENK is None)

    @property
    def _where(self) -> str | None:
        return " ".join(part for part in (self.plan_id, self.split) if part) or None

    def _set(self, name: str, array: NDArray[Any]) -> None:
        object.__setattr__(self, name, read_only(array))


def measure_in(arrays: Mapping[str, Any], where: str) -> CostMeasure | None:
    """Return the measure that a file names; None where it names none, ScoresError where there is no such measure."""
    if "measure" not in arrays:
        return None
    try:
        return measure_called(validation.one_text("measure", arrays["measure"]))
    except InputError as error:
        raise ScoresError(error.problem, where=f"{where}, measure", hint=error.hint) from error


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a view that can't be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
