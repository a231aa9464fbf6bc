"""Keys that components read, from signatures and sources."""

from mmuda.checks.signatures import default_of, keys_read, parameters_of


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


def test_keyword_arguments_lead_to_the_base():
    assert set(parameters_of(Passes).known) == {'depth', 'flag', 'width'} and not parameters_of(Passes).open
    assert parameters_of(Elsewhere).open
    assert set(parameters_of(Swallows).known) == {'depth'} and not parameters_of(Swallows).open
    assert default_of(Passes, 'width') == 1 and default_of(Passes, 'depth') is None


def test_keys_of_a_dict_are_those_that_the_source_reads():
    assert keys_read('cfg', Reads) == {'first', 'second', 'third', 'fourth', 'fifth'}
