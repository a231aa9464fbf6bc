"""mmuda: unsupervised domain adaptation on MMSegmentation.

Importing the package registers all of its components in mmseg's registries, so a config only needs
``custom_imports = dict(imports=['mmuda'])`` and ``default_scope = 'mmseg'``.

The import changes two things for the whole process. mmengine's loaders of checkpoints no longer unpickle files that
hold more than weights, see :func:`mmuda.checkpoints.install_safe_loading`. They also load weights of adaptors into
plain segmentors and the reverse, see :func:`mmuda.checkpoints.install_own_names`.
"""

from typing import TYPE_CHECKING, Any

from .compat import check_dependencies, quiet_imports
from .version import __version__

if TYPE_CHECKING:
    from .prediction import Predictor

check_dependencies()

with quiet_imports():
    from . import checkpoints, datasets, engine, evaluation, labeling, models, stages, visualization  # noqa: F401

checkpoints.install_safe_loading()
checkpoints.install_own_names()


def predict(config: Any, checkpoint: Any, **options: Any) -> 'Predictor':
    """Return a trained network as a function: ``mmuda.predict(config, checkpoint)('image.png').label``.

    See :func:`mmuda.prediction.predict` for the arguments.
    """
    from .prediction import predict as make  # imported late: only predictions need its modules

    return make(config, checkpoint, **options)


__all__ = ['__version__', 'predict']
