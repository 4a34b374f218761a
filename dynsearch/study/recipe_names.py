"""The names in a recipe: each is looked up when the recipe is read, before anything is trained."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dynsearch import resources
from dynsearch.data.catalogue import get_info
from dynsearch.errors import InputError
from dynsearch.scores import CONFIDENCE_MEASURES
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


def check_confidence(name: str) -> None:
    """Raise ScoresError for a confidence measure that thresholds can't be solved for."""
    if name not in (PATIENCE, LEARNED_GAIN):
        CONFIDENCE_MEASURES.checked(name)


_CHECKS: Mapping[str, Callable[[str], object]] = {
    "dataset": get_info,
    "space": lambda name: SearchSpace.load(resources.find("search_spaces", name)),
    "solver": SOLVERS.checked,
    "confidence": check_confidence,
    "training.optimizer": check_optimizer,
}
