import re
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import dynsearch
from dynsearch.scores import ExitScores
from dynsearch.scores.labels import first_choice_is_label, several_labels


@pytest.mark.parametrize("made_by", [np.array, torch.tensor])
def test_several_labels_have_an_axis_of_classes(made_by):
    assert several_labels(made_by([[0, 1], [1, 1]]))
    assert not several_labels(made_by([0, 1]))


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 4))
def test_the_first_choice_is_looked_up_video_by_video(seed, num_videos, num_classes):
    rng = np.random.default_rng(seed)
    logits_ENK = rng.integers(0, 3, (2, num_videos, num_classes)).astype(np.float32)
    one_N = rng.integers(0, num_classes, num_videos)
    several_NK = rng.integers(0, 2, (num_videos, num_classes))
    for k, n in np.ndindex(2, num_videos):
        choice = max(range(num_classes), key=lambda c: logits_ENK[k, n, c])  # the first of equals
        assert first_choice_is_label(logits_ENK, one_N)[k, n] == (choice == one_N[n])
        assert first_choice_is_label(logits_ENK, several_NK)[k, n] == several_NK[n, choice]
        assert first_choice_is_label(logits_ENK[k], several_NK)[n] == several_NK[n, choice]


@pytest.mark.parametrize(
    ("labels", "one", "several"),
    [(None, False, False), (np.array([0, 1]), True, False), (np.eye(2, dtype=int), False, True)],
)
def test_scores_say_what_labels_they_have(labels, one, several):
    scores = ExitScores.from_logits(np.zeros((1, 2, 2)), labels, np.array([1.0]))
    assert (scores.one_label, scores.several_labels) == (one, several)


def test_what_several_labels_are_is_asked_in_one_place():
    root = Path(dynsearch.__file__).parent
    asked = re.compile(r"(labels|truth)\w*\.ndim|ndim\((self\.)?(labels|truth)")
    places = {
        path.relative_to(root).as_posix() for path in root.rglob("*.py") if asked.search(path.read_text())
    }
    assert places == {"scores/labels.py"}
