"""AdaptSegNet adapts the output space. Adaptation of features is another method, FeatureAdversary."""

import pytest
import torch
from toolbox import tiny_adaptor


def test_discriminators_see_probabilities():
    logits = torch.randn(2, 5, 3, 4)
    seen = tiny_adaptor('AdaptSegNet', space='output').domain_map(logits)
    torch.testing.assert_close(seen, logits.exp() / logits.exp().sum(dim=1, keepdim=True))


@pytest.mark.parametrize('space', ['feature', 'features'])
def test_another_space_is_an_error_that_names_the_method(space):
    with pytest.raises(ValueError, match=f"space='{space}', expected 'output'.*type='FeatureAdversary'"):
        tiny_adaptor('AdaptSegNet', space=space)
