"""Small pictures of videos: a few frames side by side."""

import io
from collections.abc import Collection, Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from dynsearch.data.record_frames import read_record
from dynsearch.data.records import VideoRecord
from dynsearch.data.sampling import segment_centres
from dynsearch.errors import VideoError

_NUM_FRAMES = 4
_HEIGHT = 90  # pixels


def thumbnails(records: Iterable[VideoRecord], wanted: Collection[str]) -> dict[str, bytes]:
    """Return JPEG pictures of the wanted videos by id; videos that are not there or can't be read are left out."""
    names, pictures = set(wanted), {}
    for record in records:
        if record.video_id in names:
            try:
                pictures[record.video_id] = thumbnail(record)
            except VideoError:
                continue
    return pictures


def thumbnail(record: VideoRecord) -> bytes:
    """Return four frames of a video, evenly spaced in time, side by side, as JPEG."""
    frames_THWC = read_record(
        record, lambda count: segment_centres(count, _NUM_FRAMES).tolist(), strict=False
    )
    strip = np.concatenate([_small(frame) for frame in frames_THWC], axis=1)
    file = io.BytesIO()
    Image.fromarray(strip).save(file, "JPEG", quality=80, optimize=True)
    return file.getvalue()


def _small(frame_HWC: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    height, width = frame_HWC.shape[:2]
    picture = Image.fromarray(frame_HWC)
    if height != _HEIGHT:
        picture = picture.resize((max(1, round(width * _HEIGHT / height)), _HEIGHT), Image.Resampling.LANCZOS)
    return np.pad(np.asarray(picture), ((0, 0), (0, 2), (0, 0)), constant_values=255)
