"""What a study will take, said before it begins: hours by stage, disk and memory, from a few timed steps."""

import contextlib
import json
import math
import time
from dataclasses import asdict, dataclass

import torch

from dynsearch import resources
from dynsearch.data.frame_cache import cache_bytes
from dynsearch.data.home import home
from dynsearch.display.words import spoken_time
from dynsearch.errors import DynsearchError
from dynsearch.families.grid.choices import trunk_choices
from dynsearch.files import read_json, write_text
from dynsearch.machine import available_cores, described
from dynsearch.search.one_shot.library import FIT
from dynsearch.search.one_shot.shape import Shape
from dynsearch.search.one_shot.strategy import settled
from dynsearch.search.pace import Pace, drawn_plans, measured_pace
from dynsearch.space import SearchSpace
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.config import RefitConfig
from dynsearch.training.folds import MOST_FOLDS
from dynsearch.training.made import hashed, settings_facts
from dynsearch.training.source import DatasetClips

_RECENT = 3600.0  # seconds for which a measured pace is taken
_BEGIN, _SEARCH, _AFTER = 10.0, 5.0, 2.0  # seconds: to begin; an order's exits; a plan's pictures
_STAGES = ("train one-shot networks", "prepare and score orders", "train plans alone", "score plans")
"""Those that an engine runs."""
_PASSES_OF_FIT = 25  # after which the fit of heads has mostly stopped


@dataclass(frozen=True, kw_only=True)
class Price:
    """What a study takes on this machine, if nothing of it is done yet.

    Attributes:
        what: One-shot networks, frame orders (with network and shift) and plans, by name.
        hours: By stage in turn, by the clock.
        gpu_hours: Of all stages; None without a GPU.
        disk: Bytes, by what takes them.
        cheaper: Hours saved, by what would save them.
        pace: What was timed.
    """

    what: dict[str, int]
    hours: dict[str, float]
    gpu_hours: float | None
    disk: dict[str, float]
    cheaper: dict[str, float]
    pace: Pace

    @property
    def line(self) -> str:
        """Return the whole in a line."""
        what = ", ".join(f"{count} {name}" for name, count in self.what.items() if count)
        gpus = "" if self.gpu_hours is None else f", {self.gpu_hours:.2g} GPU hours"
        disk = sum(self.disk.values()) / 1e9
        return (
            f"Price: about {spoken_time(3600 * sum(self.hours.values()))}{gpus} on {self.pace.device}; {what}; "
            f"{disk:.2g} GB of disk"
        )

    def text(self) -> str:
        """Return all of it in words."""
        stages = [
            f"  {name:<40}{spoken_time(3600 * hours):>8}" for name, hours in self.hours.items() if hours
        ]
        disk = ", ".join(f"{name} {size / 1e9:.2g} GB" for name, size in self.disk.items() if size)
        memory = f"Memory of a process that trains: {self.pace.memory / 1e9:.2g} GB"
        cheaper = [f"  {how}: {spoken_time(3600 * saved)} less" for how, saved in self.cheaper.items()]
        return "\n".join([self.line, *stages, f"Disk: {disk}", memory, "Cheaper by", *cheaper])

    def as_json(self) -> str:
        """Return all of it for programs, in hours, bytes and seconds."""
        return json.dumps({"total_hours": sum(self.hours.values()), **asdict(self)}, indent=1)


def price_of(recipe: StudyRecipe, run: RunSettings, source: DatasetClips) -> Price:
    """Return a study's price on this machine. Steps that were timed here within an hour are not timed again.

    Raises:
        DynsearchError: No plan can be built, or no video read.
    """
    space = SearchSpace.load(resources.find("search_spaces", recipe.space)).only(recipe.families)
    recipe = settled(recipe, space)
    plans = drawn_plans(space, source.num_classes)
    gmacs, plan = plans[0]
    networks = 1 if len(Shape.all_in(space)) == 1 else run.concurrent
    beside = [n * recipe.workers_per_trial for n in (run.concurrent, networks)]
    threads = [max(1, min(torch.get_num_threads(), available_cores() // n)) for n in beside]
    facts = (
        source.key,
        plan.plan_id,
        settings_facts(recipe.training),
        recipe.one_shot.facts(),
        threads,
        described(),
    )
    file, pace = home() / "paces" / f"{hashed(*facts)}.json", None
    with contextlib.suppress(DynsearchError, OSError, TypeError, KeyError, AttributeError):
        values = read_json(file)
        pace = Pace(**values) if time.time() - values.pop("when") < _RECENT else None
    if pace is None:
        pace = measured_pace(recipe, space, source, plan, gmacs, *threads)
        with contextlib.suppress(DynsearchError, OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            write_text(file, json.dumps({"when": time.time(), **asdict(pace)}))
    return _priced(recipe, run, source, space, pace, sum(cost for cost, _ in plans) / len(plans) / gmacs)


def _priced(
    recipe: StudyRecipe,
    run: RunSettings,
    source: DatasetClips,
    space: SearchSpace,
    pace: Pace,
    heavier: float,
) -> Price:
    """Return the price; the space's plans are so many times ``heavier`` than the one that was timed."""
    one_shot, how, frames = recipe.one_shot, recipe.training, recipe.frame_cache
    train, calibration, test = (len(source.labels(split)) for split in ("train", "calibration", "test"))
    networks, orders, alone, shared = 0, 0, recipe.num_trials, 0
    if recipe.strategy == "one-shot":
        networks = len(Shape.all_in(space))
        orders = min(recipe.num_trials, len(trunk_choices(space) or range(recipe.num_trials)))
        alone, shared = one_shot.retrain, one_shot.shared
    slots, epochs = min(run.concurrent, max(alone, 1)), one_shot.training(how).epochs
    gpus = torch.cuda.device_count()
    # Five jobs in two slots take as long as six.
    beside = [n / math.ceil(n / run.concurrent) if n else 1 for n in (networks, orders, alone)]
    side_by_side = {s: n * recipe.workers_per_trial for s, n in zip(_STAGES, [*beside, slots], strict=True)}
    readers = max(1, min(run.num_workers, available_cores() // slots))

    def both(seconds: float) -> float:
        """Return what a video takes to read and compute; where others read, the longer of the two."""
        reading, computing = pace.read / readers, heavier * seconds
        return max(reading, computing) if run.num_workers and not frames else reading + computing

    def fit(refit: RefitConfig | None) -> float:
        if refit is None:
            return 0.0
        rounds = math.ceil(train * refit.passes / 128) * min(refit.epochs, _PASSES_OF_FIT) * refit.seeds
        return refit.passes * train * both(pace.dense) + rounds * pace.fit

    prepare = one_shot.norm_batches * how.batch_size * both(pace.dense) + fit(how.refit_heads and FIT)
    plan = recipe.plan_epochs * train * both(pace.alone) + fit(how.refit_heads)
    folds = MOST_FOLDS * (recipe.calibration == "folds")
    plan *= max(folds, 1)  # as many more networks, each trained without one of so many parts
    seconds = {
        "begin": _BEGIN,
        "keep decoded frames": 0.0 if source.is_cached else (train + calibration + test) * pace.cache,
        "train one-shot networks": networks * epochs * train * both(pace.shared),
        "prepare and score orders": orders * (prepare + calibration * both(pace.dense)),
        "search exits on their scores": orders * _SEARCH,
        "train plans alone": plan * alone,
        "score plans": ((calibration + test + 2 * train * bool(folds)) * both(pace.score) + _AFTER)
        * (alone + shared),
    }
    hours = {name: value / 3600 / side_by_side.get(name, 1) for name, value in seconds.items()}
    cells = max(grid.num_sets for grid in space.frames) * (space.exits.max_depth - space.exits.min_depth + 1)
    kept = (train + calibration + test) * bool(frames)
    scored = (alone + shared) * space.exits.max_exits * (calibration + test + 3 * train * bool(folds))
    what = {
        "one-shot networks": networks,
        "orders": orders,
        "plans trained alone": alone,
        "with shared weights": shared,
    } | ({"networks of folds": folds * alone} if folds else {})
    computing = heavier * pace.alone / both(pace.alone)
    return Price(
        what=what, hours=hours, gpu_hours=sum(seconds.values()) / 3600 if gpus else None,
        disk={
            "decoded frames": cache_bytes(kept, frames.num_frames, frames.size) if frames else 0,
            "score grids": 2.0 * orders * cells * calibration * source.num_classes,
            "exit scores": 4.0 * scored * source.num_classes,
        },
        cheaper=_cheaper(hours, networks, epochs, alone, 0.0 if frames else 1 - computing, gpus, slots), pace=pace,
    )  # fmt: skip


def _cheaper(
    hours: dict[str, float], networks: int, epochs: int, alone: int, reading: float, gpus: int, slots: int
) -> dict[str, float]:
    """Return what saves hours; ``reading`` is the share of a plan's training that a frame cache would."""
    trained, plans = hours["train one-shot networks"], hours["train plans alone"]
    saved = {
        f"--set one_shot.epochs={epochs // 2}": trained / 2 * (epochs > 1),
        "each network less in the space": trained / networks if networks > 1 else 0.0,
        f"{'--retrain' if networks else '--trials'} {alone // 2}": plans / 2 * (alone > 1),
        "a frame_cache, as reading takes longest": plans * reading,
        f"--concurrent {gpus}": plans * (1 - slots / max(1, min(gpus, alone))),
    }
    return {how: each for how, each in saved.items() if each > 1 / 3600}
