"""The step costs of a score grid: what they must keep, and how they stand in its folder.

Rectangles stand in ``grid.json``; a table of steps, which may hold infinite costs, in ``steps.npy``.

Shapes: S frame sets, M depth stages, C = S * M cells.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynsearch.errors import ScoresError, shown
from dynsearch.measures import COUNTED
from dynsearch.scores import validation
from dynsearch.scores.exit_scores import measure_in, read_only
from dynsearch.scores.grid_validation import HEAD, TRUNK, checked_costs
from dynsearch.scores.step_costs import RectangleSteps, StepCosts, StepTable

Shape = tuple[int, int]
"""(S, M)."""


def checked_steps(steps: StepCosts, shape: Shape) -> StepCosts:
    """Return the steps of a grid, their arrays made read-only.

    Raises:
        ScoresError: They are of another number of cells, or hold impossible costs.
    """
    if isinstance(steps, StepTable):
        return StepTable(read_only(_checked_table(steps.table, shape)), steps.measure)
    num_cells = shape[0] * shape[1]
    if steps.num_cells != num_cells:
        raise ScoresError(f"is of {steps.num_cells} cells, but there are {num_cells}", where="steps")
    if isinstance(steps, RectangleSteps):
        trunk_SM, head_SM = checked_costs(*_grids(steps, shape), shape)
        return RectangleSteps(read_only(trunk_SM.ravel()), read_only(head_SM.ravel()))
    return steps


def stored_steps(steps: StepCosts, shape: Shape) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return what of the steps stands in ``grid.json``, and the arrays that stand in files of their own.

    Raises:
        ScoresError: They are neither rectangles nor a table.
    """
    if isinstance(steps, StepTable):
        measure = {} if steps.measure == COUNTED else {"measure": steps.measure.name}
        return {"steps": list(steps.table.shape)} | measure, {"steps": steps.table}
    if isinstance(steps, RectangleSteps):
        trunk_SM, head_SM = _grids(steps, shape)
        return {TRUNK: trunk_SM.tolist(), HEAD: head_SM.tolist()}, {}
    raise ScoresError(
        f"can't be written: {type(steps).__name__} is neither RectangleSteps nor a StepTable", where="steps"
    )


def loaded_steps(header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], shape: Shape) -> StepCosts:
    """Return the steps of a grid's header and arrays; ScoresError where they contradict the grid or each other."""
    if "steps" not in header:
        return RectangleSteps.of(*checked_costs(header[TRUNK], header[HEAD], shape))
    table = arrays["steps"]
    if list(table.shape) != header["steps"]:
        raise ScoresError(
            f"has shape {table.shape}, but grid.json says {shown(header['steps'])}", where="steps.npy"
        )
    return StepTable(_checked_table(table, shape), measure_in(header, "grid.json") or COUNTED)


def _checked_table(value: Any, shape: Shape) -> NDArray[np.float64]:
    table = validation.numeric_array("steps", value, np.float64, 2, "(from, to)")
    num_cells = shape[0] * shape[1]
    if table.shape != (num_cells + 1, num_cells):
        raise ScoresError(
            f"must have the shape ({num_cells + 1}, {num_cells}) for {shape[0]} x {shape[1]} cells,"
            f" got {table.shape}",
            where="steps",
            hint="Row 0 is from nothing, row c + 1 from cell c",
        )
    row_C, column_C = (axis.ravel() for axis in np.indices(shape))
    onward_1CC = np.ones(table.shape, dtype=bool)
    onward_1CC[1:] = (row_C[:, None] <= row_C) & (column_C[:, None] <= column_C)
    onward_1CC[1:] &= ~np.eye(num_cells, dtype=bool)
    first_1CC = np.zeros(table.shape, dtype=bool)
    first_1CC[0] = True
    for bad_1CC, problem in (
        (~(table >= 0), "costs must be 0 or more"),
        (first_1CC & (table == 0), "a first exit must cost something"),
        (~onward_1CC & np.isfinite(table), "a step back, or nowhere, must be infinite"),
    ):
        if bad_1CC.any():
            row, to = (int(i) for i in np.argwhere(bad_1CC)[0])
            start = f"cell {row - 1}" if row else "nothing"
            raise ScoresError(
                f"the cost from {start} to cell {to} is {table[row, to]:g}; {problem}", where="steps"
            )
    return table


def _grids(steps: RectangleSteps, shape: Shape) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the costs of the rectangles and heads as (S, M), where they are so many."""
    trunk_C, head_C = steps.trunk_C, steps.head_C
    return trunk_C.reshape(shape), head_C.reshape(shape) if len(head_C) == len(trunk_C) else head_C
