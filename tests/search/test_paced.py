import pytest

from dynsearch.search.run import Paced


@pytest.mark.parametrize("seconds", [0.0, 0.1, 7.0])
@pytest.mark.parametrize("share", [0.05, 0.5])
def test_an_action_takes_at_most_its_share_of_the_time(seconds, share):
    now, calls = [100.0], []

    def action():
        calls.append(now[0])
        now[0] += seconds

    paced = Paced(action, share=share, clock=lambda: now[0])
    for _ in range(100_000):
        paced()
        now[0] += 0.01
    assert calls[0] == 100.0
    if seconds == 0:
        assert len(calls) == 100_000
    else:
        elapsed = calls[-1] - calls[0]
        assert (len(calls) - 1) * seconds / elapsed == pytest.approx(share, rel=0.1)
