"""Pictures and the page that shows them."""

import cv2
import numpy as np

from mmuda.visualization import write_gallery


def test_pictures_and_page(tmp_path):
    red = np.full((10, 20, 3), (255, 0, 0), np.uint8)
    path = write_gallery(tmp_path / 'new', 'A & B', [('one', {'source image': red})], ['road'], [(1, 2, 3)], height=10)
    page = path.read_text()
    assert 'A &amp; B' in page and 'src="one.png"' in page and 'rgb(1, 2, 3)' in page
    written = cv2.imread(str(tmp_path / 'new/one.png'))[..., ::-1]
    assert (written == (255, 0, 0)).all(axis=2).sum() == 200
