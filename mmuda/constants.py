"""Numbers that several rooms must agree on."""

IGNORE_INDEX = 255
"""Train id of pixels that neither losses nor metrics look at."""

LOG_EPSILON = 1e-30
"""Added to probabilities before a logarithm is taken, as in the papers' code. Half precision has no such number."""
