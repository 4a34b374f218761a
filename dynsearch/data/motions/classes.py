"""The twelve classes of the motions data set: eight that need time, four that one frame gives away."""

import dataclasses
from typing import Literal

Movement = Literal["horizontal", "vertical", "scale", "rotation", "drift"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class MotionClass:
    """One class: what moves, which way, and what it looks like.

    Attributes:
        template: The class as Something-Something writes it, with the object in square brackets.
        movement: The quantity that changes over time; ``drift`` is a random walk.
        sign: +1 or -1. The two classes of one movement differ in nothing else, so each is the other
            played backwards.
        shape: The object's shape, or None for one drawn from ``MOVING_SHAPES``.
    """

    template: str
    movement: Movement
    sign: int = 1
    shape: str | None = None

    @property
    def name(self) -> str:
        """The template without its brackets: the key in labels.json."""
        return self.template.replace("[", "").replace("]", "")


MOVING_SHAPES = ("hammer", "triangle")
"""Neither looks the same after half a turn."""

# Image rows grow downwards and angles turn with them: a rising angle is seen as clockwise.
CLASSES = (
    MotionClass(template="Moving [something] to the left", movement="horizontal", sign=-1),
    MotionClass(template="Moving [something] to the right", movement="horizontal", sign=1),
    MotionClass(template="Moving [something] up", movement="vertical", sign=-1),
    MotionClass(template="Moving [something] down", movement="vertical", sign=1),
    MotionClass(template="[Something] approaching", movement="scale", sign=1),
    MotionClass(template="[Something] receding", movement="scale", sign=-1),
    MotionClass(template="Turning [something] clockwise", movement="rotation", sign=1),
    MotionClass(template="Turning [something] anticlockwise", movement="rotation", sign=-1),
    MotionClass(template="Showing a checkerboard", movement="drift", shape="checkerboard"),
    MotionClass(template="Showing stripes", movement="drift", shape="stripes"),
    MotionClass(template="Showing a ring", movement="drift", shape="ring"),
    MotionClass(template="Showing a cross", movement="drift", shape="cross"),
)
