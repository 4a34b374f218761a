"""Recipe files: what decides a study's result, and in the section ``run`` how it is carried out."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError, model_validator

from dynsearch import resources
from dynsearch.errors import InputError, RecipeError
from dynsearch.files import read_yaml
from dynsearch.measures import COUNTED
from dynsearch.plugins import import_plugins, joined, require
from dynsearch.strict_yaml import load_yaml
from dynsearch.study.recipe import StudyRecipe, budgets_in
from dynsearch.study.run_settings import DEFAULT_RUN, RunSettings
from dynsearch.validation import Settings, describe

FORMER_PLACES = {
    **{
        name: name
        for name in (
            "engine", "ray_address", "gpus_per_trial", "concurrent", "max_hours", "storage", "reader",
        )
    },
    "training.num_workers": "num_workers",
    "training.save_every_steps": "save_every_steps",
    "training.timeout": "timeout",
    "frame_cache.max_gb": "max_cache_gb",
    "one_shot.max_gigabytes": "max_grid_gb",
}  # fmt: skip
"""Where files and settings up to 0.1 have what is in ``run`` now; they are still read."""


_THRESHOLDS = {"solver": "solver", "confidence": "confidence", "options": "solver_options"}


class _Both(Settings):
    recipe: StudyRecipe
    run: RunSettings = DEFAULT_RUN

    @model_validator(mode="after")
    def _fit(self) -> Self:
        check_together(self.recipe, self.run)
        return self


def check_together(recipe: StudyRecipe, run: RunSettings) -> None:
    """Refuse a run that can't carry out the recipe.

    Raises:
        ValueError: Ray has not GPUs for each process of a trial.
    """
    workers, gpus = recipe.workers_per_trial, run.gpus_per_trial or 0
    if workers > 1 and gpus % workers:
        raise ValueError(
            f"gpus_per_trial {gpus:g} can't be shared by {workers} workers: each needs GPUs of its own"
        )


def load_recipe(
    name: str,
    *,
    settings: Iterable[str] = (),
    overrides: Mapping[str, Any] | None = None,
    from_bundle: bool = False,
) -> tuple[StudyRecipe, RunSettings]:
    """Read the recipe ``name`` and change some of its fields.

    Args:
        name: A shipped recipe's name, or the path of a YAML file. A variant of a data set, ``NAME@VARIANT``,
            has the recipe ``NAME``.
        settings: Changes as ``field=value``, ``training.field=value`` or ``run.field=value``; values are read as
            YAML.
        overrides: Further changes by field, of the recipe or the run; None leaves a field as it is.
        from_bundle: Whether the file came with a bundle. Then its run settings do not count, and the modules it names
            are not imported, but have to be imported already.

    Returns:
        What decides the result, and how it is carried out.

    Raises:
        RecipeError: The file or a setting is wrong; all wrong fields, and names of what there is not, are listed.
        InputError: A module that the recipe names can't be imported, or was not.
    """
    is_file = name.endswith((".yaml", ".yml"))
    path = resources.find("studies", name if is_file else name.partition("@")[0])
    values = read_yaml(path, RecipeError)
    if not isinstance(values, dict):
        raise RecipeError("holds no mapping of fields", where=str(path))
    _move(values, where=str(path))
    if from_bundle:
        values.pop("run", None)
        require(_texts(values.get("plugins")), str(path))
    settings = list(settings)
    for setting in settings:
        _apply(values, setting)
        _move(values)
    named = values.get("plugins")
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    values |= {key: value for key, value in given.items() if key not in RunSettings.model_fields}
    if given.get("plugins") and isinstance(named, list | tuple):
        values["plugins"] = list(joined(_texts(named), given["plugins"]))
    run = values.get("run") or {}
    if isinstance(run, dict):
        values["run"] = run = run | {key: given[key] for key in given if key in RunSettings.model_fields}
    if isinstance(run, dict) and run.get("storage") is not None:
        from dynsearch.study.storage_address import check_storage

        check_storage(str(run["storage"]))
    if not from_bundle:
        import_plugins(_texts(values.get("plugins")), where=path.name)
    budgets = budgets_in(values).keys()
    said = budgets & {*given, *(setting.partition("=")[0].strip() for setting in settings)}
    if said:  # and then stands for the file's own
        values = {key: value for key, value in values.items() if key not in budgets - said}
    if given.get("budget") is not None:
        name = next(iter(budgets_in(values)), COUNTED.budget_name)
        values = {key: value for key, value in values.items() if key != "budget"} | {name: given["budget"]}
    return split_settings(values, where=path.name, names=True)


def recipe_for(dataset: str) -> str:
    """Return the name of the recipe that ships for a data set, or for one's own videos."""
    name = dataset.partition("@")[0]
    return name if name in resources.names("studies") else "folders"


def split_settings(
    values: object, *, error: type[InputError] = RecipeError, where: str | None = None, names: bool = False
) -> tuple[StudyRecipe, RunSettings]:
    """Return a recipe and run settings from the fields of both, as the file ``where`` has them.

    Wrong fields raise ``error``, which lists all. With ``names``, names are looked up: data set, space, solver,
    confidence measure.
    """
    wrong: list[str] = []
    parts: dict[str, Any] = {"recipe": values}
    if isinstance(values, Mapping):
        parts["recipe"] = fields = dict(values)
        _move(fields)
        if fields.get("run") is not None:
            parts["run"] = fields["run"]
        fields.pop("run", None)
        if names:
            from dynsearch.study.recipe_names import wrong_names

            wrong += wrong_names(fields)
    try:
        both = _Both.model_validate(parts)
    except ValidationError as problems:
        if (
            isinstance(values, Mapping) and not names
        ):  # A field may be one of a module's that is not imported.
            require(_texts(values.get("plugins")), where or "the recipe")
        wrong.insert(0, describe(problems, inside="recipe", names=_spelling(values)))
        raise error("; ".join(wrong), where=where) from problems
    if wrong:
        raise error("; ".join(wrong), where=where)
    return both.recipe, both.run


def _spelling(values: object) -> dict[str, str]:
    """Return how the fields of a recipe are spelled that have another name inside."""
    found = budgets_in(values) if isinstance(values, Mapping) else {}
    return {"budget": next(iter(found), COUNTED.budget_name)}


def recipe_name(name: str) -> str:
    """Return the study name a recipe gives when the user names none: the file's stem, without @ and +."""
    return Path(name).stem.replace("@", "-").replace("+", "-")


def _move(values: dict[str, Any], where: str | None = None) -> None:
    """Move what stands in its former place to ``run``; ``where``: refuse what is in both.

    Likewise what the section ``thresholds`` holds, to the fields that it spells.
    """
    spelled = values.get("thresholds")
    if isinstance(spelled, dict):
        for name in _THRESHOLDS.keys() & spelled.keys():
            field = _THRESHOLDS[name]
            if where is not None and field in values:
                raise RecipeError(
                    f"{field} and thresholds.{name} are one", where=where, hint="Keep the second"
                )
            values[field] = spelled[name]
        del values["thresholds"]
        if unknown := {name: value for name, value in spelled.items() if name not in _THRESHOLDS}:
            values["thresholds"] = unknown
    for place, field in FORMER_PLACES.items():
        *outer, name = place.split(".")
        section: Any = values.get(outer[0]) if outer else values
        if not isinstance(section, dict) or name not in section:
            continue
        if values.get("run") is None:
            values["run"] = {}
        run = values["run"]
        if not isinstance(run, dict):
            return
        if where is not None and field in run:
            raise RecipeError(f"{place} and run.{field} are one field", where=where, hint="Keep the second")
        values["run"] = run | {field: section[name]}
        remaining = {key: value for key, value in section.items() if key != name}
        if outer:
            values[outer[0]] = remaining
        else:
            del values[name]


def _texts(value: object) -> list[str]:
    """Return the texts of a list; fields of another form are refused later, with all others."""
    return [text for text in value if isinstance(text, str)] if isinstance(value, list | tuple) else []


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
