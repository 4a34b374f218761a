"""A password in ``--storage``, given to the real command: in no file, no output, no record and no list of processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import open_record
from tests import postgres
from tests.cli.miniature import write_sthv2
from tests.cli.miniature_study import SPACE
from tests.cli.runner import dynsearch
from tests.cli.test_preemption import STUDY


def command_lines():
    """Return the command lines of all processes of this machine, as every user can read them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes())
        except OSError:
            continue
    return found


@pytest.mark.postgres
@postgres.needed
@pytest.mark.reliability(
    "Security", "a password in --storage",
    happens="goes to the database only: not to files, messages, the record, reports or the list of processes",
)  # fmt: skip
def test_a_password_stays_out_of_everything(tmp_path, monkeypatch):
    write_sthv2(tmp_path / "data")
    (tmp_path / "space.yaml").write_text(yaml.safe_dump(SPACE))
    with postgres.server() as url:
        command = [sys.executable, "-m", "dynsearch", *map(str, STUDY), "--strategy", "retrain", "--trials", "1",
                   "--set", "training.epochs=1", "--storage", url]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={name: value for name, value in os.environ.items() if name != "PGPASSWORD"},
        )  # fmt: skip
        while not (tmp_path / "studies" / "sthv2" / "study.yaml").exists() and process.poll() is None:
            time.sleep(0.02)
        secret = postgres.PASSWORD.encode()
        assert not any(secret in line for line in command_lines())
        told, _ = process.communicate()
        assert process.returncode == 0, told
        assert postgres.PASSWORD not in told
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert (tmp_path / "studies/sthv2/report.html") in files
        assert [path for path in files if secret in path.read_bytes()] == []
        monkeypatch.setenv("PGPASSWORD", postgres.PASSWORD)
        study = open_record(StudyFolder(tmp_path / "studies" / "sthv2"))
        of_study = study._storage.get_study_system_attrs(study._study_id)
        recorded = [study.user_attrs, of_study, *(vars(trial) for trial in study.get_trials())]
        assert postgres.PASSWORD not in repr(recorded)
        monkeypatch.setenv("PGPASSWORD", "another-secret")
        refused = dynsearch("frontier", "sthv2", cwd=tmp_path, code=2).err
        assert "another-secret" not in refused
        assert refused.count("dynsearch:") == 1
