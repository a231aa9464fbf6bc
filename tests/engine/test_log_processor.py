"""Lines of the log that fit the width of a screen."""

import json

from toolbox import tiny_config
from trainings import train


def test_the_line_of_a_validation_has_no_classes(minicity, tmp_path):
    train(tiny_config('source_only', minicity, tmp_path, iters=4, val=2))
    (log,) = tmp_path.glob('*/*.log')
    *_, line = (line for line in log.read_text().splitlines() if 'Iter(val)' in line)
    assert 'mIoU: ' in line and 'label_free/IM: ' in line and 'time: ' in line
    assert (
        'IoU/road' not in line
        and 'share/traffic light' not in line
        and '/mean' not in line
        and '/deviation' not in line
    )
    (scalars,) = tmp_path.glob('*/vis_data/scalars.json')
    last = json.loads(scalars.read_text().splitlines()[-1])
    assert {'IoU/road', 'label_free/share/traffic light', 'mIoU/mean', 'mIoU/deviation'} < set(last)
