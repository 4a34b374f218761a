"""The made good and bad videos of the shared data folder, and the index that each of their frames carries."""

import importlib.util
import json

import numpy as np


class Corpus:
    """``videos/`` of the shared data."""

    def __init__(self, folder):
        self.good = sorted((folder / "good").iterdir())
        self.bad = sorted((folder / "bad").iterdir())
        self.meta = json.loads((folder / "meta.json").read_text())
        spec = importlib.util.spec_from_file_location("shared_barcode", folder / "barcode.py")
        self.barcode = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.barcode)

    def read(self, frame, path):
        """Return the index that a frame of ``path`` carries, -1 where there is none."""
        turns = self.meta[path.name]["rot"] // 90 % 4
        return self.barcode.read(np.rot90(frame, -turns))
