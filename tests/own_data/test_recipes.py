"""Methods and networks for a first config."""

from mmuda.checkpoints.packages import EXTRA
from mmuda.own_data.recipes import METHODS, NETWORKS, configs_folder, default_network


def test_weights_that_are_at_hand_decide(monkeypatch):
    monkeypatch.setattr('mmuda.own_data.recipes.find_spec', lambda name: name == EXTRA[0] or None)
    assert default_network() == 'efficientnet'
    monkeypatch.setattr('mmuda.own_data.recipes.find_spec', lambda name: None)
    assert default_network() == 'r50' and set(NETWORKS) == {'efficientnet', 'r50', 'r101', 'tiny'}


def test_every_method_names_the_folder_of_its_configs():
    assert all((configs_folder() / method.folder / 'README.md').is_file() for method in METHODS.values())
