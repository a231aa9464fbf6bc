"""The config of a run, whose text is formatted once."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_KEPT = 8
"""Texts that are kept: stages of a run have a config each."""
_TEXTS: OrderedDict[str, str] = OrderedDict()


class RunConfig(Config):
    """A config that is formatted once for as long as its values stay the same.

    mmengine asks for the text at the start (log, message hub, visualizer) and for every checkpoint. To format it takes
    half a second to seven seconds each time.
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
        """Return the text of the values as Python, formatted."""
        values = repr(self)
        if values not in _TEXTS:
            _TEXTS[values] = super().pretty_text
            while len(_TEXTS) > _KEPT:
                _TEXTS.popitem(last=False)
        return _TEXTS[values]
