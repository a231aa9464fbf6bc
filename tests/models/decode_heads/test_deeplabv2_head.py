"""The classifier of DeepLabV2."""

import pytest
import torch

from mmuda.models import DeepLabV2Head


def test_head_sums_what_it_is_told_and_leaves_the_rest_alone():
    head = DeepLabV2Head(6, 3, summed=(0, 1), in_index=0)
    x = torch.rand(1, 6, 30, 30)
    assert torch.equal(head((x,)), head.branches[0](x) + head.branches[1](x))
    assert [b.weight.requires_grad for b in head.branches] == [True, True, False, False]
    assert head.branches[0].weight.std() < 0.02, 'weights must be initialised from N(0, 0.01)'


@pytest.mark.parametrize('summed', [(), (0, 4), (-1,)])
def test_head_refuses_branches_that_do_not_exist(summed):
    with pytest.raises(ValueError, match='must name some of the 4 branches'):
        DeepLabV2Head(6, 3, summed=summed)
