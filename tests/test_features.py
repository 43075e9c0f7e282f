"""Features and relations: NumPy, invariants, a hint, bad input."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.features import (
    Regressor,
    attention_transfer_loss,
    capture,
    hint_loss,
    relational_loss,
    token_grid,
    train_on_hints,
)
from labkd.vit import VisionTransformer

LOSSES = (hint_loss, attention_transfer_loss, relational_loss)


def drawn(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=dtype)


def pair(loss, dtype=torch.float64):
    """Arguments that a loss takes, of student and teacher."""
    shape = (5, 4) if loss is relational_loss else (3, 4, 6, 6)
    return drawn(*shape, dtype=dtype), drawn(*shape, seed=1, dtype=dtype)


def gradient(loss, student, teacher):
    student = student.clone().requires_grad_()
    return torch.autograd.grad(loss(student, teacher), student)[0]


def same(value, expected):
    assert value.item() == pytest.approx(expected, rel=0, abs=1e-9)


# Against NumPy


def test_hint_loss_equals_numpy():
    student, teacher = pair(hint_loss)
    u, r = teacher.numpy(), student.numpy()
    by_image = ((u - r) ** 2).reshape(3, -1).sum(1) / (4 * 6 * 6)
    same(hint_loss(student, teacher), by_image.mean())


def averaged(energy, rows, columns):
    """Means over the cells of a coarser grid, which may share an edge."""
    batch, height, width = energy.shape
    coarse = np.empty((batch, rows, columns))
    for i in range(rows):
        top, bottom = i * height // rows, -(-(i + 1) * height // rows)
        for j in range(columns):
            left = j * width // columns
            right = -(-(j + 1) * width // columns)
            cell = energy[:, top:bottom, left:right]
            coarse[:, i, j] = cell.mean(axis=(1, 2))
    return coarse


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [((6, 6), (6, 6)), ((8, 8), (4, 4)), ((4, 4), (7, 5)), ((3, 8), (6, 2))],
)
def test_attention_transfer_loss_equals_numpy(ours, theirs):
    student, teacher = drawn(3, 5, *ours), drawn(3, 2, *theirs, seed=1)
    grid = np.minimum(ours, theirs)
    maps = []
    for features in (student.numpy(), teacher.numpy()):
        energy = averaged((features**2).sum(axis=1), *grid)
        flat = energy.reshape(3, -1)
        maps.append(flat / np.sqrt((flat**2).sum(axis=1, keepdims=True)))
    expected = ((maps[0] - maps[1]) ** 2).mean()
    same(attention_transfer_loss(student, teacher), expected)


def huber(difference):
    size = abs(difference)
    return size**2 / 2 if size <= 1 else size - 0.5


def relations(x):
    """Distances in units of their mean, and cosines at the second point."""
    rows = len(x)
    distance = [[np.linalg.norm(a - b) for b in x] for a in x]
    distance = np.array(distance)
    mean = distance[~np.eye(rows, dtype=bool)].mean()
    cosine = np.zeros((rows, rows, rows))
    for i in range(rows):
        for j in range(rows):
            for k in range(rows):
                if distance[i, j] > 0 and distance[k, j] > 0:
                    product = np.dot(x[i] - x[j], x[k] - x[j])
                    scale = distance[i, j] * distance[k, j]
                    cosine[i, j, k] = product / scale
    return distance / mean, cosine


@pytest.mark.parametrize("weights", [(25.0, 50.0), (3.0, 0.0), (0.0, 7.0)])
@pytest.mark.parametrize("equal", [False, True])
def test_relational_loss_equals_numpy(weights, equal):
    # One far away, so that some differences are beyond Huber's knee.
    student, teacher = drawn(6, 3), drawn(6, 8, seed=1)
    student[0] *= 30
    if equal:
        student[2] = student[1]
        teacher[4] = teacher[3]
    ours, theirs = relations(student.numpy()), relations(teacher.numpy())
    terms = [
        np.mean([huber(a - b) for a, b in zip(x.flat, y.flat, strict=True)])
        for x, y in zip(ours, theirs, strict=True)
    ]
    assert max(abs(ours[0] - theirs[0]).flat) > 1
    got = relational_loss(
        student, teacher, distance_weight=weights[0], angle_weight=weights[1]
    )
    same(got, weights[0] * terms[0] + weights[1] * terms[1])


def test_the_weights_of_the_paper_are_the_defaults():
    student, teacher = pair(relational_loss)
    by_distance, by_angle = (
        relational_loss(
            student, teacher, distance_weight=d, angle_weight=1 - d
        )
        for d in (1, 0)
    )
    assert by_distance > 0.01 and by_angle > 0.01
    expected = (25 * by_distance + 50 * by_angle).item()
    same(relational_loss(student, teacher), expected)


# Gradients


@pytest.mark.parametrize("loss", LOSSES)
def test_gradcheck(loss):
    student, teacher = pair(loss)
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda s: loss(s, teacher), student)


@pytest.mark.parametrize("loss", LOSSES)
def test_no_gradient_reaches_the_teacher(loss):
    student, teacher = (x.requires_grad_() for x in pair(loss))
    loss(student, teacher).backward()
    assert teacher.grad is None and student.grad.abs().max() > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_to_learn_from_oneself(loss):
    student, _ = pair(loss)
    same(loss(student, student), 0.0)
    assert gradient(loss, student, student.clone()).abs().max() < 1e-12


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(loss, dtype):
    # 1,000 squared is more than float16 holds.
    student, teacher = (1e3 * x for x in pair(loss, torch.float32))
    value = loss(student.to(dtype), teacher.to(dtype))
    assert value.dtype is torch.float32 and value.isfinite()
    exact = loss(student.to(dtype).double(), teacher.to(dtype).double())
    assert value.item() == pytest.approx(exact.item(), rel=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_value_checks_do_not_run_off_the_cpu(loss):
    # "meta" tensors have no values: a check that reads them raises.
    student, teacher = (x.to("meta") for x in pair(loss))
    assert loss(student, teacher).device.type == "meta"


# Attention


def test_attention_does_not_know_channels():
    student, teacher = drawn(3, 7, 5, 5), drawn(3, 4, 5, 5, seed=1)
    expected = attention_transfer_loss(student, teacher).item()
    assert expected > 1e-4
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    same(attention_transfer_loss(student[:, order], teacher), expected)
    same(attention_transfer_loss(-student, teacher), expected)
    doubled = torch.cat([student, student], dim=1)
    same(attention_transfer_loss(doubled, teacher), expected)


@pytest.mark.parametrize("scale", [1e-3, 0.5, 1e4])
def test_attention_does_not_know_scale(scale):
    student, teacher = drawn(3, 7, 5, 5), drawn(3, 4, 5, 5, seed=1)
    expected = attention_transfer_loss(student, teacher).item()
    same(attention_transfer_loss(scale * student, teacher), expected)
    same(attention_transfer_loss(student, scale * teacher), expected)


def test_attention_knows_places():
    student, teacher = drawn(3, 7, 5, 5), drawn(3, 4, 5, 5, seed=1)
    mirrored = attention_transfer_loss(student.flip(3), teacher)
    other = attention_transfer_loss(student, teacher)
    assert abs(mirrored - other) > 1e-4


def test_features_that_are_off_have_no_attention_and_no_gradient():
    student = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
    teacher = drawn(2, 3, 4, 4)
    # A unit vector over 16 positions.
    same(attention_transfer_loss(student, teacher), 1 / 16)
    slope = gradient(attention_transfer_loss, student, teacher)
    assert torch.equal(slope, torch.zeros_like(slope))


# Relations


def test_relations_do_not_know_rotation_shift_and_scale():
    student, teacher = drawn(7, 4), drawn(7, 5, seed=1)
    expected = relational_loss(student, teacher).item()
    assert expected > 1
    turn, _ = torch.linalg.qr(drawn(4, 4, seed=2))
    same(relational_loss(student @ turn, teacher), expected)
    same(relational_loss(student + drawn(4, seed=3), teacher), expected)
    same(relational_loss(1e-4 * student, teacher), expected)
    moved = 300 * teacher @ torch.linalg.qr(drawn(5, 5, seed=4))[0] - 1
    same(relational_loss(student, moved), expected)
    stretched = student * torch.tensor([1.0, 1.0, 1.0, 5.0])
    assert abs(relational_loss(stretched, teacher) - expected) > 0.1


def test_relations_do_not_know_the_order_of_the_batch():
    student, teacher = drawn(7, 4), drawn(7, 5, seed=1)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    expected = relational_loss(student, teacher).item()
    same(relational_loss(student[order], teacher[order]), expected)
    assert abs(relational_loss(student[order], teacher) - expected) > 0.1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [[2], [1, 2, 4], [0, 1, 2, 3, 4]])
@pytest.mark.parametrize("of", ["student", "teacher", "both"])
def test_equal_rows_have_moderate_gradients(rows, of, dtype):
    student, teacher = pair(relational_loss, dtype)
    usual = gradient(relational_loss, student, teacher).abs().max()
    if of != "teacher":
        student[rows] = student[0].clone()
    if of != "student":
        teacher[rows] = teacher[0].clone()
    assert relational_loss(student, teacher).isfinite()
    slope = gradient(relational_loss, student, teacher)
    # The naive unit vector would give 1e12 here, and the root not a number.
    assert slope.isfinite().all() and slope.abs().max() < 100 * usual


def test_rows_that_nearly_coincide_keep_their_digits():
    # Squares and products would lose a distance of 1e-9 beside norms of 1e3.
    student, teacher = drawn(5, 4) + 1e3, drawn(5, 4, seed=1)
    student[1] = student[0] + torch.tensor([1e-9, 0, 0, 0])
    distances, _ = relations(student.numpy())
    expected, _ = relations(teacher.numpy())
    value = np.mean(
        [
            huber(a - b)
            for a, b in zip(distances.flat, expected.flat, strict=True)
        ]
    )
    got = relational_loss(
        student, teacher, distance_weight=1.0, angle_weight=0.0
    )
    same(got, value)
    assert distances[0, 1] == pytest.approx(4e-10, rel=0.5)


# Taking features from a network


def network(channels=4, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels, 3),
    ).double()


def hooks(model):
    return sum(len(part._forward_hooks) for part in model.modules())


def test_what_is_captured_is_what_the_parts_put_out():
    model, images = network().eval(), drawn(2, 1, 6, 6)
    plain = model(images)
    with capture(model, "2", "5", "") as seen:
        assert seen == {}
        logits = model(images)
    torch.testing.assert_close(logits, plain, rtol=0, atol=0)
    assert sorted(seen) == ["", "2", "5"]
    torch.testing.assert_close(seen["2"], model[:3](images))
    torch.testing.assert_close(seen["5"], model[:6](images))
    assert seen[""] is logits
    # The gradient goes on through what was seen.
    seen["2"].sum().backward()
    assert model[0].weight.grad.abs().sum() > 0
    assert model[3].weight.grad is None


def test_hooks_are_gone_afterwards():
    model, images = network(), drawn(2, 1, 6, 6)
    with capture(model, "2", "4") as seen:
        assert hooks(model) == 2
    assert hooks(model) == 0
    model(images)
    assert seen == {}
    with pytest.raises(KeyError), capture(model, "2"):
        raise KeyError
    assert hooks(model) == 0


def test_what_is_overwritten_in_place_is_seen_overwritten():
    images = drawn(2, 1, 6, 6)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(inplace=True)).double()
    with capture(model, "0") as seen:
        model(images)
    assert torch.equal(seen["0"], model[0](images).relu())


def test_no_part_of_that_name():
    model = network()
    with (
        pytest.raises(ValueError, match="no part 'layer9'"),
        capture(model, "2", "layer9"),
    ):
        pass
    assert hooks(model) == 0


@pytest.mark.parametrize("token", [False, True])
def test_a_patch_is_where_it_is_in_the_image(token):
    torch.manual_seed(0)
    model = VisionTransformer(
        image_size=12,
        patch_size=3,
        in_channels=1,
        num_classes=3,
        width=8,
        # No attention, which would carry a change to every token.
        depth=0,
        heads=2,
        mlp_ratio=1.0,
        distillation_token=token,
    )
    special_tokens = 1 + token
    before = torch.zeros(1, 1, 12, 12)
    after = before.clone()
    after[0, 0, 6:9, 3:6] = drawn(3, 3, dtype=torch.float32)
    with torch.no_grad():
        maps = [
            token_grid(model.encode(image), special_tokens=special_tokens)
            for image in (before, after)
        ]
    assert maps[0].shape == (1, 8, 4, 4)
    changed = (maps[0] != maps[1]).any(dim=1)[0]
    assert changed.nonzero().tolist() == [[2, 1]]
    tokens = model.encode(before)
    for wrong in {0, 1, 2, 3} - {special_tokens}:
        with pytest.raises(ValueError, match=f"special_tokens={wrong}"):
            token_grid(tokens, special_tokens=wrong)


def test_tokens_are_captured_too():
    model = VisionTransformer(
        image_size=8,
        patch_size=4,
        in_channels=1,
        num_classes=3,
        width=8,
        depth=2,
        heads=2,
        mlp_ratio=1.0,
    )
    images = torch.randn(2, 1, 8, 8)
    with capture(model, "blocks.1", "norm") as seen:
        model(images)
    torch.testing.assert_close(seen["norm"], model.encode(images))
    torch.testing.assert_close(seen["norm"], model.norm(seen["blocks.1"]))
    assert token_grid(seen["norm"]).shape == (2, 8, 2, 2)


# FitNets


def test_a_regressor_maps_channels_at_every_place():
    regressor = Regressor(3, 5).double()
    features = drawn(2, 3, 4, 6)
    weight = regressor.convolution.weight[:, :, 0, 0]
    by_hand = torch.einsum("tc,bchw->bthw", weight, features)
    by_hand = by_hand + regressor.convolution.bias[:, None, None]
    torch.testing.assert_close(regressor(features), by_hand)
    assert sum(p.numel() for p in regressor.parameters()) == 5 * (3 + 1)


def hint_of(student, teacher, regressor, images):
    with torch.no_grad():
        return hint_loss(
            regressor(student.eval()[:3](images)), teacher[:3](images)
        ).item()


def test_the_first_stage_moves_the_student_up_to_its_guided_layer():
    teacher = network(8, seed=1).requires_grad_(False).eval()
    student, regressor = network(4, seed=2), Regressor(4, 8).double()
    images = drawn(128, 1, 6, 6)
    batches = [(some, None) for some in images.split(32)]
    first = {k: v.clone() for k, v in student.state_dict().items()}
    theirs = {k: v.clone() for k, v in teacher.state_dict().items()}
    before = hint_of(student, teacher, regressor, images)
    train_on_hints(
        student,
        teacher.train(),
        regressor,
        batches,
        student_layer="2",
        teacher_layer="2",
        epochs=20,
        learning_rate=0.02,
    )
    assert hint_of(student, teacher, regressor, images) < 0.3 * before
    after = student.state_dict()
    # Up to the guided layer all has moved, behind it nothing.
    for name, value in first.items():
        if name.endswith(("weight", "bias")):
            moved = not torch.equal(value, after[name])
            assert moved == name.startswith(("0.", "1.")), name
    assert hooks(student) == hooks(teacher) == 0
    assert not teacher.training
    for name, value in teacher.state_dict().items():
        assert torch.equal(value, theirs[name]), name


# Bad input


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("of", ["student", "teacher"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none(loss, of, value):
    student, teacher = pair(loss)
    (student if of == "student" else teacher)[0, 0] = value
    with pytest.raises(ValueError, match=f"{of}_.*found {value}"):
        loss(student, teacher)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("of", ["student", "teacher"])
def test_integers(loss, of):
    student, teacher = pair(loss)
    if of == "student":
        student = student.long()
    else:
        teacher = teacher.long()
    with pytest.raises(ValueError, match=f"{of}_.*got torch.int64"):
        loss(student, teacher)


@pytest.mark.parametrize("loss", LOSSES)
def test_batches_that_differ_or_are_empty(loss):
    student, teacher = pair(loss)
    with pytest.raises(ValueError, match=str(len(student) - 1)):
        loss(student, teacher[1:])
    with pytest.raises(ValueError, match="at least one row"):
        loss(student[:0], teacher[:0])


@pytest.mark.parametrize(
    "shape", [(3, 5, 6, 6), (3, 4, 6, 3), (3, 1, 6, 6), (1, 4, 6, 6), (3, 4)]
)
def test_hints_are_not_broadcast(shape):
    student, _ = pair(hint_loss)
    with pytest.raises(ValueError, match=r"\(3, 4, 6, 6\) and"):
        hint_loss(student, torch.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 6), (3, 4, 6, 6, 1)])
def test_attention_is_of_maps(shape):
    student, _ = pair(attention_transfer_loss)
    for arguments in (
        (student, torch.zeros(shape)),
        (torch.zeros(shape), student),
    ):
        with pytest.raises(ValueError, match="rows, columns"):
            attention_transfer_loss(*arguments)


@pytest.mark.parametrize("shape", [(5,), (5, 4, 1)])
def test_relations_are_of_vectors(shape):
    student, _ = pair(relational_loss)
    with pytest.raises(ValueError, match=r"\(batch, width\)"):
        relational_loss(student, torch.zeros(shape))


@pytest.mark.parametrize("rows", [1, 2])
def test_few_rows_have_no_relations(rows):
    student, teacher = pair(relational_loss)
    with pytest.raises(ValueError, match=f"at least 3 rows, got {rows}"):
        relational_loss(student[:rows], teacher[:rows])


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
@pytest.mark.parametrize("name", ["distance_weight", "angle_weight"])
def test_weights_that_are_none(name, weight):
    with pytest.raises(ValueError, match=f"{name} .*got {weight}"):
        relational_loss(*pair(relational_loss), **{name: weight})


@pytest.mark.parametrize(
    ("tokens", "special_tokens"), [(17, 0), (17, 2), (18, 1), (1, 1), (17, -1)]
)
def test_tokens_that_make_no_grid(tokens, special_tokens):
    with pytest.raises(ValueError, match=f"special_tokens={special_tokens}"):
        token_grid(torch.zeros(2, tokens, 8), special_tokens=special_tokens)


def test_a_loss_of_one_network_is_the_loss_of_its_maps():
    # All of it together: hooks, a regressor, a loss, a step that helps.
    student, teacher = network(4).train(), network(8, seed=1).eval()
    regressor, images = Regressor(4, 8).double(), drawn(8, 1, 6, 6)
    with capture(student, "4") as ours, capture(teacher, "4") as theirs:
        student(images), teacher(images)
    loss = hint_loss(regressor(ours["4"]), theirs["4"])
    by_hand = F.mse_loss(regressor(student[:5](images)), theirs["4"])
    same(loss, by_hand.item())
