"""optuna-dashboard really serves a study: its plans, budget, notes and artifacts, seen in a browser."""

import contextlib
import json
import socket
import time
import urllib.error
import urllib.request

import pytest
from optuna.trial import TrialState

from dynsearch.study.folder import StudyFolder
from dynsearch.study.notes import DashboardNotes, note_study, show_frontier
from dynsearch.study.origin import Origin
from dynsearch.study.record import describe_plan, failure_of, open_record
from dynsearch.study.results import read_results
from tests.browser import chromium, needs_browser
from tests.cli.runner import dynsearch
from tests.search.toy import SPACE, ToyEvaluator, recipe, run
from tests.warm import Warm

ORIGIN = Origin(
    commands=["dynsearch study --dataset toy --name '<b>bold</b>'"],
    data_root="/data",
    class_names=["a", "b", "c", "d"],
    num_videos={"train": 7, "calibration": 120, "test": 120},
)


def run_noted(path, **changes):
    """A toy study with everything that the command writes for the dashboard."""
    folder, settings = StudyFolder(path), recipe(**changes)
    run(path, ToyEvaluator(fail_on={4}), notes=DashboardNotes(folder, settings.budget), **changes)
    study = open_record(folder)
    for trial in study.get_trials(states=[TrialState.COMPLETE]):
        lines = [json.dumps({"epoch": epoch, "loss": 2.0, "top1": epoch / 4}) for epoch in (1, 2)]
        (folder.trial(trial.number) / "metrics.jsonl").write_text("\n".join(lines))
    note_study(study, settings, ORIGIN.add_to(folder))
    (folder.path / "report.html").write_text("first")
    show_frontier(study, folder, read_results(study, folder, solver="frontier"))
    return folder


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A finished study with refused trials and one that failed, and one whose second trial runs."""
    root = tmp_path_factory.mktemp("dashboard") / "studies"
    run_noted(root / "toy", max_gflops=0.01, num_trials=3)
    folder = run_noted(root / "running", num_trials=1)
    trial = open_record(folder).ask()
    plan = SPACE.sample(trial)
    describe_plan(trial, plan)
    DashboardNotes(folder, 0.05).begun(trial, plan)
    return root


@contextlib.contextmanager
def served(studies, *names):
    """The address of ``dynsearch dashboard`` on studies."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = Warm(("dashboard", *names, "--port", port), cwd=studies.parent)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def toy_url(studies):
    with served(studies, "toy") as url:
        yield url


def get(url):
    limit = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.read()
        except (urllib.error.URLError, ConnectionError):
            if time.monotonic() > limit:
                raise
            time.sleep(0.1)


def detail(url):
    (study,) = details(url).values()
    return study


def details(url):
    """All studies by name."""
    return {
        found["study_name"]: json.loads(get(f"{url}/api/studies/{found['study_id']}?after=0"))
        for found in json.loads(get(f"{url}/api/studies"))["study_summaries"]
    }


def test_the_dashboard_shows_the_study(toy_url):
    study = detail(toy_url)
    assert study["objective_names"] == ["top1", "gflops"]
    trials = study["trials"]
    assert sum(trial["state"] == "Complete" for trial in trials) == 2
    refused = [trial for trial in trials if trial["state"] == "Pruned" and max(trial["constraints"]) > 0]
    assert refused
    assert all("Never trained" in trial["note"]["body"] for trial in refused)
    finished = next(trial for trial in trials if trial["state"] == "Complete")
    attributes = {item["key"] for item in finished["user_attrs"]}
    assert {"plan_id", "exits", "frame_order", "thresholds", "exit_share"} <= attributes
    assert {"num_exits", "frame_order"} <= {item["name"] for item in finished["params"]}


def test_no_attribute_of_a_trial_stretches_its_page(toy_url):
    for trial in detail(toy_url)["trials"]:
        assert max(len(str(item["value"])) for item in trial["user_attrs"]) < 120


def test_the_study_has_its_frontier_and_its_report(toy_url, studies):
    study = detail(toy_url)
    plots = {plot["id"]: json.loads(plot["graph_object"]) for plot in study["plotly_graph_objects"]}
    figure = plots["frontier"]
    folder = StudyFolder(studies / "toy")
    points = read_results(open_record(folder), folder, solver="frontier").points
    assert figure["data"][0]["x"] == [point.calibration.cost for point in points]
    assert figure["layout"]["xaxis"]["title"]["text"].startswith("GFLOPs per video")
    assert {line["name"] for line in plots["learning-curves"]["data"]} == {
        f"trial {point.key}" for point in points
    }
    assert all(line["y"] == [25, 50] for line in plots["learning-curves"]["data"])
    (report,) = [item for item in study["artifacts"] if item["filename"] == "report.html"]
    (studies / "toy" / "report.html").unlink()
    (studies / "toy" / "report.html").write_text("written anew")
    (summary,) = json.loads(get(f"{toy_url}/api/studies"))["study_summaries"]
    assert get(f"{toy_url}/artifacts/{summary['study_id']}/{report['artifact_id']}") == b"written anew"


def test_several_studies_are_shown_with_their_notes_and_artifacts(studies):
    with served(studies, "toy", "running") as url:
        found = details(url)
        assert set(found) == {"toy", "running"}
        for name, study in found.items():
            own = open_record(StudyFolder(studies / name))
            for trial in study["trials"]:
                told = own.get_trials()[trial["number"]]
                assert trial["state"] == told.state.name.capitalize()
                if "plan_id" in told.user_attrs:
                    assert told.user_attrs["plan_id"] in trial["note"]["body"]
                for item in trial["artifacts"]:
                    sent = get(
                        f"{url}/artifacts/{trial['study_id']}/{trial['trial_id']}/{item['artifact_id']}"
                    )
                    assert (
                        sent
                        == (studies / name / "trials" / str(trial["number"]) / item["filename"]).read_bytes()
                    )


def test_artifacts_are_served_as_they_are_in_the_study(toy_url, studies):
    trial = next(trial for trial in detail(toy_url)["trials"] if trial["state"] == "Complete")
    artifacts = {item["filename"]: item["artifact_id"] for item in trial["artifacts"]}
    assert set(artifacts) == {"frontier.png", "grid.png", "scores-calibration.npz", "scores-test.npz"}
    for name, artifact_id in artifacts.items():
        sent = get(f"{toy_url}/artifacts/{trial['study_id']}/{trial['trial_id']}/{artifact_id}")
        own = studies / "toy" / "trials" / str(trial["number"]) / name
        assert sent == own.read_bytes()
        assert own.stat().st_nlink == 2, "artifacts take no room twice"


def test_a_failed_trial_says_why(toy_url):
    (failed,) = [trial for trial in detail(toy_url)["trials"] if trial["state"] == "Fail"]
    plan_id = next(item["value"] for item in failed["user_attrs"] if item["key"] == "plan_id").strip('"')
    assert failed["note"]["body"].startswith("Failed\\: ValueError\\: no such thing")
    assert plan_id in failed["note"]["body"]


LONG = "no video at " + "/a/long/folder" * 12 + ": " + "what is wrong with it " * 9


class FailsAtLength(ToyEvaluator):
    def __call__(self, job, monitor):
        if job.number == 0:
            raise ValueError(LONG)
        return super().__call__(job, monitor)


@needs_browser
def test_a_long_error_is_whole_in_the_note_and_stretches_no_page(tmp_path):
    folder = StudyFolder(tmp_path / "studies" / "long")
    notes = DashboardNotes(folder, 1.0)
    run(folder.path, FailsAtLength(killed_on={1}), notes=notes, max_gflops=1.0, num_trials=2)
    failed, cut_off = open_record(folder).trials[:2]
    assert failure_of(failed) == f"ValueError: {' '.join(LONG.split())}"
    assert cut_off.user_attrs["fault: its process died"].startswith("its process was killed")
    command = f"dynsearch study --data-root {'/d' * 30} " + "--set training.epochs=3 " * 9
    note_study(open_record(folder), recipe(), ORIGIN.model_copy(update={"commands": [command]}))
    with served(folder.path.parent, "long") as url, chromium() as browser:
        base = f"{url}/dashboard/studies/{detail(url)['trials'][0]['study_id']}"
        for place, wait in (
            (f"trials?numbers={failed.number}", "Failed: ValueError"),
            ("note", "Started with"),
        ):
            page = browser.open(
                f"{base}/{place}", width=1440, wait=f"document.body.innerText.includes('{wait}')"
            )
            assert page.run("document.documentElement.scrollWidth") <= 1460
            assert "what is wrong with it" in page.text or place == "note"


@needs_browser
def test_a_browser_shows_notes_pictures_and_the_pareto_plot(toy_url):
    trial = next(trial for trial in detail(toy_url)["trials"] if trial["state"] == "Complete")
    base = f"{toy_url}/dashboard/studies/{trial['study_id']}"
    with chromium() as browser:
        page = browser.open(base, wait="document.querySelectorAll('.js-plotly-plot .point').length > 0")
        assert "Pareto" in page.text
        page = browser.open(f"{base}/note", wait="document.body.innerText.includes('Started with')")
        assert "dynsearch study --dataset toy --name '<b>bold</b>'" in page.text
        assert page.run("document.querySelectorAll('table td').length") >= 10
        page = browser.open(
            f"{base}/trials?numbers={trial['number']}",
            height=2400,
            wait="[...document.images].filter(i => i.naturalWidth > 500).length === 2",
        )
        assert "Rows in feeding order" in page.text
        assert "fed  frames" in page.run("document.querySelector('pre').innerText")
        assert page.run("document.querySelectorAll('table td').length") >= 12
        refused = next(trial for trial in detail(toy_url)["trials"] if trial["state"] == "Pruned")
        page = browser.open(
            f"{base}/trials?numbers={refused['number']}",
            wait="document.body.innerText.includes('Never trained')",
        )
        assert "Pruned" in page.text
        assert [line for line in page.complaints() if "Content Security" in line] == []


@needs_browser
def test_a_browser_follows_a_study_that_runs(studies):
    with served(studies, "running") as url, chromium() as browser:
        (running,) = [trial for trial in detail(url)["trials"] if trial["state"] == "Running"]
        page = browser.open(
            f"{url}/dashboard/studies/{running['study_id']}/trials?numbers={running['number']}",
            wait="document.body.innerText.includes('Being trained')",
        )
        assert f"Trial {running['number']}" in page.text
        assert "Running" in page.text


def test_a_picture_that_cant_be_drawn_does_not_end_a_study(tmp_path):
    folder = StudyFolder(tmp_path / "s")
    (folder.trial(0) / "grid.png").mkdir(parents=True)
    study, _ = run(folder.path, notes=DashboardNotes(folder, 0.05), num_trials=1, max_gflops=1)
    (trial,) = study.get_trials()
    assert trial.state == TrialState.COMPLETE
    assert "grid.png" in trial.user_attrs["notes_error"]


def test_a_port_in_use_is_said_in_one_line(studies):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = dynsearch("dashboard", "toy", "--port", str(port), cwd=studies.parent, code=2)
    assert f"can't listen on 127.0.0.1:{port}" in result.err
