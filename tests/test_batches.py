"""Batches: whose they are, in how many parts, and when gradients are sent."""

from contextlib import contextmanager

import pytest
import torch
from torch import nn

from labkd.batches import draw_epoch, parts
from labkd.views import Bank


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
    for number, twice in parts(model, count, rows, 2 * rows):
        assert torch.equal(twice, 2 * number)
        seen.append(number)
        sent.append(model.sends)
    assert sent == [False] * (count - 1) + [True]
    assert torch.equal(torch.cat(seen), rows)
    sizes = [len(part) for part in seen]
    assert max(sizes) - min(sizes) <= 1


def test_a_model_that_is_alone_has_nothing_to_send():
    assert len(list(parts(nn.Linear(1, 1), 3, torch.arange(3)))) == 3


@pytest.mark.parametrize("count", [0, 4])
def test_more_parts_than_images_are_refused(count):
    with pytest.raises(ValueError, match=f"3 images .* {count} parts"):
        list(parts(nn.Identity(), count, torch.arange(3)))
