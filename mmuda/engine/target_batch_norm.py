"""A checkpoint with the batch-norm statistics of the target domain, estimated after a training."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmuda.checkpoints import read_checkpoint, weights_digest, weights_meta, write_checkpoint
from mmuda.checkpoints.publish import OF_TRAINING
from mmuda.checkpoints.states import meta_of
from mmuda.datasets import build_dataset
from mmuda.ranks import from_main
from mmuda.settings import settings_digest

from .batch_norm_estimation import estimate_batch_norm
from .inference import load_model

FACT = 'target_batch_norm'
"""Key in ``meta`` of the checkpoints that :func:`write_target_batch_norm` writes."""


def write_target_batch_norm(
    cfg: Config, images: dict, checkpoint: str | Path, output: str | Path, sample: int | None = None, **options: Any
) -> dict[str, Any]:
    """Write a copy of a checkpoint with the batch-norm statistics of target images and otherwise the same weights.

    All processes must call it. If ``output`` was made from the same weights and images, it is kept. Images of another
    ``data_root`` are other images: their statistics are estimated again.

    Args:
        cfg: Config of the network.
        images: Config of the images, from :func:`mmuda.engine.probabilities.inference_dataset`.
        checkpoint: Checkpoint with the trained weights.
        output: File to write. The state of an interrupted call is in a folder beside it.
        sample: Number of images, evenly spaced in the data set, that represent all images. They are forwarded together,
            so they must fit into memory. They can differ in size. None uses all images.
        **options: Arguments of :func:`estimate_batch_norm`.

    Returns:
        The facts in ``meta`` of the new checkpoint: ``weights``, the SHA-256 of the original weights; ``config``, a
        digest of the configs of network and images and of the root of the images; and the result of
        :func:`estimate_batch_norm`.

    Raises:
        NothingToEstimateError: See :func:`estimate_batch_norm`.
    """
    output = Path(output)
    content = read_checkpoint(checkpoint)
    decisive = dict(model=cfg.model, images=images, root=str(images.get('data_root')))
    if sample is not None:
        decisive['sample'] = sample
    made_from = dict(weights=weights_digest(content, str(checkpoint)), config=settings_digest(decisive))
    earlier = from_main(lambda: _facts_of(output))
    if {key: earlier.get(key) for key in made_from} == made_from:
        return earlier
    model = load_model(cfg, checkpoint)
    folder = output.with_name(f'{output.stem}.{made_from["weights"][:8]}{made_from["config"][:8]}')
    dataset = build_dataset(images)
    if sample is not None:
        number = options['batch_size'] = min(sample, len(dataset))
        dataset = dataset.get_subset([place * len(dataset) // number for place in range(number)])
    facts = {**made_from, **estimate_batch_norm(model, dataset, folder, **options)}
    meta = {key: value for key, value in meta_of(content).items() if key not in OF_TRAINING}
    meta.update(weights_meta(model), **{FACT: facts})
    state = {key: value.cpu() for key, value in model.state_dict().items()}
    from_main(lambda: write_checkpoint(output, dict(meta=meta, state_dict=state)))
    return facts


def sample_of(cfg: Config) -> int | None:
    """Return ``target_statistics.sample`` of a config, the ``sample`` of :func:`write_target_batch_norm`; None for all.

    Raises:
        ValueError: If ``target_statistics`` has other keys, or ``sample`` is no number of images above 1.
    """
    settings = {} if cfg.get('target_statistics') is None else cfg['target_statistics']
    known = isinstance(settings, Mapping) and not set(settings) - {'sample'}
    sample = settings.get('sample') if known else 0
    if not is_sample(sample):
        raise ValueError(
            f'target_statistics={settings}, expected dict(sample=N): a number of images above 1, or None for all'
        )
    return sample


def is_sample(value: Any) -> bool:
    """Return whether a value is a ``sample`` of :func:`write_target_batch_norm`."""
    return value is None or (isinstance(value, int) and value > 1)


def _facts_of(path: Path) -> dict[str, Any]:
    """Return the facts about the estimation in a checkpoint; an empty dict if there are none."""
    return dict(meta_of(read_checkpoint(path)).get(FACT, {})) if path.is_file() else {}
