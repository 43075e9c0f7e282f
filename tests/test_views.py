"""Views are exact and uniform; the table is the live teacher's."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.pixels import Normalise, predict
from labkd.resnet import ResNet
from labkd.views import (
    Bank,
    apply_views,
    build_table,
    draw_views,
    every_view,
    load_table,
    look_up,
    save_table,
)


def test_every_view_equals_slicing_and_flipping():
    padding, side = 2, 5
    image = torch.randint(256, (1, 3, side, side), dtype=torch.uint8)
    padded = F.pad(image, (padding,) * 4)
    for top in range(2 * padding + 1):
        for left in range(2 * padding + 1):
            for mirrored in (0, 1):
                view = torch.tensor([[top, left, mirrored]])
                ours = apply_views(image, view, padding=padding)
                window = padded[..., top : top + side, left : left + side]
                expected = window.flip(-1) if mirrored else window
                assert torch.equal(ours, expected)


def test_images_that_are_not_square():
    image = torch.arange(12).reshape(1, 1, 2, 6)
    centre = torch.tensor([[1, 1, 0]])
    assert torch.equal(apply_views(image, centre, padding=1), image)


def test_each_image_gets_its_own_view():
    images = torch.randint(256, (6, 3, 8, 8), dtype=torch.uint8)
    views = draw_views(6, generator=torch.Generator().manual_seed(0))
    together = apply_views(images, views)
    one_by_one = [
        apply_views(images[i : i + 1], views[i : i + 1]) for i in range(6)
    ]
    assert torch.equal(together, torch.cat(one_by_one))


def test_all_162_views_are_drawn_about_equally_often():
    views = draw_views(162_000, generator=torch.Generator().manual_seed(0))
    kinds, counts = views.unique(dim=0, return_counts=True)
    assert len(kinds) == 162
    # 1,000 expected of each, with a standard deviation of 32.
    assert counts.min() > 840 and counts.max() < 1160


def test_the_same_generator_gives_the_same_views():
    first, second = (
        draw_views(50, generator=torch.Generator().manual_seed(7))
        for _ in range(2)
    )
    assert torch.equal(first, second)


def test_views_must_match_the_images():
    with pytest.raises(ValueError, match=r"\(2, 3\), got \(3, 3\)"):
        apply_views(torch.zeros(2, 1, 4, 4), torch.zeros(3, 3).long())


PADDING = 2
BANK = Bank.every(6, padding=PADDING)


@pytest.fixture(scope="module")
def teacher():
    torch.manual_seed(0)
    return ResNet(width=8, num_classes=5).eval()


@pytest.fixture(scope="module")
def images():
    generator = torch.Generator().manual_seed(0)
    shape = (6, 3, 8, 8)
    return torch.randint(256, shape, dtype=torch.uint8, generator=generator)


@pytest.fixture(scope="module")
def table(teacher, images):
    normalise = Normalise.of(images)
    return build_table(
        lambda pixels: predict(teacher, pixels, normalise), images, BANK
    )


def test_every_view_is_there_once():
    views = every_view(4)
    assert views.shape == (162, 3)
    assert len(views.unique(dim=0)) == 162


def test_the_table_equals_the_live_teacher(teacher, images, table):
    assert table.shape == (6, 50, 5) and table.dtype is torch.float16
    generator = torch.Generator().manual_seed(1)
    indices = torch.randint(6, (200,), generator=generator)
    columns = BANK.choose(indices, 1, generator)
    crops = BANK.show(images, indices, columns)
    live = predict(teacher, crops, Normalise.of(images))
    cached = look_up(table, indices, columns)
    assert cached.dtype is torch.float32
    # Half precision keeps 11 bits.
    torch.testing.assert_close(cached, live, rtol=2**-10, atol=1e-3)
    # Another view of the same image has another answer.
    other = look_up(table, indices, columns.roll(1))
    assert (other - live).abs().max() > 0.01


@pytest.mark.parametrize("padding", [0, 2])
def test_what_is_not_mirrored_is_shown_in_every_shift(padding):
    bank = Bank.every(1, padding=padding, mirror=False)
    assert bank.views.shape == (1, (2 * padding + 1) ** 2, 3)
    batch, generator = torch.zeros(500).long(), torch.Generator()
    columns = bank.choose(batch, 1, generator.manual_seed(3))
    drawn = draw_views(
        500, padding=padding, generator=generator.manual_seed(3)
    )
    assert torch.equal(bank.views[0, columns, :2], drawn[:, :2])
    assert len(columns.unique()) == bank.views.shape[1]
    turns = Bank.drawn(40, 5, padding=padding, mirror=False).views
    for views in (bank.views, turns):
        assert not views[..., 2].any()
    # The crops are those of the mirrored bank.
    assert torch.equal(
        turns[..., :2], Bank.drawn(40, 5, padding=padding).views[..., :2]
    )


def test_the_bank_of_all_views_draws_as_draw_views_does():
    batch = torch.tensor([4, 0, 2])
    generator = torch.Generator().manual_seed(3)
    columns = BANK.choose(batch, 1, generator)
    again = torch.Generator().manual_seed(3)
    views = draw_views(3, padding=PADDING, generator=again)
    assert torch.equal(BANK.views[batch, columns], views)
    assert torch.equal(generator.get_state(), again.get_state())


def test_a_bank_shows_its_views_in_turn_and_mirrors_every_other():
    bank = Bank.drawn(40, 5, padding=2)
    assert bank.views.shape == (40, 5, 3)
    batch, generator = torch.arange(40), torch.Generator().manual_seed(0)
    turns = [bank.choose(batch, e, generator) for e in range(1, 8)]
    assert [t.unique().tolist() for t in turns] == [
        [0],
        [1],
        [2],
        [3],
        [4],
        [0],
        [1],
    ]
    mirrored = bank.views[:, :, 2]
    assert torch.equal(mirrored[:, 1:], 1 - mirrored[:, :-1])
    assert 8 < mirrored[:, 0].sum() < 32
    assert bank.views[..., :2].unique().tolist() == [0, 1, 2, 3, 4]
    # A smaller bank begins like a larger one, and any two are the same.
    fewer = Bank.drawn(40, 3, padding=2)
    assert torch.equal(fewer.views, bank.views[:, :3])


def test_a_table_of_a_drawn_bank_is_the_live_teacher(teacher, images):
    bank, normalise = Bank.drawn(6, 4, padding=PADDING), Normalise.of(images)
    made = build_table(lambda x: predict(teacher, x, normalise), images, bank)
    assert made.shape == (6, 4, 5)
    every = torch.arange(6)
    for epoch in range(1, 5):
        columns = bank.choose(every, epoch, torch.Generator())
        shown = bank.show(images, every, columns)
        live = predict(teacher, shown, normalise)
        cached = look_up(made, every, columns)
        torch.testing.assert_close(cached, live, rtol=2**-10, atol=1e-3)


@pytest.mark.parametrize("far", [7e4, -7e4, float("nan"), float("inf")])
def test_logits_beyond_half_precision_are_refused(images, far):
    logits = torch.tensor([[far, 1.0, 0.0]]).expand(6, 3)
    with pytest.raises(ValueError, match="half precision"):
        build_table(lambda pixels: logits, images, BANK)


@pytest.mark.parametrize("view", [[-3, 0, 0], [0, 5, 0], [0, 0, 2]])
def test_views_out_of_range_are_refused(images, view):
    views = torch.tensor([view]).expand(6, 3)
    with pytest.raises(ValueError, match="views must lie in"):
        apply_views(images, views, padding=PADDING)


def test_negative_indices_are_refused(table):
    zero, below = torch.tensor([0]), torch.tensor([-1])
    for indices, columns in ((zero, below), (below, zero)):
        with pytest.raises(ValueError, match="-1 is negative"):
            look_up(table, indices, columns)


def test_a_stored_table_comes_back(tmp_path, teacher, images, table):
    path = tmp_path / "table.safetensors"
    save_table(path, table, teacher, images, BANK)
    assert torch.equal(load_table(path, teacher, images, BANK), table)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_table_of_others_is_refused(tmp_path, teacher, images, table):
    path = tmp_path / "table.safetensors"
    save_table(path, table, teacher, images, BANK)
    changed = images.clone()
    changed[3, 1, 4, 4] ^= 1
    with pytest.raises(ValueError, match="not a table of these images"):
        load_table(path, teacher, changed, BANK)
    other = ResNet(width=8, num_classes=5)
    other.load_state_dict(teacher.state_dict())
    assert torch.equal(load_table(path, other, images, BANK), table)
    with torch.no_grad():
        other.fc.bias[0] += 1e-3
    with pytest.raises(ValueError, match="not a table of these weights"):
        load_table(path, other, images, BANK)
    for bank in (Bank.every(6, padding=1), Bank.drawn(6, 50, padding=2)):
        with pytest.raises(ValueError, match="not a table of these views"):
            load_table(path, teacher, images, bank)


def test_a_damaged_table_is_named(tmp_path, teacher, images, table):
    path = tmp_path / "table"
    save_table(path, table, teacher, images, BANK)
    whole = path.read_bytes()
    for end in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match="table is damaged.*delete it"):
            load_table(path, teacher, images, BANK)


def test_building_leaves_the_teacher_alone(images):
    torch.manual_seed(0)
    teacher = ResNet(width=8, num_classes=5)
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    normalise = Normalise.of(images)
    build_table(
        lambda pixels: predict(teacher, pixels, normalise),
        images[:2],
        Bank.every(2, padding=1),
    )
    after = teacher.state_dict()
    assert all(torch.equal(value, after[k]) for k, value in before.items())


def test_digests_see_the_shape(tmp_path, images, table):
    path = tmp_path / "table.safetensors"
    teacher = nn.Linear(2, 2)
    save_table(path, table, teacher, images, BANK)
    with pytest.raises(ValueError, match="not a table of these images"):
        load_table(
            path, teacher, images.transpose(2, 3).reshape(6, 3, 4, 16), BANK
        )
