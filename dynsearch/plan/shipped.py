"""Plans by name: files, and those of the papers that ship."""

from dynsearch import resources
from dynsearch.errors import InputError
from dynsearch.plan.plan import Plan


def find_plan(name: str) -> Plan:
    """Return the plan in a YAML file, or a shipped one, for instance ``joint-resnet50``.

    Raises:
        InputError: There is neither.
        PlanError: The file holds no plan.
    """
    if name.endswith((".yaml", ".yml")):
        return Plan.load(name)
    try:
        return Plan.load(resources.find("studies/paper", name))
    except InputError as error:
        hint = f"If it is a backbone: --backbone {name}. {error.hint}"
        raise InputError(error.problem, where=error.where, hint=hint) from error
