"""What the solutions of chapter 4, The teacher, claim."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

from labkd.data import load
from labkd.pixels import Normalise
from labkd.resnet import ResNet

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


def digits(split):
    data = load("digits", split)
    return data.images.float() / 127.5 - 1, data.labels


def shifted(images):
    padded = F.pad(images, (1, 1, 1, 1), value=-1.0)
    top, left = torch.randint(3, (2,)).tolist()
    return padded[:, :, top : top + 8, left : left + 8]


def percent_right(stem, epochs, seed, learning_rate=0.1):
    torch.manual_seed(seed)
    model = ResNet("resnet18", width=8, in_channels=1)
    if stem == "stem for photographs":
        model.conv1 = nn.Conv2d(1, 8, 7, stride=2, padding=3, bias=False)
        model.relu = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    batches = DataLoader(TensorDataset(*digits("train")), 128, shuffle=True)
    optimizer = torch.optim.SGD(
        model.parameters(),
        learning_rate,
        momentum=0.9,
        weight_decay=5e-4,
        nesterov=True,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        learning_rate,
        total_steps=epochs * len(batches),
        pct_start=0.25,
        anneal_strategy="linear",
        cycle_momentum=False,
    )
    for _ in range(epochs):
        for images, labels in batches:
            loss = F.cross_entropy(model(shifted(images)), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    images, labels = digits("test")
    with torch.no_grad():
        hits = model.eval()(images).argmax(1) == labels
    return 100 * hits.double().mean().item()


def exercise_4():
    photographs, small_images = "stem for photographs", "stem for small images"
    leads = []
    for rate in (0.03, 0.3):
        ours = percent_right(small_images, 20, 0, rate)
        leads.append(ours - percent_right(photographs, 20, 0, rate))
    assert min(leads) > 0
    short, long, rival = (
        percent_right(stem, epochs, seed=1)
        for stem, epochs in (
            (photographs, 20),
            (photographs, 40),
            (small_images, 20),
        )
    )
    assert short < long < rival
    return (
        f"ahead by {leads[0]:.1f} and {leads[1]:.1f} points at other rates; "
        f"with the stem for photographs {short:.1f} %, after twice the epochs "
        f"{long:.1f} %, with the other {rival:.1f} %"
    )


if __name__ == "__main__":
    for n in range(1, 5):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
