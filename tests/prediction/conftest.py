"""A tiny network, and images to predict."""

from pathlib import Path

import cv2
import pytest
from predictions import picture, save_network


@pytest.fixture(scope='session')
def checkpoint(tmp_path_factory) -> Path:
    """Return a checkpoint of the network."""
    return save_network(tmp_path_factory.mktemp('network') / 'net.pth')


@pytest.fixture(scope='session')
def second_checkpoint(tmp_path_factory) -> Path:
    """Return a checkpoint of the network with other weights."""
    return save_network(tmp_path_factory.mktemp('network') / 'other.pth', seed=1)


@pytest.fixture
def images(tmp_path) -> Path:
    """Return a folder with images in subfolders."""
    for number, name in enumerate(('a/one.png', 'a/two.jpg', 'b/deep/one.png')):
        path = tmp_path / 'images' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture(number))
    return tmp_path / 'images'
