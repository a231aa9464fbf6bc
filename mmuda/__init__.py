"""mmuda: unsupervised domain adaptation on MMSegmentation.

Importing the package registers all of its components in mmseg's registries, so a config only needs
``custom_imports = dict(imports=['mmuda'])`` and ``default_scope = 'mmseg'``.

It changes two things for the whole process. mmengine's loaders of checkpoints no longer unpickle files that hold more
than weights, see :func:`mmuda.checkpoints.install_safe_loading`. They load weights of adaptors into plain segmentors
and the other way round, see :func:`mmuda.checkpoints.install_own_names`.
"""

from .compat import check_dependencies, quiet_imports
from .version import __version__

check_dependencies()

with quiet_imports():
    from . import checkpoints, datasets, engine, evaluation, labeling, models, stages, visualization  # noqa: F401

checkpoints.install_safe_loading()
checkpoints.install_own_names()

__all__ = ['__version__']
