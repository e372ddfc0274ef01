import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment as of_scipy

from ictrack.evaluation.metrics.association import assignment


@pytest.mark.parametrize("is_there", [True, False])
def test_the_assignment_is_that_of_scipy(monkeypatch, is_there):
    if not is_there:
        monkeypatch.setattr(assignment.PathFinder, "find_spec", lambda *_: None)
    solve = assignment._load()
    assert is_there or solve is of_scipy
    rng = np.random.default_rng(0)
    for _ in range(100):
        weight = rng.integers(0, 4, rng.integers(1, 7, 2)) / 3  # with many ties
        np.testing.assert_array_equal(solve(weight, maximize=True), of_scipy(weight, maximize=True))
