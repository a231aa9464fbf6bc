"""The ranking of images: a score for each image, and the lists of easy and hard images."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.dist import all_gather_object
from mmengine.logging import print_log
from torch import Tensor

from mmuda.files import write_atomically
from mmuda.owner import only_run
from mmuda.ranks import from_main, own_share

from .confidences import most_likely
from .jobs import Job
from .labeler import Probabilities
from .manifest import label_names
from .passes import ResumablePass
from .ranking import entropy_score, rare_factor, split_by_score


@dataclass(frozen=True)
class Ranking:
    """Images, ranked by the entropy of their predictions.

    Attributes:
        folder: Folder of ``easy.txt``, ``hard.txt`` (one image path per line, lowest score first) and ``scores.json``.
        easy: Paths of the easy images.
        hard: Paths of the hard images.
        scores: Score of each image, by its path.
    """

    folder: Path
    easy: list[str]
    hard: list[str]
    scores: dict[str, float]


def rank_images(
    images: Sequence[str],
    probabilities: Probabilities,
    out_dir: Path,
    easy: float = 0.67,
    rare_classes: Sequence[int] | None = None,
    facts: dict[str, Any] | None = None,
    snapshot_every: float = 30.0,
) -> Ranking:
    """Order images by entropy and split them (IntraDA, Pan et al., CVPR 2020, section 3.2).

    It continues after an interruption and shares the work among the processes, as :func:`label_images` does.

    Args:
        images: Paths of all images, the same on every process.
        probabilities: Called once for the images of this process that have no score yet.
        out_dir: Folder for the lists.
        easy: Share of the images that is easy: the paper's lambda.
        rare_classes: Train ids whose presence makes an image easier (the paper's normalisation). None switches it off.
        facts: Origin of the probabilities, as plain values.
        snapshot_every: Seconds between two snapshots of the scores.

    Raises:
        ValueError: If there are no images, one of the lists would be empty, or a score is not finite.
        RuntimeError: If the folder was started with other images, facts or settings, or another run uses it.
    """
    with only_run(out_dir, 'ranking'):
        return _rank_images(images, probabilities, Path(out_dir), easy, rare_classes, facts, snapshot_every)


def _rank_images(
    images: Sequence[str],
    probabilities: Probabilities,
    folder: Path,
    easy: float,
    rare_classes: Sequence[int] | None,
    facts: dict[str, Any] | None,
    snapshot_every: float,
) -> Ranking:
    if not 0 < int(len(images) * easy) < len(images):
        raise ValueError(f'easy={easy} of {len(images)} images leaves one of the lists empty: choose another share')
    names = label_names(images)
    settings = dict(easy=easy, rare_classes=None if rare_classes is None else list(rare_classes), facts=facts or {})
    listed = hashlib.sha256('\n'.join(names).encode()).hexdigest()
    job = Job(
        folder,
        'scores.json',
        settings=dict(**settings, labels=names),
        plan=dict(**settings, images=len(images), list=listed),
    )
    if not job.done:
        own = own_share(len(images))
        scores = _Scores(rare_classes)
        ResumablePass(folder, own, 'ranking', snapshot_every).run(probabilities, scores)
        found = list(zip([images[place] for place in own], scores.values, strict=True))
        by_image = dict(sum(all_gather_object(found), []))
        first, second = split_by_score(images, [by_image[image] for image in images], easy)
        from_main(lambda: _write_lists(folder, easy=first, hard=second))
        job.finish(scores={image: by_image[image] for image in (*first, *second)})
    scores_by_image = job.content['scores']
    first, second = split_by_score(list(scores_by_image), list(scores_by_image.values()), easy)
    return Ranking(folder, first, second, scores_by_image)


def _write_lists(folder: Path, easy: Sequence[str], hard: Sequence[str]) -> None:
    for name, part in (('easy', easy), ('hard', hard)):
        write_atomically(folder / f'{name}.txt', ''.join(f'{image}\n' for image in part).encode())
    print_log(f'{len(easy)} easy and {len(hard)} hard images in {folder}', logger='current')


class _Scores:
    """Scores of the images of this process, in their order: the state of the pass."""

    def __init__(self, rare_classes: Sequence[int] | None) -> None:
        self.rare_classes = rare_classes
        self.values: list[float] = []

    def add(self, place: int, prob: Tensor) -> None:
        factor = 1.0 if self.rare_classes is None else rare_factor(most_likely(prob)[1], self.rare_classes)
        self.values.append(float(entropy_score(prob)) * factor)

    def state(self) -> dict[str, Any]:
        return dict(scores=self.values)

    def load_state(self, state: dict[str, Any]) -> None:
        self.values = list(state['scores'])
