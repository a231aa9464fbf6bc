"""Frames of a video."""

import cv2
import numpy as np
import pytest

from mmuda.prediction.inputs import find_images
from mmuda.prediction.videos import Video, count_frames


@pytest.fixture
def video(tmp_path):
    path = tmp_path / 'drive.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 10, (32, 24))
    for number in range(6):
        writer.write(np.full((24, 32, 3), 40 * number, np.uint8))
    writer.release()
    return path


def test_frames_are_numbered_and_read_in_any_order(video):
    assert count_frames(str(video)) == 6
    reader = Video(str(video))
    for number in (0, 1, 4, 2, 5):
        assert abs(reader.frame(number).mean() - 40 * number) < 4
    with pytest.raises(OSError, match='frame 6 of .*drive.avi cannot be read'):
        reader.frame(6)


def test_a_video_is_a_folder_of_frames(video, tmp_path):
    (tmp_path / 'drive').mkdir()
    (tmp_path / 'drive/000002.png').touch()
    entries = find_images([tmp_path], every=2).entries
    assert [(entry.name, entry.frame) for entry in entries] == [
        ('drive.avi/000000', 0),
        ('drive.avi/000002', 2),
        ('drive.avi/000004', 4),
        ('drive/000002', None),
    ]
    with pytest.raises(ValueError, match='every=0'):
        find_images([tmp_path], every=0)


def test_what_is_no_video_is_told(tmp_path):
    (tmp_path / 'x.mp4').write_bytes(b'nothing')
    with pytest.raises(OSError, match='x.mp4 cannot be opened as a video'):
        find_images([tmp_path])
