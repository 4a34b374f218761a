"""The report in a browser: nothing loaded, nothing run but its own script, and all of it follows the budget."""

import csv
import dataclasses
import io
import re

import numpy as np
import pytest

from dynsearch.report.html import render_report
from tests.browser import chromium, needs_browser
from tests.report.html.studies import NASTY, compared, data_of, facts, nasty

READY = "document.documentElement.dataset.ready === 'yes'"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Reports: of a small study, of one full of markup, of one beside another, and of one of 2,000 trials."""
    folder = tmp_path_factory.mktemp("report")
    large = facts(num_trials=2000, class_names=[f"class number {i}" for i in range(60)], num_videos=600)
    for name, study in {"plain": facts(), "nasty": nasty(), "compared": compared(), "large": large}.items():
        (folder / f"{name}.html").write_text(render_report(study))
    return folder


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


def opened(browser, pages, name="plain", address="", **how):
    return browser.open((pages / f"{name}.html").as_uri() + address, wait=READY, **how)


def texts(page, selector):
    return page.run(f"[...document.querySelectorAll('{selector}')].map(e => e.textContent)")


def table(page, host):
    """The rows of a table as dictionaries."""
    heads, rows = page.run(
        f"[[...document.querySelectorAll('#{host} th')].map(e => e.innerText.trim()),"
        f" [...document.querySelectorAll('#{host} tbody tr')].map(r => [...r.cells].map(c => c.textContent))]"
    )
    names = [re.sub(r"\W*$", "", head.replace("\n", " ")) for head in heads]
    return [dict(zip(names, row, strict=True)) for row in rows]


def by_hand(study, point):
    """(exit, right, answer) of every test video at a point, one at a time."""
    test, thresholds = study.scores[point.key][1], point.test.thresholds
    for i in range(test.num_videos):
        for k in range(test.num_exits):
            logits = test.logits_ENK[k, i].astype(float)
            probability = np.exp(logits - logits.max())
            if (probability / probability.sum()).max() > thresholds[k] or k == test.num_exits - 1:
                yield k, logits.argmax() == test.labels_N[i], logits.argmax()
                break


def test_it_is_the_same_each_time_and_names_nothing_outside(pages):
    text = (pages / "nasty.html").read_text()
    assert text == render_report(nasty())
    outside = re.findall(r"(?:https?:)//[a-z0-9.]+", text)
    assert set(outside) == {"http://www.w3.org"}, "the namespace of pictures"
    assert "default-src &#x27;none&#x27;" in text


@pytest.mark.reliability("Security", "a script in a class name, a path, a command or an error text")
def test_markup_in_names_is_escaped(pages):
    text = (pages / "nasty.html").read_text()
    assert text.count("<script") == 2
    assert "<img" not in text.replace("<img src=x onerror=document.title=1>", "", 0)
    assert data_of(text)["classes"] == list(NASTY)


def test_a_study_of_2000_trials_stays_small(pages):
    assert (pages / "large.html").stat().st_size < 10e6


def test_several_labels_a_video_leave_out_what_needs_one():
    study = facts()
    wide = {
        number: tuple(
            dataclasses.replace(scores, labels_N=np.eye(3, dtype=np.uint8)[scores.labels_N])
            for scores in both
        )
        for number, both in study.scores.items()
    }
    found = data_of(
        render_report(dataclasses.replace(study, scores=wide, metrics=[{"mAP": 0.125} for _ in study.points]))
    )
    assert {point["more"]["mAP"] for point in found["points"]} == {0.125}
    assert found["reliability"]["exits"] == []
    videos = [plan["videos"] for plan in found["plans"] if plan["videos"]]
    assert videos
    assert all(part["labels"] is None and part["answers"] is None for part in videos)


@needs_browser
@pytest.mark.parametrize("budget", [5, 11.5, 20, 29])
def test_everything_follows_the_budget(browser, pages, budget):
    study = facts()
    point = next(p for p in reversed(study.points) if p.calibration.cost <= budget)
    plan, told = study.plans[point.key], list(by_hand(study, point))
    page = opened(browser, pages, address=f"#budget={budget}")
    assert page.run("document.getElementById('field').value") == str(budget)
    assert page.run("document.getElementById('export').textContent") == (
        f"dynsearch export made-up --max-gflops {budget} --output made-up-{budget}"
    )
    tiles = texts(page, "#tiles b")
    full = study.saving
    assert tiles[0] == f"{100 * point.test.top1:.1f}%"
    assert float(tiles[1]) == pytest.approx(point.test.cost, rel=1e-3)
    assert tiles[2] == f"{100 * abs(1 - point.test.cost / full.full_cost):.0f}%"
    assert float(tiles[3].replace("\u2212", "-").replace("\u00b1", "")) == pytest.approx(
        100 * (point.test.top1 - full.full_top1), abs=0.051
    )
    exits = table(page, "exits-table")
    assert [row["cell"] for row in exits] == list(map(str, plan.exits.exits))
    assert [row["exit"] for row in exits] == [str(k) for k in range(1, len(exits) + 1)]
    assert exits[-1]["threshold"] == "always"
    for k, row in enumerate(exits):
        here = [right for exit_, right, _ in told if exit_ == k]
        assert row["videos stopping"] == f"{100 * len(here) / len(told):.1f}%"
        assert row["top-1 of those"] == (f"{100 * np.mean(here):.1f}%" if here else "")
    dead = {k for k in range(len(exits)) if not any(exit_ == k for exit_, _, _ in told)}
    assert {
        int(k) - 1
        for k in re.findall(r"Exit (\d+) ", page.run("document.getElementById('dead').textContent"))
    } == dead
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    labels_N = study.scores[point.key][1].labels_N
    classes = page.until("document.querySelectorAll('#classes-table tbody tr').length === 3") and table(
        page, "classes-table"
    )
    for row in classes:
        own = [
            found
            for found, label in zip(told, labels_N, strict=True)
            if study.class_names[label] == row["class"]
        ]
        assert row["videos"] == str(len(own))
        assert row["top-1"] == f"{100 * np.mean([right for _, right, _ in own]):.1f}%"
        first = 100 * np.mean([exit_ == 0 for exit_, _, _ in own])
        assert float(row["exit 1"].rstrip("%")) == pytest.approx(first, abs=0.501)
    for row in table(page, "confusions-table"):
        count = sum(
            study.class_names[label] == row["class"] and study.class_names[answer] == row["taken for"]
            for (_, _, answer), label in zip(told, labels_N, strict=True)
        )
        assert row["here"] == str(count)
    assert page.complaints() == []


@needs_browser
def test_slider_field_arrows_and_address_choose_the_same_point(browser, pages):
    study = facts()
    page = opened(browser, pages)
    chosen = "document.querySelector('#frontier-table tr.is').cells[0].textContent"
    assert float(page.run(chosen)) == pytest.approx(study.chosen.test.cost, rel=1e-3)
    page.run("document.getElementById('slider').focus()")
    seen = []
    for key in ("Home", "ArrowRight", "ArrowRight", "End"):
        page.send("Input.dispatchKeyEvent", type="keyDown", key=key)
        seen.append(page.run(f"[{chosen}, document.getElementById('field').value, location.hash]"))
    want = [study.points[place] for place in (0, 1, 2, -1)]
    for (cost, budget, address), point in zip(seen, want, strict=True):
        assert float(cost) == pytest.approx(point.test.cost, rel=1e-3)
        assert address == f"#budget={budget}"
        assert [p for p in study.points if p.calibration.cost <= float(budget)][-1] is point, (
            "as export chooses"
        )
    for address in ("#budget=0.000001", "#budget=1e9"):
        page.run(f"location.hash = '{address}'")
        page.until(f"document.getElementById('field').value === String({address[8:]})")
    assert float(page.run(chosen)) == pytest.approx(study.points[-1].test.cost, rel=1e-3)
    page.run("location.hash = '#budget=0.000001'")
    page.until("!document.getElementById('none').hidden")
    assert page.run("document.getElementById('export').textContent") == ""
    page.run(
        "const f = document.getElementById('field'); f.value = '12'; f.dispatchEvent(new Event('input'))"
    )
    assert page.run("location.hash") == "#budget=12"
    page.run(
        "const s = document.getElementById('slider'); s.value = '300'; s.dispatchEvent(new Event('input'))"
    )
    page.until("location.hash !== '#budget=12'")


@needs_browser
def test_the_chart_zooms_and_thins_and_takes_a_log_axis(browser, pages):
    page = opened(browser, pages, "large")
    drawn = "document.querySelectorAll('#frontier-chart path.dot').length"
    axis = "[...document.querySelectorAll('#frontier-chart text')].map(t => t.textContent).join(' ')"
    near, at_first = page.run(drawn), page.run(axis)
    page.run("document.getElementById('all').click()")
    everything = page.run(axis)
    assert everything != at_first
    page.run("document.getElementById('closer').click()")
    assert page.run(axis) != everything
    page.run("document.getElementById('log').click()")
    page.run("document.getElementById('near').click()")
    assert page.run(axis) == at_first
    assert 0 < near < page.run("JSON.parse(document.getElementById('data').textContent).points.length")
    assert "are drawn" in page.run("document.getElementById('drawn').textContent")
    before = page.run(axis)
    box = page.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('#frontier-chart svg').getBoundingClientRect())"
    )
    page.run("document.querySelector('#frontier-chart').scrollIntoView({block: 'center'})")
    box = page.run(
        "(b => [b.x, b.y, b.width, b.height])(document.querySelector('#frontier-chart svg').getBoundingClientRect())"
    )
    for kind, part in (("mousePressed", 0.4), ("mouseMoved", 0.6), ("mouseReleased", 0.7)):
        page.send(
            "Input.dispatchMouseEvent",
            type=kind,
            x=box[0] + part * box[2],
            y=box[1] + box[3] / 2,
            button="left",
            buttons=1,
            clickCount=1,
        )
    assert page.run(axis) != before, "dragging over a range looks closer"


@needs_browser
def test_what_a_page_has_no_room_for_is_said(browser, tmp_path, monkeypatch):
    study = facts()
    sizes = [
        sum(len(text) for text in plan["videos"].values()) for plan in data_of(render_report(study))["plans"]
    ]
    monkeypatch.setattr("dynsearch.report.html.data._MOST_BYTES", max(sizes))  # of the chosen plan alone
    (tmp_path / "cut.html").write_text(render_report(study))
    data = data_of((tmp_path / "cut.html").read_text())
    for point in data["points"]:
        page = browser.open(
            f"file://{tmp_path}/cut.html#budget={point['calibration'][0] * (1 + 1e-9)}", wait=READY
        )
        hidden = [
            page.run(f"document.getElementById('{name}').hidden")
            for name in ("lacking", "videos", "confusions")
        ]
        if data["plans"][point["plan"]]["videos"] is None:
            assert hidden == [False, True, True]
            assert "is not in this page, so that the page stays below 10 MB" in page.text
        else:
            assert hidden == [True, False, False]
            assert "Full inference, of trial 0, is not shown" in page.text
    assert {plan["videos"] is None for plan in data["plans"]} == {True, False}


@needs_browser
def test_plans_side_by_side_have_their_differences_marked(browser, pages):
    page = opened(browser, pages)
    rows = {row["of each"]: row for row in table(page, "side-by-side")}
    assert rows["exits"]["differs"] == "\u2260"
    assert rows["backbone"]["differs"] == ""
    study = facts()
    for number in study.plans:
        assert rows["exits"][f"trial {number}"] == str(study.plans[number].exits)
        assert rows["promised by the one-shot network"][f"trial {number}"] == "55.0%"
    page.run("document.querySelector('#compare input').click()")
    assert len(table(page, "side-by-side")[0]) == len(study.plans) + 1
    assert page.run("document.querySelectorAll('#grids svg').length") == len(study.plans) - 1


@needs_browser
def test_studies_side_by_side(browser, pages):
    page = opened(browser, pages, "compared", "#budget=12")
    study = compared()
    rows = {row["of each"]: row for row in table(page, "studies-table")}
    best = [p for p in study.others[0].points if p.calibration.cost <= 12][-1]
    assert rows["top-1 on test"]["another"] == f"{100 * best.test.top1:.1f}%"
    assert rows["plan"]["another"] == "a plan of theirs"
    assert "another was measured on other test videos" in page.text
    assert page.run("document.querySelectorAll('#frontier-chart .line.study').length") == 1
    assert "made-up and another" in page.run("document.title")


@needs_browser
def test_copying_and_saving(browser, pages, tmp_path):
    page = opened(browser, pages, address="#budget=12")
    page.run(
        "navigator.clipboard.writeText = (text) => { window.copied = text; return Promise.resolve(); }; 0"
    )
    page.run("document.getElementById('copy').click()")
    assert page.until("window.copied") == "dynsearch export made-up --max-gflops 12 --output made-up-12"
    page.run("document.getElementById('link').click()")
    assert page.until("window.copied.endsWith('plain.html#budget=12')")
    page.run(
        "navigator.clipboard.writeText = () => Promise.reject(new Error('no'));"
        " document.execCommand = (what) => { window.old = what; }; 0"
    )
    page.run("document.getElementById('copy').click()")
    assert page.until("window.old") == "copy"
    page.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.run("document.querySelector('#frontier-table .tools button').click()")
    page.run("0")
    for _ in range(200):
        if files := [path for path in tmp_path.iterdir() if path.suffix == ".csv"]:
            break
        page.run("new Promise(done => setTimeout(done, 50))")
    rows = list(csv.DictReader(io.StringIO(files[0].read_text())))
    study = facts()
    assert [float(row["top-1"]) for row in rows] == [point.test.top1 for point in study.points]
    assert [float(row["GFLOPs"]) for row in rows] == [point.test.cost for point in study.points]
    page = opened(browser, pages, "nasty")
    page.run(
        """(make => { URL.createObjectURL = (blob) => {
            blob.text().then(text => { window.saved = text; });
            return make(blob);
        }; })(URL.createObjectURL.bind(URL))"""
    )
    page.run("document.querySelector('#settings-table .tools button').click()")
    saved = page.until("window.saved")
    assert "<b>field</b>,<i>value</i>" in saved
    assert "formula,'=HYPERLINK(1)" in saved, "no cell is a spreadsheet's formula"


@needs_browser
@pytest.mark.reliability("Security", "a script in a class name, a path, a command or an error text")
def test_nothing_foreign_runs_and_the_console_is_silent(browser, pages):
    page = opened(browser, pages, "nasty")
    assert page.run("document.title").endswith("dynsearch report")
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    page.run("document.getElementById('published-too').click()")
    assert page.complaints() == []
    assert [url for url in page.requests() if not url.startswith("data:")] == [
        (pages / "nasty.html").as_uri()
    ]
    assert NASTY[0] in page.text
    assert page.run("document.images.length") > 5
    assert page.until("[...document.images].every(image => image.complete && image.naturalWidth)")


@needs_browser
def test_every_chart_has_a_name_and_every_picture_a_text(browser, pages):
    page = opened(browser, pages, "nasty")
    charts = page.run(
        "[...document.querySelectorAll('svg:not(.key)')].map(s => "
        "[s.getAttribute('role'), s.getAttribute('aria-label')])"
    )
    assert len(charts) >= 14
    assert all(role == "img" and label for role, label in charts)
    assert all(
        text.startswith("Frames of video") for text in page.run("[...document.images].map(i => i.alt)")
    )


@needs_browser
def test_hovering_a_point_tells_its_plan_and_thresholds(browser, pages):
    page = opened(browser, pages)
    page.hover("#frontier-chart path.dot")
    tip = page.until("!document.getElementById('tip').hidden && document.getElementById('tip').textContent")
    assert "top-1" in tip
    assert "resnet50" in tip
    assert "thresholds" in tip
    page.send("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    page.until("document.getElementById('tip').hidden")


@needs_browser
def test_a_tap_near_a_point_shows_its_tip_and_chooses_it(browser, pages):
    page = opened(browser, pages, width=390, height=844)
    page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    dot = "document.querySelector('#frontier-chart path.dot')"
    page.run(f"{dot}.scrollIntoView({{block: 'center'}})")
    x, y = page.run(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({dot}.getBoundingClientRect())")
    page.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x + 9, "y": y + 9}])
    page.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    assert "thresholds" in page.until(
        "!document.getElementById('tip').hidden && document.getElementById('tip').textContent"
    )
    assert page.run("location.hash").startswith("#budget=")


@needs_browser
def test_arrow_keys_walk_along_the_points_and_enter_chooses(browser, pages):
    page = opened(browser, pages)
    page.run("document.querySelector('#frontier-chart svg').focus({preventScroll: true})")
    tips = []
    for _ in range(3):
        page.send("Input.dispatchKeyEvent", type="keyDown", key="ArrowRight")
        tips.append(
            page.until("document.querySelector('.pt.on') && document.getElementById('tip').textContent")
        )
    assert len(set(tips)) == 3
    page.send("Input.dispatchKeyEvent", type="keyDown", key="Escape")
    assert page.run("document.getElementById('tip').hidden")
    page.send("Input.dispatchKeyEvent", type="keyDown", key="Enter")
    page.until("location.hash.startsWith('#budget=')")
    assert (
        page.run("document.getElementById('lead').textContent").split(" answers ")[1].split("%")[0]
        in tips[-1]
    )
    assert page.run("document.activeElement.closest('#frontier-chart') !== null"), "the chart keeps the focus"


@needs_browser
def test_a_click_on_a_heading_sorts_by_number_and_again_turns_it_round(browser, pages):
    page = opened(browser, pages, "large")
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    host = "document.querySelector('#trials-table table')"
    page.until(f"{host}.rows.length === 2001")
    click = f"{host}.tHead.rows[0].cells[2].firstElementChild.click()"
    read = f"[...{host}.tBodies[0].rows].map(row => row.cells[2].textContent)"
    page.run(click)
    rising = page.run(read)
    assert page.run(f"{host}.tHead.rows[0].cells[2].getAttribute('aria-sort')") == "ascending"
    page.run(click)
    falling = page.run(read)
    numbers = [float(text.rstrip("%")) for text in rising if text]
    assert numbers == sorted(numbers)
    assert [float(text.rstrip("%")) for text in falling if text] == numbers[::-1]
    assert rising[-200:] == falling[-200:] == [""] * 200, "trials without a figure stay at the end"
    page.run(f"{host}.tHead.rows[0].cells[1].firstElementChild.click()")
    states = page.run(f"[...{host}.tBodies[0].rows].map(row => row.cells[1].textContent)")
    assert states == sorted(states)


@needs_browser
@pytest.mark.parametrize("name", ["nasty", "large", "compared"])
@pytest.mark.parametrize(("width", "dark"), [(390, False), (390, True), (1440, False), (1440, True)])
def test_no_width_needs_scrolling_sideways(browser, pages, name, width, dark):
    page = opened(browser, pages, name, width=width, height=844, dark=dark)
    page.run("document.querySelectorAll('details').forEach(d => { d.open = true; })")
    assert page.run("document.documentElement.scrollWidth") <= width
    assert page.complaints() == []
    if width == 390:
        first = "document.querySelector('#frontier-table td')"
        page.run("document.querySelector('#frontier-table .scroll').scrollLeft = 200")
        shift = page.run(
            f"{first}.getBoundingClientRect().left"
            " - document.querySelector('#frontier-table .scroll').getBoundingClientRect().left"
        )
        assert abs(shift) <= 2, "the first column stays"


@needs_browser
def test_dark_and_print_have_readable_colours(browser, pages, tmp_path):
    page = opened(browser, pages, "nasty", dark=True)
    colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    assert [brightness(colour) < 0.2 for colour in page.run(colours)] == [True, False]
    page.media(dark=True, media="print")
    assert [brightness(colour) > 0.9 for colour in page.run(colours)] == [True, False]
    assert page.run("getComputedStyle(document.querySelector('#frontier-table table')).display") == "table"
    page.run(
        "window.printed = []; addEventListener('beforeprint', () => "
        "printed.push(document.querySelector('#frontier-chart svg').viewBox.baseVal.width))"
    )
    page.pdf(tmp_path / "report.pdf")
    assert page.run("window.printed") == [720], "charts are drawn for paper"
    count = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))
    assert 3 <= count <= 14
    page.until("document.querySelector('#frontier-chart svg').viewBox.baseVal.width !== 720")


@needs_browser
def test_who_prints_at_once_has_all_but_the_videos(browser, pages):
    """Videos are unpacked after the page is there, and a program that prints it does not wait."""
    whole = opened(browser, pages)
    page = opened(browser, pages)
    hold = "{ flush: () => new Promise(() => {}) }"
    never = (
        f"window.DecompressionStream = class extends TransformStream {{ constructor() {{ super({hold}); }} }}"
    )
    page.send("Page.addScriptToEvaluateOnNewDocument", source=never)
    page.send("Page.reload")
    page.until("document.readyState === 'complete' && !!document.querySelector('#frontier-table td')")
    assert not page.run(READY)
    assert texts(page, "#frontier-table td") == texts(whole, "#frontier-table td")
    assert "the page is still unpacking it" in page.text
    assert "the page is still unpacking it" not in whole.text
    assert not page.complaints()


def brightness(colour):
    return sum(map(int, re.findall(r"\d+", colour)[:3])) / 765
