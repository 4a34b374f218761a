"""A bundle laid out as model hubs want it: the same files, with the weights under the hub's name."""

import os
import shutil
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

from dynsearch.errors import BundleError
from dynsearch.export.bundle import Bundle
from dynsearch.export.ownership import BUDGETS, CARD, FILES, HUB_WEIGHTS, PROMISE, UNMARKED
from dynsearch.files import written_whole
from dynsearch.timing.tables import TABLES
from dynsearch.training.made import WEIGHTS


def write_hub_files(bundle: Bundle, folder: Path) -> None:
    """Copy the bundle's files and its model card into ``folder``; ``config.json`` is the mixin's to write.

    Raises:
        BundleError: There is a ``README.md`` of somebody else's.
    """
    card = folder / CARD
    if card.is_file() and UNMARKED[CARD] not in card.read_text(encoding="utf-8", errors="replace"):
        raise BundleError(
            "is not a bundle's card", where=str(card), hint="Give another folder, or move it away"
        )
    own = [bundle.folder / name for name in (*FILES, CARD, BUDGETS, PROMISE)]
    for source in (*own, *(bundle.folder / TABLES).glob("*.json"), bundle.weights):
        if source.is_file():
            name = HUB_WEIGHTS if source == bundle.weights else source.relative_to(bundle.folder)
            with written_whole(folder / name) as temporary:
                shutil.copyfile(source, temporary)


def download(model_id: str, **options: Any) -> Path:
    """Return the folder of a bundle: ``model_id`` itself, or a copy of that repository of the hub.

    Args:
        model_id: A local folder, or ``owner/name`` on the hub.
        **options: As ``huggingface_hub.snapshot_download`` takes them.

    Raises:
        BundleError: The hub can't be reached, or has no such repository.
    """
    if os.path.isdir(model_id):
        return Path(model_id)
    try:
        wanted = [*FILES, HUB_WEIGHTS, WEIGHTS, BUDGETS, PROMISE, f"{TABLES}/*.json"]
        return Path(snapshot_download(model_id, allow_patterns=wanted, **options))
    except (HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise BundleError(
            f"can't be downloaded: {str(error).splitlines()[0]}",
            where=model_id,
            hint="Check the name, the network and `hf auth login`; or give a local folder",
        ) from error
