"""Prediction of batches whose images differ in size, such as photographs of a folder."""

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar('T')


def in_equal_sizes(predict: Callable[[dict], list[T]], batch: dict) -> list[T]:
    """Return the predictions for a batch; images of one size are predicted together.

    The images are not padded to one size, because padding would change the features near the borders.

    Args:
        predict: Function that returns one result for each image of a batch.
        batch: ``{'inputs', 'data_samples'}``, not preprocessed; ``inputs`` is a list of (C, H, W) tensors.

    Returns:
        The results in the order of the images.
    """
    inputs, samples = batch['inputs'], batch.get('data_samples')
    places: dict[Any, list[int]] = {}
    for place, image in enumerate(inputs):
        places.setdefault(tuple(image.shape[-2:]), []).append(place)
    if len(places) < 2 or not isinstance(inputs, (list, tuple)):
        return predict(batch)
    results: dict[int, T] = {}
    for group in places.values():
        part = {**batch, 'inputs': [inputs[place] for place in group]}
        if samples is not None:
            part['data_samples'] = [samples[place] for place in group]
        results.update(zip(group, predict(part), strict=True))
    return [results[place] for place in range(len(inputs))]
