"""Random numbers of a method: equal after a resume, different on every process."""

from pathlib import Path

import pytest
import torch
from processes import run_on_processes

from mmuda.models.teachers import Counter, RandomStream


def draws(stream: RandomStream, count: int = 3) -> list[torch.Tensor]:
    return [torch.rand(5, generator=stream.advance()) for _ in range(count)]


def same(a: list, b: list) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_resumed_stream_goes_on():
    whole = draws(RandomStream('mix', seed=3), 5)
    first = RandomStream('mix', seed=3)
    assert same(draws(first, 2), whole[:2])
    second = RandomStream('mix', seed=3)
    second.load_state_dict(first.state_dict())
    assert same(draws(second, 3), whole[2:])
    assert not same(whole[:2], whole[2:4])


def test_names_and_seeds_make_streams_of_their_own():
    streams = [draws(RandomStream(name, seed=seed)) for name in ('mix', 'mask') for seed in (0, 1)]
    assert not any(same(a, b) for i, a in enumerate(streams) for b in streams[:i])


def test_numbers_that_others_draw_do_not_matter():
    torch.manual_seed(5)
    one = RandomStream('mix')
    first = draws(one, 1)
    torch.rand(100)
    second = draws(one, 1)
    torch.manual_seed(5)
    assert same(draws(RandomStream('mix'), 2), first + second)


def test_the_seed_is_that_of_the_first_draw():
    """The stream takes its seed at the first draw: a checkpoint restores a seed after the model is built."""
    torch.manual_seed(5)
    stream = RandomStream('mix')
    torch.manual_seed(6)
    assert same(draws(stream), draws(RandomStream('mix', seed=6)))


def on_a_process(rank: int) -> torch.Tensor:
    return torch.stack(draws(RandomStream('mix', seed=0)))


def test_every_process_draws_its_own(tmp_path: Path):
    first, second = run_on_processes(on_a_process, tmp_path)
    assert torch.equal(first, torch.stack(draws(RandomStream('mix', seed=0)))), 'rank 0 must draw like a single process'
    assert not torch.isin(first, second).any()


def test_a_counter_is_a_buffer_that_is_read_once():
    counter = Counter()
    counter.advance()
    counter.advance()
    assert counter.read() == 2 and counter.state_dict() == dict(value=torch.tensor(2))
    other = Counter()
    assert other.read() == 0
    other.load_state_dict(counter.state_dict())
    assert other.read() == 2
    other.value.fill_(7)
    other.advance()
    assert other.read() == 8 == int(other.value)
    other.value = torch.tensor(3)  # moving to another device replaces the buffer like this
    assert other.read() == 3


@pytest.mark.parametrize('seed', [-1, 2**63 + 5])
def test_any_seed_of_pytorch_will_do(seed):
    assert same(draws(RandomStream('mix', seed=seed)), draws(RandomStream('mix', seed=seed)))
