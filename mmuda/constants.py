"""Constants that several packages of mmuda have in common."""

IGNORE_INDEX = 255
"""Train id of pixels that losses and metrics ignore."""

LOG_EPSILON = 1e-30
"""Number that is added to probabilities before their logarithm, as in the code of the papers. It is 0 in float16."""

TARGET_LABELLED = 'target_labelled'
"""Name of labelled target images in batches, configs and logs: the third part of a domain pair, which is optional."""

LABEL_FREE_SCORES = dict(entropy='less', IM='greater', SND='greater', class_shift='less', agreement='greater')
"""Scores that need no labels of the target domain, and whether greater or less is better (rules of ``save_best``)."""

LABEL_FREE_PREFIX = 'label_free'
"""Prefix of these scores in logs and for ``save_best``: ``label_free/<name>``."""
