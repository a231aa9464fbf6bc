"""Compare pseudo labels with ground truth.

    python benchmarks/pseudo_labels.py configs/source_only/carla2camvid_oracle.py WORK_DIR/label WORK_DIR/rounds/0/label

The source of the config has the ground truth of the labelled images, as that of an oracle has. For each labelling the
command prints the percentage of pixels with a label, and the percentage of these with the right one. For each class it
prints the percentage of its labelled pixels that have its label and, in brackets, the percentage of the pixels with its
label that are of this class.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmseg.registry import DATASETS
from terminaltables import AsciiTable

from mmuda.engine.launch import load_config
from mmuda.evaluation.confusion import class_measures, pair_counts


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config')
    parser.add_argument('labels', nargs='+', help='folder of a labelling, with manifest.json')
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    init_default_scope('mmseg')
    source = load_config(args.config).train_dataloader.dataset.source
    load = [dict(type='LoadDomainAnnotations')]
    truth = DATASETS.build({**source, 'pipeline': load})
    found = {Path(truth.get_data_info(index)['img_path']).resolve(): index for index in range(len(truth))}
    rows = [['labels', 'labelled', 'right', *truth.metainfo['classes']]]
    for folder in args.labels:
        matrix = confusion(folder, truth, found)
        labelled = matrix[:, :-1]
        measures = class_measures(labelled)
        rows.append(
            [folder, percent(labelled.sum() / matrix.sum()), percent(np.trace(labelled) / labelled.sum())]
            + [
                f'{percent(recall)} ({percent(precision)})'
                for recall, precision in zip(measures['Recall'], measures['Precision'], strict=True)
            ]
        )
    print(AsciiTable(rows).table)


def confusion(folder: str, truth: torch.utils.data.Dataset, found: dict[Path, int]) -> np.ndarray:
    """Return the pixels (C, C + 1) by true class and pseudo label; the last column has no label."""
    labels = DATASETS.build(dict(type='PseudoLabelDataset', labels=folder, pipeline=[dict(type='LoadPseudoLabel')]))
    classes = len(truth.metainfo['classes'])
    if labels.metainfo['classes'] != truth.metainfo['classes']:
        raise ValueError(
            f'{folder} has labels of the classes {labels.metainfo["classes"]}, but the source of the config has '
            f'{truth.metainfo["classes"]}: give a config with the classes of the labels'
        )
    total = torch.zeros(classes + 2, classes + 2, dtype=torch.int64)
    for sample in labels:
        index = found.get(Path(sample['img_path']).resolve())
        if index is None:
            raise ValueError(
                f'{sample["img_path"]}, which {folder} labels, is not in the source of the config: give a config whose '
                'source is these images with ground truth, such as an oracle'
            )
        given, true = sample['gt_seg_map'], truth[index]['gt_seg_map']
        if given.shape != true.shape:
            raise ValueError(
                f'{sample["seg_map_path"]} has the size {given.shape} (H, W), its ground truth {true.shape}: label at '
                "the size of the images (at='image')"
            )
        total += pair_counts(torch.tensor(given), torch.tensor(true), classes)
    return total[1:-1, 1:].numpy()


def percent(share: float) -> str:
    return '-' if np.isnan(share) else f'{100 * share:.0f}'


if __name__ == '__main__':
    main()
