"""The moving average of a network: its arithmetic, its modes, its state in a checkpoint."""

import copy

import pytest
import torch
from torch import nn

from mmuda.models.teachers import EMATeacher


class Network(nn.Module):
    """A network with a convolution, batch-norm, dropout, and a buffer that forward does not change."""

    def __init__(self, statistics: bool = True) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4, track_running_stats=statistics)
        self.dropout = nn.Dropout2d(0.5)
        self.scale = nn.Parameter(torch.ones(()))
        self.register_buffer('prior', torch.zeros(4))

    def forward(self, x: torch.Tensor, mode: str = 'tensor') -> torch.Tensor:
        assert mode == 'outputs'
        return self.scale * self.dropout(self.bn(self.conv(x)))


def students(count: int) -> list[Network]:
    torch.manual_seed(0)
    return [fill(Network()) for _ in range(count)]


def fill(network: nn.Module) -> nn.Module:
    with torch.no_grad():
        for value in (*network.parameters(), *network.buffers()):
            value.copy_(torch.rand(value.shape) * 10)
    return network


def average(values: list[torch.Tensor], decays: list[float]) -> torch.Tensor:
    result = torch.zeros_like(values[0], dtype=torch.float64)
    for value, decay in zip(values, decays, strict=True):
        result = decay * result + (1 - decay) * value.double()
    return result.float()


@pytest.mark.parametrize(
    'options, decays',
    [
        (dict(decay=0.7), [0.0, 0.5, 2 / 3, 0.7, 0.7]),
        (dict(decay=0.999), [0.0, 1 / 2, 2 / 3, 3 / 4, 4 / 5]),
        (dict(decay=0.0), [0.0] * 5),
    ],
)
def test_the_average_warms_up(options, decays):
    networks = students(5)
    teacher = EMATeacher(networks[0], **options)
    for network in networks:
        teacher.update(network)
    for name, value in teacher.segmentor.named_parameters():
        wanted = average([network.get_parameter(name).detach() for network in networks], decays)
        torch.testing.assert_close(value.detach(), wanted)
    assert teacher.updates.read() == 5


def test_without_warm_up_the_average_starts_from_the_copy():
    first, second = students(2)
    teacher = EMATeacher(first, decay=0.9, warm_up=False)
    teacher.update(second)
    torch.testing.assert_close(teacher.segmentor.conv.weight, 0.9 * first.conv.weight + 0.1 * second.conv.weight)


def test_the_start_copies_weights_that_came_after_the_teacher_was_built():
    first, second, third = students(3)
    teacher = EMATeacher(first, decay=0.9)
    teacher.start(second)
    assert torch.equal(teacher.segmentor.conv.weight, second.conv.weight) and teacher.updates.read() == 0
    teacher.update(second)
    teacher.start(third)
    assert torch.equal(teacher.segmentor.conv.weight, second.conv.weight), 'the average must not start again'


@pytest.mark.parametrize(
    'buffers, statistics, prior',
    [('own', 'own', 'copied'), ('copied', 'copied', 'copied'), ('averaged', 'averaged', 'averaged')],
)
def test_buffers(buffers, statistics, prior):
    first, second = students(2)
    built = copy.deepcopy(first.bn.running_mean)
    teacher = EMATeacher(first, decay=0.5, buffers=buffers)
    for network in (first, second):
        fill_value = network.bn.running_mean
        teacher.update(network)
        network.bn.running_mean = fill_value + 1  # later changes of the student must not matter
    means = [built, second.bn.running_mean - 1]
    wanted = dict(own=means[0], copied=means[1], averaged=(means[0] + means[1]) / 2)
    torch.testing.assert_close(teacher.segmentor.bn.running_mean, wanted[statistics])
    priors = dict(copied=second.prior, averaged=(first.prior + second.prior) / 2)
    torch.testing.assert_close(teacher.segmentor.prior, priors[prior])
    counter = first if buffers == 'own' else second
    assert teacher.segmentor.bn.num_batches_tracked == counter.bn.num_batches_tracked, (
        'integers must be copied, not averaged'
    )


def test_a_network_without_running_statistics():
    torch.manual_seed(0)
    first, second = fill(Network(statistics=False)), fill(Network(statistics=False))
    teacher = EMATeacher(first)
    teacher.update(second)
    assert torch.equal(teacher.segmentor.bn.weight, second.bn.weight)


@pytest.mark.parametrize('dropout', [False, True])
@pytest.mark.parametrize('batch_norm', ['batch', 'running'])
def test_modes_in_training_and_in_evaluation(batch_norm, dropout):
    (network,) = students(1)
    teacher = EMATeacher(network, batch_norm=batch_norm, dropout=dropout)
    for _ in range(2):
        teacher.train()
        assert teacher.segmentor.bn.training == (batch_norm == 'batch')
        assert teacher.segmentor.dropout.training == dropout
        teacher.eval()
        assert not any(module.training for module in teacher.modules())


def test_batch_statistics_of_the_teacher_are_those_of_its_images():
    (network,) = students(1)
    teacher = EMATeacher(network)
    images = torch.randn(4, 3, 8, 8)
    mean = network.bn.running_mean.clone()
    found = teacher(images)
    assert not found.requires_grad
    features = network.conv(images)
    normalised = nn.functional.batch_norm(features, None, None, network.bn.weight, network.bn.bias, training=True)
    torch.testing.assert_close(found, (network.scale * normalised).detach())
    torch.testing.assert_close(
        teacher.segmentor.bn.running_mean, (0.9 * mean + 0.1 * features.mean(dim=(0, 2, 3))).detach()
    )
    assert torch.equal(network.bn.running_mean, mean), 'the statistics of the student must not change'


class Frozen(Network):
    """A network whose statistics stay frozen in training, as those of mmseg's backbones with norm_eval."""

    def train(self, mode: bool = True) -> 'Frozen':
        super().train(mode)
        self.bn.eval()
        return self


def test_statistics_that_the_network_keeps_are_those_of_the_student():
    torch.manual_seed(0)
    first, second = fill(Frozen()), fill(Frozen())
    teacher = EMATeacher(first).train()
    assert not teacher.segmentor.bn.training
    teacher.update(second)
    assert torch.equal(teacher.segmentor.bn.running_mean, second.bn.running_mean)


def test_nothing_is_trained_and_everything_is_saved():
    first, second, third = students(3)
    teacher = EMATeacher(first, decay=0.6)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert all(parameter.requires_grad for parameter in first.parameters()), 'the student must still be trained'
    teacher.update(first)
    teacher.update(second)
    resumed = EMATeacher(third, decay=0.6)
    resumed.load_state_dict(teacher.state_dict())
    for one in (teacher, resumed):
        one.start(third)
        one.update(third)
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name
    assert {name for name in teacher.state_dict() if not name.startswith('segmentor.')} == {'updates.value'}


def test_a_network_without_modes():
    student = nn.Conv2d(3, 2, 1)
    teacher = EMATeacher(student, mode=None)
    teacher.start(student)
    images = torch.rand(1, 3, 4, 4)
    assert torch.equal(teacher(images), student(images))
    with pytest.raises(ValueError, match='mode=None, but Network has modes'):
        EMATeacher(Network(), mode=None)


def test_the_student_is_not_changed():
    first, second = students(2)
    before = copy.deepcopy(second.state_dict())
    teacher = EMATeacher(first)
    for _ in range(3):
        teacher.update(second)
        teacher(torch.randn(2, 3, 6, 6))
    assert all(torch.equal(value, before[name]) for name, value in second.state_dict().items())


def test_another_network_is_an_error():
    first, second = students(2)
    second.extra = nn.Linear(2, 2)
    with pytest.raises(ValueError, match='the student is not the network that was copied.*extra.bias, extra.weight'):
        EMATeacher(first).update(second)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(decay=1.5), 'decay=1.5, expected a number in'),
        (dict(batch_norm='frozen'), "batch_norm='frozen', expected one of"),
        (dict(buffers='none'), "buffers='none', expected one of"),
    ],
)
def test_wrong_options_are_an_error(options, message):
    with pytest.raises(ValueError, match=f'EMATeacher: {message}'):
        EMATeacher(Network(), **options)
