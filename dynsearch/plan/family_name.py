"""What a plan is called in a comparison of families."""

from dynsearch.plan.plan import FAMILIES, Plan


def family_name(plan: Plan) -> str:
    """Return the name of the plan's family, or of the baseline that it is.

    Of several families that hold the plan it is the one registered last: ``tsn`` and ``tsm`` hold some of the grid's.
    """
    return [name for name in FAMILIES if FAMILIES[name].holds(plan)][-1]
