"""Sizes and lengths for a first training."""

import numpy as np
import pytest

from mmuda.own_data.plan import make_plan
from mmuda.own_data.survey import Survey


def images(*sizes, total=None) -> Survey:
    return Survey(total or len(sizes), len(sizes), np.array(sizes))


def test_crops_fit_into_the_images_of_both_domains():
    plan = make_plan(images((480, 360), total=479), images((640, 300), total=367), images((640, 300)))
    assert plan.crop == (288, 480) and plan.source_length is plan.target_length is None and plan.batch == 2
    assert plan.iterations == 7000 and plan.interval == 700 and plan.same_size
    assert make_plan(images((20, 9)), images((64, 64)), images((64, 64), (64, 60))).crop == (16, 16)
    assert not make_plan(images((20, 9)), images((64, 64)), images((64, 64), (64, 60))).same_size


def test_a_few_small_images_do_not_make_crops_tiny():
    sizes = [(400, 400)] * 9 + [(50, 300)]
    assert make_plan(images(*sizes), images((900, 900)), images((900, 900))).crop == (288, 400)


def test_large_images_are_scaled():
    plan = make_plan(images((1914, 1052)), images((4000, 3000)), images((4000, 3000)))
    assert (plan.source_length, plan.target_length, plan.crop) == (1280, 1280, (512, 512))
    assert make_plan(images((1600, 900)), images((1024, 512)), images((1024, 512))).source_length is None


def test_a_user_decides():
    plan = make_plan(images((64, 64)), images((64, 64)), images((64, 64)), (32, 48), 1, 30)
    assert (plan.crop, plan.batch, plan.iterations, plan.interval) == ((32, 48), 1, 30, 8)
    lengths = [make_plan(*[images((64, 64), total=total)] * 3).iterations for total in (10, 1000, 25000)]
    assert lengths == [2000, 15000, 40000]


@pytest.mark.parametrize(
    ('iterations', 'warmup', 'interval'),
    [(1, 0, 1), (2, 0, 1), (10, 1, 3), (60, 6, 15), (200, 20, 50), (800, 80, 200), (2000, 100, 200), (9000, 100, 900)],
)
def test_a_short_training_reaches_the_full_rate_and_has_checkpoints(iterations, warmup, interval):
    plan = make_plan(*[images((64, 64))] * 3, iterations=iterations)
    assert (plan.warmup, plan.interval) == (warmup, interval)


def test_statistics_of_the_target_take_one_pass_of_moderate_size():
    def statistics(*sizes, total=100):
        return make_plan(images((64, 64)), images(*sizes, total=total), images((64, 64))).statistics

    assert statistics((480, 360)) == 48 and statistics((480, 360), total=7) == 7
    assert statistics((4000, 3000)) == 13, 'scaled to 1280 x 960'
    assert statistics((1600, 1600)) == 8
    assert statistics((480, 360), (360, 480)) == 48, 'a pass can take images of several sizes'
    assert statistics((480, 360), total=1) is None
