"""Wilson's interval of a share."""

import pytest

from ictrack.evaluation.metrics.wilson import wilson_interval


@pytest.mark.parametrize(
    ("share", "trials", "interval"),
    [
        (0.8, 10, (0.4902, 0.9433)),  # of a textbook
        (1.0, 10, (0.7225, 1.0)),  # 10 / (10 + z^2)
        (0.0, 10, (0.0, 0.2775)),
    ],
)
def test_known_intervals(share, trials, interval):
    assert wilson_interval(share, trials) == pytest.approx(interval, abs=1e-4)
