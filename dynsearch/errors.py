"""Errors a user can meet. Each says what was wrong, where, and what to do."""

import contextlib
import copy
import difflib
from collections.abc import Iterable, Iterator
from typing import Any


class DynsearchError(Exception):
    """Base of every error dynsearch raises on purpose.

    Args:
        problem: What was wrong, with the value that was seen.
        where: The file, field or item it was found in.
        hint: What the user can do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, *, where: str | None = None, hint: str | None = None) -> None:
        self.problem = problem
        self.where = where
        self.hint = hint
        text = f"{where}: {problem}" if where else problem
        super().__init__(f"{text.rstrip('.')}. {hint}" if hint else text)

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep everything when it is sent from one process to another."""
        return _rebuilt, (type(self), self.args, self.__dict__)


class InputError(DynsearchError, ValueError):
    """Something the user gave can't be used. The command ends with exit code 2."""

    exit_code = 2


class PlanError(InputError):
    """A plan that describes no network, or one that its backbone does not have."""


class SpaceError(InputError):
    """A search space file that can't be read or holds nothing."""


class RecipeError(InputError):
    """A study recipe with an unknown field or a value out of range."""


class ScoresError(InputError):
    """Exit scores with missing, disagreeing or impossible arrays."""


class PolicyError(InputError):
    """Thresholds that do not fit the network or the scores they are used on."""


class DataError(InputError):
    """A data set that is missing, or annotations that can't be used."""


class VideoError(InputError):
    """A video file that can't be read, named with the reason."""


class WeightsError(InputError):
    """Weights that are missing, damaged, or of another network."""


class BundleError(InputError):
    """A bundle folder that is incomplete or contradicts itself."""


class StudyError(InputError):
    """A study that does not exist, is in use, or was made with other settings."""


class OtherSettingsError(StudyError):
    """A study that goes on with settings that would change the meaning of what it has."""


class StudyFailedError(DynsearchError, RuntimeError):
    """A study in which every trial failed."""


class InfeasibleBudgetError(InputError):
    """A budget below the cheapest point there is. Measures of cost make it: ``CostMeasure.too_low``.

    Attributes:
        cheapest: The lowest budget that would work.
    """

    def __init__(
        self,
        budget: float,
        cheapest: float,
        dearest: float | None = None,
        *,
        name: str,
        unit: str,
        where: str | None = None,
    ) -> None:
        self.cheapest = cheapest
        super().__init__(
            f"{name}={budget:g} is below the cheapest point, {cheapest:.6g} {unit}",
            where=where,
            hint=f"Give at least {cheapest:.6g}"
            + (f"; the dearest costs {dearest:.6g}" if dearest is not None and dearest > cheapest else ""),
        )


class TrainingError(DynsearchError, RuntimeError):
    """Training that can't go on, for instance a loss that is not a number."""


class Stopped(BaseException):
    """Raised where work ends because it was asked to: what it had done is on disk, and it can go on later."""


@contextlib.contextmanager
def within(where: object) -> Iterator[None]:
    """Name the file, or another place, in which the inputs lie that are refused here."""
    try:
        yield
    except InputError as error:
        place = f"{where}, {error.where}" if error.where else str(where)
        other = copy.copy(error)
        DynsearchError.__init__(other, error.problem, where=place, hint=error.hint)
        raise other from error


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """Return ``Did you mean X? `` for the nearest known name; nothing where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1) if isinstance(name, str) else []
    return f"Did you mean {near[0]}? " if near else ""


def shown(value: object) -> str:
    """Return what a user gave, as it is quoted in a message: one short line."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def named(text: str, limit: int = 80) -> str:
    """Return a name as it stands in a message: as it is where that is one line not over ``limit``, quoted otherwise."""
    return text if text.isprintable() and len(text) <= limit else shown(text)


def _rebuilt(kind: type[DynsearchError], args: tuple[Any, ...], values: dict[str, Any]) -> DynsearchError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(values)
    return error
