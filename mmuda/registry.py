"""Registries of mmuda's own kinds of components, whose errors list the names that exist."""

import difflib
from typing import Any

from mmengine.registry import Registry
from mmseg.registry import TASK_UTILS


class NamedRegistry(Registry):
    """A registry that builds from ``dict(type=..., ...)`` and explains what is wrong with a config.

    Names that are not found here are looked for in mmseg's ``TASK_UTILS``, where plug-ins registered such components
    before these registries existed.
    """

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        """Build a component.

        Args:
            cfg: ``type``, a registered name or a class, and the arguments.
            *args: Further positional arguments.
            **kwargs: Arguments that the config does not give.

        Raises:
            ValueError: If the type is missing or unknown, or the arguments do not fit; with the known names.
        """
        arguments = {**kwargs, **cfg}
        kind = arguments.pop('type', None)
        found = kind if isinstance(kind, type) else self.find(kind)
        try:
            return found(*args, **arguments)
        except TypeError as error:
            raise ValueError(f'the {self.name} {found.__name__} cannot be built from {arguments}: {error}') from error

    def find(self, name: str | None) -> Any:
        """Return the registered class of a name.

        Raises:
            ValueError: If there is none, with the known names.
        """
        found = self.module_dict.get(name) or (None if name is None else TASK_UTILS.get(name))
        if found is None:
            close = difflib.get_close_matches(str(name), self.module_dict, n=1)
            hint = f'did you mean {close[0]}? ' if close else ''
            raise ValueError(f'there is no {self.name} {name!r}: {hint}known are {", ".join(sorted(self.module_dict))}')
        return found


STAGES = NamedRegistry('stage', scope='mmuda')
LABEL_STRATEGIES = NamedRegistry('label strategy', scope='mmuda')
SOURCE_ORDERS = NamedRegistry('source order', scope='mmuda')
