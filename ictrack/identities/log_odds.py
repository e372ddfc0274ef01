"""Calibrated log-odds of two hypotheses from a few features, learnt from examples of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

# Weight of the squared coefficients of standardized features, against one example.
_RIDGE = 1e-2


@dataclass(frozen=True)
class LogOdds:
    """Linear function of features: the natural logarithm of P(same) / P(different), both equally likely beforehand.

    Attributes:
        weights: (F,) coefficients.
        offset: Constant.
    """

    weights: np.ndarray
    offset: float

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """(...) log-odds of (..., F) features."""
        return features @ self.weights + self.offset


def fit_log_odds(features: np.ndarray, same: np.ndarray, trials: int, shares: np.ndarray | None = None) -> LogOdds:
    """Logistic regression with the smoothed targets of Platt (1999), which keep few examples from being certain.

    Args:
        features: (N, F).
        same: (N,) bool; both values must occur.
        trials: Number of independent examples of either kind. There may be many more rows: each kind weighs as much as
            this number of examples, however many rows it has.
        shares: (N,) weight of each row among those of its kind; None: all weigh the same.

    Raises:
        ValueError: If there are no examples of one kind.
    """
    if same.all() or not same.any():
        raise ValueError("log-odds need examples of both kinds")
    mean, scale = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-9)
    inputs = (features - mean) / scale
    targets = np.where(same, (trials + 1) / (trials + 2), 1 / (trials + 2))
    shares = np.ones(len(same)) if shares is None else shares
    weights = shares * np.where(same, trials / shares[same].sum(), trials / shares[~same].sum())

    def cost(parameters: np.ndarray) -> tuple[float, np.ndarray]:
        logits = inputs @ parameters[:-1] + parameters[-1]
        losses = np.logaddexp(0, logits) - targets * logits
        slopes = weights * (expit(logits) - targets)
        value = float(weights @ losses + _RIDGE * parameters[:-1] @ parameters[:-1])
        return value, np.append(inputs.T @ slopes + 2 * _RIDGE * parameters[:-1], slopes.sum())

    found = minimize(cost, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B").x
    coefficients = found[:-1] / scale
    return LogOdds(coefficients, float(found[-1] - coefficients @ mean))
