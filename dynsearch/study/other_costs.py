"""By what a finished study is costed anew: another measure, or several budgets; nothing is trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dynsearch.errors import InputError
from dynsearch.measures import COST_MEASURES
from dynsearch.study.recipe import StudyRecipe
from dynsearch.timing.tables import TableCosts, timed


def under(
    recipe: StudyRecipe,
    budgets: Mapping[str, float | None],
    *,
    measure: str | None = None,
    any_budget: float | None = None,
    asked: Mapping[str, Any] | None = None,
    accept: bool = False,
) -> tuple[StudyRecipe | None, float | None]:
    """Return by what recipe a study's plans are costed, None where its own does; and the budget, None where unknown.

    Args:
        recipe: The study's.
        budgets: By name of their measures; ``p95_ms`` bounds the 95th percentile. Milliseconds are what a frontier is
            drawn by, and others are kept besides.
        measure: What it is drawn by instead.
        any_budget: The budget in that measure.
        asked: What milliseconds are to be of, if not of what the recipe says.
        accept: Take a table of times of another machine.

    Raises:
        InputError: They don't go together.
    """
    found = {name: value for name, value in budgets.items() if value is not None}
    usual = recipe.measure.name
    if found:
        usual = "ms" if found.keys() & {"ms", "p95_ms"} else next(iter(found))
    name = measure or usual
    if any_budget is not None and name in found:
        raise InputError(f"max_{name} and budget are one", hint="Give one of them")
    limit = found.pop(name, any_budget)
    if "p95_ms" in found and name != "ms":
        raise InputError("max_p95_ms goes with costs in milliseconds", hint="Add max_ms, the mean")
    if (asked or accept) and "ms" not in (name, *found):
        raise InputError(
            "device, batch, runtime and accept are of milliseconds", hint="Add --max-ms, or leave them out"
        )
    own = name == recipe.measure.name and not asked
    limit = recipe.budget if limit is None and own else limit
    if own and not found:
        return None, limit
    if own:
        costs, kind = recipe.measure, "-within"
    else:
        ms = recipe.ms.model_copy(update=asked)
        recipe = recipe.model_copy(update={"ms": ms, "limits": {}})
        costs, kind = timed(COST_MEASURES[name], ms.model_dump()), f"-{name}"
    if isinstance(costs.costs, TableCosts):
        costs = replace(costs.costs, accept=accept).measure
    limits = recipe.limits | {f"max_{other}": bound for other, bound in found.items()}
    values = {"measure": costs, "limits": limits, "kind_of_results": kind}
    return recipe.model_copy(update=values | ({} if limit is None else {"budget": limit})), limit
