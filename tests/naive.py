"""Formulas of papers, written out in NumPy."""

import numpy as np


def softmax(logits: np.ndarray, axis: int) -> np.ndarray:
    exp = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return exp / exp.sum(axis=axis, keepdims=True)


def neighbourhood_density(prob: np.ndarray, temperature: float) -> float:
    """Return the neighbourhood density of probabilities (n, C) (Saito et al., ICCV 2021, eqs. 1-3), pair by pair."""
    features = [row / np.sqrt((row**2).sum()) for row in prob]
    total = 0.0
    for i, own in enumerate(features):
        weights = np.array([np.exp(own @ other / temperature) for j, other in enumerate(features) if j != i])
        weights /= weights.sum()
        total -= (weights * np.log(weights)).sum()
    return total / len(features)
