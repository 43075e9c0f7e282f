"""Teachers, live or from a table: the same answers, and left as they were."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.data import ImageSet
from labkd.lab import teachers
from labkd.lab.teachers import KEEP_EVERY, live, no_teacher, recorded, table_of
from labkd.pixels import Normalise
from labkd.resnet import ResNet
from labkd.training import fit
from labkd.views import Bank, every_view, precision_of

PADDING = 2
VIEWS = len(every_view(PADDING))


def resnet(seed=0):
    torch.manual_seed(seed)
    model = ResNet(width=8, num_classes=5)
    # A running mean of zero would hide who looks at the batch.
    with torch.no_grad():
        model(torch.randn(20, 3, 8, 8) + 1)
    return model


@pytest.fixture(scope="module")
def data():
    generator = torch.Generator().manual_seed(0)
    shape = (12, 3, 8, 8)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    return ImageSet(images, torch.arange(12) % 5, tuple("abcde"), "original")


def train(data, teacher, *, epochs=2):
    r"""Trains a small student and returns all that its teacher said."""
    said = []
    torch.manual_seed(1)
    student = ResNet(width=4, num_classes=5)
    optimizer = torch.optim.SGD(student.parameters(), lr=0.1)

    def objective(student_logits, teacher_logits, labels):
        said.append(teacher_logits)
        p = teacher_logits.softmax(1)
        return F.cross_entropy(student_logits, p)

    for _ in fit(
        student,
        data,
        optimizer,
        torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0),
        normalise=Normalise.of(data.images),
        objective=objective,
        teacher=teacher,
        generator=torch.Generator().manual_seed(2),
        epochs=range(1, epochs + 1),
        batch_size=5,
        bank=Bank.every(len(data), padding=PADDING),
    ):
        assert student.training
    return torch.cat(said), student


def table(model, data, path, **options):
    normalise = Normalise.of(data.images)
    bank = Bank.every(len(data), padding=PADDING)
    return table_of(model, data.images, normalise, bank, path=path, **options)


def test_nobody_says_nothing():
    assert no_teacher(torch.zeros(2, 3, 8, 8), torch.arange(2), None) is None


def test_a_live_teacher_is_the_same_after_its_student_was_trained(data):
    model, modes = resnet().train(), []
    model.register_forward_hook(
        lambda module, given, result: modes.append(module.training)
    )
    before = {k: v.clone() for k, v in model.state_dict().items()}
    said, student = train(data, live(model))
    # Parameters, running means and the count of batches, to the bit.
    after = model.state_dict()
    assert all(torch.equal(value, after[k]) for k, value in before.items())
    assert len(modes) == 6 and not any(modes)
    assert not any(module.training for module in model.modules())
    assert not said.requires_grad
    assert all(p.grad is None for p in model.parameters())
    # The student was trained, its running means among the rest.
    assert student.bn1.num_batches_tracked == 6


def test_a_teacher_answers_in_float32(data):
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5)).bfloat16()
    pixels = Normalise.of(data.images)(data.images).bfloat16()
    assert live(model)(pixels, None, None).dtype is torch.float32


def test_a_recorded_teacher_says_what_the_live_one_says(data, tmp_path):
    model = resnet()
    answers = table(model, data, tmp_path / "t")
    assert answers.shape == (12, VIEWS, 5)
    assert answers.dtype is torch.float16
    from_life, _ = train(data, live(model))
    from_table, _ = train(data, recorded(answers))
    assert from_table.dtype is torch.float32
    # Half precision keeps 11 bits.
    torch.testing.assert_close(from_table, from_life, rtol=2**-10, atol=1e-3)
    # The images of another order, or other views, have other answers.
    for dimension in (0, 1):
        wrong = recorded(answers.roll(1, dimension))
        said, _ = train(data, wrong)
        assert (said - from_life).abs().max() > 0.01


@pytest.fixture
def clock(monkeypatch):
    r"""A clock that stands still but while a slow teacher is asked."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(teachers, "time", clock)
    return clock


def slow(clock):
    r"""A teacher that takes a second for all images in one view."""
    model = resnet()

    def tick(*_):
        clock.now += 1

    model.register_forward_hook(tick)
    return model


def test_a_table_that_is_interrupted_again_and_again_is_the_same(
    data, tmp_path, clock
):
    path = tmp_path / "some" / "parts.table"
    asked, pauses = [], 0

    def progress(views):
        asked.append(len(views))
        return iter(views)

    while not path.is_file():
        deadline = clock.now + 18.5
        try:
            options = {"deadline": deadline, "progress": progress}
            table(slow(clock), data, path, **options)
        except TimeoutError as pause:
            pauses += 1
            assert f"{18 * pauses} of {VIEWS} views" in str(pause)
            # Another second would have been too late.
            assert clock.now == deadline - 0.5
    assert pauses == 2 and asked == [50, 32, 14]
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    whole = table(resnet(), data, tmp_path / "whole.table")
    assert torch.equal(table(resnet(), data, path), whole)


def test_a_deadline_that_is_over_costs_nothing(data, tmp_path, clock):
    clock.now = 9.0
    with pytest.raises(TimeoutError, match="0 of 50"):
        table(resnet(), data, tmp_path / "t", deadline=8.0)
    assert list(tmp_path.iterdir()) == []


def test_whoever_is_killed_loses_seconds_of_work(data, tmp_path, clock):
    path, left = tmp_path / "t", []

    def killed(views):
        for number, view in enumerate(views):
            if number == 45:
                raise KeyboardInterrupt
            yield view

    def counted(views):
        left.append(len(views))
        return iter(views)

    with pytest.raises(KeyboardInterrupt):
        table(slow(clock), data, path, progress=killed)
    assert not path.exists()
    again = table(slow(clock), data, path, progress=counted)
    assert VIEWS - 45 < left[0] <= VIEWS - 45 + KEEP_EVERY
    assert torch.equal(again, table(resnet(), data, tmp_path / "other"))


def test_a_table_that_is_there_is_not_built_again(data, tmp_path):
    model, path = resnet(), tmp_path / "t"
    built = table(model, data, path)
    model.register_forward_hook(lambda *_: pytest.fail("asked again"))
    assert torch.equal(table(model, data, path), built)


def test_a_table_says_in_which_precision_its_teacher_answered(data, tmp_path):
    model = resnet()
    exact = table(model, data, tmp_path / "exact")
    assert precision_of(tmp_path / "exact") == "float32"
    short = table(model, data, tmp_path / "short", bfloat16=True)
    assert precision_of(tmp_path / "short") == "bfloat16"
    # Two or three digits of a logit, and no more, are the same.
    assert not torch.equal(exact, short)
    torch.testing.assert_close(exact, short, rtol=0.05, atol=0.05)


def test_answers_of_two_precisions_are_not_mixed(data, tmp_path):
    model, path = resnet(), tmp_path / "t"
    with pytest.raises(TimeoutError):
        table(model, data, path, bfloat16=True, deadline=0.0)
    exact = table(model, data, path)
    assert precision_of(path) == "float32"
    assert torch.equal(exact, table(model, data, tmp_path / "other"))


@pytest.mark.parametrize("finished", [True, False])
def test_a_table_of_another_teacher_is_refused(
    finished, data, tmp_path, clock
):
    model, path = slow(clock), tmp_path / "t"
    if finished:
        table(model, data, path)
    else:
        with pytest.raises(TimeoutError):
            table(model, data, path, deadline=9.5)
    (file,) = tmp_path.iterdir()
    # A running mean is a part of the teacher like any weight.
    with torch.no_grad():
        model.bn1.running_mean[0] += 1e-3
    with pytest.raises(ValueError, match=f"{file.name} is not .* weights"):
        table(model, data, path)
    other = ImageSet(255 - data.images, data.labels, "abcde", "original")
    with pytest.raises(ValueError, match=f"{file.name} is not .* images"):
        table(resnet(), other, path)
