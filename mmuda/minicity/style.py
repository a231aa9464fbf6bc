"""Weather and camera: effects on the whole image."""

import cv2
import numpy as np

from .towns import Photo, Weather

_FOG_COLOUR = np.array([206.0, 204.0, 192.0], np.float32)
_MIDDLE_GREY = np.array([125.0, 125.0, 120.0], np.float32)


def add_clouds(image: np.ndarray, sky: np.ndarray, weather: Weather, rng: np.random.Generator) -> None:
    """Add smooth clouds to the sky, in place.

    Args:
        image: (H, W, 3) float32 RGB in [0, 255].
        sky: (H, W) bool, True in the sky.
        weather: Strength of the clouds.
        rng: Generator for the shape of the clouds.
    """
    height, width = sky.shape
    coarse = rng.normal(0.0, 1.0, (4, 8)).astype(np.float32)
    fine = rng.normal(0.0, 0.5, (10, 20)).astype(np.float32)
    clouds = np.zeros((height, width), np.float32)
    for part in (coarse, fine):
        clouds += cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC)
    image[sky] += weather.clouds * clouds[sky][:, None]


def add_fog(image: np.ndarray, inverse_depth: np.ndarray, weather: Weather, rng: np.random.Generator) -> np.ndarray:
    """Blend an image with the colour of fog, more strongly at greater depth.

    Args:
        image: (H, W, 3) float32 RGB in [0, 255].
        inverse_depth: (H, W) float32 in 1/m.
        weather: Limits of the fog.
        rng: Generator for the density of the fog.

    Returns:
        (H, W, 3) float32 RGB.
    """
    reach = rng.uniform(*weather.reach)
    clear = np.exp(-1.0 / (inverse_depth * reach)).astype(np.float32)
    clear = np.maximum(clear, weather.clearest)[..., None]
    return image * clear + _FOG_COLOUR * (1.0 - clear)


def develop(image: np.ndarray, photo: Photo, rng: np.random.Generator) -> np.ndarray:
    """Apply the faults of a cheap camera: contrast, colour cast, blur, vignette and noise.

    Args:
        image: (H, W, 3) float32 RGB in [0, 255], at the final size.
        photo: Strength of the faults.
        rng: Generator for contrast, blur and noise.

    Returns:
        (H, W, 3) float32 RGB, not clipped.
    """
    height, width = image.shape[:2]
    contrast = photo.contrast * rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)
    image = (image - _MIDDLE_GREY) * contrast.astype(np.float32) + _MIDDLE_GREY + np.array(photo.cast, np.float32)
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(*photo.blur) * width / 128.0)
    rows = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None]
    image = image * (1.0 - photo.vignette * (rows**2 + columns**2))[..., None]
    return image + rng.normal(0.0, photo.noise, image.shape).astype(np.float32)
