"""The names in a recipe: each is looked up when the recipe is read, before anything is trained."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from dynsearch import resources
from dynsearch.data.catalogue import get_info
from dynsearch.errors import InputError, named
from dynsearch.frontier import DEFAULT_SOLVER, solve_thresholds
from dynsearch.frontier.choose_confidence import AUTO
from dynsearch.scores import CONFIDENCE_MEASURES, ExitScores
from dynsearch.scores.gain import LEARNED_GAIN
from dynsearch.scores.stop_rule import PATIENCE
from dynsearch.space import SearchSpace
from dynsearch.thresholds import SOLVERS
from dynsearch.training.optimizers import check_optimizer


def wrong_names(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong for each field of a recipe that names what there is not; only texts are looked at."""
    for field, check in _CHECKS.items():
        value: Any = values
        for key in field.split("."):
            value = value.get(key) if isinstance(value, Mapping) else None
        if not isinstance(value, str):
            continue
        try:
            check(value)
        except InputError as error:
            where = f"{error.where}: " if error.where else ""
            hint = f" ({error.hint})" if error.hint else ""
            yield f"{field}: {where}{error.problem}{hint}"
    try:
        check_options(values.get("solver", DEFAULT_SOLVER), values.get("solver_options"))
    except InputError as error:
        yield f"thresholds.options: {error.problem}"


def check_options(solver: Any, options: Any) -> None:
    """Raise InputError for options that a known solver does not take, or refuses on a few videos."""
    if not options or not isinstance(options, Mapping) or solver not in SOLVERS:
        return
    known = inspect.signature(SOLVERS[solver]).parameters
    taken = [name for name in known if name not in ("scores", "confidence")]
    wrong = [str(name) for name in options if name not in taken]
    if wrong and not any(p.kind is p.VAR_KEYWORD for p in known.values()):
        raise InputError(f"{wrong[0]} is no option of {solver} (known: {', '.join(taken) or 'none'})")
    if solver in ("optuna", "risk"):  # slow, or in need of more videos
        return
    right_EN = np.arange(40) % [[2], [3]] == 0
    few = ExitScores(cost_E=np.array([1.0, 2.0]), confidence_EN=right_EN * 0.5, correct_EN=right_EN)
    try:
        solve_thresholds(few, solver, **options)
    except (TypeError, ValueError) as error:
        raise InputError(f"{solver} can't take {named(str(dict(options)))}: {error}") from error


def check_confidence(name: str) -> None:
    """Raise ScoresError for a confidence measure that thresholds can't be solved for."""
    if name not in (PATIENCE, LEARNED_GAIN, AUTO):
        CONFIDENCE_MEASURES.checked(name)


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "dataset": get_info,
    "space": lambda name: SearchSpace.load(resources.find("search_spaces", name)),
    "solver": SOLVERS.checked,
    "confidence": check_confidence,
    "training.optimizer": check_optimizer,
}
