"""The loop: what it sees, what it leaves alone, that it repeats."""

import itertools
from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.data import ImageSet
from labkd.lab.teachers import live, no_teacher
from labkd.pixels import Normalise
from labkd.resnet import ResNet
from labkd.training import Watch, draw_epoch, fit, microbatches
from labkd.views import Bank
from labkd.vit import VisionTransformer


def some_images(count=24, channels=3, side=8):
    generator = torch.Generator().manual_seed(0)
    shape = (count, channels, side, side)
    images = torch.randint(256, shape, dtype=torch.uint8, generator=generator)
    names = ("a", "b", "c")
    return ImageSet(images, torch.arange(count) % 3, names, "original")


def cross_entropy(student_logits, teacher_logits, labels):
    assert teacher_logits is None
    return F.cross_entropy(student_logits, labels)


def run(model, data, *, epochs=2, seed=3, learning_rate=0.1, **changes):
    optimizer = torch.optim.SGD(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    settings = {
        "normalise": Normalise.of(data.images),
        "objective": cross_entropy,
        "teacher": no_teacher,
        "generator": torch.Generator().manual_seed(seed),
        "epochs": range(1, epochs + 1),
        "batch_size": 10,
        "bank": Bank.every(len(data), padding=1),
    } | changes
    return list(fit(model, data, optimizer, schedule, **settings))


def small():
    torch.manual_seed(0)
    return ResNet(width=4, num_classes=3)


def flat():
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(192, 3))


def test_the_same_seed_gives_the_same_weights_to_the_bit():
    first, second, other = small(), small(), small()
    data = some_images()
    run(first, data)
    run(second, data)
    run(other, data, seed=4)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    pairs = zip(first.parameters(), other.parameters(), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)


def asking(asked):
    r"""A teacher who says nothing and remembers what it was asked about."""

    def ask(pixels, indices, views):
        assert len(pixels) == len(indices) == len(views)
        asked.append((indices, views))

    return ask


def test_every_image_is_seen_once_an_epoch():
    data, seen, asked, model = some_images(), [], [], small()

    def objective(student_logits, teacher_logits, labels):
        assert model.training
        assert student_logits.shape == (len(labels), 3)
        seen.append(labels)
        return F.cross_entropy(student_logits, labels)

    epochs = run(model, data, objective=objective, teacher=asking(asked))
    assert [len(labels) for labels in seen] == [10, 10, 4] * 2
    orders = [
        torch.cat([i for i, _ in part]) for part in (asked[:3], asked[3:])
    ]
    for order in orders:
        assert torch.equal(order.sort().values, torch.arange(24))
    # In another order each time, and never with another image's label.
    assert not torch.equal(*orders)
    assert torch.equal(torch.cat(seen), data.labels[torch.cat(orders)])
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]


def test_processes_share_a_batch_without_overlap_or_gap():
    data, asked = some_images(), {}
    for share in ((0, 1), (0, 3), (1, 3), (2, 3)):
        asked[share] = []
        run(flat(), data, teacher=asking(asked[share]), share=share)
    whole = asked.pop((0, 1))
    assert len(whole) == 6
    for batch, (indices, views) in enumerate(whole):
        parts = [asked[share][batch] for share in asked]
        sizes = [len(part) for part, _ in parts]
        assert max(sizes) - min(sizes) <= 1
        # The same views of the same images, whoever looks at them.
        order = torch.cat([part for part, _ in parts]).argsort()
        ours = torch.cat([part for part, _ in parts])[order]
        assert torch.equal(ours, indices.sort().values)
        ours = torch.cat([part for _, part in parts])[order]
        assert torch.equal(ours, views[indices.argsort()])


def test_the_loss_is_the_mean_over_images():
    def first_label(student_logits, teacher_logits, labels):
        return (labels == 0).float().mean() + 0 * student_logits.sum()

    (epoch,) = run(flat(), some_images(), objective=first_label, epochs=1)
    # A third of the images, although the last batch is a short one.
    assert epoch["loss"] == pytest.approx(1 / 3)


def test_one_step_of_the_loop_is_the_textbook_step():
    data = some_images(count=6)
    ours, theirs = small(), small()
    run(ours, data, epochs=1, batch_size=6, bank=Bank.every(6, padding=0))
    # With no padding and one batch only mirror images are left; mirror the
    # same ones by replaying the generator.
    generator = torch.Generator().manual_seed(3)
    order = torch.randperm(6, generator=generator)
    torch.randint(1, (6, 2), generator=generator)
    mirrored = torch.randint(2, (6, 1), generator=generator).flatten()
    images = data.images[order].float() / 255
    flip = mirrored[:, None, None, None] == 1
    images = torch.where(flip, images.flip(-1), images)
    everything = data.images.float() / 255
    mean = everything.mean((0, 2, 3))[:, None, None]
    deviation = everything.std((0, 2, 3), correction=0)[:, None, None]
    theirs.train()
    logits = theirs((images - mean) / deviation)
    F.cross_entropy(logits, data.labels[order]).backward()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b - 0.1 * b.grad, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mixup", [False, True])
def test_the_teacher_sees_the_very_pixels_of_the_student(mixup):
    looks, model = [], flat()

    class Watching(nn.Module):
        def forward(self, pixels):
            looks.append(pixels.detach().clone())
            return torch.zeros(len(pixels), 3)

    def objective(student_logits, teacher_logits, labels):
        assert teacher_logits.shape == student_logits.shape
        return F.cross_entropy(student_logits, labels)

    student = nn.Sequential(nn.Identity(), model)
    student[0].register_forward_hook(
        lambda module, given, result: looks.append(given[0].detach().clone())
    )
    run(
        student,
        some_images(),
        teacher=live(Watching()),
        objective=objective,
        mixup=mixup,
    )
    assert len(looks) == 2 * 6
    for theirs, ours in zip(looks[::2], looks[1::2], strict=True):
        assert torch.equal(theirs, ours)
    # Unmixed pixels are normalised bytes; blends lie between them.
    unmixed = Normalise.of(some_images().images)(some_images().images)
    levels = set(unmixed[:, 0].flatten().tolist())
    border = Normalise.of(some_images().images)(torch.zeros(1, 3, 1, 1))
    levels.add(border[0, 0].item())
    seen = set(torch.cat(looks)[:, 0].flatten().tolist())
    assert (seen <= levels) is not mixup


def test_two_shares_of_a_batch_have_the_gradient_of_the_whole():
    data = some_images(count=7)
    start = [p.detach().clone() for p in flat().parameters()]
    steps = []
    for share in ((0, 1), (0, 2), (1, 2)):
        model = flat()
        changes = {"batch_size": 7, "epochs": 1, "share": share}
        run(model, data, **changes)
        pairs = zip(model.parameters(), start, strict=True)
        steps.append([a.detach() - b for a, b in pairs])
    whole, first, second = steps
    # Four images in one share, three in the other: still the same mean.
    for a, b, c in zip(whole, first, second, strict=True):
        torch.testing.assert_close(a, (b + c) / 2)


def test_a_gradient_is_clipped_to_its_norm():
    data, model = some_images(), flat()
    before = [p.detach().clone() for p in model.parameters()]
    run(model, data, epochs=1, batch_size=24, clip_norm=1e-3)
    pairs = zip(model.parameters(), before, strict=True)
    moved = torch.cat([(a - b).detach().flatten() for a, b in pairs]).norm()
    assert moved.item() == pytest.approx(0.1 * 1e-3, rel=1e-2)


def transformer():
    torch.manual_seed(0)
    sizes = {"image_size": 8, "patch_size": 4, "in_channels": 3}
    shape = {"width": 8, "depth": 2, "heads": 2, "mlp_ratio": 2.0}
    return VisionTransformer(num_classes=3, **sizes, **shape).double()


def stepped(model, accumulation, **changes):
    r"""How far one step of a batch of 24 moved each parameter."""
    before = [p.detach().clone() for p in model.parameters()]
    data = some_images()
    pixels = Normalise.of(data.images)
    changes = {"normalise": lambda x: pixels(x).double()} | changes
    changes |= {"batch_size": 24, "accumulation": accumulation}
    (epoch,) = run(model, data, epochs=1, learning_rate=1.0, **changes)
    pairs = zip(model.parameters(), before, strict=True)
    return [b - a.detach() for a, b in pairs], epoch["loss"]


@pytest.mark.parametrize("accumulation", [2, 5, 24])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(accumulation):
    # Of five parts of 24 images four are larger: the weights matter.
    whole, loss = stepped(transformer(), 1)
    parts, same = stepped(transformer(), accumulation)
    assert same == pytest.approx(loss, abs=1e-12)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    assert max(a.abs().max() for a in whole) > 1e-2


def test_with_batchnorm_a_batch_in_parts_is_another():
    whole, _ = stepped(small().double(), 1)
    parts, _ = stepped(small().double(), 2)
    gaps = [(a - b).abs().max() for a, b in zip(whole, parts, strict=True)]
    assert max(gaps) > 1e-2


def test_parts_are_cut_from_the_pixels_that_were_mixed():
    # Opposite images of the whole batch blend, not of each part.
    def objective(student_logits, teacher_logits, labels):
        return student_logits.square().mean()

    steps = []
    for accumulation in (1, 2):
        torch.manual_seed(5)
        model = transformer()
        torch.manual_seed(5)
        changes = {"mixup": True, "objective": objective}
        steps.append(stepped(model, accumulation, **changes)[0])
    for a, b in zip(*steps, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def spoiled(step, value):
    r"""An objective whose loss in one step is something else."""
    calls = itertools.count(1)

    def objective(student_logits, teacher_logits, labels):
        loss = F.cross_entropy(student_logits, labels)
        return loss * value if next(calls) == step else loss

    return objective


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e6])
def test_a_bad_loss_stops_in_its_step_and_before_the_weights(value):
    model, data, asked = flat(), some_images(), []
    kept, teacher = [], asking(asked)

    def watching(pixels, indices, views):
        kept.append([p.detach().clone() for p in model.parameters()])
        return teacher(pixels, indices, views)

    with pytest.raises(ValueError) as error:
        run(model, data, objective=spoiled(5, value), teacher=watching)
    # Three batches an epoch: the fifth is the second's second.
    said = str(error.value)
    assert said.startswith("epoch 2, step 2: the loss is ")
    assert "learning rate 0.1 and 10 images" in said
    first = ", ".join(str(index) for index in asked[4][0][:8].tolist())
    assert f"({first}, ...)" in said
    assert len(asked) == 5
    pairs = zip(model.parameters(), kept[4], strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_a_bad_loss_in_a_part_is_one_of_the_step():
    changes = {"objective": spoiled(4, float("nan")), "accumulation": 3}
    with pytest.raises(ValueError, match="epoch 1, step 2: the loss is nan"):
        run(flat(), some_images(), **changes)


def test_epochs_can_be_done_in_two_goes():
    whole, halves, data = small(), small(), some_images()
    run(whole, data, epochs=2)
    generator = torch.Generator().manual_seed(3)
    run(halves, data, generator=generator, epochs=1)
    (second,) = run(halves, data, generator=generator, **{"epochs": 1})
    assert second["epoch"] == 1
    pairs = zip(whole.parameters(), halves.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def drawn(share=(0, 1), seed=0, count=23):
    generator = torch.Generator().manual_seed(seed)
    bank = Bank.every(count, padding=2)
    return draw_epoch(bank, 10, 1, share, generator, torch.device("cpu"))


def test_an_epoch_has_every_image_once_and_a_view_for_each():
    epoch = drawn()
    assert [len(batch) for batch, _, _ in epoch] == [10, 10, 3]
    order = torch.cat([batch for batch, _, _ in epoch])
    assert torch.equal(order.sort().values, torch.arange(23))
    for batch, chosen, views in epoch:
        assert torch.equal(batch, chosen) and views.shape == batch.shape
    other = torch.cat([batch for batch, _, _ in drawn(seed=1)])
    assert not torch.equal(order, other)


def test_shares_make_up_the_batch_with_the_same_views():
    whole, shares = drawn(), [drawn((index, 3)) for index in range(3)]
    for (batch, _, views), *split in zip(whole, *shares, strict=True):
        assert all(torch.equal(batch, other) for other, _, _ in split)
        chosen = torch.cat([chosen for _, chosen, _ in split])
        back = chosen.argsort()
        assert torch.equal(chosen[back], batch.sort().values)
        theirs = torch.cat([views for *_, views in split])
        assert torch.equal(theirs[back], views[batch.argsort()])


class Sending(nn.Module):
    r"""Tells whether it would send its gradients now."""

    sends = True

    @contextmanager
    def no_sync(self):
        self.sends = False
        yield
        self.sends = True


@pytest.mark.parametrize("count", [1, 2, 4, 7])
def test_gradients_are_sent_with_the_last_part(count):
    model, rows = Sending(), torch.arange(7)
    seen, sent = [], []
    for number, twice in microbatches(model, count, rows, 2 * rows):
        assert torch.equal(twice, 2 * number)
        seen.append(number)
        sent.append(model.sends)
    assert sent == [False] * (count - 1) + [True]
    assert torch.equal(torch.cat(seen), rows)
    sizes = [len(part) for part in seen]
    assert max(sizes) - min(sizes) <= 1


def test_a_model_that_is_alone_has_nothing_to_send():
    assert len(list(microbatches(nn.Linear(1, 1), 3, torch.arange(3)))) == 3


@pytest.mark.parametrize("count", [0, 4])
def test_more_parts_than_images_are_refused(count):
    with pytest.raises(ValueError, match=f"3 images .* {count} parts"):
        list(microbatches(nn.Identity(), count, torch.arange(3)))


def watch(every=None, rate=0.25):
    weight = torch.nn.Parameter(torch.zeros(1))
    return Watch(torch.optim.SGD([weight], lr=rate), every=every)


def looked_at(watch, losses, epoch=1):
    for number, loss in enumerate(losses):
        batch = torch.arange(3) + 10 * number
        watch(epoch, batch, torch.tensor(float(loss)))
    return watch.mean()


@pytest.mark.parametrize("every", [1, 2, 3, 50])
@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", 2100.0])
def test_the_first_bad_step_is_named_whenever_it_is_looked_for(every, bad):
    with pytest.raises(ValueError) as error:
        looked_at(watch(every), [2, 1, 3, bad, float("nan"), 1])
    said = str(error.value)
    assert said.startswith(f"epoch 1, step 4: the loss is {float(bad):.4g}")
    assert "learning rate 0.25 and 3 images (30, 31, 32)" in said
    for cure in ("learning_rate", "clip_norm", "float32"):
        assert cure in said
    assert "\n" not in said


def test_on_a_cpu_it_says_so_at_once():
    watching = watch()
    with pytest.raises(ValueError, match="step 1: the loss is nan"):
        watching(1, torch.arange(100), torch.tensor(float("nan")))


def test_of_many_images_a_few_are_named():
    with pytest.raises(ValueError, match=r"100 images \(0, .*, 7, \.\.\.\)"):
        watch()(1, torch.arange(100), torch.tensor(float("nan")))


def test_a_thousand_times_the_first_loss_is_still_looked_upon():
    looked_at(watch(), [2, 1999])
    # A student that begins beside its teacher has next to none.
    looked_at(watch(), [0.0, 5, 999])
    with pytest.raises(ValueError, match="step 3"):
        looked_at(watch(), [0.0, 5, 1001])


def test_steps_are_counted_in_their_epoch_and_averaged_over_it():
    watching = watch(every=4)
    assert looked_at(watching, [1, 2, 6]) == 3.0
    assert looked_at(watching, [5, 7], epoch=2) == 6.0
    with pytest.raises(ValueError, match="epoch 3, step 2"):
        looked_at(watching, [1, "nan"], epoch=3)


def test_the_mean_is_over_images_and_not_over_batches():
    watching = watch()
    watching(1, torch.arange(30), torch.tensor(1.0))
    watching(1, torch.arange(10), torch.tensor(5.0))
    assert watching.mean() == 2.0
