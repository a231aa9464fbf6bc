"""The camera and the weather of the target town: the global half of the gap."""

import cv2
import numpy as np

_FOG_COLOUR = np.array([206.0, 204.0, 192.0], np.float32)
_MIDDLE_GREY = np.array([125.0, 125.0, 120.0], np.float32)
_CONTRAST = 0.72
_CAST = np.array([5.0, 3.0, -8.0], np.float32)


def add_clouds(image: np.ndarray, sky: np.ndarray, rng: np.random.Generator) -> None:
    """Lay smooth clouds over the sky, in place.

    Args:
        image (np.ndarray): (H, W, 3) float32 RGB.
        sky (np.ndarray): (H, W) bool, where the sky is.
        rng (np.random.Generator): Decides the clouds.
    """
    height, width = sky.shape
    coarse = rng.normal(0.0, 1.0, (4, 8)).astype(np.float32)
    fine = rng.normal(0.0, 0.5, (10, 20)).astype(np.float32)
    clouds = sum(cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in (coarse, fine))
    image[sky] += 9.0 * clouds[sky][:, None]


def add_fog(image: np.ndarray, inverse_depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fade what is far into fog.

    Args:
        image (np.ndarray): (H, W, 3) float32 RGB.
        inverse_depth (np.ndarray): (H, W) float32 in 1/m.
        rng (np.random.Generator): Decides how thick the fog is.

    Returns:
        np.ndarray: (H, W, 3) float32 RGB.
    """
    reach = rng.uniform(140.0, 280.0)
    clear = np.exp(-1.0 / (inverse_depth * reach)).astype(np.float32)
    clear = np.maximum(clear, 0.65)[..., None]
    return image * clear + _FOG_COLOUR * (1.0 - clear)


def develop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Photograph with a cheap camera: colour cast, low contrast, blur, vignette, noise.

    Args:
        image (np.ndarray): (H, W, 3) float32 RGB at the final size.
        rng (np.random.Generator): Decides strengths and noise.

    Returns:
        np.ndarray: (H, W, 3) float32 RGB.
    """
    height, width = image.shape[:2]
    contrast = _CONTRAST * rng.uniform(0.9, 1.1) * rng.uniform(0.97, 1.03, 3)
    image = (image - _MIDDLE_GREY) * contrast.astype(np.float32) + _MIDDLE_GREY + _CAST
    image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.35, 0.6) * width / 128.0)
    rows = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    columns = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None]
    image *= (1.0 - 0.06 * (rows**2 + columns**2))[..., None]
    return image + rng.normal(0.0, 4.0, image.shape).astype(np.float32)
