"""What papers reported for a data set, ``references.yaml``: to be compared with care, conditions differ."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from dynsearch.files import read_yaml


class Reference(BaseModel):
    """One reported point."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    """Points of one system are joined by a line."""
    variant: str = ""
    top1: float
    """In percent."""
    cost: float
    """10^9 multiply-accumulates per video."""
    source: str
    """Paper, and where in it or where else it was read."""
    conditions: str
    """What differs from one study to the next: frames, crops, initial weights, thresholds."""

    @property
    def name(self) -> str:
        """System and variant."""
        return f"{self.system} {self.variant}".strip()


def references_for(dataset: str) -> list[Reference]:
    """Return the points reported for a data set (or the data set that it is a variant of); often none."""
    tables = read_yaml(Path(__file__).with_name("references.yaml"))
    groups = tables["datasets"].get(dataset.partition("@")[0], [])
    values = [
        {
            "system": group["system"],
            "source": tables["sources"][group["source"]],
            "conditions": group["conditions"],
            "variant": str(variant),
            "top1": top1,
            "cost": cost,
        }
        for group in groups
        for variant, top1, cost in group["points"]
    ]
    return TypeAdapter(list[Reference]).validate_python(values)
