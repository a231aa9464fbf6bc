"""Everything that the word "checkpoint" means: reading, loading, writing and publishing files of weights.

================= ==================================================================================================
file              answers
================= ==================================================================================================
safe_loading.py   How does mmengine read checkpoints, from files, URLs and other places? Safely, see
                  :func:`install_safe_loading`
archives.py       Is this file damaged? :func:`damage` compares checksums
reading.py        What is in this file? :func:`read_checkpoint` runs no code that is in it
stand_ins.py      How are the NumPy arrays and log histories in the files of mmengine read without their classes?
states.py         Which part of a file are the weights, and why do they not fit a network?
weights_meta.py   Which facts about a network are not in the names of its weights? :func:`weights_meta`
loading.py        How do the weights get into a model? :func:`load_weights`
latest.py         Which checkpoint of a run is the newest, and the newest intact one? :func:`latest_checkpoint`
own_names.py      How do they get into a model that mmengine or mmseg load? :func:`install_own_names`
plain.py          What can our own files hold? Tensors and plain values: :func:`to_plain`, :func:`write_checkpoint`
publish.py        How does a trained segmentor get to users of plain mmseg? :func:`publish`
key_maps.py       Which names do the weights have in the original implementations?
================= ==================================================================================================
"""

from .latest import latest_checkpoint
from .loading import load_weights, weights_digest
from .own_names import install_own_names
from .plain import restore_histories, to_plain, write_checkpoint
from .publish import publish
from .reading import UntrustedCheckpoint, read_checkpoint
from .safe_loading import install_safe_loading
from .weights_meta import weights_meta

__all__ = [
    'UntrustedCheckpoint',
    'install_own_names',
    'install_safe_loading',
    'latest_checkpoint',
    'load_weights',
    'publish',
    'read_checkpoint',
    'restore_histories',
    'to_plain',
    'weights_digest',
    'weights_meta',
    'write_checkpoint',
]
