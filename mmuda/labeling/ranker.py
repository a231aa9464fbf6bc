"""Which images are easy: scores of all, and two lists."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, barrier, is_main_process
from mmengine.logging import print_log

from mmuda.files import write_atomically
from mmuda.progress import progress
from mmuda.ranks import own_share

from .confidences import most_likely
from .labeler import Probabilities
from .manifest import label_names
from .ranking import entropy_score, rare_factor, split_by_score
from .work_folder import WorkFolder, digest


@dataclass(frozen=True)
class Ranking:
    """Images by how sure a network is of them.

    Attributes:
        folder: Where ``easy.txt``, ``hard.txt`` (one image path per line, lowest score first) and ``scores.json`` are.
        easy: Paths of the easy images.
        hard: Paths of the others.
        scores: By image path.
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

    Goes on after an interruption and shares the work among ranks, as :func:`label_images` does.

    Args:
        images: Paths of all images, the same on every rank.
        probabilities: Asked for the images of this rank that are still to do.
        out_dir: Where the lists go.
        easy: Share of the images that is easy: the paper's lambda.
        rare_classes: Train ids whose presence makes an image easier (the paper's normalisation); None: it is off.
        facts: What made the probabilities, as plain values.
        snapshot_every: Seconds between two snapshots of the scores.

    Raises:
        ValueError: If there are no images, one of the lists would be empty, or a score is not finite.
        RuntimeError: If the folder was begun with other images, facts or settings.
    """
    if not 0 < int(len(images) * easy) < len(images):
        raise ValueError(f'easy={easy} of {len(images)} images leaves one of the lists empty: choose another share')
    folder = Path(out_dir)
    plan = dict(
        easy=easy,
        rare_classes=None if rare_classes is None else list(rare_classes),
        facts=facts or {},
        images=len(images),
        list=digest(label_names(images)),
    )
    work = WorkFolder(folder, plan)
    if not (folder / 'scores.json').is_file():
        own = own_share(len(images))
        found = list(
            zip(
                [images[place] for place in own],
                _scores(own, probabilities, rare_classes, work, snapshot_every),
                strict=True,
            )
        )
        scores = dict(sum(all_gather_object(found), []))
        if is_main_process():
            first, second = split_by_score(images, [scores[image] for image in images], easy)
            for name, part in (('easy', first), ('hard', second)):
                write_atomically(folder / f'{name}.txt', ''.join(f'{image}\n' for image in part).encode())
            write_atomically(
                folder / 'scores.json',
                json.dumps(
                    dict(plan=plan, scores={image: scores[image] for image in (*first, *second)}), indent=1
                ).encode(),
            )
            print_log(f'{len(first)} easy and {len(second)} hard images in {folder}', logger='current')
        work.drop_snapshots()
    barrier()
    scores = json.loads((folder / 'scores.json').read_text(encoding='utf-8'))['scores']
    first, second = split_by_score(list(scores), list(scores.values()), easy)
    return Ranking(folder, first, second, scores)


def _scores(
    own: Sequence[int],
    probabilities: Probabilities,
    rare_classes: Sequence[int] | None,
    work: WorkFolder,
    snapshot_every: float,
) -> list[float]:
    state = work.load_snapshot()
    scores: list[float] = [] if state is None else state['scores'].tolist()
    rest = own[len(scores) :]
    saved = time.monotonic()
    for prob in progress(probabilities(rest), len(rest), 'ranking'):
        factor = 1.0 if rare_classes is None else rare_factor(most_likely(prob)[1], rare_classes)
        scores.append(float(entropy_score(prob)) * factor)
        if time.monotonic() - saved >= snapshot_every or len(scores) == len(own):
            work.save_snapshot(scores=np.array(scores))
            saved = time.monotonic()
    return scores
