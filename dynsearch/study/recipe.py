"""A study recipe: a data set, a budget, a search space and how to train."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from dynsearch import resources
from dynsearch.errors import RecipeError
from dynsearch.files import read_yaml
from dynsearch.space.search_space import Family
from dynsearch.strict_yaml import load_yaml
from dynsearch.study.one_shot_config import OneShotConfig
from dynsearch.training.config import TrainingConfig
from dynsearch.validation import Settings, describe


class FrameCacheConfig(Settings):
    """Which frames are kept decoded on disk."""

    num_frames: int = Field(ge=1)
    """Evenly spaced frames kept of every video."""
    size: int = Field(ge=8)
    """Side of the kept square, in pixels."""
    max_gb: float = Field(default=200.0, gt=0)
    """Most that the frames of all splits may take on disk, in 10^9 bytes; a larger cache is refused."""


class StudyRecipe(Settings):
    """Everything that decides a study's result. One YAML file in ``studies/``. Unknown fields are refused."""

    dataset: str
    """Name of a data set in the catalogue."""
    space: str
    """Name of a search space, or the path of its file."""
    families: list[Family] | None = Field(default=None, min_length=1)
    """Kinds of networks to search over, instead of the space's own."""
    max_gflops: float = Field(gt=0)
    """Budget: mean GFLOPs (10^9 multiply-accumulates) per video of the point wanted."""
    num_trials: int = Field(default=20, ge=1)
    """``one-shot``: frame orders, with groups, shift and network, to screen; ``retrain``: plans to train."""
    max_hours: float | None = Field(default=None, gt=0)
    """No further trial begins after this time; none means no limit."""
    seed: int = Field(default=0, ge=0)
    strategy: Literal["one-shot", "retrain"] | None = None
    """``one-shot`` trains a network for all plans, searches on its scores and trains the most promising plans
    alone; ``retrain`` trains every plan that is proposed. None: one-shot where all plans are grids."""
    engine: Literal["local", "ray"] = "local"
    """Where trials run. ``local``: in processes on this machine; ``ray``: in a Ray cluster."""
    ray_address: str | None = None
    """A running Ray cluster, ``auto`` or HOST:PORT; none starts Ray on this machine."""
    gpus_per_trial: float | None = Field(default=None, ge=0)
    """GPUs Ray sets aside for a trial; none means one for each of its processes, where the cluster has any."""
    workers_per_trial: int = Field(default=1, ge=1)
    """Processes that train a trial's network together, each on batches of ``training.batch_size``. More than one
    needs the engine ``ray``."""
    concurrent: int = Field(default=1, ge=1)
    """Trials under way at once; with several GPUs they take turns on them."""
    pruner: Literal["none", "asha", "hyperband"] = "none"
    """``asha`` stops trials after a ninth and a third of the epochs unless their top-1 at the budget, on
    calibration, is among the best third; ``hyperband`` lets two of three trials begin at later rungs."""
    storage: str | None = None
    """Where the record is kept: ``sqlite:///FILE``, ``journal``, ``journal:FILE`` or ``postgresql://USER@HOST/DATABASE``.
    None is SQLite in the study's folder, ``journal`` a journal file there."""
    solver: str = "frontier"
    """Threshold solver used on each trial's calibration scores."""
    calibration_fraction: float | None = Field(default=None, gt=0, lt=1)
    """Share of the official training videos set aside for calibration; none takes the data set's own."""
    reader: Literal["auto", "decord", "pyav"] = "auto"
    """What decodes video files; ``auto`` looks at each file and takes decord only where its frames are right."""
    frame_cache: FrameCacheConfig | None = None
    """Decoded frames kept on disk; none decodes videos in every epoch."""
    training: TrainingConfig = TrainingConfig()
    one_shot: OneShotConfig = OneShotConfig()

    @model_validator(mode="after")
    def _workers_fit(self) -> Self:
        if self.workers_per_trial > 1:
            if self.engine != "ray":
                raise ValueError(f"workers_per_trial {self.workers_per_trial} needs the engine ray")
            if (self.gpus_per_trial or 0) % self.workers_per_trial:
                raise ValueError(
                    f"gpus_per_trial {self.gpus_per_trial:g} can't be shared by {self.workers_per_trial} workers: "
                    "each needs GPUs of its own"
                )
        return self

    @property
    def budget(self) -> float:
        """The budget: mean cost per video of the point wanted."""
        return self.max_gflops

    @classmethod
    def load(
        cls, name: str, *, settings: Iterable[str] = (), overrides: Mapping[str, Any] | None = None
    ) -> StudyRecipe:
        """Read the recipe ``name`` and change some of its fields.

        Args:
            name: A shipped recipe's name, or the path of a YAML file. A variant of a data set, ``NAME@VARIANT``,
                has the recipe ``NAME``.
            settings: Changes as ``field=value`` or ``training.field=value``; values are read as YAML.
            overrides: Further changes by field; None leaves a field as it is.

        Raises:
            RecipeError: The file or a setting is wrong; all wrong fields are listed.
        """
        is_file = name.endswith((".yaml", ".yml"))
        path = resources.find("studies", name if is_file else name.partition("@")[0])
        values = read_yaml(path, RecipeError)
        if not isinstance(values, dict):
            raise RecipeError("holds no mapping of fields", where=str(path))
        for setting in settings:
            _apply(values, setting)
        values.update({key: value for key, value in (overrides or {}).items() if value is not None})
        if values.get("storage") is not None:
            from dynsearch.study.storage_address import check_storage

            check_storage(str(values["storage"]))
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise RecipeError(describe(error), where=path.name) from error

    def resolved(self) -> dict[str, Any]:
        """Return all fields, defaults included, as plain values."""
        return self.model_dump(mode="json")


def recipe_name(name: str) -> str:
    """Return the study name a recipe gives when the user names none: the file's stem, without @ and +."""
    return Path(name).stem.replace("@", "-").replace("+", "-")


def _apply(values: dict[str, Any], setting: str) -> None:
    """Change one field of ``values``: ``training.epochs=3``."""
    field, equals, text = setting.partition("=")
    keys = field.strip().split(".")
    if not equals or not all(keys):
        raise RecipeError(
            f"can't read {setting!r}", where="--set", hint="Write field=value, for instance training.epochs=3"
        )
    try:
        value = load_yaml(text)
    except Exception as error:  # The parser lets value, key and recursion errors of odd scalars through.
        raise RecipeError(
            f"can't read the value of {setting!r}", where="--set", hint="Values are YAML: 3, true, [a, b]"
        ) from error
    inner: Any = values
    for key in keys[:-1]:
        if inner.get(key) is None:
            inner[key] = {}
        inner = inner[key]
        if not isinstance(inner, dict):
            raise RecipeError(f"{key!r} in {setting!r} holds no fields", where="--set")
    inner[keys[-1]] = value
