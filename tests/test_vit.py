"""The transformer is torchvision's; the token is Touvron's."""

import pytest
import torch
from torchvision.models import VisionTransformer as Torchvision

from labkd.vit import Block, VisionTransformer, joint_log_probabilities

SIZES = {
    "image_size": 16,
    "patch_size": 4,
    "in_channels": 3,
    "num_classes": 7,
    "width": 24,
    "depth": 3,
    "heads": 4,
    "mlp_ratio": 2.0,
}


def build(seed=0, **changes):
    torch.manual_seed(seed)
    return VisionTransformer(**SIZES | changes)


def from_torchvision(theirs):
    """Our names for torchvision's weights."""
    names = {
        "class_token": "class_token",
        "encoder.pos_embedding": "positions",
        "conv_proj.": "patch_projection.",
        "encoder.ln.": "norm.",
        "heads.head.": "head.",
        "encoder.layers.encoder_layer_": "blocks.",
        ".ln_1.": ".attention_norm.",
        ".self_attention.in_proj_": ".query_key_value.",
        ".self_attention.out_proj.": ".projection.",
        ".ln_2.": ".mlp_norm.",
        ".mlp.3.": ".mlp.2.",
    }
    weights = {}
    for name, value in theirs.state_dict().items():
        for old, new in names.items():
            name = name.replace(old, new)
        weights[name] = value
    return weights


def test_equals_torchvision_with_its_weights():
    torch.manual_seed(1)
    theirs = Torchvision(16, 4, 3, 4, 24, 48, num_classes=7)
    # torchvision starts the head and the class token at zero.
    for parameter in theirs.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    ours = build()
    ours.load_state_dict(from_torchvision(theirs))
    images = torch.randn(5, 3, 16, 16)
    with torch.no_grad():
        torch.testing.assert_close(
            ours.eval()(images), theirs.eval()(images), rtol=1e-5, atol=1e-5
        )


def test_the_token_changes_no_other_initial_value():
    plain = build().state_dict()
    token = build(distillation_token=True).state_dict()
    assert all(
        torch.equal(value, token[name]) for name, value in plain.items()
    )
    extra = set(token) - set(plain)
    assert extra == {
        "distillation_token",
        "distillation_head.weight",
        "distillation_head.bias",
    }


def test_two_heads_in_training_one_answer_in_evaluation():
    model = build(distillation_token=True)
    images = torch.randn(5, 3, 16, 16)
    class_logits, token_logits = model.train()(images)
    assert class_logits.shape == token_logits.shape == (5, 7)
    assert not torch.equal(class_logits, token_logits)
    joint = model.eval()(images)
    mean = (class_logits.softmax(1) + token_logits.softmax(1)) / 2
    torch.testing.assert_close(joint.exp(), mean)
    torch.testing.assert_close(joint.softmax(1), mean)


def test_the_mean_of_softmaxes_is_not_the_mean_of_logits():
    sure = torch.tensor([[8.0, 0.0, 0.0]])
    unsure = torch.tensor([[0.0, 1.0, 0.0]])
    joint = joint_log_probabilities(sure, unsure).exp()
    averaged = ((sure + unsure) / 2).softmax(1)
    # Two thirds of the doubt remains in one and nearly none in the other.
    assert joint[0, 0] < 0.65 and averaged[0, 0] > 0.9
    far = joint_log_probabilities(1e4 * sure, -1e4 * sure)
    assert far.isfinite()[0, 0]


def test_patches_are_cut_row_by_row():
    model = build().eval()
    with torch.no_grad():
        image = torch.randn(1, 3, 16, 16)
        # Without blocks and positions a token is the projection of a patch.
        model.blocks = torch.nn.ModuleList()
        model.positions.zero_()
        model.norm = torch.nn.Identity()
        tokens = model.encode(image)
        assert tokens.shape == (1, 1 + 16, 24)
        patch = image[:, :, 4:8, 8:12]  # second row, third column
        expected = model.patch_projection(patch).flatten()
    torch.testing.assert_close(tokens[0, 1 + 4 + 2], expected)


def test_drop_path_grows_from_block_to_block():
    rates = [block.drop_path for block in build(drop_path=0.5).blocks]
    assert rates == [0.0, 0.25, 0.5]


def test_every_parameter_learns():
    model = build(distillation_token=True).train()
    class_logits, token_logits = model(torch.randn(2, 3, 16, 16))
    (class_logits.square().sum() + token_logits.square().sum()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_size": 5}, "16 is no multiple of patch_size 5"),
        ({"patch_size": 0}, "patch_size 0"),
        ({"heads": 5}, "24 is no multiple of heads 5"),
        ({"heads": 0}, "heads 0"),
        ({"drop_path": 1.0}, "got 1.0"),
    ],
)
def test_bad_sizes(change, message):
    with pytest.raises(ValueError, match=message):
        build(**change)


SIDE_32 = {
    "image_size": 32,
    "patch_size": 8,
    "in_channels": 3,
    "num_classes": 10,
    "width": 8,
    "depth": 1,
    "heads": 2,
    "mlp_ratio": 2.0,
}


@pytest.mark.parametrize("shape", [(33, 33), (35, 32), (16, 64), (24, 24)])
def test_images_of_another_size_are_refused(shape):
    model = VisionTransformer(**SIDE_32)
    with pytest.raises(ValueError, match="32 x 32"):
        model(torch.zeros(2, 3, *shape))


@pytest.mark.parametrize(
    "change",
    [
        {"image_size": 0},
        {"depth": -3},
        {"num_classes": 0},
        {"in_channels": 0},
    ],
)
def test_sizes_below_one_are_refused(change):
    with pytest.raises(ValueError):
        VisionTransformer(**(SIDE_32 | change))


def block_of(drop_path=0.0):
    torch.manual_seed(0)
    return Block(12, 3, 24, drop_path)


def test_attention_by_hand():
    block, tokens = block_of(), torch.randn(2, 5, 12)
    query, key, value = block.query_key_value(tokens).chunk(3, dim=-1)
    mixed = []
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / 4**0.5
        mixed.append(scores.softmax(-1) @ value[..., part])
    expected = block.projection(torch.cat(mixed, dim=-1))
    torch.testing.assert_close(block.attend(tokens), expected)


def test_tokens_have_no_order_of_their_own():
    block, tokens = block_of(), torch.randn(1, 5, 12)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(
        block(tokens[:, order]), block(tokens)[:, order]
    )


def test_a_block_of_zero_weights_changes_nothing():
    block, tokens = block_of(), torch.randn(2, 5, 12)
    for layer in (block.projection, block.mlp[2]):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    assert torch.equal(block(tokens), tokens)


def test_drop_path_skips_images_and_keeps_the_mean():
    block, branch = block_of(drop_path=0.5), torch.ones(4000, 1, 1)
    torch.manual_seed(0)
    kept = block.train()._kept(branch)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept.mean().item() == pytest.approx(1, abs=0.1)
    assert torch.equal(block.eval()._kept(branch), branch)
