"""The folder is the study: its record is found whatever the folder, or the Optuna study, is called by now."""

import contextlib
import io
import json
import shutil
import sqlite3

import optuna
import pytest
import yaml
from optuna_dashboard import wsgi

from dynsearch.api.study import Study
from dynsearch.errors import RecipeError, StudyError
from dynsearch.study.folder import StudyFolder
from dynsearch.study.record import finished, open_record
from dynsearch.study.storage_address import without_password
from tests.cli.runner import dynsearch_here
from tests.search.toy import InlineEngine, run
from tests.users import as_nobody, needs_root

NASTY = '100% #1?a=b {x} it\'s "%20" größe'


def study_in(path, trials=1, **changes):
    run(path, engine=InlineEngine, num_trials=trials, max_gflops=1, **changes)
    return StudyFolder(path)


def trials_in(folder):
    return len(finished(open_record(folder)))


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished_study(tmp_path_factory):
    return study_in(tmp_path_factory.mktemp("finished") / "studies" / "toy").path


@pytest.fixture
def studies(finished_study, tmp_path):
    """A folder ``studies`` with a study that was called ``toy`` when it began, and is called ``moved``."""
    shutil.copytree(finished_study, tmp_path / "studies" / "moved")
    return tmp_path / "studies"


@pytest.mark.parametrize("storage", [None, "journal"])
@pytest.mark.reliability(
    "Files",
    "`%`, `?`, `#`, blanks, quotes, braces or other letters in the name of a study's folder, or above it",
    happens="the record lies in the folder, and every command finds it",
)
def test_any_letters_in_a_folders_name(tmp_path, storage):
    root = tmp_path / NASTY
    folder = study_in(root / "s", storage=storage)
    folder.path.rename(root / NASTY)
    moved = StudyFolder.existing(NASTY, root)
    study_in(moved.path, 2, storage=storage)
    assert trials_in(moved) == 2
    assert files_in(tmp_path) >= {f"{NASTY}/{NASTY}/{'study.db' if storage is None else 'journal.log'}"}
    assert all(name.startswith(f"{NASTY}/{NASTY}/") for name in files_in(tmp_path))
    assert (
        json.loads(dynsearch_here("frontier", NASTY, "--studies", root, "--json", cwd=root).out)["num_trials"]
        == 2
    )


@pytest.mark.reliability(
    "Files",
    "a study's folder renamed or moved, or given as `.`, as a path or as one of its files",
    happens="it is the same study with the same record, and goes on in it",
)
def test_a_moved_study_by_every_name(studies, monkeypatch):
    for cwd, name in (
        (studies.parent, "moved"), (studies.parent, "studies/moved/"), (studies.parent, "./studies/moved"),
        (studies.parent, "studies/moved/study.yaml"), (studies, "moved"), (studies / "moved", "."),
        ("/", studies / "moved"),
    ):  # fmt: skip
        monkeypatch.chdir(cwd)
        assert (StudyFolder.existing(str(name)).name, Study.open(str(name)).name) == ("moved", "moved")
        assert StudyFolder.named(str(name)).path.samefile(studies / "moved")
    monkeypatch.chdir(studies.parent)
    assert (
        "all in studies/moved/frontier.csv"
        in dynsearch_here("frontier", "studies/moved/", cwd=studies.parent).out
    )
    study_in(studies / "moved", 2)
    assert trials_in(StudyFolder(studies / "moved")) == 2
    assert len(open_record(StudyFolder(studies / "moved"))._storage.get_all_studies()) == 1


def test_a_bare_name_means_a_study_before_a_folder_here(studies, finished_study, monkeypatch):
    shutil.copytree(finished_study, studies.parent / "moved")
    monkeypatch.chdir(studies.parent)
    assert StudyFolder.named("moved").path.samefile(studies / "moved")
    assert StudyFolder.named("./moved").path.samefile("moved")
    assert StudyFolder.named("studies/new").path == studies.relative_to(studies.parent) / "new"


@pytest.mark.reliability(
    "Files",
    "a study renamed in the dashboard",
    happens="its folder finds it under the new name, and goes on with it",
)
def test_a_study_renamed_in_the_dashboard(studies):
    folder = StudyFolder(studies / "moved")
    storage = open_record(folder)._storage
    (found,) = storage.get_all_studies()
    body = json.dumps({"study_name": "my best: #1"}).encode()
    status = []
    request = {
        "REQUEST_METHOD": "POST", "PATH_INFO": f"/api/studies/{found._study_id}/rename",
        "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
        "SERVER_NAME": "x", "SERVER_PORT": "80", "wsgi.url_scheme": "http",
    }  # fmt: skip
    list(wsgi(storage)(request, lambda line, headers, *_: status.append(line)))
    assert status[0].startswith("201")
    assert open_record(folder).study_name == "my best: #1"
    study_in(folder.path, 2)
    assert (trials_in(folder), len(open_record(folder)._storage.get_all_studies())) == (2, 1)


@pytest.mark.reliability(
    "Files",
    "several Optuna studies in a study's record",
    happens="the one that belongs to the folder is taken, and it is said; where none is known to, they are named",
    sees="`Of the studies ... in its record, ... is this folder's`; `its record holds the studies ...`",
)
def test_several_studies_in_a_record(studies, caplog):
    folder = StudyFolder(studies / "moved")
    study = open_record(folder)
    for name in ("a", "moved"):
        optuna.create_study(study_name=name, storage=study._storage)
    assert open_record(folder).study_name == "toy"
    assert "Of the studies 'toy', 'a', 'moved' in its record, 'toy' is this folder's" in caplog.text
    values = yaml.safe_load(folder.study_file.read_text()) | {"name": "older", "record": None}
    folder.study_file.write_text(yaml.safe_dump(values))
    folder.path.rename(studies / "again")
    with pytest.raises(
        StudyError, match="its record holds the studies 'toy', 'a', 'moved', and none is known"
    ):
        open_record(StudyFolder(studies / "again"))


def test_a_study_from_before_identities_is_found_and_gets_one(studies):
    folder = StudyFolder(studies / "moved")
    study = open_record(folder)
    study._storage.set_study_user_attr(study._study_id, "study_folder", None)
    values = yaml.safe_load(folder.study_file.read_text())
    del values["record"]
    folder.study_file.write_text(yaml.safe_dump(values | {"name": "moved"}))
    assert trials_in(folder) == 1
    study_in(folder.path, 2)
    assert open_record(folder).user_attrs["study_folder"] == {"id": folder.identity()["id"], "part": None}


@pytest.mark.reliability(
    "Files",
    "two folders with one record on a server or in a shared file: a copy, or another study of the same name",
    happens="a copy is shown with a note and not run; another study does not join the record",
    sees="`is a copy of ..., and both have one record`; `there is a study ... in this storage already`",
)
@pytest.mark.parametrize("kind", ["journal:{}", "sqlite:///{}"])
def test_two_folders_with_one_record(tmp_path, kind, caplog):
    shared = kind.format(tmp_path / "shared?.log")
    folder = study_in(tmp_path / "a" / "s", storage=shared)
    assert "id" in folder.identity()
    with pytest.raises(StudyError, match="there is a study 's' in this storage already, of the folder .*a/s"):
        study_in(tmp_path / "b" / "s", storage=shared)
    shutil.copytree(folder.path, tmp_path / "copy")
    copy = StudyFolder(tmp_path / "copy")
    assert trials_in(copy) == 1
    assert "copy is a copy of" in caplog.text
    with pytest.raises(StudyError, match="is a copy of .*a/s, and both have one record"):
        study_in(copy.path, 2, storage=shared)
    shutil.rmtree(folder.path)  # The copy is where the study moved to.
    study_in(copy.path, 2, storage=shared)
    assert trials_in(copy) == 2


@pytest.mark.reliability(
    "Files",
    "a record beside the study's folder that is not there any more",
    happens="no second one is begun",
    sees="`the study's record is not there`",
)
def test_a_record_that_is_gone(tmp_path):
    folder = study_in(tmp_path / "s", storage=f"journal:{tmp_path / 'log'}")
    (tmp_path / "log").rename(tmp_path / "elsewhere")
    for act in (lambda: open_record(folder), lambda: study_in(folder.path, 2)):
        with pytest.raises(StudyError, match="log: the study's record is not there"):
            act()
    (tmp_path / "elsewhere").rename(folder.path / "log")  # What lay in the folder moves with it.
    assert trials_in(folder) == 1


@pytest.mark.reliability(
    "Files", "a SQLite record that version 0.1 misplaced, at `?` or `%`", happens="is found, and said"
)
def test_a_misplaced_record_is_found(studies, caplog):
    folder = StudyFolder(studies / "what?" / "s")
    shutil.copytree(studies / "moved", folder.path)
    (folder.path / "study.db").rename(studies / "what")
    assert trials_in(folder) == 1
    assert f"lies in {studies / 'what'}; move it to" in caplog.text


@pytest.mark.parametrize(
    "given", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite:///a.db?timeout=3"]
)
def test_a_sqlite_storage_is_a_file(given):
    with pytest.raises(RecipeError, match="SQLite needs a file, and takes no options"):
        without_password(given)


@needs_root
@pytest.mark.parametrize("kind", ["sqlite", "wal", "journal"])
@pytest.mark.reliability(
    "Files",
    "a study that may be read but not written, also with SQLite's write-ahead log",
    happens="`frontier` shows it, `report --output` writes elsewhere",
    sees="`frontier.csv: can't write: Permission denied`",
)
def test_a_read_only_study_is_shown(open_folder, kind, monkeypatch):
    monkeypatch.setenv(
        "DYNSEARCH_HOME", str(open_folder / "home")
    )  # The user's tables of times nobody may read.
    folder = study_in(open_folder / "first", storage="journal" if kind == "journal" else None)
    with contextlib.closing(sqlite3.connect(folder.path / "study.db")) as connection:
        if kind == "wal":
            connection.execute("PRAGMA journal_mode=WAL")
        if kind != "journal":
            study_in(folder.path, 2)
        shutil.copytree(folder.path, open_folder / "studies" / "s")
    study = StudyFolder(open_folder / "studies" / "s")
    if kind == "wal":
        assert (study.path / "study.db-wal").stat().st_size
        (study.path / "study.db-shm").unlink()
    (open_folder / "out").mkdir()
    (open_folder / "out").chmod(0o777)
    before = files_in(study.path)
    expected = dynsearch_here("frontier", "first", "--studies", ".", "--json", cwd=open_folder)
    dynsearch_here("report", "first", "--studies", ".", cwd=open_folder)

    def look():
        shown = dynsearch_here("frontier", "s", "--json", cwd=open_folder)
        report = dynsearch_here("report", "s", cwd=open_folder, code=1)
        dynsearch_here("report", "s", "--output", "out/r.html", cwd=open_folder)
        return (
            json.loads(shown.out),
            shown.err,
            report.err,
            dynsearch_here("study", "list", cwd=open_folder).out,
        )

    found, said, refused, listed = as_nobody(look)
    assert found["frontier"] == json.loads(expected.out)["frontier"]
    assert "frontier.csv: can't write: Permission denied" in said
    assert "report.html: can't write: Permission denied" in refused
    assert (open_folder / "out" / "r.html").is_file()
    assert f"{1 if kind == 'journal' else 2} done" in listed
    assert files_in(study.path) == before
