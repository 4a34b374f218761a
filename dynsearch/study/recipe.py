"""A study recipe: a data set, a budget, a search space and how to train."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, GetPydanticSchema, model_serializer, model_validator
from pydantic_core.core_schema import is_instance_schema

from dynsearch.budget import excess
from dynsearch.frontier import Limit
from dynsearch.measures import COST_MEASURES, COUNTED, CostMeasure
from dynsearch.plan import Plan
from dynsearch.space import FamilyName
from dynsearch.timing.setup import Asked
from dynsearch.timing.tables import ANYTHING, TABLES, TableCosts, any_tables, timed
from dynsearch.training.config import FrameCacheConfig, TrainingConfig
from dynsearch.training.made import settings_facts
from dynsearch.validation import Settings

_AS_IT_IS = GetPydanticSchema(lambda kind, _: is_instance_schema(kind))


class OneShotConfig(Settings):
    """Settings of the one-shot strategy; a recipe's ``one_shot`` section. Unknown fields are refused."""

    epochs: int | None = Field(default=None, ge=1)
    """Passes over the training split that the one-shot network gets; none: as many as a plan's own."""
    cells_per_step: int | None = Field(default=None, ge=1)
    """Cells that a step trains besides the last one of every depth: the first, the others drawn at random; none:
    all, which costs nothing where heads are linear."""
    heads: Literal["cell", "depth"] = "depth"
    """A head for every cell, or one for every depth, whatever number of frames it has seen."""
    distil: bool = False
    """Whether the other cells learn from the last cell too."""
    norm_batches: int = Field(default=24, ge=0)
    """Training batches from which the statistics of batch normalisation are taken anew for each frame order."""
    shared: int = Field(default=6, ge=0)
    """Plans that enter the frontier with the one-shot network's own weights."""
    retrain: int = Field(default=6, ge=0)
    """Plans that are trained alone in the end."""
    warm_start: Literal["one-shot", "backbone"] = "one-shot"
    """What they start from: the one-shot network's weights, or the backbone's as in ``training``."""
    finish_epochs: Annotated[int, Field(ge=1)] | Literal["half"] | None = "half"
    """Epochs that they are trained, if they start from the one-shot network; none: those of ``training``; ``half``:
    half as many, rounded up."""

    @model_validator(mode="after")
    def _leaves_something(self) -> Self:
        if self.shared + self.retrain == 0:
            raise ValueError("shared and retrain are both 0, so that no plan would be measured")
        return self

    def facts(self) -> dict[str, object]:
        """Return what decides the one-shot network, as results that come of it carry it."""
        return self.model_dump(mode="json", exclude={"shared", "retrain", "warm_start", "finish_epochs"})

    def finishing(self, epochs: int) -> int:
        """Return how long a plan is trained that starts from the network, of ``epochs`` of a whole training."""
        return -(-epochs // 2) if self.finish_epochs == "half" else self.finish_epochs or epochs

    def training(self, config: TrainingConfig) -> TrainingConfig:
        """Return how the one-shot network is trained where a plan's own is trained as ``config`` says."""
        exit_loss = "distill" if self.distil else "sum"
        return config.lasting(self.epochs or config.epochs).model_copy(update={"exit_loss": exit_loss})


MAX_P95, BEYOND_P95 = "max_p95_ms", 0.05
"""The budget of the 95th percentile, and the share of videos that may take longer."""


def p95_of(measure: CostMeasure) -> CostMeasure:
    """Return the measure of what 95% of videos keep within, from that of the mean."""
    return CostMeasure("p95_ms", "ms", costs=measure.costs)


class StudyRecipe(Settings):
    """Everything that decides a study's result, and nothing else. Unknown fields are refused.

    One YAML file in ``studies/`` holds a recipe and, in its ``run`` section, :class:`RunSettings`;
    :func:`dynsearch.study.recipe_file.load_recipe` reads both.
    """

    dataset: str
    """Name of a data set in the catalogue."""
    space: str
    """Name of a search space, or the path of its file."""
    families: list[FamilyName] | None = Field(default=None, min_length=1)
    """Kinds of networks to search over, instead of the space's own."""
    budget: float = Field(gt=0)
    """Mean cost per video of the point wanted; spelled by its measure, for instance ``max_gflops``."""
    measure: Annotated[CostMeasure, _AS_IT_IS] = Field(default=COUNTED, exclude=True)
    """What the budget is in; of several that are given milliseconds, else the one that is not counted."""
    limits: dict[str, Annotated[float, Field(gt=0)]] = Field(default={}, exclude=True)
    """The other budgets, by how they are spelled; thresholds keep all."""
    ms: Asked = ANYTHING
    """On what milliseconds are measured."""
    kind_of_results: str = Field(default="", exclude=True)
    """What the names of files have where results are not by the costs that the study recorded."""
    num_trials: int = Field(default=20, ge=1)
    """``one-shot``: frame orders, with groups, shift and network, to screen; ``retrain``: plans to train."""
    seed: int = Field(default=0, ge=0)
    """Of everything random: the same seed gives the same plans and the same frontier."""
    strategy: Literal["one-shot", "retrain"] | None = None
    """``one-shot`` trains a network for all plans, searches on its scores and trains the most promising plans
    alone; ``retrain`` trains every plan that is proposed. None: one-shot where all plans are grids."""
    workers_per_trial: int = Field(default=1, ge=1)
    """Processes that train a network together, each on batches of ``training.batch_size``."""
    pruner: Literal["none", "asha", "hyperband"] = "none"
    """``asha`` stops trials after a ninth and a third of the epochs unless their top-1 at the budget, on
    calibration, is among the best third; ``hyperband`` lets two of three trials begin at later rungs."""
    solver: str = "frontier"
    """Threshold solver used on each trial's calibration scores; also ``thresholds.solver``."""
    confidence: str | None = None
    """Confidence measure of the thresholds, ``auto`` for the best of each network by cross-validation; none takes the
    largest softmax probability, or the largest sigmoid where videos have several labels. One-shot search keeps to that
    where an exit alone can't tell (``patience``). Also ``thresholds.confidence``."""
    solver_options: dict[str, Any] = {}
    """The solver's own options; also ``thresholds.options``."""
    plugins: tuple[str, ...] = ()
    """Modules of the user's, or their files, that register what the fields above name."""
    calibration: Literal["split", "folds"] = "split"
    """``folds``: thresholds see the training videos too, scored by five more networks, each trained as the trial's
    but without a fifth of them: for a calibration split that is too small. Needs the strategy ``retrain``."""
    calibration_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of the official training videos set aside for calibration; none takes the data set's own."""
    split_files: bool = False
    """Whether parts of one file may be in several splits, where they share no time."""
    frame_cache: FrameCacheConfig | None = None
    """Decoded frames kept on disk; none decodes videos in every epoch."""
    training: TrainingConfig = TrainingConfig()
    """How networks are trained: its own section, below."""
    one_shot: OneShotConfig = OneShotConfig()
    """Settings of the one-shot strategy: its own section, below."""

    @model_validator(mode="before")
    @classmethod
    def _read(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        inside = [name for name in ("budget", "measure", "limits", "kind_of_results") if name in values]
        if inside and not isinstance(values.get("measure"), CostMeasure):
            raise ValueError(f"{inside[0]}: unknown field; a budget is spelled by its measure, as max_NAME")
        spelled = budgets_in(values)
        if not spelled:
            return values
        for name, measure in spelled.items():
            if measure.costs is None:
                raise ValueError(
                    f"{name}: what a plan costs in {measure.unit} is not known, so no study can keep to it"
                )
        first = max(spelled, key=lambda name: (name == "max_ms", name != COUNTED.budget_name))
        if MAX_P95 in values and first != "max_ms":
            raise ValueError(f"{MAX_P95} goes with max_ms, the mean")
        limits = {name: values[name] for name in (*spelled, MAX_P95) if name in values and name != first}
        others = {key: value for key, value in values.items() if key not in (first, *limits)}
        measure = timed(spelled[first], others.get("ms"))
        return others | {"budget": values[first], "measure": measure, "limits": limits}

    @model_serializer(mode="wrap")
    def _written(self, handler: Callable[[Self], dict[str, Any]]) -> dict[str, Any]:
        values = handler(self)
        if "ms" in values and self.ms == ANYTHING and self.measure.name != "ms":
            del values["ms"]
        written = {
            self.measure.budget_name if name == "budget" else name: value for name, value in values.items()
        }
        return written | (self.limits if "budget" in values else {})

    def limits_on(self, plan: Plan, num_classes: int) -> list[Limit]:
        """Return the limits besides the budget, for the thresholds of a plan's network."""
        limits = []
        for name, measure in self.limit_measures.items():
            kept = measure, measure.cost_E(plan, num_classes), self.limits[name]
            limits.append(Limit.on_share(*kept, BEYOND_P95) if name == MAX_P95 else Limit(*kept))
        return limits

    @property
    def limit_measures(self) -> dict[str, CostMeasure]:
        """The measures of the limits, by how these are spelled."""
        p95 = {MAX_P95: p95_of(self.measure)} if MAX_P95 in self.limits else {}
        return budgets_in(self.limits) | p95

    def excess(self, plan: Plan, num_classes: int) -> tuple[float, str]:
        """Return by how much a plan's cheapest exit is over the budget or a limit, and what is said of it.

        Over a limit it is the same share of the budget.
        """
        wanted = [(self.measure, self.budget)]
        wanted += [(measure, self.limits[name]) for name, measure in self.limit_measures.items()]
        found = []
        for measure, bound in wanted:
            cost = measure.cost_E(plan, num_classes)[0]
            over = excess(cost, bound)
            found.append((over if bound == self.budget else over / bound * self.budget, measure.text(cost)))
        over, text = max(found, key=lambda item: item[0])
        return over, f"its cheapest exit costs {text}"

    def carried_in(self, folder: Path | None, tell: Callable[[str], None] | None = None) -> Self:
        """Return the recipe with milliseconds by the tables in a folder of results, which keeps those that it takes.

        With ``tell`` what is lacking is measured, and told.
        """
        costs = self.measure.costs
        if not isinstance(costs, TableCosts):
            return self
        carried = replace(costs, own=folder and folder / TABLES, tell=tell)
        return self.model_copy(update={"measure": carried.measure})

    @property
    def plan_epochs(self) -> int:
        """Epochs for which a plan of this study is trained."""
        from_one_shot = self.strategy != "retrain" and self.one_shot.warm_start == "one-shot"
        return self.one_shot.finishing(self.training.epochs) if from_one_shot else self.training.epochs

    @property
    def splitting(self) -> dict[str, Any]:
        """How ``open_dataset`` splits the data set."""
        return self.model_dump(include={"calibration_fraction", "seed", "split_files"})

    def facts(self) -> dict[str, Any]:
        """Return what decides a trained network, as far as a recipe says it, as its results carry it."""
        frames = self.frame_cache and self.frame_cache.model_dump()
        own = {"dataset": self.dataset, "seed": self.seed, "measure": self.measure.name}
        return {**own, "frame_cache": frames, "training": settings_facts(self.training)}


def budgets_in(values: Mapping[str, Any]) -> dict[str, CostMeasure]:
    """Return the measures of the budgets among the fields of a recipe, by the fields' names."""
    names = {measure.budget_name: measure for measure in map(COST_MEASURES.__getitem__, COST_MEASURES)}
    return {name: names[name] for name in values if name in names}


def other_measure(recipe: StudyRecipe) -> CostMeasure | None:
    """Return the measure that results are shown in besides their own.

    It is counted operations beside any other; beside these milliseconds, where a table was ever measured.
    """
    if recipe.measure != COUNTED:
        return COUNTED
    return TableCosts(recipe.ms).measure if any_tables() else None
