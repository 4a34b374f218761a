"""The report of a study: one HTML file that needs nothing else."""

from dynsearch.report.html.facts import OneShotFacts as OneShotFacts
from dynsearch.report.html.facts import OtherStudy as OtherStudy
from dynsearch.report.html.facts import StudyFacts as StudyFacts
from dynsearch.report.html.facts import TrialFacts as TrialFacts
from dynsearch.report.html.page import render_report as render_report
from dynsearch.report.html.videos import shown_videos as shown_videos

__all__ = ["OneShotFacts", "OtherStudy", "StudyFacts", "TrialFacts", "render_report", "shown_videos"]
