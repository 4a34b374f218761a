"""The page: charts and tables put into the template, with style and script inside and nothing from outside."""

import base64
import hashlib
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from dynsearch.display.words import cost_text, percent
from dynsearch.measures import COUNTED
from dynsearch.report.html import tables
from dynsearch.report.html.exit_charts import accuracy_chart, class_chart, reliability_chart
from dynsearch.report.html.facts import StudyFacts
from dynsearch.report.html.frontier_chart import families_chart, family_class, frontier_chart, reference_chart
from dynsearch.report.html.grid_chart import grid_chart
from dynsearch.report.html.history_chart import history_chart, trials_chart
from dynsearch.report.html.measures import class_figures, exit_figures, reliabilities
from dynsearch.report.html.videos import ShownVideo, shown_videos
from dynsearch.report.references import references_for
from dynsearch.scores.calibration import NUM_BINS

_MOST_CLASSES = 40


def render_report(facts: StudyFacts) -> str:
    """Return the report of a study as one HTML page that loads nothing and runs only its own script."""
    environment = Environment(
        loader=PackageLoader("dynsearch.report.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"percent": percent, "cost": cost_text, "jpeg": _jpeg}
    style, script = (_asset(name) for name in ("report.css", "report.js"))
    policy = (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return environment.get_template("report.html").render(
        facts=facts, style=Markup(style), script=Markup(script), policy=policy, **_content(facts)
    )


def _content(facts: StudyFacts) -> dict[str, Any]:
    exits, classes = exit_figures(facts), class_figures(facts)
    counted, unit = facts.measure == COUNTED, facts.measure.unit
    references = references_for(facts.dataset) if counted else []
    early, late = shown_videos(facts)
    half = _MOST_CLASSES // 2
    cut = len(classes) > _MOST_CLASSES
    shown = [*classes[:half], *classes[-half:]] if cut else classes
    return {
        "counted": counted,
        "unit": unit,
        "frontier": frontier_chart(facts),
        "frontier_table": tables.frontier(facts),
        "families": families_chart(facts) if facts.families else None,
        "families_table": tables.families(facts),
        "family_keys": [(family_class(place), name) for place, name in enumerate(facts.families)],
        "grid": grid_chart(facts.plan, facts.chosen.test.exit_share),
        "exits_table": tables.exits(exits, unit),
        "accuracy": accuracy_chart(exits, unit),
        "num_bins": NUM_BINS,
        "reliability": [
            (
                f"exit {k} ({exits[k - 1].name})",
                reliability_chart(f"exit {k}", before, after),
                before,
                after,
                tables.reliability(before, after),
            )
            for k, (before, after) in enumerate(reliabilities(facts), start=1)
        ],
        "videos": [
            ("Stop first", early, "Answered rightly at the first exit in use; the surest first."),
            (
                "Go to the end",
                late,
                "Go on to the last exit in use; at the first one they were the least sure.",
            ),
        ]
        if early or late
        else [],
        "videos_table": tables.videos([*early, *late], unit),
        "classes": class_chart(shown, unit) if classes else None,
        "classes_cut": f"The {half} cheapest and the {half} dearest of {len(classes)}." if cut else "",
        "classes_table": tables.classes(classes, unit),
        "history": history_chart(facts),
        "history_table": tables.history(facts),
        "trials": trials_chart(facts),
        "trials_table": tables.trials(facts),
        "references": reference_chart(facts, references) if references else None,
        "references_table": tables.references(references),
        "settings_table": tables.settings(facts),
    }


def _asset(name: str) -> str:
    return (files("dynsearch.report.html") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _jpeg(video: ShownVideo) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(video.thumbnail).decode()
