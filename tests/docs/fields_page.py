"""Writes every field of a recipe and a space into ``docs/fields.md``:  python -m tests.docs.fields_page"""

import ast
import inspect
import re
from pathlib import Path

from dynsearch.families.adafocus.choices import AdaFocusChoices
from dynsearch.families.sfc.choices import CompressionChoices
from dynsearch.space.axes import ExitChoices, FrameGrid
from dynsearch.space.search_space import SearchSpace, SpaceAxes
from dynsearch.study.recipe import OneShotConfig, StudyRecipe
from dynsearch.study.run_settings import RunSettings
from dynsearch.training.config import FrameCacheConfig, RefitConfig, TrainingConfig

PAGE = Path(__file__).parents[2] / "docs" / "fields.md"
SECTIONS = (
    ("Recipe", "", (StudyRecipe,)),
    ("Training", "training", (TrainingConfig,)),
    ("Fitting heads last", "training.refit_heads", (RefitConfig,)),
    ("One-shot search", "one_shot", (OneShotConfig,)),
    ("Frame cache", "frame_cache", (FrameCacheConfig,)),
    ("Run", "run", (RunSettings,)),
    ("Search space", "", (SpaceAxes, SearchSpace)),
    ("Frames of a space", "frames", (FrameGrid,)),
    ("Exits of a space", "exits", (ExitChoices,)),
    ("AdaFocus", "adafocus", (AdaFocusChoices,)),
    ("Space-time compression", "sfc", (CompressionChoices,)),
)
HEAD = """# Every field of a recipe and of a search space

Generated from the source by `make fields`. A recipe is a YAML file in `studies/`, a search space one in
`search_spaces/`; a command changes a field of the recipe by `--set section.field=value`. Fields of `run` say how a
study is carried out and change no result; all others decide it.
"""


def meanings(kind):
    """Return what stands below each field of a class, in the order of the source."""
    found = {}
    (body,) = ast.parse(inspect.getsource(kind)).body
    for node, after in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and not node.target.id.startswith("_"):
            is_text = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            found[node.target.id] = " ".join(after.value.value.split()) if is_text else ""
    return found


def default(field):
    """Return a field's default in words."""
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "none"
    if value == {} or value == []:
        return "empty"
    plain = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    text = str(plain).replace("'", "")
    return (
        f"`{str(plain).lower() if isinstance(plain, bool) else text}`"
        if len(text) < 60
        else "its fields' own"
    )


def rows(kind, told):
    """Yield the rows of a class's own fields."""
    for name, meaning in meanings(kind).items():
        field = kind.model_fields.get(name)
        if field is None or field.exclude or name in told:
            continue
        told.add(name)
        meaning = re.sub(r"``(.+?)``", r"`\1`", re.sub(r":\w+:`~?([^`]+)`", r"`\1`", meaning))
        yield f"| `{name}` | {default(field)} | {meaning.replace('|', chr(92) + '|')} |"


def page():
    """Return the whole page."""
    parts = [HEAD]
    for title, section, kinds in SECTIONS:
        told = set()
        lines = [row for kind in kinds for row in rows(kind, told)]
        place = f", section `{section}`" if section else ""
        parts.append(
            f"\n## {title}{place}\n\n| field | default | meaning |\n|---|---|---|\n" + "\n".join(lines) + "\n"
        )
    return "".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
