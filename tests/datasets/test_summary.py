"""The line about each data set at the start of a run."""

import layouts
from layouts import image, write

from mmuda.datasets.pairs import DomainPairDataset
from mmuda.datasets.readers import GTA5Dataset, SegmentationListDataset
from mmuda.datasets.summary import summaries, summary


def test_source_and_target(tmp_path):
    layouts.gta5(tmp_path / 'gta5')
    (tmp_path / 'gta5' / 'images' / 'notes.txt').write_text('')
    write(tmp_path / 'gta5' / 'images' / '00003.png', image(0, 5, 5))
    source = GTA5Dataset(data_root=str(tmp_path / 'gta5'), mismatched='skip')
    for n in range(2):
        write(tmp_path / 'own' / f'{n}.jpg', image(n))
    (tmp_path / 'own' / 'list.txt').write_text('0.jpg\n1.jpg\n')
    target = SegmentationListDataset(ann_file='list.txt', data_root=str(tmp_path / 'own'))
    root = str(tmp_path)
    assert list(summaries(DomainPairDataset(source, target))) == [
        f'source: GTA5Dataset, {root}/gta5/images: 2 images, all labelled; left out: 1 *.txt, 1 sizes differ',
        f'target: SegmentationListDataset, {root}/own/list.txt of {root}/own: 2 images, without labels',
    ]
    (tmp_path / 'own' / 'list.txt').write_text('0.jpg label.png\n1.jpg\n')
    part = SegmentationListDataset(ann_file='list.txt', data_root=str(tmp_path / 'own'), check_sizes=False)
    assert summary(part).endswith(': 2 images, 1 labelled')
