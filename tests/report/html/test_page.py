"""The report in a browser: nothing loaded, nothing run but its own script, hover, keys, sorting, size."""

import dataclasses
import re

import numpy as np
import pytest

from dynsearch.report.html import render_report, shown_videos
from tests.browser import chromium, needs_browser
from tests.report.html.studies import facts

NASTY = ("<script>document.title='hacked'</script>", "a & \"b\" 'c'", "<img src=x onerror=document.title=1>")
JPEG = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300"
    + "01" * 64
    + "ffc0000b080001000101011100ffc40014000100"
    "00000000000000000000000000000003ffc40014100100000000000000000000000000000000ffda0008010100003f0037ffd9"
)


def nasty():
    study = facts(
        name="<script>document.title='hacked'</script>",
        dataset="sthv2",
        class_names=NASTY,
        commands=["dynsearch study --name '</pre><script>document.title=2</script>'"],
        settings={"<b>field</b>": "<i>value</i>"},
    )
    wanted = [video.video_id for videos in shown_videos(study) for video in videos]
    return dataclasses.replace(study, thumbnails=dict.fromkeys(wanted, JPEG))


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Addresses of reports: a small one full of markup, and one of 2,000 trials."""
    folder = tmp_path_factory.mktemp("report")
    large = facts(num_trials=2000, class_names=[f"class number {i}" for i in range(60)], num_videos=600)
    for name, study in (("nasty", nasty()), ("large", large)):
        (folder / f"{name}.html").write_text(render_report(study))
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def test_it_is_the_same_each_time_and_names_nothing_outside(pages):
    text = (pages / "nasty.html").read_text()
    assert text == render_report(nasty())
    assert re.findall(r"(?:https?:)?//[a-z]", text) == []
    assert "default-src &#39;none&#39;" in text


@pytest.mark.reliability("Security", "a script in a class name, a path, a command or an error text")
def test_markup_in_names_is_escaped(pages):
    text = (pages / "nasty.html").read_text()
    assert text.count("<script>") == 1
    assert "onerror=document" not in text.replace("&lt;img src=x onerror=document", "")
    assert "&lt;script&gt;document.title" in text


def test_every_chart_has_a_name_and_every_picture_a_text(pages):
    text = (pages / "nasty.html").read_text()
    charts = re.findall(r"<svg [^>]*class=\"chart[^>]*>", text)
    assert len(charts) >= 8
    assert all('role="img"' in chart and 'aria-label="' in chart for chart in charts)
    pictures = re.findall(r"<img [^>]*>", text)
    assert pictures
    assert all(' alt="Frames of video' in picture for picture in pictures)


def test_a_study_of_2000_trials_stays_small(pages):
    assert (pages / "large.html").stat().st_size < 10e6


def test_several_labels_a_video_leave_out_what_needs_one():
    study = facts()
    wide = {
        split: dataclasses.replace(getattr(study, split), labels_N=np.eye(3, dtype=np.uint8)[labels_N])
        for split, labels_N in (("calibration", study.calibration.labels_N), ("test", study.test.labels_N))
    }
    text = render_report(dataclasses.replace(study, **wide, metrics=[{"mAP": 0.125} for _ in study.points]))
    assert "12.5%" in text
    assert "Which videos stop early" in text
    assert "Exits by class" not in text
    assert "temperature" not in text


def test_the_frontier_of_each_family_and_map_are_drawn():
    study = facts()
    families = {"grid": study.points[:5], "tsm": study.points[5:8]}
    text = render_report(
        dataclasses.replace(study, families=families, metrics=[{"mAP": 0.125} for _ in study.points])
    )
    section = text.split('<section id="families"')[1].split("</section>")[0]
    assert [section.count(f'class="pt dot f{place}"') for place in range(3)] == [5, 3, 0]
    assert 'class="line map"' in text
    assert 'id="families"' not in render_report(study)


@needs_browser
@pytest.mark.reliability("Security", "a script in a class name, a path, a command or an error text")
def test_nothing_foreign_runs_and_the_console_is_silent(browser, pages):
    page = browser.open((pages / "nasty.html").as_uri())
    assert page.run("document.title").endswith("dynsearch report")
    assert page.complaints() == []
    assert [url for url in page.requests() if not url.startswith("data:")] == [
        (pages / "nasty.html").as_uri()
    ]
    assert NASTY[0] in page.text
    assert page.run("[...document.images].every(image => image.complete)")


@needs_browser
def test_hovering_a_point_tells_its_plan_and_thresholds(browser, pages):
    page = browser.open((pages / "nasty.html").as_uri())
    page.hover("#frontier circle.dot.pt")
    tip = page.until("!document.getElementById('tip').hidden && document.getElementById('tip').textContent")
    assert "top-1" in tip
    assert "resnet50" in tip
    assert "thresholds" in tip
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    page.until("document.getElementById('tip').hidden")


@needs_browser
def test_arrow_keys_walk_along_the_points(browser, pages):
    page = browser.open((pages / "nasty.html").as_uri())
    page.run("document.querySelector('#frontier svg.hover').focus({preventScroll: true})")
    tips = []
    for _ in range(3):
        page.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        tips.append(page.until("document.querySelector('.pt.on')?.dataset.tip"))
    assert len(set(tips)) == 3
    page.send("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert page.run("document.getElementById('tip').hidden")


@needs_browser
def test_a_click_on_a_heading_sorts_by_number_and_again_turns_it_round(browser, pages):
    page = browser.open((pages / "large.html").as_uri())
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    table = "[...document.querySelectorAll('#search table')].find(t => t.rows.length === 2001)"
    click = f"{table}.tHead.rows[0].cells[2].firstElementChild.click()"
    read = f"[...{table}.tBodies[0].rows].map(row => row.cells[2].textContent)"
    page.run(click)
    rising = page.run(read)
    assert page.run(f"{table}.tHead.rows[0].cells[2].getAttribute('aria-sort')") == "ascending"
    page.run(click)
    falling = page.run(read)
    numbers = [float(text.rstrip("%")) for text in rising if text]
    assert numbers == sorted(numbers)
    assert [float(text.rstrip("%")) for text in falling if text] == numbers[::-1]
    assert rising[-200:] == falling[-200:] == [""] * 200, "trials without a figure stay at the end"
    page.run(f"{table}.tHead.rows[0].cells[1].firstElementChild.click()")
    states = page.run(f"[...{table}.tBodies[0].rows].map(row => row.cells[1].textContent)")
    assert states == sorted(states)


@needs_browser
@pytest.mark.parametrize("name", ["nasty", "large"])
def test_a_phone_need_not_scroll_sideways(browser, pages, name):
    page = browser.open((pages / f"{name}.html").as_uri(), width=380, height=800)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= 380


@needs_browser
def test_dark_and_print_have_readable_colours(browser, pages):
    page = browser.open((pages / "nasty.html").as_uri(), dark=True)
    colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    assert [brightness(colour) < 0.2 for colour in page.run(colours)] == [True, False]
    page.media(dark=True, media="print")
    assert [brightness(colour) > 0.9 for colour in page.run(colours)] == [True, False]


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765
