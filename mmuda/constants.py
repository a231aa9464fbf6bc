"""Numbers that several rooms must agree on."""

IGNORE_INDEX = 255
"""Train id of pixels that neither losses nor metrics look at."""

LOG_EPSILON = 1e-30
"""Added to probabilities before a logarithm is taken, as in the papers' code. Half precision has no such number."""

TARGET_LABELLED = 'target_labelled'
"""Name of the third stream of domain pairs, target images with ground truth, in batches, configs and logs."""

LABEL_FREE_SCORES = dict(entropy='less', IM='greater', SND='greater', class_shift='less', agreement='greater')
"""Scores that need no labels of the target, and whether a greater or a lesser one promises a better network."""

LABEL_FREE_PREFIX = 'label_free'
"""In logs, and for ``save_best``, the scores are ``label_free/<name>``."""
