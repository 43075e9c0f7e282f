"""What the solutions of chapter 12, Fewer pixels, claim."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from labkd.cross_quality import FewerPixels, shrink
from labkd.data import load
from labkd.soft_targets import kl_divergence

torch.set_num_threads(1)


def price(channels, side):
    # Multiply-adds, weights and activations of a 3 x 3 convolution.
    layer = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        out = layer(torch.zeros(1, channels, side, side))
    work = counter.get_total_flops() // 2
    return torch.tensor([work, layer.weight.numel(), out.numel()])


def exercise_1():
    whole = price(8, 28).double()
    narrow, near_sighted = price(4, 28) / whole, price(8, 14) / whole
    assert narrow.tolist() == [1 / 4, 1 / 4, 1 / 2]
    assert near_sighted.tolist() == [1 / 4, 1, 1 / 4]
    told = " ".join(f"{share:g}" for share in (*narrow, *near_sighted))
    return f"work, parameters, activations of either: {told}"


def exercise_2():
    image = load("digits", "train").images[:200].double()
    kept = {}
    for factor in (2, 4):
        small = shrink(image, factor)
        for shift in (1, 2, 4):
            # Round the edge, so that no pixel is lost and none is added.
            moved = shrink(image.roll(shift, -1), factor)
            rolls = range(8 // factor)
            kept[factor, shift] = any(
                torch.equal(moved, small.roll(step, -1)) for step in rolls
            )
    assert [pair for pair, same in kept.items() if same] == [
        *((2, 2), (2, 4), (4, 4))
    ]
    # Cropping first makes more different small images of one.
    first = {
        tuple(shrink(image[:1].roll(shift, -1), 4).flatten().tolist())
        for shift in range(8)
    }
    after = {
        tuple(shrink(image[:1], 4).roll(shift, -1).flatten().tolist())
        for shift in range(8)
    }
    assert len(first) > len(after)
    # In labkd the crop comes first: who shrinks is the student itself.
    student, x = FewerPixels(nn.Flatten(), 2), torch.randn(2, 1, 8, 8)
    assert_close(student(x), F.avg_pool2d(x, 2).flatten(1))
    return f"{len(first)} small images of shifts first, {len(after)} after"


def small_world():
    # All black and white images of 4 x 4 pixels, and a random truth.
    bits = torch.arange(2**16)[:, None] >> torch.arange(16) & 1
    world = bits.double().view(-1, 1, 4, 4)
    torch.manual_seed(0)
    with torch.no_grad():
        gaps = 6 * nn.Sequential(
            *(nn.Flatten(), nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 3))
        ).double()(world)
    return world, gaps.softmax(1)


def mean_over_the_same(views, values):
    _, group = views.unique(dim=0, return_inverse=True)
    sums = values.new_zeros(group.max() + 1, 3).index_add_(0, group, values)
    return (sums / group.bincount()[:, None])[group]  # (images, classes)


def exercise_3():
    world, truth = small_world()
    said = mean_over_the_same(shrink(world, 2).flatten(1), truth)
    # A student of the whole image may say anything of each; at the teacher's
    # own answer nothing pulls at it, and nothing is left of the loss.
    z = said.log().requires_grad_()
    loss = kl_divergence(z, said.log())
    (pull,) = torch.autograd.grad(loss, z)
    assert loss.abs() < 1e-9 > pull.abs().max()
    left = (truth - said).square().sum(1).mean().item()
    noise = [
        (p * (1 - p)).sum(1).mean().item() for p in (said, truth)
    ]  # of hard labels, given s and given x
    assert abs(left - (noise[0] - noise[1])) < 1e-9 and left > 0.01
    # With a share of the labels in the loss it can be mended, in part.
    w = 0.5
    mixed = (1 - w) * truth + w * said
    z = mixed.log().requires_grad_()
    both = (1 - w) * F.cross_entropy(z, truth) + w * F.cross_entropy(z, said)
    assert torch.autograd.grad(both, z)[0].abs().max() < 1e-9
    mended = (truth - mixed).square().sum(1).mean().item()
    assert abs(mended / left - w**2) < 1e-9
    return f"squared error {left:.4f}, with half the weight {mended:.4f}"


def exercise_4():
    share = torch.tensor([0.75, 0.25]).double()
    p = torch.tensor([[0.70, 0.25, 0.05], [0.20, 0.70, 0.10]]).double()
    reply = share @ p
    hard = (reply * (1 - reply)).sum().item()
    soft = (share @ (p - reply).square()).sum().item()
    assert abs(soft - 0.08531) < 6e-6 and abs(hard - 0.53406) < 6e-6
    equal = (hard - soft) / 0.01
    assert abs(equal - 44.875) < 1e-3
    better = next(n for n in range(1, 99) if hard / n < soft / n + 0.01)
    assert better == 45
    # Drawn, and not derived; at 10 images and at 200 the errors are apart.
    torch.manual_seed(0)
    bias = torch.tensor([0.1, 0.0, 0.0]).double()
    for n, ahead in ((10, "soft"), (200, "hard")):
        which = torch.multinomial(share, 2000 * n, replacement=True)
        drawn = F.one_hot(torch.multinomial(p[which], 1)[:, 0], 3).double()
        errors = {
            name: (targets.view(2000, n, 3).mean(1) - reply).square().sum(1)
            for name, targets in (("hard", drawn), ("soft", p[which] + bias))
        }
        assert min(errors, key=lambda name: errors[name].mean()) == ahead
        expected = soft / n + 0.01
        assert abs(errors["soft"].mean().item() / expected - 1) < 0.1
    return f"equal at {equal:.3f}, hard labels better from {better}"


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
