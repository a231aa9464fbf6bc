"""Building data sets, with one clear error when there is nothing to read."""

from mmengine.dataset import BaseDataset
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from .readers.folders import leaves

ADVICE = (
    'see "Data" in README.md for the expected tree; the root is data_root of the data set in the config, often '
    'settable by an environment variable named there'
)


def build_dataset(cfg: dict | Dataset) -> BaseDataset:
    """Build a data set and make sure that it holds something.

    Args:
        cfg: A config, or a data set that is returned as it is.

    Raises:
        FileNotFoundError: If a folder or list does not exist, or no image is found in it.
        ValueError: If ``indices`` choose no image.
    """
    if not isinstance(cfg, dict):
        return cfg
    check_indices(cfg)
    name, where = cfg.get('type'), (cfg.get('data_root') or '', (cfg.get('data_prefix') or {}).get('img_path', ''))
    nothing = FileNotFoundError(f'{name} found no image in {"/".join(part for part in where if part)!r}: {ADVICE}')
    try:
        dataset = DATASETS.build(cfg)
        if isinstance(dataset, BaseDataset):
            dataset.full_init()
    except FileNotFoundError as error:
        if error.filename is None:
            raise  # ours, which says it all
        raise FileNotFoundError(f'{name}: {error.filename} does not exist: {ADVICE}') from error
    except ValueError as error:
        # mmengine serialises the list of samples, and NumPy cannot concatenate nothing.
        if 'need at least one array' not in str(error):
            raise
        raise nothing from error
    if len(dataset) == 0:
        raise nothing
    _check_list(dataset)
    return dataset


def _check_list(dataset: BaseDataset) -> None:
    """Refuse a list of a data set of mmseg that names files outside of its folders; ours look for themselves."""
    root, list_ = getattr(dataset, 'data_root', None), getattr(dataset, 'ann_file', None)
    if not root or not list_ or hasattr(dataset, 'outside_root') or not isinstance(dataset, BaseSegDataset):
        return
    folders = (root, *dataset.data_prefix.values())
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        for path in (info.get('img_path'), info.get('seg_map_path')):
            if path and leaves(path, folders):
                raise ValueError(
                    f'{list_} names {path}, which is outside of {root}: correct the list or data_root, or read the '
                    'list by a SegmentationListDataset with outside_root=True if you trust it'
                )


def check_indices(cfg: dict) -> None:
    """Check that ``indices`` of a data set, of which mmengine takes the first images or those of a list, choose any.

    Raises:
        ValueError: If they do not.
    """
    indices = cfg.get('indices')
    if indices is not None and not isinstance(indices, bool) and indices in (0, [], ()):
        raise ValueError(
            f'{cfg.get("type")}: indices={indices!r} leaves none of its images: give a number above 0 or the places of '
            'some, or leave it out'
        )
