"""The config of a run, whose text is formatted only once."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_KEPT = 8
"""Number of texts that are kept: each stage of a run has a config."""
_TEXTS: OrderedDict[str, str] = OrderedDict()


class RunConfig(Config):
    """Config that is formatted only once while its values stay the same.

    mmengine needs the text at the start (log, message hub, visualizer) and for every checkpoint. Formatting takes half
    a second to seven seconds each time.
    """

    @classmethod
    def of(cls, cfg: Config | Mapping[str, Any]) -> Config:
        """Return a config with the same values, file and text."""
        if isinstance(cfg, cls):
            return cfg
        if not isinstance(cfg, Config):
            return cls(dict(cfg))
        return cls(dict(cfg.items()), cfg_text=cfg.text, filename=cfg.filename, env_variables=cfg.env_variables)

    @property
    def pretty_text(self) -> str:
        """Formatted Python source of the values."""
        values = repr(self)
        if values not in _TEXTS:
            _TEXTS[values] = super().pretty_text
            while len(_TEXTS) > _KEPT:
                _TEXTS.popitem(last=False)
        return _TEXTS[values]
