"""Keys that components read, from their signatures and source code."""

import pytest

from mmuda.checks.signatures import declared_by, default_of, keys_read, parameters_of, passes_on


class Base:
    def __init__(self, width: int = 1) -> None:
        self.width = width


class Passes(Base):
    def __init__(self, depth: int, **kwargs) -> None:
        self.flag = kwargs.get('flag')
        super().__init__(**kwargs)


class Elsewhere(Base):
    def __init__(self, **kwargs) -> None:
        self.options = dict(**kwargs)
        super().__init__()


class Swallows(Base):
    def __init__(self, depth: int, **kwargs) -> None:
        super().__init__()


class Reads:
    def __init__(self, cfg: dict | None) -> None:
        self.cfg = cfg

    def all(self):
        first, second = self.cfg['first'], self.cfg.get('second')
        return first, second, self.cfg.third, (self.cfg or {}).get('fourth'), 'fifth' in self.cfg


class Gives(Reads):
    def some(self, function):
        return function(self.cfg)


class Renames(Reads):
    def some(self):
        options = self.cfg
        return options.sixth


class Walks(Reads):
    def some(self):
        return [key for key in self.cfg.items()]


class Part:
    def run(self, images, cfg):
        return images, cfg['first']


class Owner(Reads):
    def __init__(self, cfg: dict | None) -> None:
        super().__init__(cfg=cfg)
        self.part = Part()

    def some(self, images):
        assert isinstance(self.cfg, dict)
        return self.part.run(images, self.cfg)


@pytest.mark.parametrize(
    ('owners', 'gives'),
    [
        ((Reads,), False),
        ((Gives,), True),
        ((Renames,), True),
        ((Walks,), True),
        ((Owner,), True),
        ((Owner, Part), False),
    ],
    ids=str,
)
def test_a_dict_that_is_passed_on_may_have_any_key(owners, gives):
    assert passes_on('cfg', *owners) is gives


def test_keyword_arguments_lead_to_the_base():
    assert set(parameters_of(Passes).known) == {'depth', 'flag', 'width'} and not parameters_of(Passes).open
    assert parameters_of(Elsewhere).open
    assert set(parameters_of(Swallows).known) == {'depth'} and not parameters_of(Swallows).open
    assert default_of(Passes, 'width') == 1 and default_of(Passes, 'depth') is None


def test_keys_of_a_dict_are_those_that_the_source_reads():
    assert keys_read('cfg', Reads) == {'first', 'second', 'third', 'fourth', 'fifth'}


def test_an_argument_belongs_to_the_class_that_names_it():
    class Base:
        def __init__(self, a=None, b=None):
            pass

    class Child(Base):
        def __init__(self, *args, b=1, **kwargs):
            pass

    assert declared_by(Child, 'a') is Base and declared_by(Child, 'b') is Child
    assert declared_by(Child, 'nowhere') is Child
