"""Ring buffers of feature vectors."""

import pytest
import torch

from mmuda.models.memories.feature_memory import FeatureMemory


def vectors(*values: float) -> torch.Tensor:
    return torch.tensor(values)[None, :, None].expand(1, -1, 2)


def test_first_in_first_out():
    memory = FeatureMemory(1, 3, 2)
    yes = torch.ones(1, 2, dtype=torch.bool)
    memory.write(vectors(1.0, 2.0), yes)
    assert memory.entries[0, :, 0].tolist() == [1, 2, 0] and memory.count.tolist() == [2] and not memory.started
    memory.write(vectors(3.0, 4.0), yes)
    assert memory.entries[0, :, 0].tolist() == [4, 2, 3] and memory.started, (
        'it must start after one write more than it has slots'
    )


def test_it_begins_when_there_were_more_writes_than_slots():
    memory = FeatureMemory(1, 2, 2)
    for value, started in ((1.0, False), (2.0, False), (3.0, True)):
        memory.write(vectors(value), torch.ones(1, 1, dtype=torch.bool))
        assert bool(memory.started) == started


@pytest.mark.parametrize('begun', range(4))
def test_rejected_vectors_leave_no_trace(begun):
    memory = FeatureMemory(1, 4, 2)
    for value in range(begun):
        memory.write(vectors(10.0 + value), torch.ones(1, 1, dtype=torch.bool))
    before = memory.entries[0, :, 0].tolist()
    memory.write(vectors(1.0, 2.0, 3.0, 4.0), torch.tensor([[False, True, False, True]]))
    for value in (2, 4):
        before[(memory.count.item() - 2 + (value == 4)) % 4] = value
    assert memory.entries[0, :, 0].tolist() == before and memory.count.item() == begun + 2


def test_writes_are_those_of_a_loop():
    """Writes equal a loop over single vectors, for any accepted vectors and several times around the ring."""
    generator = torch.Generator().manual_seed(0)
    memory = FeatureMemory(3, 5, 2)
    rings, counts = torch.zeros(3, 5, 2), [0, 0, 0]
    for step in range(40):
        number = 1 + step % 5
        x = torch.randn(3, number, 2, generator=generator)
        accepted = torch.rand(3, number, generator=generator) < 0.5
        memory.write(x, accepted)
        for row in range(3):
            for place in range(number):
                if accepted[row, place]:
                    rings[row, counts[row] % 5] = x[row, place]
                    counts[row] += 1
        assert torch.equal(memory.entries, rings) and memory.count.tolist() == counts
        assert memory.started.tolist() == [count > 5 for count in counts]
    assert min(counts) > 15 and len(set(counts)) > 1


def test_what_is_written_has_no_graph():
    memory = FeatureMemory(1, 2, 2)
    memory.write(vectors(1.0).requires_grad_(), torch.ones(1, 1, dtype=torch.bool))
    assert not memory.entries.requires_grad


def test_memories_survive_saving(tmp_path):
    memory, other = FeatureMemory(2, 3, 2), FeatureMemory(2, 3, 2)
    memory.write(torch.randn(2, 3, 2), torch.tensor([[True, False, True], [False] * 3]))
    torch.save(memory.state_dict(), tmp_path / 'memory.pth')
    other.load_state_dict(torch.load(tmp_path / 'memory.pth', weights_only=True))
    assert other.count.tolist() == [2, 0] and torch.equal(other.entries, memory.entries)
    more = torch.randn(2, 2, 2)
    for one in (memory, other):
        one.write(more, torch.ones(2, 2, dtype=torch.bool))
    assert other.count.tolist() == [4, 2] and torch.equal(other.entries, memory.entries)


def test_distances_are_those_of_a_loop():
    torch.manual_seed(0)
    memory = FeatureMemory(3, 7, 5)
    memory.entries.normal_()
    x = torch.randn(3, 4, 5, requires_grad=True)
    found = memory.distance(x)
    for row in range(3):
        for place in range(4):
            apart = (memory.entries[row] - x[row, place]).abs().mean(dim=1)
            torch.testing.assert_close(found[row, place], apart.min())
    nearest = [(memory.entries[0] - x[0, 0]).abs().mean(dim=1).argmin()]
    (grad,) = torch.autograd.grad(found[0, 0], x)
    torch.testing.assert_close(grad[0, 0], (x[0, 0] - memory.entries[0, nearest[0]]).sign().detach() / 5)


def test_more_vectors_than_slots_are_refused():
    with pytest.raises(ValueError, match='3 vectors of a class at once do not fit into 2 slots'):
        FeatureMemory(1, 2, 2).write(vectors(1.0, 2.0, 3.0), torch.ones(1, 3, dtype=torch.bool))
