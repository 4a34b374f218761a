"""Scripts planted in commands, paths and error texts do not run in the dashboard; who can reach it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from dynsearch.study.folder import StudyFolder
from dynsearch.study.notes import DashboardNotes, note_study
from dynsearch.study.origin import Origin
from dynsearch.study.record import open_record
from tests.browser import chromium, needs_browser
from tests.cli.test_dashboard import detail, served
from tests.search.toy import ToyEvaluator, recipe, run

SCRIPT = (
    "<img src=x onerror=\"document.title='hacked'\"><script>document.title='hacked'</script>[a](javascript:0)"
)


class Nasty(ToyEvaluator):
    """A trial fails because of a path that somebody chose well."""

    def __call__(self, job, monitor):
        if job.number == 1:
            raise ValueError(f"/data/{SCRIPT}.mp4: is damaged")
        return super().__call__(job, monitor)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    root = tmp_path_factory.mktemp("nasty") / "studies"
    folder, settings = StudyFolder(root / "nasty"), recipe(max_gflops=1, num_trials=2)
    run(folder.path, Nasty(), notes=DashboardNotes(folder, 1), max_gflops=1, num_trials=2)
    origin = Origin(commands=[f"dynsearch study --data-root '{SCRIPT}'"], data_root=SCRIPT, class_names=[SCRIPT, "b"],
                    num_videos={"train": 7, SCRIPT: 3})  # fmt: skip
    note_study(open_record(folder), settings, origin.add_to(folder))
    return root


@pytest.fixture(scope="module")
def url(studies):
    with served(studies, "nasty") as address:
        detail(address)
        yield address


@needs_browser
@pytest.mark.reliability(
    "Security", "a script in a class name, a path, a command or an error text",
    happens="is text in the report and in the dashboard; seen in a browser",
)  # fmt: skip
def test_a_planted_script_is_text(url):
    study = detail(url)
    (failed,) = [trial for trial in study["trials"] if trial["state"] == "Fail"]
    base = f"{url}/dashboard/studies/{failed['study_id']}"
    with chromium() as browser:
        for page, seen in (
            (f"{base}/note", "Started with"),
            (f"{base}/trials?numbers={failed['number']}", "Failed: ValueError"),
        ):
            shown = browser.open(page, wait=f"document.body.innerText.includes({seen!r})")
            assert "onerror=\"document.title='hacked'\"" in shown.text
            assert shown.run("document.title") != "hacked"
            assert shown.run("document.querySelectorAll('img[src=x], a[href^=javascript]').length") == 0


@pytest.mark.reliability(
    "Security",
    "a dashboard without --host",
    happens="listens on 127.0.0.1, where only this machine reaches it",
)
def test_the_dashboard_listens_on_loopback_only(url):
    port = int(url.rpartition(":")[2])
    lines = [
        line for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port:04X}")] == [f"0100007F:{port:04X}"]


@pytest.mark.reliability(
    "Security", "a dashboard on all interfaces", happens="is told what that means before it listens",
    sees="`Listening on 0.0.0.0: anyone who reaches it can read and change the study.`",
)  # fmt: skip
def test_a_dashboard_open_to_others_says_so(studies):
    command = [
        sys.executable,
        "-m",
        "dynsearch",
        "dashboard",
        "nasty",
        "--host",
        "0.0.0.0",
        "--port",
        "0",
    ]
    process = subprocess.Popen(
        command, cwd=studies.parent, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    line = process.stderr.readline()
    process.terminate()
    process.communicate()
    assert re.fullmatch(
        r"Listening on 0\.0\.0\.0: anyone who reaches it can read and change the study\.\n", line
    )
