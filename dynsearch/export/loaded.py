"""A bundle in use: videos in, labels out, stopping as early as the policy allows."""

from __future__ import annotations

import copy
import os
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import numpy.typing as npt
import torch
from huggingface_hub import ModelHubMixin

from dynsearch.data.augmentation import centre_crop, normalise, resize_short_side, to_square
from dynsearch.data.reader import read_frames
from dynsearch.data.sampling import frames_taken, segment_centres
from dynsearch.errors import BundleError, InputError, VideoError
from dynsearch.export.budgets import Budgets
from dynsearch.export.bundle import Bundle
from dynsearch.export.hub import download, write_hub_files
from dynsearch.export.int8_files import int8_in
from dynsearch.export.ownership import BUDGETS
from dynsearch.families import build_network
from dynsearch.measures import COUNTED, CostMeasure
from dynsearch.network import MultiExitNetwork
from dynsearch.network.runtimes import runtime_for
from dynsearch.network.waiting import Answer, Steps, Waiting
from dynsearch.network.weights.files import load_weights
from dynsearch.scores import ExitScores
from dynsearch.scores.confidence import SEVERAL_LABELS_MEASURE
from dynsearch.study.saved_frontiers import solved_once
from dynsearch.thresholds import ExitPolicy
from dynsearch.training.device import Device, checked_device, pick_device
from dynsearch.training.made import SCORES, Made, facts_in
from dynsearch.training.source import TEST_RESIZE

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

Video = str | os.PathLike[str] | npt.NDArray[np.uint8]
"""A file, a folder of frames, or all frames, uint8 (T, H, W, 3)."""


@dataclass(frozen=True)
class Prediction:
    """The answer for one video.

    Attributes:
        label: Name of the class.
        probability: Of that class at the exit where the video stopped: by softmax, or by sigmoid where exits are judged
            by ``max-sigmoid``, for classes that do not exclude each other.
        exit: That exit, counted from 1.
        num_exits: How many exits there are.
        frames: Frames the network looked at.
        cost: What that cost.
        top5: Up to five (name, probability), likeliest first.
        measure: What the cost is in.
    """

    label: str
    probability: float
    exit: int
    num_exits: int
    frames: int
    cost: float
    top5: tuple[tuple[str, float], ...]
    measure: CostMeasure = COUNTED

    @property
    def gflops(self) -> float:
        """The cost, where it is counted."""
        return self.measure.only("gflops", self.cost)


class LoadedNetwork(ModelHubMixin):
    """A trained multi-exit network with its exit policy, on the first CUDA device or the CPU.

    What it shows of itself is its bundle's.

    ``save_pretrained``, ``push_to_hub`` and ``from_pretrained`` are those of ``huggingface_hub``'s mixin.

    Args:
        bundle: A bundle's folder, or the bundle itself.
        reader: The video reader's name: ``auto``, which None means, ``decord`` or ``pyav``.
        device: Where to run, for instance ``cpu`` or ``cuda:1``.
        runtime: What runs the network's steps; see :data:`dynsearch.network.runtimes.RUNTIMES`. ``onnx`` takes int8
            graphs where the bundle has some, with their own thresholds.

    Raises:
        BundleError: The folder is no bundle.
        WeightsError: The weights are damaged or of another network.
        InputError: There is no such device or runtime.
    """

    def __init__(
        self,
        bundle: Bundle | str | os.PathLike[str],
        *,
        reader: str | None = None,
        device: Device | None = None,
        runtime: str = "auto",
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.load(bundle)
        self._int8 = int8_in(self.bundle) if runtime == "onnx" else None
        if self._int8:
            self.bundle = replace(self.bundle, policy=self._int8.policy)
        self.reader = reader or "auto"
        self.device = pick_device() if device is None else checked_device(device)
        self._at: dict[float, LoadedNetwork] = {}
        self._others: tuple[Budgets, dict[int, LoadedNetwork]] | None = None
        self._hub_mixin_config = {"library_name": "dynsearch", "plan": self.bundle.plan.to_dict()}
        network = load_network(self.bundle)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).eval()
        self._runtime = runtime
        self._ready: tuple[str, Steps] | None = None

    @property
    def ready(self) -> tuple[str, Steps]:
        """What the runtime is, and what runs the network's steps."""
        if self._ready is None:
            self._ready = runtime_for(
                self._runtime,
                self.network,
                lambda text: warnings.warn(text, stacklevel=2),
                self._int8 and self._int8.folder,
            )
        return self._ready

    def read_clip(self, path: str | os.PathLike[str]) -> torch.Tensor:
        """Return the frames of a video as the network wants them, float32 (T, C, H, W), in temporal order.

        Raises:
            VideoError: The video can't be read.
        """
        frames = read_frames(path, lambda count: self.frames_taken(count).tolist(), reader=self.reader)
        return self.prepare(frames)

    def frames_taken(self, count: int) -> npt.NDArray[np.int64]:
        """Return which of ``count`` frames the network looks at, (T,), in temporal order.

        They are those it was measured on: where its recipe keeps frames, T of the ones that are kept.
        """
        wanted, recipe = self.bundle.plan.num_frames, self.bundle.recipe
        kept = (
            segment_centres(count, recipe.frame_cache.num_frames) if recipe.frame_cache else np.arange(count)
        )
        return kept[frames_taken(len(kept), wanted, recipe.training.sampling)]

    def prepare(self, frames_THWC: npt.NDArray[np.uint8]) -> torch.Tensor:
        """Return RGB frames, uint8 (T, H, W, 3), as the network wants them, float32 (T, C, H, W)."""
        frames_TCHW = torch.from_numpy(frames_THWC).permute(0, 3, 1, 2)
        size, how = self.bundle.plan.image_size, self.bundle.recipe.training.resize
        if cache := self.bundle.recipe.frame_cache:
            frames_TCHW = to_square(frames_TCHW, cache.size, how)
        if how != "crop":
            return normalise(to_square(frames_TCHW, size, how))
        return normalise(centre_crop(resize_short_side(frames_TCHW, short_side(self.bundle)), size))

    @overload
    def predict(  # type: ignore[overload-overlap]  # a text is a sequence of texts too, and is meant as one video
        self, video: Video, *, batch: int = 8, device: Device | None = None, max_gflops: float | None = None
    ) -> Prediction: ...
    @overload
    def predict(
        self,
        video: Sequence[Video],
        *,
        batch: int = 8,
        device: Device | None = None,
        max_gflops: float | None = None,
    ) -> list[Prediction]: ...
    def predict(
        self,
        video: Video | Sequence[Video],
        *,
        batch: int = 8,
        device: Device | None = None,
        max_gflops: float | None = None,
    ) -> Prediction | list[Prediction]:
        """Return the answer for one video, or those for a list of videos, in its order.

        Args:
            video: A video file, a folder of frames, or an array of all frames, uint8 (T, H, W, 3), RGB, in temporal
                order; or a list of these.
            batch: How many videos of a list go through the network together.
            device: Where to run, for instance ``cpu`` or ``cuda:1``; the network stays there. None moves nothing.
            max_gflops: Another budget than the bundle's own: mean GFLOPs per video, on calibration. See :meth:`at`.

        Raises:
            VideoError: A video can't be read.
            InputError: An array is no video, or ``batch`` or ``device`` can't be used.
            BundleError: The bundle can't tell the thresholds for another budget.
            InfeasibleBudgetError: It can, and every one of its points costs more.
        """
        if batch < 1:
            raise InputError(f"batch must be at least 1, got {batch}")
        if device is not None:
            self.to(device)
        if max_gflops is not None:
            return self.at(max_gflops).predict(video, batch=batch)
        if isinstance(video, str | os.PathLike | np.ndarray):
            return self.predict([video], batch=1)[0]
        answers = []
        for answer in self.predictions(video, batch=batch):
            if isinstance(answer, VideoError):
                raise answer
            answers.append(answer)
        return answers

    def predictions(
        self,
        videos: Iterable[Video],
        *,
        batch: int = 8,
        max_waiting: int | None = None,
    ) -> Iterator[Prediction | VideoError]:
        """Yield the answer for every video in turn, or why it can't be read; videos wait until ``batch`` can go on.

        Args:
            videos: As for :meth:`predict`.
            batch: Videos to a step.
            max_waiting: How many may wait, with their frames; None: four batches.

        Raises:
            InputError: An array is no video.
        """
        limit = 4 * batch if max_waiting is None else max_waiting
        own = self.bundle
        waiting = Waiting(own.plan, self.ready[1], own.policy, batch=batch, max_waiting=limit)
        found: deque[Answer] = deque()
        due: deque[VideoError | None] = deque()  # None is an answer to come.

        def ready() -> Iterator[Prediction | VideoError]:
            found.extend(waiting.taken())
            while due and (due[0] is not None or found):
                yield due.popleft() or self.describe(*found.popleft())

        for video in videos:
            try:
                clip = self._clip(video)
            except VideoError as error:
                due.append(error)
            else:
                due.append(None)
                waiting.feed(clip[None].to(self.device))
            yield from ready()
        waiting.finish()
        yield from ready()

    def at(
        self, max_gflops: float | None = None, *, budget: float | None = None, max_ms: float | None = None
    ) -> LoadedNetwork:
        """Return the network at the best point under another budget: mean cost per video, on calibration.

        Where the bundle holds all budgets (``export --all-budgets``), plan and thresholds change and weights are not
        read again. One that ``dynsearch train`` trained keeps its exit scores on calibration, and with them the
        thresholds of its plan for every budget.

        Args:
            max_gflops: The budget, where costs are GFLOPs.
            budget: The budget in whatever costs are; none takes the bundle's own point.
            max_ms: The budget, where costs are milliseconds.

        Raises:
            BundleError: The bundle has one point; the message says what to do.
            InputError: Its costs are in another measure, or several budgets are given.
            InfeasibleBudgetError: Every point costs more.
        """
        limit = self.bundle.recipe.measure.one_budget(budget, max_gflops=max_gflops, max_ms=max_ms)
        if limit is None:
            return self
        if limit not in self._at:
            folder = self._int8.folder if self._int8 else self.bundle.folder
            scores = folder / SCORES["calibration"]
            if self._int8 is None and (folder / BUDGETS).is_file():
                self._at[limit] = self._of_all_budgets(limit)
            elif scores.is_file():
                recipe = self.bundle.recipe
                limits = recipe.limits_on(self.bundle.plan, len(self.bundle.class_names))
                how = recipe.solver, recipe.confidence, recipe.solver_options, limits
                curve = solved_once(folder, ExitScores.load(scores), *how)
                self._at[limit] = self._with(self, curve.best_under(limit).policy, limit)
            else:
                raise BundleError(
                    "has the thresholds of one budget",
                    where=str(self.bundle.folder),
                    hint="Export the study again with this budget, or with --all-budgets, or train the bundle with "
                    "`dynsearch train`",
                )
        return self._at[limit]

    def _of_all_budgets(self, budget: float) -> LoadedNetwork:
        if self._others is None:
            path = self.bundle.folder / BUDGETS
            _check_made(self.bundle, path)
            self._others = Budgets.load(path).on(self.device), {}
        budgets, networks = self._others
        point = budgets.best_under(budget, self.bundle.recipe.measure)
        if point.network not in networks:
            other = copy.copy(self)
            other.bundle = replace(self.bundle, plan=budgets.plans[point.network], policy=point.policy)
            num_classes = len(self.bundle.class_names)
            other.network = build_network(
                other.bundle.plan, num_classes, measure=self.bundle.recipe.measure
            ).eval()
            budgets.fill(other.network, point.network)
            other._ready = None
            networks[point.network] = other
        return self._with(networks[point.network], point.policy, budget)

    @staticmethod
    def _with(network: LoadedNetwork, policy: ExitPolicy, budget: float) -> LoadedNetwork:
        _ = network.ready  # Once for all policies.
        other = copy.copy(network)
        recipe = network.bundle.recipe.model_copy(update={"budget": budget})
        other.bundle = replace(network.bundle, policy=policy, recipe=recipe)
        return other

    def to(self, device: Device) -> LoadedNetwork:
        """Move the network to ``device``, and return it.

        Raises:
            InputError: There is no such device.
        """
        self.device = checked_device(device)
        self.network, self._ready = self.network.to(self.device), None
        self._at, self._others = {}, None
        return self

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each exit; see :meth:`Bundle.to_pandas`."""
        return self.bundle.to_pandas()

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the plan on its grid; None makes a new figure."""
        return self.bundle.plot(axes)

    def __repr__(self) -> str:
        return f"LoadedNetwork({self.bundle!r} on {self.device})"

    def _repr_html_(self) -> str:
        return self.bundle._repr_html_()

    def _clip(self, video: Video) -> torch.Tensor:
        if not isinstance(video, np.ndarray):
            return self.read_clip(video)
        if video.ndim != 4 or video.shape[3] != 3 or video.dtype != np.uint8 or not video.size:
            raise InputError(
                f"a video is an array uint8 (T, H, W, 3), got {video.dtype} {video.shape}",
                hint="Give all its frames, RGB, in temporal order",
            )
        return self.prepare(video[self.frames_taken(len(video))])

    def describe(self, logits_K: torch.Tensor, exit_index: int) -> Prediction:
        """Return what logits (K,) say that came from an exit, counted from 0."""
        several = self.bundle.policy.measure == SEVERAL_LABELS_MEASURE
        every_K = logits_K.sigmoid() if several else logits_K.softmax(dim=0)
        probabilities, classes = every_K.topk(min(5, len(self.bundle.class_names)))
        names = [self.bundle.class_names[index] for index in classes.tolist()]
        top5 = tuple(zip(names, probabilities.tolist(), strict=True))
        plan = self.bundle.plan
        return Prediction(
            label=top5[0][0],
            probability=top5[0][1],
            exit=exit_index + 1,
            num_exits=len(plan.exits),
            frames=plan.frames_seen(plan.exits.exits[exit_index]),
            cost=float(self.network.cost_E[exit_index]),
            top5=top5,
            measure=self.network.measure,
        )

    def _save_pretrained(self, save_directory: Path) -> None:
        write_hub_files(self.bundle, save_directory)

    @classmethod
    def _from_pretrained(cls, *, model_id: str, **options: Any) -> LoadedNetwork:
        return cls(download(model_id, **options))


def load_network(bundle: Bundle) -> MultiExitNetwork:
    """Return the bundle's network with its weights, on the CPU.

    Raises:
        WeightsError: The weights are damaged or of another network.
        BundleError: They were not made as the recipe says.
    """
    _check_made(bundle, bundle.weights)
    network = build_network(bundle.plan, len(bundle.class_names), measure=bundle.recipe.measure)
    load_weights(network, bundle.weights)
    return network


def _check_made(bundle: Bundle, weights: Path) -> None:
    found = facts_in(weights) or {}
    if others := Made(bundle.recipe.facts()).differences(found):
        raise BundleError(
            f"its weights were not made as recipe.yaml says: in them {'; '.join(others)}",
            where=str(bundle.folder),
            hint="Put back the file that was changed or exchanged",
        )


def short_side(bundle: Bundle) -> int:
    """Return to how many pixels the short side of a frame is resized before its middle is cut out."""
    cache = bundle.recipe.frame_cache
    return cache.size if cache else round(bundle.plan.image_size * TEST_RESIZE)
