"""The block: attention by hand, residuals, stochastic depth."""

import pytest
import torch

from labkd.attention import Block


def build(drop_path=0.0):
    torch.manual_seed(0)
    return Block(12, 3, 24, drop_path)


def test_attention_by_hand():
    block, tokens = build(), torch.randn(2, 5, 12)
    query, key, value = block.query_key_value(tokens).chunk(3, dim=-1)
    mixed = []
    for head in range(3):
        part = slice(4 * head, 4 * head + 4)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / 4**0.5
        mixed.append(scores.softmax(-1) @ value[..., part])
    expected = block.projection(torch.cat(mixed, dim=-1))
    torch.testing.assert_close(block.attend(tokens), expected)


def test_tokens_have_no_order_of_their_own():
    block, tokens = build(), torch.randn(1, 5, 12)
    order = torch.tensor([3, 0, 4, 1, 2])
    torch.testing.assert_close(
        block(tokens[:, order]), block(tokens)[:, order]
    )


def test_a_block_of_zero_weights_changes_nothing():
    block, tokens = build(), torch.randn(2, 5, 12)
    for layer in (block.projection, block.mlp[2]):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    assert torch.equal(block(tokens), tokens)


def test_drop_path_skips_images_and_keeps_the_mean():
    block, branch = build(drop_path=0.5), torch.ones(4000, 1, 1)
    torch.manual_seed(0)
    kept = block.train()._kept(branch)
    assert set(kept.unique().tolist()) == {0.0, 2.0}
    assert kept.mean().item() == pytest.approx(1, abs=0.1)
    assert torch.equal(block.eval()._kept(branch), branch)
