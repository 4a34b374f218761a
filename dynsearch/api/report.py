"""A study's report, with pictures of its videos."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from dynsearch.data.records import VideoRecord
from dynsearch.data.thumbnails import thumbnails
from dynsearch.report.html import shown_videos
from dynsearch.study.folder import StudyFolder
from dynsearch.study.report_files import beside, read_facts, write_report
from dynsearch.study.results import StudyResults


def make_report(
    folder: StudyFolder,
    path: Path,
    records: Iterable[VideoRecord],
    results: StudyResults | None = None,
    others: Sequence[StudyFolder] = (),
) -> int:
    """Write a study's report with pictures of those of its videos that are among ``records``.

    Args:
        folder: The study's.
        path: The HTML file.
        records: Where the videos are.
        results: What the study found, where that was gathered already.
        others: Studies that it is shown beside.

    Returns:
        How many of the videos shown have no picture.
    """
    facts = beside(read_facts(folder, results), others)
    wanted = shown_videos(facts)
    pictures = thumbnails(records, wanted)
    write_report(facts, path, pictures)
    return len(wanted) - len(pictures)
