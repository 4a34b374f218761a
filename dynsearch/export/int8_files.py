"""Int8 graphs that lie in a bundle, and the thresholds that were solved for them."""

from pathlib import Path
from typing import NamedTuple

from dynsearch.errors import BundleError
from dynsearch.export.bundle import Bundle
from dynsearch.export.ownership import weights_digest
from dynsearch.files import read_json
from dynsearch.thresholds import ExitPolicy

MANIFEST, POLICY = "network.json", "policy.yaml"
"""What makes a folder of graphs complete, and what int8 ones have besides."""


class Int8Files(NamedTuple):
    """A folder of int8 graphs, and their policy."""

    folder: Path
    policy: ExitPolicy


def int8_in(bundle: Bundle) -> Int8Files | None:
    """Return the int8 graphs in a bundle's folder ``onnx``; None where it has none.

    Raises:
        BundleError: They are of other weights, or the folder is not complete.
        PolicyError: Their thresholds can't be used.
    """
    folder = bundle.folder / "onnx"
    if not (folder / POLICY).is_file():
        return None
    manifest = folder / MANIFEST
    facts = read_json(manifest, BundleError) if manifest.is_file() else None
    if not isinstance(facts, dict) or facts.get("weights") != weights_digest(bundle.weights).hex():
        raise BundleError(
            "the int8 graphs are incomplete, or of other weights than the bundle's",
            where=str(folder),
            hint=f"Export them again: dynsearch export {bundle.folder} --format onnx --quantize int8",
        )
    policy = ExitPolicy.load(folder / POLICY)
    policy.check_fits(len(bundle.plan.exits), bundle.plan.plan_id)
    return Int8Files(folder, policy)
