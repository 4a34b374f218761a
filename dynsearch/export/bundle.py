"""A bundle on disk: ``plan.yaml``, ``weights.safetensors``, ``policy.yaml``, ``labels.txt`` and more."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dynsearch.data.home import remember_root, remembered_root
from dynsearch.data.identity import DataIdentity
from dynsearch.errors import BundleError, DynsearchError, shown
from dynsearch.export.card import CardFacts, model_card
from dynsearch.export.ownership import (
    CARD,
    CONTENTS,
    FILES,
    HUB_WEIGHTS,
    PROMISE,
    clear,
    marked,
    weights_digest,
)
from dynsearch.files import read_json, read_yaml, write_text, written_whole, yaml_text
from dynsearch.frontier import MergedPoint
from dynsearch.plan import Plan
from dynsearch.plugins import portable, require
from dynsearch.scores.spread import Spread
from dynsearch.scores.storage import read_arrays
from dynsearch.study.recipe import StudyRecipe
from dynsearch.study.recipe_file import split_settings
from dynsearch.thresholds import ExitPolicy, OperatingPoint
from dynsearch.timing.tables import TABLES, TableCosts
from dynsearch.training.made import SCORES, WEIGHTS

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Bundle:
    """One trained plan with its exit policy.

    Attributes:
        folder: Where the files lie.
        plan: The plan.
        policy: Confidence measure and thresholds.
        class_names: K names, in label order.
        recipe: How the network was trained, and on what. Files of 0.1 say where and how fast too; that is not read.
    """

    folder: Path
    plan: Plan
    policy: ExitPolicy
    class_names: tuple[str, ...]
    recipe: StudyRecipe

    @property
    def weights(self) -> Path:
        """The network's weights, as safetensors."""
        return _weights_in(self.folder)

    @property
    def activation(self) -> str:
        """What made probabilities of logits in the network's loss, as its scores say; empty where they don't."""
        path = self.folder / SCORES["calibration"]
        found = read_arrays(path, ("activation",)) if path.is_file() else {}
        return str(found.get("activation", ""))

    def contents(self) -> dict[str, set[str]]:
        """Return, by split, what tells the content of the videos apart that it was trained and measured on.

        Empty where that is not known, as in older bundles.

        Raises:
            BundleError: The file that says so can't be read.
        """
        path = self.folder / CONTENTS
        values = read_json(path, BundleError) if path.is_file() else {}
        if not isinstance(values, dict) or not all(isinstance(value, list) for value in values.values()):
            raise BundleError("holds no lists of contents", where=str(path), hint="Export the bundle again")
        return {split: set(map(str, digests)) for split, digests in values.items()}

    def promised(self) -> OperatingPoint | None:
        """Return what its thresholds achieved on test; None in older bundles.

        Raises:
            BundleError: The file that says so can't be read, or is of another policy.
        """
        path = self.folder / PROMISE
        if not path.is_file():
            return None
        try:
            values = read_json(path, BundleError)
            spread = Spread(**values["spread"]) if values["spread"] else None
            share, videos = tuple(map(float, values["exit_share"])), int(values["num_videos"])
            found = OperatingPoint(
                self.policy, float(values["top1"]), float(values["cost"]), share, videos, self.recipe.measure,
                spread=spread,
            )  # fmt: skip
        except (KeyError, TypeError, ValueError) as error:
            raise BundleError(
                f"is damaged: {error}", where=str(path), hint="Export the bundle again"
            ) from error
        if len(share) != len(self.plan.exits) or values["thresholds"] != list(
            map(str, self.policy.thresholds)
        ):
            raise BundleError("is of other thresholds", where=str(path), hint="Export the bundle again")
        return found

    def root(self, dataset: str | None, given: Path | None) -> Path | None:
        """Return a data set's folder: ``given``, or for the bundle's own where it lay last; None where unknown."""
        other = dataset is not None and dataset.partition("@")[0] != self.recipe.dataset.partition("@")[0]
        return given if given is not None or other else remembered_root(self.contents())

    def to_pandas(self) -> pandas.DataFrame:
        """Return a row for each exit: its cell, frames and depth, the cumulative cost up to it, and its threshold."""
        measure, num_classes = self.recipe.measure, len(self.class_names)
        cost_E = measure.cost_E(self.plan, num_classes)
        return self.plan.to_pandas().assign(**{measure.name: cost_E, "threshold": self.policy.thresholds})

    def plot(self, axes: Axes | None = None) -> Axes:
        """Draw the plan on its grid; None makes a new figure."""
        return self.plan.plot(axes)

    def __repr__(self) -> str:
        return f"Bundle({self.folder}: plan {self.plan.plan_id}, {self.plan.backbone}, {len(self.class_names)} classes)"

    def _repr_html_(self) -> str:
        from dynsearch.display.notebook import page

        return page(repr(self), str(self.plan), table=self.to_pandas())

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Bundle:
        """Read the bundle in ``folder``; the weights are not read yet.

        Raises:
            BundleError: A file is missing or contradicts another.
            PlanError: ``plan.yaml`` can't be used.
            PolicyError: ``policy.yaml`` can't be used, or is for another network.
            InputError: It needs a module of somebody's that is not imported.
        """
        folder = Path(folder)
        wanted = (folder / "plan.yaml", _weights_in(folder), *(folder / name for name in FILES[1:]))
        missing = [path.name for path in wanted if not path.is_file()]
        if missing:
            raise BundleError(
                f"is no bundle: {', '.join(missing)} missing",
                where=str(folder),
                hint="Make one with `dynsearch export`"
                + ("" if folder.is_dir() else "; or give --weights FILE with a plan"),
            )
        path = folder / "recipe.yaml"
        recipe, _ = split_settings(read_yaml(path, BundleError), error=BundleError, where=str(path))
        require(recipe.plugins, str(folder))
        plan = Plan.load(folder / "plan.yaml")
        policy = ExitPolicy.load(folder / "policy.yaml")
        policy.check_fits(len(plan.exits), plan.plan_id)
        class_names = class_names_in(folder / "labels.txt")
        return cls(folder, plan, policy, class_names, recipe.carried_in(folder))


def write_bundle(
    folder: Path,
    *,
    plan: Plan,
    point: MergedPoint[int],
    full: OperatingPoint,
    frontier: Sequence[tuple[Plan, MergedPoint[int]]],
    weights: Path,
    class_names: Sequence[str],
    recipe: StudyRecipe,
    anew: bool = False,
    data: DataIdentity | None = None,
    root: Path | None = None,
    brought: bool = False,
) -> Bundle:
    """Write one operating point as a bundle; ``policy.yaml`` comes last and makes it complete.

    Args:
        folder: Made if it is not there. Files of an earlier bundle are replaced: see :func:`check_export`.
        plan: The plan.
        point: The operating point, on calibration and on test.
        full: The same network on test if no video stopped early.
        frontier: The points it was chosen from, itself among them, each with its plan.
        weights: The trained weights; copied.
        class_names: K names, in label order.
        recipe: How the network was trained.
        anew: Remove what an earlier bundle or training left there.
        data: On which data; None where that is not known.
        root: Where they lie, which is remembered on this machine.
        brought: Whether the network was trained elsewhere.

    Raises:
        DynsearchError: A file can't be written.
    """
    target = folder / WEIGHTS
    if not weights.is_file():
        raise DynsearchError("the trained weights are gone", where=str(weights), hint="Train the plan again")
    recipe = recipe.model_copy(update={"plugins": portable(recipe.plugins)})
    from dynsearch.families import cost_table  # With torch, which reading a bundle does without.

    table = cost_table(plan, len(class_names))
    facts = CardFacts(plan, point, full, frontier, table, recipe, class_names, brought)
    texts = {
        "plan.yaml": yaml_text(plan.to_dict()),
        "labels.txt": "".join(f"{name}\n" for name in class_names),
        "recipe.yaml": yaml_text(recipe.resolved()),
        "policy.yaml": yaml_text(point.calibration.policy.to_dict()),
    }
    contents = [texts[name].encode() for name in FILES]
    card = marked(model_card(facts), "<!-- {} -->", weights_digest(weights), *contents)
    if anew:
        clear(folder)
    write_text(folder / CARD, card)
    if weights.resolve() != target.resolve():
        with written_whole(target) as temporary:
            shutil.copyfile(weights, temporary)
    (folder / CONTENTS).unlink(missing_ok=True)
    write_text(folder / PROMISE, json.dumps(_promise(point.test), indent=1))
    if data is not None:
        write_text(folder / CONTENTS, json.dumps(data.contents()))
    if data is not None and root is not None:
        remember_root({split: set(each) for split, each in data.contents().items()}, root)
    if isinstance(recipe.measure.costs, TableCosts):
        for each in {plan, *(other for other, _ in frontier)}:
            recipe.measure.costs.table(each).save(folder / TABLES)
    for name in FILES:
        write_text(folder / name, texts[name])
    return Bundle.load(folder)


def _promise(point: OperatingPoint) -> dict[str, object]:
    return {
        "thresholds": list(map(str, point.thresholds)),
        "exit_share": point.exit_share,
        "num_videos": point.num_videos,
        "top1": point.top1,
        "cost": point.cost,
        "spread": point.spread and point.spread._asdict(),
    }


def class_names_in(path: Path) -> tuple[str, ...]:
    """Return the names in ``labels.txt``, one a line, each another."""
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError as error:
        raise BundleError("is not UTF-8 text", where=str(path)) from error
    if lines == [""]:
        raise BundleError("names no class", where=str(path))
    for number, name in enumerate(lines, start=1):
        if not name.strip() or name in lines[: number - 1]:
            problem = "there is no name" if not name.strip() else f"the name {shown(name)} is there twice"
            raise BundleError(f"line {number}: {problem}", where=str(path))
    return tuple(lines)


def _weights_in(folder: Path) -> Path:
    on_hub = folder / HUB_WEIGHTS
    return on_hub if on_hub.is_file() and not (folder / WEIGHTS).is_file() else folder / WEIGHTS
