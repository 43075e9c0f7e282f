"""One training, however many processes and parts compute a step."""

from dataclasses import replace

import pytest
import torch
import torch.distributed as dist

from labkd.data import load
from labkd.lab import engine
from labkd.lab.building import (
    bank_of,
    build,
    objective_of,
    optimizer_of,
    some_of,
)
from labkd.lab.recipes import find
from labkd.lab.teachers import nobody
from labkd.pixels import Normalise
from labkd.training import fit

NAMES = {"vit": "scratch-vit-digits", "resnet": "teacher-resnet18-digits"}


def losses_of(model, accumulation=1, bfloat16=False):
    r"""The loss of ten steps, over all processes; each of them calls it."""
    torch.set_num_threads(1)
    accelerator = engine.accelerator(cpu=True)
    recipe = replace(find(NAMES[model], "laptop"), training_images=500)
    whole = load("digits", "train")
    images = some_of(whole, recipe.training_images)
    torch.manual_seed(0)
    network = build(recipe, images)
    optimizer, schedule = optimizer_of(recipe, network, len(images))
    objective, losses = objective_of(recipe), []

    def told(outputs, nothing, labels):
        loss = objective(outputs, nothing, labels)
        losses.append(loss.detach().double() * len(labels))
        return loss

    for _ in fit(
        engine.launched(network, accelerator, compiled=False),
        images,
        optimizer,
        schedule,
        normalise=Normalise.of(whole.images),
        objective=told,
        teacher=nobody,
        generator=torch.Generator().manual_seed(0),
        epochs=range(1, 2),
        batch_size=50,
        bank=bank_of(recipe, images),
        clip_norm=recipe.clip_norm,
        bfloat16=bfloat16,
        accumulation=accumulation,
        share=(accelerator.process_index, accelerator.num_processes),
    ):
        pass
    sums = torch.stack(losses).view(-1, accumulation).sum(1)
    if accelerator.num_processes > 1:
        dist.all_reduce(sums)
        dist.destroy_process_group()
    return (sums / 50).tolist()


@pytest.fixture(autouse=True)
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_two_processes_train_as_one_does():
    alone = losses_of("vit")
    together = engine.together(2, losses_of, "vit")
    assert len(alone) == len(together) == 10
    # The same sums in another order are rounded differently.
    assert together == pytest.approx(alone, abs=1e-5)


def test_parts_train_as_the_whole_and_with_batchnorm_do_not():
    # BatchNorm's statistics are those of the part that it sees.
    for model, agree in (("vit", True), ("resnet", False)):
        whole, cut = losses_of(model), losses_of(model, accumulation=2)
        assert (cut == pytest.approx(whole, abs=1e-5)) is agree


def test_bfloat16_is_another_training_but_not_by_much():
    exact, rounded = losses_of("vit"), losses_of("vit", bfloat16=True)
    assert rounded == pytest.approx(exact, abs=0.1)
    assert rounded != pytest.approx(exact, abs=1e-5)
