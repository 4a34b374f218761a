"""The page: style, script and data put into the template, and nothing from outside."""

import base64
import hashlib
import json
from html import escape
from importlib.resources import files
from string import Template

from dynsearch.display.words import percent
from dynsearch.measures import COUNTED
from dynsearch.report.html.data import page_data
from dynsearch.report.html.facts import StudyFacts

_SCRIPTS = (
    "words.js",
    "chart.js",
    "tables.js",
    "frontier.js",
    "point.js",
    "plans.js",
    "search.js",
    "report.js",
)


def render_report(facts: StudyFacts) -> str:
    """Return the report of a study as one HTML page that loads nothing and runs only its own script."""
    style = _asset("report.css")
    script = '"use strict";\n(() => {\n' + "".join(map(_asset, _SCRIPTS)) + "})();\n"
    data = json.dumps(page_data(facts), allow_nan=False, separators=(",", ":"))
    test, interval = facts.chosen.test, facts.chosen.test_interval
    names = " and ".join([facts.name, *(other.name for other in facts.others)])
    texts = {
        "names": names,
        "dataset": facts.dataset,
        "meaning": "GFLOPs are 10\u2079 multiply-accumulates per video, as in the papers; torch counts twice that."
        if facts.measure == COUNTED
        else f"{facts.measure.unit}: {facts.measure.meaning}." * bool(facts.measure.meaning),
        "policy": "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'",
        "lead": f"Within {facts.measure.text(facts.budget)} per video, trial {facts.chosen.key} answers "
        f"{percent(test.top1)} of the test videos rightly (95% interval {percent(interval.low)} to "
        f"{percent(interval.high)}) at {facts.measure.text(test.cost)} per video.",
    }
    return Template(_asset("report.html")).substitute(
        {name: escape(text) for name, text in texts.items()},
        style=style,
        script=script,
        # Markup in names must not end the element.
        data=data.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"),
    )


def _asset(name: str) -> str:
    return (files("dynsearch.report.html") / "templates" / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
