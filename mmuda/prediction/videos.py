"""Frames of video files, read in order by OpenCV."""

import cv2
import numpy as np


def count_frames(path: str) -> int:
    """Return the number of frames that can be read from a video. The number in its header is only an estimate.

    Raises:
        OSError: If it cannot be opened or holds no frame.
    """
    video, count = _open(path), 0
    try:
        while video.grab():
            count += 1
    finally:
        video.release()
    if not count:
        raise OSError(f'{path} holds no frame that OpenCV can read: convert it, for example with ffmpeg -i IN OUT.mp4')
    return count


class Video:
    """A video from which frames can be read.

    Reading is fast in ascending order. An earlier frame than the last one reads the video again from its start, because
    seeking is not exact.

    Args:
        path: File of the video.

    Raises:
        OSError: If it cannot be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._video, self._next = _open(path), 0

    def frame(self, number: int) -> np.ndarray:
        """Return a frame (H, W, 3) uint8 in BGR order.

        Args:
            number: Number of the frame, from 0.

        Raises:
            OSError: If it cannot be read.
        """
        if number < self._next:
            self._video.release()
            self._video, self._next = _open(self.path), 0
        while self._next < number and self._video.grab():
            self._next += 1
        found, frame = self._video.read()
        if not found or self._next != number:
            raise OSError(f'frame {number} of {self.path} cannot be read: the file is damaged')
        self._next += 1
        return frame


def _open(path: str) -> cv2.VideoCapture:
    video = cv2.VideoCapture(path)
    if not video.isOpened():
        raise OSError(f'{path} cannot be opened as a video: it is damaged, or of a format that OpenCV does not read')
    return video
