"""The default video reader: decord where it counts frames right and seeking saves decoding, else PyAV."""

from pathlib import Path

from dynsearch.data.decord_reader import DecordReader
from dynsearch.data.frame_index import Choose, Frames, read_frame_index
from dynsearch.data.pyav_reader import PyAVReader

_WORTH_SEEKING = 0.45
"""decord is taken where it decodes at most this part of what PyAV does. Frame for frame it is the slower one:
PyAV took 0.66 to 0.97 of its CPU time on clips of 40 to 300 frames (``benchmarks/data_speed.py``)."""


class AutoReader:
    """Looks at each file's packets, without decoding, and chooses.

    PyAV decodes from the first frame to the last one wanted, decord from the key frame before each wanted one. So
    decord is taken for long videos, if their frames can be told from their packets. Strict reading always takes
    PyAV: decord's decoder is of 2018 and conceals damage without a word.
    """

    def __init__(self) -> None:
        self._decord = DecordReader()
        self._pyav = PyAVReader()

    def num_frames(self, path: Path) -> int:
        """Return how many frames the file shows."""
        return self._pyav.num_frames(path)

    def read(self, path: Path, choose: Choose, *, strict: bool) -> Frames:
        """Return the frames ``choose(num_frames)``, uint8 (T, H, W, 3), RGB."""
        index = read_frame_index(path)
        if strict or not index.safe:
            return self._pyav.read(path, choose, strict=strict)
        wanted = list(choose(index.num_frames))
        if index.decoded_by_seeking(len(wanted)) > _WORTH_SEEKING * (wanted[-1] + 1):
            return self._pyav.read(path, lambda count: wanted, strict=False)
        try:
            return self._decord.read(path, lambda count: wanted, strict=False)
        except Exception:
            # Codecs newer than decord (AV1), live recordings without a length, other counts, or damage: PyAV tells.
            return self._pyav.read(path, lambda count: wanted, strict=False)
