"""Patterns on a plane. Values are about in [-1, 1]; coordinates are in units of the pattern's scale."""

import numpy as np


def _hash(column: np.ndarray, row: np.ndarray, seed: int) -> np.ndarray:
    """Hash integer cells to float32 in [0, 1); the same cell always gives the same number."""
    value = column.astype(np.int64).astype(np.uint32) * np.uint32(374761393)
    value += row.astype(np.int64).astype(np.uint32) * np.uint32(668265263)
    value += np.uint32(seed & 0xFFFFFFFF)
    value ^= value >> np.uint32(13)
    value *= np.uint32(1274126177)
    value ^= value >> np.uint32(16)
    return (value >> np.uint32(8)).astype(np.float32) * np.float32(1.0 / (1 << 24))


def bricks(along: np.ndarray, across: np.ndarray, seed: int) -> np.ndarray:
    """Return rows of bricks or cobbles with dark joints. Each brick has its own tone.

    Args:
        along: Coordinates along the rows, any shape, float32.
        across: Coordinates across the rows, of the same shape.
        seed: Seed of the tones.

    Returns:
        Values of the same shape, float32.
    """
    row = np.floor(2.0 * across)
    shifted = along + 0.5 * np.mod(row, 2.0)
    column = np.floor(shifted)
    joint = (2.0 * across - row < 0.18) | (shifted - column < 0.1)
    tone = 2.0 * _hash(column, row, seed) - 1.0
    return np.where(joint, np.float32(-1.0), tone).astype(np.float32)


def patches(along: np.ndarray, across: np.ndarray, seed: int) -> np.ndarray:
    """Return patches at three scales, such as leaves, grass or dirt (arguments as in :func:`bricks`)."""
    total = np.zeros(along.shape, np.float32)
    for octave, weight in enumerate((0.4, 0.35, 0.25)):
        scale = np.float32(0.5 * 2.0**octave)
        skew = np.float32(0.37 * octave)
        total += weight * (
            2.0 * _hash(np.floor(along * scale + skew * across), np.floor(across * scale - skew * along), seed + octave)
            - 1.0
        )
    return 1.5 * total


def grain(along: np.ndarray, across: np.ndarray, seed: int) -> np.ndarray:
    """Return one tone per cell, such as cloth (arguments as in :func:`bricks`)."""
    return 2.0 * _hash(np.floor(along), np.floor(across), seed) - 1.0


PATTERNS = dict(bricks=bricks, grain=grain, patches=patches)
"""Patterns by name."""
