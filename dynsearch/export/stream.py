"""Labels for a stream: one answer for each window of time, as early as an exit is sure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from dynsearch.data.stream import StreamFrame
from dynsearch.export.loaded import LoadedNetwork, Prediction
from dynsearch.families import family_of
from dynsearch.network.online import ClipInTheMaking


@dataclass(frozen=True)
class WindowAnswer:
    """The answer for one window of a stream.

    Attributes:
        start: Where the window begins, in seconds of the stream.
        decided: When the answer was there: the time of the last frame the network looked at.
        complete: Whether an exit was sure. False: the stream ended first, and the last exit met answers.
        prediction: The answer.
    """

    start: float
    decided: float
    complete: bool
    prediction: Prediction


class _AsTheyArrive:
    """Computes every frame when it comes."""

    def __init__(self, loaded: LoadedNetwork, clip: ClipInTheMaking) -> None:
        self.loaded, self.clip = loaded, clip

    @property
    def finished(self) -> bool:
        """Whether no further frame is needed."""
        return self.clip.finished

    def feed(self, frame_CHW: torch.Tensor) -> None:
        self.clip.feed(frame_CHW.to(self.loaded.device))

    def answer(self) -> Prediction | None:
        """Return what is known so far."""
        last = self.clip.last
        return None if last is None else self.loaded.describe(last.logits, last.exit)


class _WhenWhole:
    """Waits for all frames, and then feeds them in the plan's own order."""

    def __init__(self, loaded: LoadedNetwork) -> None:
        self.loaded = loaded
        self.frames: list[torch.Tensor] = []

    @property
    def finished(self) -> bool:
        return len(self.frames) == self.loaded.bundle.plan.num_frames

    def feed(self, frame_CHW: torch.Tensor) -> None:
        self.frames.append(frame_CHW)

    def answer(self) -> Prediction | None:
        if not self.finished:
            return None
        clip = torch.stack(self.frames).unsqueeze(0).to(self.loaded.device)
        result = self.loaded.network.forward_until(clip, self.loaded.bundle.policy)
        return self.loaded.describe(result.logits[0], int(result.exit[0]))


def answers_online(loaded: LoadedNetwork) -> bool:
    """Return whether frames are computed as they arrive; else each window is computed when it is whole."""
    return _online(loaded) is not None


def _online(loaded: LoadedNetwork) -> ClipInTheMaking | None:
    return family_of(loaded.bundle.plan).online(loaded.network, loaded.bundle.policy)


def predict_stream(
    loaded: LoadedNetwork, frames: Iterable[StreamFrame], *, window: float
) -> Iterator[StreamFrame | WindowAnswer]:
    """Yield every frame of a stream, and between them each window's answer as soon as it is there.

    The stream is cut into windows, one after the other. Of each, T frames are looked at, the middles of T equal
    parts, as in training and testing; once an exit is sure, the rest of the window is not computed. The shift's
    cache begins anew with each window, because training began each clip so.

    Args:
        loaded: The network.
        frames: The stream.
        window: Length of a window in seconds; about as long as the videos trained on.
    """
    now = _Window(loaded, 0.0, window)
    for frame in frames:
        if frame.seconds >= now.start + window:
            # A slow camera may have shown too few frames; the last one stands for those it missed.
            yield from now.take_until(now.start + window)
            # A stream that stood still goes on in the window in which it moves again.
            passed = (frame.seconds - now.start) // window
            now = _Window(loaded, now.start + passed * window, window)
        now.latest = frame
        yield frame
        yield from now.take_until(frame.seconds)
    if (left := now.left_over()) is not None:
        yield left


class _Window:
    """One window of a stream and its clip in the making."""

    def __init__(self, loaded: LoadedNetwork, start: float, length: float) -> None:
        self.loaded = loaded
        self.start = start
        self.latest: StreamFrame | None = None
        num_frames = loaded.bundle.plan.num_frames
        self._due = [start + length * (i + 0.5) / num_frames for i in range(num_frames)]
        online = _online(loaded)
        self._clip: _WhenWhole | _AsTheyArrive
        self._clip = _WhenWhole(loaded) if online is None else _AsTheyArrive(loaded, online)
        self._fed = 0
        self._decided = start

    def take_until(self, seconds: float) -> Iterator[WindowAnswer]:
        """Feed the frame shown latest for each moment due by now; yield the answer when it is there."""
        while self.latest and not self._clip.finished and self._due[self._fed] <= seconds:
            self._clip.feed(self.loaded.prepare(self.latest.rgb()[np.newaxis])[0])
            self._fed += 1
            self._decided = self.latest.seconds
            if self._clip.finished and (answer := self._clip.answer()) is not None:
                yield WindowAnswer(self.start, self._decided, True, answer)

    def left_over(self) -> WindowAnswer | None:
        """Return what is known of a window in which the stream ends."""
        answer = None if self._clip.finished else self._clip.answer()
        return None if answer is None else WindowAnswer(self.start, self._decided, False, answer)
