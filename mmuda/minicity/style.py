"""Weather and camera: they change the whole image, whatever is seen in it."""

import cv2
import numpy as np

from .towns import Photo, Weather

_FOG_COLOUR = np.array([206.0, 204.0, 192.0], np.float32)
_MIDDLE_GREY = np.array([125.0, 125.0, 120.0], np.float32)


def add_clouds(image: np.ndarray, sky: np.ndarray, weather: Weather, rng: np.random.Generator) -> None:
    """Lay smooth clouds over the sky, in place.

    Args:
        image: (H, W, 3) float32 RGB.
        sky: (H, W) bool, where the sky is.
        weather: How strong they are.
        rng: Decides the clouds.
    """
    height, width = sky.shape
    coarse = rng.normal(0.0, 1.0, (4, 8)).astype(np.float32)
    fine = rng.normal(0.0, 0.5, (10, 20)).astype(np.float32)
    clouds = np.zeros((height, width), np.float32)
    for part in (coarse, fine):
        clouds += cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    image[sky] += weather.clouds * clouds[sky][:, None]


def add_fog(image: np.ndarray, inverse_depth: np.ndarray, weather: Weather, rng: np.random.Generator) -> np.ndarray:
    """Fade what is far into fog.

    Args:
        image: (H, W, 3) float32 RGB.
        inverse_depth: (H, W) float32 in 1/m.
        weather: Between which limits the fog is.
        rng: Decides how thick the fog is.

    Returns:
        (H, W, 3) float32 RGB.
    """
    reach = rng.uniform(*weather.reach)
    clear = np.exp(-1.0 / (inverse_depth * reach)).astype(np.float32)
    clear = np.maximum(clear, weather.clearest)[..., None]
    return image * clear + _FOG_COLOUR * (1.0 - clear)


def develop(image: np.ndarray, photo: Photo, rng: np.random.Generator) -> np.ndarray:
    """Photograph with a cheap camera: colour cast, low contrast, blur, vignette, noise.

    Args:
        image: (H, W, 3) float32 RGB at the final size.
        photo: How cheap it is.
        rng: Decides strengths and noise.

    Returns:
        (H, W, 3) float32 RGB.
    """
    height, width = image.shape[:2]
    contrast = photo.contrast * rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)
    image = (image - _MIDDLE_GREY) * contrast.astype(np.float32) + _MIDDLE_GREY + np.array(photo.cast, np.float32)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*photo.blur) * width / 128.0)
    rows = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None]
    image = image * (1.0 - photo.vignette * (rows**2 + columns**2))[..., None]
    return image + rng.normal(0.0, photo.noise, image.shape).astype(np.float32)
