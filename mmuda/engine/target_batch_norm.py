"""Batch-norm statistics of the target domain, estimated after a training on unlabelled images alone."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.dataset import BaseDataset, pseudo_collate
from mmengine.dist import barrier
from torch import Tensor, nn
from torch.utils.data import DataLoader

from mmuda.checkpoints import read_checkpoint, weights_digest, weights_meta, write_checkpoint
from mmuda.checkpoints.publish import OF_TRAINING
from mmuda.checkpoints.states import meta_of
from mmuda.datasets import build_dataset
from mmuda.files import save_torch
from mmuda.labeling.passes import ResumablePass
from mmuda.ranks import from_main, is_main_process, own_share
from mmuda.settings import settings_digest

from .batch_norm_order import Plan, estimated_layers, nothing_estimated, plan_passes, sees_whole_images
from .inference import load_model
from .pooled_moments import PooledMoments

# torch.optim.swa_utils.update_bn and PreciseBNHook of mmpretrain are no basis. Both make one pass in train mode, whose
# deep layers see the statistics of single batches; update_bn averages the variances of batches without the variance
# between them, and neither goes on after an interruption.

FACT = 'target_batch_norm'
"""Key in ``meta`` of the checkpoints that :func:`write_target_batch_norm` makes."""


def estimate_batch_norm(
    model: nn.Module,
    dataset: BaseDataset,
    folder: str | Path,
    batch_size: int = 1,
    num_workers: int = 0,
    snapshot_every: float = 30.0,
) -> dict[str, int]:
    r"""Replace the batch-norm statistics of a trained network by those of the images of a data set.

    Y. Li, N. Wang, J. Shi, J. Liu, X. Hou, "Revisiting Batch Normalization For Practical Domain Adaptation",
    arXiv:1603.04779, algorithm 1: for each neuron j of the trained network, concatenate its responses on all images of
    the target domain and compute

    .. math:: \mu_j = \mathbb E(x_j), \quad \sigma_j = \sqrt{\mathrm{Var}(x_j)},

    then test with :math:`\gamma_j (x_j - \mu_j) / \sigma_j + \beta_j`. The responses of a layer depend on how the
    layers before it normalise. They are taken here as the tested network has them, with the target statistics of all
    earlier layers. So the statistics are a property of the network and the images: they depend neither on batches nor
    on the order of the images, nor on the statistics that the network had. For that, layers are estimated one after
    the other, each in a pass over all images in eval mode. Layers that do not depend on each other share a pass, and a
    pass ends where its layers are. A network whose longest chain has L batch-norm layers takes L passes, which cost
    about as much as L / 2 evaluations of the images. The variance is the unbiased one, which batch-norm keeps.

    If a batch holds all images, a single pass gives the same: each layer sees the responses on all images at once. That
    is the quick way to statistics of a sample of the images, see ``sample`` of :func:`write_target_batch_norm`.

    The usual shortcut is a single pass in train mode that averages the moments of the batches. It normalises deep
    layers with the statistics of single batches. On MiniCity (ResNet-18 of half width, source-only training) its
    statistics lie up to 1.6 % of a standard deviation from the exact ones with batches of 4 images, and up to 6 % with
    batches of 1.

    The sums are exact far beyond float64 (:class:`PooledMoments`), and batches do not depend on the number of
    processes. So the result is bit for bit the same on 1 and N processes of one machine, and after an interruption.
    Only the rounding of the kernels may depend on ``batch_size``.

    Args:
        model: Bare model with ``test_step``; it is in eval mode afterwards. Images go through it as in a test, with
            its sliding windows, mirrored images and scales.
        dataset: Images with a test pipeline. Labels are not used.
        folder: Where the state is kept: an interrupted call with the same model, images and folder goes on there.
            Nothing is left in the end.
        batch_size: Images for one forward pass; must have one size if there are several.
        num_workers: Processes that read images.
        snapshot_every: Seconds between two snapshots.

    Returns:
        Numbers of ``layers``, ``passes`` and ``images``.

    Raises:
        NothingToEstimateError: If the model has no layer to estimate, or predictions go through none.
        FloatingPointError: If the input of a layer is NaN or infinite.
    """
    layers = estimated_layers(model)
    model.eval()
    if batch_size >= len(dataset):
        found = _estimate_at_once(model, layers, pseudo_collate([dataset[index] for index in range(len(dataset))]))
        if found:
            return dict(layers=found, passes=1, images=len(dataset))
    estimation = _Estimation(layers, Path(folder))
    if not estimation.resume():
        estimation.plan = plan_passes(model, layers, pseudo_collate([dataset[0]] * 2))
    groups, ends_early = estimation.plan
    images = range(len(dataset))
    batches = [list(images[start : start + batch_size]) for start in images[::batch_size]]
    own = [batches[place] for place in own_share(len(batches))]

    def load(left: Sequence[list[int]]) -> Iterator[dict]:
        yield from DataLoader(dataset, batch_sampler=left, num_workers=num_workers, collate_fn=pseudo_collate)

    while estimation.done < len(groups):
        name = f'batch-norm {estimation.done + 1}/{len(groups)}'
        one_pass = ResumablePass(estimation.pass_folder, own, name, snapshot_every, 'batches')
        with _Gathering(model, {name: layers[name] for name in groups[estimation.done]}, ends_early) as gathering:
            one_pass.run(load, gathering)
        estimation.finish_pass(gathering.merged())
    estimation.remove()
    return dict(layers=sum(map(len, groups)), passes=len(groups), images=len(dataset))


def _estimate_at_once(model: Any, layers: Mapping[str, Any], batch: dict) -> int:
    """Estimate all layers in one pass of a batch that holds all images; all processes do the same.

    Returns:
        Number of layers; 0, with any statistics, if images do not go through the network as a whole and once.
    """
    if not sees_whole_images(model):
        return 0
    with _EstimatingAtOnce(layers) as estimating, torch.no_grad():
        model.test_step(batch)
    if not estimating.calls:
        raise nothing_estimated(model, layers)
    return len(estimating.calls) if set(estimating.calls.values()) == {1} else 0


def write_target_batch_norm(
    cfg: Config, images: dict, checkpoint: str | Path, output: str | Path, sample: int | None = None, **options: Any
) -> dict[str, Any]:
    """Write a copy of a checkpoint with the batch-norm statistics of target images; its other weights stay the same.

    All processes must call it. If ``output`` was made from the same weights and images, it is kept as it is. Images of
    another ``data_root`` are other images: statistics of theirs are estimated anew.

    Args:
        cfg: Config of the network.
        images: Config of the images, from :func:`mmuda.engine.probabilities.inference_dataset`.
        checkpoint: Trained weights.
        output: File to write. The state of an interrupted call is in a folder beside it.
        sample: Number of images, evenly spaced in the data set, that stand for all of them. They make one batch, so
            they need one size, and memory for a batch of as many.
        **options: Arguments of :func:`estimate_batch_norm`.

    Returns:
        The facts in ``meta`` of the new checkpoint: ``weights``, the SHA-256 of the weights that it was made from;
        ``config``, a digest of the configs of network and images and of the root of the images; and the result of
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
        ValueError: If ``target_statistics`` holds anything else than a number of images above 1.
    """
    settings = {} if cfg.get('target_statistics') is None else cfg['target_statistics']
    known = isinstance(settings, Mapping) and not set(settings) - {'sample'}
    sample = settings.get('sample') if known else 0
    if not (sample is None or isinstance(sample, int) and sample > 1):
        raise ValueError(
            f'target_statistics={settings}, expected dict(sample=N): a number of images above 1, or None for all'
        )
    return sample


def _facts_of(path: Path) -> dict[str, Any]:
    """Return what a checkpoint says about its estimation; nothing if there is none."""
    return dict(meta_of(read_checkpoint(path)).get(FACT, {})) if path.is_file() else {}


class _Estimation:
    """How far the estimation of the layers of a network has come.

    ``estimation.pth`` in the folder is replaced after every pass. The snapshots of a pass are in a folder of its own.
    """

    def __init__(self, layers: Mapping[str, Any], folder: Path) -> None:
        self.layers, self.folder, self.file = layers, folder, folder / 'estimation.pth'
        self.plan, self.done = Plan([], False), 0

    @property
    def pass_folder(self) -> Path:
        """Folder of the pass that comes next."""
        return self.folder / f'pass_{self.done}'

    def resume(self) -> bool:
        """Go on from the file in the folder; return whether there was one."""
        if not from_main(self.file.is_file):
            return False
        content = read_checkpoint(self.file)
        self.plan, self.done = Plan(*content['plan']), content['done']
        for name, (mean, variance) in content['statistics'].items():
            _set(self.layers[name], mean, variance)
        return True

    def finish_pass(self, moments: Mapping[str, PooledMoments]) -> None:
        """Take over the statistics that a pass has gathered, and note it in the file."""
        for name, of_layer in moments.items():
            _take_over(self.layers[name], name, of_layer)
        finished = self.pass_folder
        self.done += 1
        from_main(self._save)
        if is_main_process():
            shutil.rmtree(finished, ignore_errors=True)

    def remove(self) -> None:
        """Delete the folder."""
        barrier()
        if is_main_process():
            shutil.rmtree(self.folder, ignore_errors=True)

    def _save(self) -> None:
        names = [name for group in self.plan.groups[: self.done] for name in group]
        found = {name: (self.layers[name].running_mean, self.layers[name].running_var) for name in names}
        save_torch(self.file, dict(plan=tuple(self.plan), done=self.done, statistics=found))


@torch.no_grad()
def _set(layer: Any, mean: Tensor, variance: Tensor) -> None:
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(variance)


def _take_over(layer: Any, name: str, moments: PooledMoments) -> None:
    """Give a layer the statistics of some moments.

    Raises:
        FloatingPointError: If they are not finite.
    """
    mean, variance = moments.mean_and_variance()
    if not bool((mean + variance).isfinite().all()):
        raise FloatingPointError(
            f'the input of the batch-norm layer {name} is NaN or infinite for some target images: look at the weights '
            'and the images'
        )
    _set(layer, mean, variance)


class _EstimatingAtOnce:
    """Gives layers the statistics of their inputs inside of a ``with`` block, before they normalise these.

    Attributes:
        calls: Number of calls by layer.
    """

    def __init__(self, layers: Mapping[str, Any]) -> None:
        self.layers = layers
        self.calls: dict[str, int] = {}

    def __enter__(self) -> '_EstimatingAtOnce':
        self.handles = [layer.register_forward_pre_hook(self._hook(name)) for name, layer in self.layers.items()]
        return self

    def __exit__(self, *exception: Any) -> None:
        for handle in self.handles:
            handle.remove()

    def _hook(self, name: str) -> Any:
        def take(layer: Any, inputs: tuple[Tensor, ...]) -> None:
            self.calls[name] = self.calls.get(name, 0) + 1
            moments = PooledMoments(layer.num_features, layer.running_mean.device)
            moments.add(inputs[0])
            _take_over(layer, name, moments)

        return take


class _EndOfPassError(Exception):
    """The last layer of a pass has its input: the network behind it need not be computed."""


class _Gathering:
    """Moments of the inputs of some layers, taken inside of a ``with`` block: the state of a pass."""

    def __init__(self, model: Any, layers: Mapping[str, Any], ends_early: bool) -> None:
        self.model, self.layers = model, layers
        self.last = list(layers)[-1] if ends_early else None
        self.moments = {
            name: PooledMoments(layer.num_features, layer.running_mean.device) for name, layer in layers.items()
        }

    def __enter__(self) -> '_Gathering':
        self.handles = [layer.register_forward_pre_hook(self._hook(name)) for name, layer in self.layers.items()]
        return self

    def __exit__(self, *exception: Any) -> None:
        for handle in self.handles:
            handle.remove()

    def _hook(self, name: str) -> Any:
        def take(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.moments[name].add(inputs[0])
            if name == self.last:
                raise _EndOfPassError

        return take

    def add(self, place: list[int], batch: dict) -> None:
        try:
            with torch.no_grad():
                self.model.test_step(batch)
        except _EndOfPassError:
            pass

    def state(self) -> dict[str, Any]:
        return {name: moments.state_dict() for name, moments in self.moments.items()}

    def load_state(self, state: dict[str, Any]) -> None:
        for name, moments in self.moments.items():
            moments.load_state_dict(state[name])

    def merged(self) -> dict[str, PooledMoments]:
        """Return the moments of all processes together."""
        for moments in self.moments.values():
            moments.merge_processes()
        return self.moments
