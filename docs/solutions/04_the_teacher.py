"""What the solutions of chapter 4, The teacher, claim."""

import copy

import torch
from safetensors.torch import load_file
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from labkd import records
from labkd.calibration import expected_calibration_error
from labkd.data import load
from labkd.pixels import Normalise
from labkd.resnet import ResNet
from labkd.soft_targets import soften

torch.set_num_threads(1)


def sides_and_cost(model, side, channels=3):
    # On a device of shapes without numbers, where nothing is computed.
    seen, model = [], model.to("meta").eval()
    for name in ("conv1", "maxpool", "layer1", "layer2", "layer3", "layer4"):
        if module := getattr(model, name, None):
            module.register_forward_hook(
                lambda module, given, out: seen.append(out.shape[-1])
            )
    with FlopCounterMode(display=False) as counter:
        model(torch.empty(1, channels, side, side, device="meta"))
    return seen, counter.get_total_flops()


def exercise_1():
    photographs, little = sides_and_cost(resnet18(num_classes=10), 96)
    assert photographs == [48, 24, 24, 12, 6, 3]
    small_images, much = sides_and_cost(ResNet("resnet18"), 96)
    assert small_images == [96, 96, 48, 24, 12]
    between = ResNet("resnet18")
    between.conv1 = nn.Conv2d(3, 64, 3, stride=2, padding=1, bias=False)
    middle, some = sides_and_cost(between, 96)
    assert middle == [48, 48, 24, 12, 6] and little < some < much
    assert 15 < much / little < 17
    return f"{small_images} costs {much / little:.1f} times {photographs}"


def narrow(width=4):
    torch.manual_seed(0)
    return ResNet("resnet18", width=width, in_channels=1)


def exercise_2():
    teacher, data = narrow(), load("digits", "train").take(torch.arange(32))
    images = Normalise.of(data.images)(data.images)
    before = copy.deepcopy(teacher.state_dict())
    parameters = [p.clone() for p in teacher.parameters()]
    with torch.no_grad():
        teacher.train()(images)
    changed = {
        key
        for key, value in teacher.state_dict().items()
        if not torch.equal(value, before[key])
    }
    kinds = {key.rpartition(".")[2] for key in changed}
    assert kinds == {"running_mean", "running_var", "num_batches_tracked"}
    assert changed == {name for name, _ in teacher.named_buffers()}
    # The test that looks at parameters alone sees nothing.
    for old, new in zip(parameters, teacher.parameters(), strict=True):
        assert torch.equal(old, new)
    after = copy.deepcopy(teacher.state_dict())
    with torch.no_grad():
        teacher.eval()(images)
    for key, value in teacher.state_dict().items():
        assert torch.equal(value, after[key])
    return f"{len(changed)} buffers changed, and no parameter"


def strided_shortcuts(model):
    return [
        module
        for module in model.modules()
        if isinstance(module, nn.Conv2d)
        and (module.kernel_size, module.stride) == ((1, 1), (2, 2))
    ]


def exercise_3():
    shortcut, *others = strided_shortcuts(narrow())
    x = torch.randn(1, 4, 8, 8, requires_grad=True)
    above = torch.randn(1, 8, 4, 4)
    (pull,) = torch.autograd.grad(shortcut(x), x, above)
    matrix = shortcut.weight[:, :, 0, 0].detach()  # (outputs, inputs)
    kept = torch.einsum("oi,nohw->nihw", matrix, above)
    torch.testing.assert_close(pull[:, :, ::2, ::2], kept)
    reached = (pull.abs().sum(1) > 0).double().mean().item()
    assert reached == 1 / 4
    for layout in ("resnet18", "resnet34", "resnet50"):
        with torch.device("meta"):
            assert len(strided_shortcuts(ResNet(layout))) == 3
    return f"one pixel in {1 / reached:.0f} is left, {len(others) + 1} times"


def for_photographs(width):
    model = narrow(width)
    model.conv1 = nn.Conv2d(1, width, 7, stride=2, padding=3, bias=False)
    model.relu = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return model


def exercise_4():
    digit = {"side": 16, "channels": 1}
    seen, cost = sides_and_cost(narrow(), **digit)
    ratios = {}
    for width in (4, 8, 12, 16):
        sides, its = sides_and_cost(for_photographs(width), **digit)
        # However wide, a single position in the last two stages.
        assert sides[-2:] == [1, 1] and seen[-2:] == [4, 2]
        ratios[width] = its / cost
    # Twice the width, nearly four times the cost; thrice makes them equal,
    # and four times would pay nearly double.
    assert 3.5 < ratios[8] / ratios[4] < 4 and 3.5 < ratios[16] / ratios[8] < 4
    assert 0.97 < ratios[12] < 1.03 and ratios[16] > 1.7
    told = (f"{width}: {ratio:.2f}" for width, ratio in ratios.items())
    return "cost by width, in units of the other network's " + ", ".join(told)


def exercise_5():
    path = records.path_of("teacher-resnet18-cifar10", "laptop", 0)
    v = load_file(path.with_suffix(".logits.safetensors"))["test"].double()
    labels = torch.arange(10).repeat_interleave(1000)
    ece, sure, right, spread = [], [], [], []
    for logits in (v, 3 * v):
        p = soften(logits, 1.0)
        right.append((logits.argmax(1) == labels).sum().item())
        sure.append(p.amax(1).mean().item())
        ece.append(expected_calibration_error(p, labels))
        spread.append(torch.special.entr(p).sum(1).median().item())
    assert right[0] == right[1] and sure[0] < sure[1] < 1
    assert ece[1] > 3 * ece[0] and spread[1] < spread[0] / 5
    torch.testing.assert_close(soften(3 * v, 3.0), soften(v, 1.0))
    return f"ECE {ece[0]:.3f} and {ece[1]:.3f}, undone by T = 3"


if __name__ == "__main__":
    for n in range(1, 6):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
