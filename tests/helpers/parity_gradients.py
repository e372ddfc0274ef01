"""Gradients of a model against those recorded from a reference implementation.

Gradients are compared in float64. In float32 they depend on the machine: a sum that is rounded in another way flips the
sign of a few of the millions of ReLU inputs, and each flip moves the norms of the layers below by up to a percent. In
float64 no input is that close to zero, so ours are the same on every machine, and what is left is the rounding of the
recorded reference, a constant that the limits state by part of the model.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from torch import Tensor


def limit_of(name: str, limits: Mapping[str, float]) -> float:
    """Limit of the longest prefix of a parameter's name; every parameter must have one."""
    return limits[max((prefix for prefix in limits if name.startswith(prefix)), key=len)]


def assert_norms_agree(
    gradients: Mapping[str, Tensor], expected: Mapping[str, float], limits: Mapping[str, float]
) -> None:
    """Assert that L2 norms agree to each parameter's relative limit, and that half of them agree to a tenth of it.

    Args:
        gradients: parameter name -> gradient in float64.
        expected: parameter name -> recorded norm.
        limits: prefix of parameter names -> largest relative difference.
    """
    shares = []
    for name, norm in expected.items():
        limit = limit_of(name, limits)
        ours = gradients[name].norm().item()
        assert ours == pytest.approx(norm, rel=limit), name
        shares.append(abs(ours - norm) / norm / limit)
    # A mistake moves most norms, rounding only a few.
    assert np.median(shares) < 0.1


def assert_arrays_agree(
    gradients: Mapping[str, Tensor], expected: Mapping[str, np.ndarray], limits: Mapping[str, float]
):
    """Assert that whole gradients agree to each parameter's limit times the largest recorded value."""
    for name, array in expected.items():
        atol = limit_of(name, limits) * np.abs(array).max()
        np.testing.assert_allclose(gradients[name].numpy(), array, rtol=0, atol=atol, err_msg=name)
