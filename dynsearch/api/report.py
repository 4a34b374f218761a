"""A study's report, with pictures of its videos."""

from collections.abc import Iterable
from pathlib import Path

from dynsearch.data.records import VideoRecord
from dynsearch.data.thumbnails import thumbnails
from dynsearch.study.folder import StudyFolder
from dynsearch.study.report_files import read_facts, videos_wanted, write_report
from dynsearch.study.results import StudyResults


def make_report(
    folder: StudyFolder, path: Path, records: Iterable[VideoRecord], results: StudyResults | None = None
) -> int:
    """Write a study's report with pictures of those of its videos that are among ``records``.

    Args:
        folder: The study's.
        path: The HTML file.
        records: Where the videos are.
        results: What the study found, where that was gathered already.

    Returns:
        How many of the videos shown have no picture.
    """
    facts = read_facts(folder, results)
    wanted = videos_wanted(facts)
    pictures = thumbnails(records, wanted)
    write_report(facts, path, pictures)
    return len(wanted) - len(pictures)
