"""Registries of the kinds of components that only mmuda has. Their errors list the known names."""

import difflib
from typing import Any

from mmengine.registry import Registry
from mmseg.registry import TASK_UTILS


class NamedRegistry(Registry):
    """A registry that builds components from ``dict(type=..., ...)``, with clear errors for wrong configs.

    Names that it does not have are looked up in mmseg's ``TASK_UTILS``, where older plug-ins have registered such
    components.
    """

    def build(self, cfg: dict, *args: Any, **kwargs: Any) -> Any:
        """Build a component.

        Args:
            cfg: Dict with ``type``, a registered name or a class, and the arguments.
            *args: Positional arguments.
            **kwargs: Defaults of arguments that the config does not have.

        Raises:
            ValueError: If the type is missing or unknown (the message lists the known names), or if the arguments do
                not fit.
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
            ValueError: If there is none. The message lists the known names.
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
