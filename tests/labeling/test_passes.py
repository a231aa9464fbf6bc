"""A pass over images continues from its last snapshot."""

import pytest
from labellings import IMAGES, Network, files, label


class Killed(BaseException):
    pass


@pytest.mark.parametrize('after', [1, 4, 6, 7, 9, 11])
def test_interrupted_anywhere_it_ends_alike(tmp_path, after):
    class Dying(Network):
        def __call__(self, places):
            for item in super().__call__(places):
                if len(self.asked) > after:
                    raise Killed
                yield item

    whole = label(tmp_path / 'whole')
    network = Dying()
    with pytest.raises(Killed):
        label(tmp_path / 'cut', network=network, snapshot_every=0)
    rest = Network()
    label(tmp_path / 'cut', network=rest, snapshot_every=0)
    assert files(tmp_path / 'whole') == files(tmp_path / 'cut')
    assert len(rest.asked) <= 2 * len(IMAGES) - after + 4, 'statistics must continue from the snapshot'
    assert whole == label(tmp_path / 'whole')
