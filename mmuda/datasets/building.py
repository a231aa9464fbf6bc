"""Construction of data sets, with one clear error if there is nothing to read."""

from mmengine.dataset import BaseDataset
from mmseg.datasets import BaseSegDataset
from mmseg.registry import DATASETS
from torch.utils.data import Dataset

from .readers.folders import leaves

ADVICE = (
    'docs/datasets.md shows the expected folders. The root is data_root of the data set in the config; many configs '
    'take it from an environment variable'
)


def build_dataset(cfg: dict | Dataset) -> BaseDataset:
    """Build a data set and check that it has images.

    Args:
        cfg: A config. A data set is returned as it is.

    Raises:
        FileNotFoundError: If a folder or list does not exist, or no image is found in it.
        ValueError: If ``indices`` selects no image, or the list of a data set of mmseg names a file outside of its
            folders.
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
            raise  # from a data set of mmuda, whose message is complete
        raise FileNotFoundError(f'{name}: {error.filename} does not exist: {ADVICE}') from error
    except ValueError as error:
        # mmengine serialises the list of samples. NumPy raises this error if the list is empty.
        if 'need at least one array' not in str(error):
            raise
        raise nothing from error
    if len(dataset) == 0:
        raise nothing
    _check_list(dataset)
    return dataset


def _check_list(dataset: BaseDataset) -> None:
    """Check that the list of a data set of mmseg names no file outside of its folders (those of mmuda check theirs)."""
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
                    'list with a SegmentationListDataset and outside_root=True if you trust it'
                )


def check_indices(cfg: dict) -> None:
    """Check that the option ``indices`` of a data set selects at least one image.

    mmengine keeps the first ``indices`` images, or those that a list of indices names.

    Args:
        cfg: Config of the data set.

    Raises:
        ValueError: If no image is selected.
    """
    indices = cfg.get('indices')
    if indices is not None and not isinstance(indices, bool) and indices in (0, [], ()):
        raise ValueError(
            f'{cfg.get("type")}: indices={indices!r} selects no image: give a number above 0 or a list of image '
            'indices, or leave it out'
        )
