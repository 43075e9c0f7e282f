"""The watch: the first bad step, named, whenever it is looked for."""

import pytest
import torch

from labkd.watching import Watch


def watch(every=None, rate=0.25):
    weight = torch.nn.Parameter(torch.zeros(1))
    return Watch(torch.optim.SGD([weight], lr=rate), every=every)


def run(watch, losses, epoch=1):
    for number, loss in enumerate(losses):
        batch = torch.arange(3) + 10 * number
        watch(epoch, batch, torch.tensor(float(loss)))
    return watch.mean()


@pytest.mark.parametrize("every", [1, 2, 3, 50])
@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", 2100.0])
def test_the_first_bad_step_is_named_whenever_it_is_looked_for(every, bad):
    with pytest.raises(ValueError) as error:
        run(watch(every), [2, 1, 3, bad, float("nan"), 1])
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
    run(watch(), [2, 1999])
    # A student that begins beside its teacher has next to none.
    run(watch(), [0.0, 5, 999])
    with pytest.raises(ValueError, match="step 3"):
        run(watch(), [0.0, 5, 1001])


def test_steps_are_counted_in_their_epoch_and_averaged_over_it():
    watching = watch(every=4)
    assert run(watching, [1, 2, 6]) == 3.0
    assert run(watching, [5, 7], epoch=2) == 6.0
    with pytest.raises(ValueError, match="epoch 3, step 2"):
        run(watching, [1, "nan"], epoch=3)


def test_the_mean_is_over_images_and_not_over_batches():
    watching = watch()
    watching(1, torch.arange(30), torch.tensor(1.0))
    watching(1, torch.arange(10), torch.tensor(5.0))
    assert watching.mean() == 2.0
