r"""The program of the cheat sheet, and chapter 6 as it runs on a GPU.

Both are for CIFAR-10. Here a stand-in has its place: a few small images in
the form in which torchvision gives them.
"""

import ast
import os
import runpy
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import pytest
import torch
import torch.nn.functional as F
from conftest import ROOT
from PIL import Image
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torchvision import datasets, transforms

from labkd import data, resnet, shipped, soft_targets, vit
from labkd.data import ImageSet

PROGRAM = ROOT / "docs" / "snippets" / "cnn_to_vit.py"


class StandIn:
    r"""Stands for `torchvision.datasets.CIFAR10`, in its order of classes."""

    each = 20  # images of a class
    made = []

    def __init__(self, root, train=True, transform=None, download=False):
        self.train, self.transform = train, transform
        self.made.append((str(root), train, download))
        generator = torch.Generator().manual_seed(int(train))
        classes = torch.arange(10).repeat(self.each)
        order = torch.randperm(len(classes), generator=generator)
        self.targets = classes[order].tolist()
        size = (len(classes), 32, 32, 3)
        self.data = torch.randint(256, size, generator=generator).byte()

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, index):
        image = Image.fromarray(self.data[index].numpy())
        return self.transform(image), self.targets[index]


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setattr(datasets, "CIFAR10", StandIn)
    monkeypatch.setattr(StandIn, "made", [])


@pytest.fixture(scope="module")
def program():
    r"""What the program defines."""
    return runpy.run_path(str(PROGRAM))


ALONE = """
import runpy, sys
import matplotlib.pyplot as plt
sys.modules["labkd"] = None
sys.argv = ["cnn_to_vit.py", "--quick"]
runpy.run_path({!r}, run_name="__main__")
print(*[line.get_label() for line in plt.gca().lines], sep=", ")
"""


def test_the_program_runs_alone(tmp_path):
    printed = subprocess.run(
        [sys.executable, "-c", ALONE.format(str(PROGRAM))],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert [line.split(":")[0] for line in printed[:-1]] == [
        "teacher",
        "by_labels",
        "by_teacher",
    ]
    assert printed[-1] == "labels, soft labels, teacher"
    weights = {
        name: torch.load(tmp_path / f"{name}.pt", weights_only=True)
        for name in ("teacher", "by_labels", "by_teacher")
    }
    assert "1.conv1.weight" in weights["teacher"]
    # From the same initial values two lessons lead to two students.
    students = weights["by_labels"], weights["by_teacher"]
    assert students[0].keys() == students[1].keys()
    assert not torch.equal(*(s["1.head.weight"] for s in students))
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_its_images_are_apart(stand_in, tmp_path):
    # Made anew, so that it finds the stand-in.
    load_images = runpy.run_path(str(PROGRAM))["load_images"]
    training, watched, test = load_images(tmp_path, quick=False)
    assert sorted(StandIn.made) == [
        (str(tmp_path), False, False),
        (str(tmp_path), True, False),
        (str(tmp_path), True, True),
    ]
    assert not test.train and training.dataset.train and watched.dataset.train
    assert sorted([*training.indices, *watched.indices]) == [*range(200)]
    assert len(watched) == 20
    # What is watched stays as it is, and what is learned does not.
    pixels = watched.dataset.data[watched.indices[0]].permute(2, 0, 1) / 255
    torch.testing.assert_close(watched[0][0], pixels)
    torch.testing.assert_close(watched[0][0], watched[0][0])
    assert not torch.equal(training[0][0], training[0][0])


def test_its_teacher_is_the_residual_network_of_the_course(program):
    normalise, network = program["new_teacher"]().eval()
    ours = resnet.ResNet("resnet18").eval()
    ours.load_state_dict(network.state_dict())
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = ours(normalise(images))
        torch.testing.assert_close(network(normalise(images)), expected)
    mean = torch.tensor(normalise.mean)[:, None, None]
    deviation = torch.tensor(normalise.std)[:, None, None]
    torch.testing.assert_close(normalise(images), (images - mean) / deviation)


def test_its_transformer_is_that_of_the_course(program):
    network = program["VisionTransformer"]()
    ours = vit.VisionTransformer(
        image_size=32,
        patch_size=4,
        in_channels=3,
        num_classes=10,
        width=128,
        depth=4,
        heads=4,
        mlp_ratio=2.0,
    )
    names = {
        "projection.weight": "patch_projection.weight",
        "projection.bias": "patch_projection.bias",
    }
    parts = {
        "norm1": "attention_norm",
        "norm2": "mlp_norm",
        "attention.in_proj_": "query_key_value.",
        "attention.out_proj": "projection",
    }
    renamed = {}
    for name, value in network.state_dict().items():
        if name.startswith("blocks."):
            for theirs, our in parts.items():
                name = name.replace(theirs, our)
        renamed[names.get(name, name)] = value
    ours.load_state_dict(renamed)
    images = torch.randn(2, 3, 32, 32)
    # The program leaves PyTorch's small number beside the variance.
    for module in ours.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = 1e-5
    torch.testing.assert_close(network(images), ours(images))


class Watched(nn.Module):
    r"""A small network that notes what it is shown, and how."""

    def __init__(self, seed, dropout=0.0):
        super().__init__()
        torch.manual_seed(seed)
        self.body = nn.Sequential(
            nn.Flatten(),
            nn.Linear(12, 32),
            nn.BatchNorm1d(32),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(32, 10),
        )
        self.seen = []

    def forward(self, images):
        self.seen.append((images, self.training, torch.is_grad_enabled()))
        return self.body(images)


def crops(seed):
    r"""Images of ten classes and their labels; noise is their crop."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(10, 3, 2, 2, generator=generator)
    labels = torch.arange(10).repeat(30)
    noise = torch.randn(300, 3, 2, 2, generator=generator)
    data = TensorDataset(centres[labels] + 0.3 * noise, labels)
    return (
        DataLoader(data, 50, shuffle=True),
        DataLoader(data, 100),
    )


CPU = torch.device("cpu")


def check_loops(functions):
    r"""Both loops, from one seed: what each shows to whom, and how."""
    batches, validation = crops(0)
    teacher, student, other = Watched(0, 0.5), Watched(1), Watched(1)
    settings = batches, validation, 3, 2e-2, CPU
    functions["train_on_labels"](teacher, *settings)
    assert [training for _, training, _ in teacher.seen].count(True) == 3 * 6
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    teacher.train().seen.clear()

    torch.manual_seed(2)
    on_labels = functions["train_on_labels"](student, *settings)
    torch.manual_seed(2)
    taught = functions["train_on_soft_labels"](other, teacher, *settings)
    assert len(on_labels) == len(taught) == 3
    assert on_labels[-1] > 0.9 and taught[-1] > 0.9
    after = teacher.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
    assert {tuple(how) for _, *how in teacher.seen} == {(False, False)}
    # Every crop that the student learns from, and no other.
    learned = [images for images, training, _ in other.seen if training]
    asked = [images for images, *_ in teacher.seen]
    assert len(learned) == len(asked) == 3 * 6
    assert all(map(torch.equal, learned, asked))
    # Both students are shown the same, and watched without gradients.
    assert all(
        map(
            torch.equal,
            *([images for images, *_ in one.seen] for one in (student, other)),
        )
    )
    assert {tuple(how) for _, *how in other.seen} == {
        (True, True),
        (False, False),
    }
    assert functions["accuracy"](other, validation, CPU) == taught[-1]


def test_the_programs_loops(program):
    check_loops(program)


def test_the_programs_loss_is_that_of_the_course(program):
    z, v = torch.randn(2, 64, 10, dtype=torch.float64)
    z.requires_grad_()
    labels = torch.randint(10, (64,))
    ours = program["distillation_loss"](z, v, labels, 3.0, 0.7)
    theirs = soft_targets.distillation_loss(
        z, v, labels, temperature=3.0, soft_weight=0.7
    )
    torch.testing.assert_close(ours, theirs)
    pulls = (torch.autograd.grad(loss, z)[0] for loss in (ours, theirs))
    torch.testing.assert_close(*pulls)
    # With no weight on the teacher it is the first loop's.
    alone = program["distillation_loss"](z, v, labels, soft_weight=0.0)
    torch.testing.assert_close(alone, F.cross_entropy(z, labels))


CHAPTER = ROOT / "notebooks" / "06_from_cnn_to_vit.py"
SHARED = "train_on_labels train_on_soft_labels distillation_loss accuracy"


@pytest.mark.parametrize("name", SHARED.split())
def test_chapter_and_program_share_their_loops(name):
    texts = {
        ast.get_source_segment(text, node)
        for text in (PROGRAM.read_text("utf-8"), CHAPTER.read_text("utf-8"))
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == name
    }
    assert len(texts) == 1


def half_wide(name):
    r"""Stands for the shipped teacher, whose weights need not be there."""
    assert name == "teacher-resnet18-cifar10"
    torch.manual_seed(7)
    network = resnet.ResNet("resnet18", width=8).eval()
    for key, value in {"mean": 0.4, "deviation": 0.2}.items():
        numbers = torch.tensor([value, value + 0.1, value + 0.05])
        network.register_buffer(key, numbers[:, None, None])
    return network


def some_images(root, part):
    r"""Stands for CIFAR-10 as `load` finds it: the stand-in, by class."""
    made = StandIn(root, train=part == "train")
    labels = torch.tensor(made.targets)
    order = labels.argsort(stable=True)
    images = made.data.permute(0, 3, 1, 2)[order]
    names = tuple(map(str, range(10)))
    return ImageSet(images, labels[order], names, "original")


def run_on_cifar10(*changes):
    r"""
    The chapter as one file and as on a GPU, for an epoch of the stand-in.

    * `changes`: more lines of it, each with the line to put in its place
    """
    text = CHAPTER.read_text("utf-8")
    for line, other in (
        ("full = torch.cuda.is_available()", "full = True"),
        ("workers, epochs = 2, 20", "workers, epochs = 0, 1"),
        *changes,
    ):
        assert text.count(line) == 1, line
        text = text.replace(line, other)
    run = {"__name__": "chapter"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(data, "cifar10", some_images)
        patch.setattr(data, "has_known_order", lambda *_: True)
        patch.setattr(StandIn, "each", 10)
        patch.setattr(shipped, "pretrained", half_wide)
        patch.setattr(plt, "show", lambda: plt.close("all"))
        exec(compile(text, str(CHAPTER), "exec"), run)
    return run


@pytest.fixture(scope="module")
def on_cifar10():
    return run_on_cifar10()


def test_chapter_6_trains_on_cifar10(on_cifar10):
    run = on_cifar10
    assert [len(run[name]) for name in ("training", "watched", "test")] == [
        *(90, 10, 100),
    ]
    assert len(run["soft_curve"]) == 1
    # The shipped teacher gets the pixels of its own training.
    normalise, network = run["teacher"]
    pixels = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(
        normalise(pixels), (pixels - network.mean) / network.deviation
    )
    # It was asked and has not learned.
    before = half_wide("teacher-resnet18-cifar10").state_dict()
    after = network.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert not network.training
    first, second = (run[name][1] for name in ("by_labels", "by_teacher"))
    assert not torch.equal(first.head.weight, second.head.weight)


def test_chapter_6_trains_a_teacher_of_ones_own():
    run = run_on_cifar10(("own_teacher = not full", "own_teacher = True"))
    _, network = run["teacher"]
    assert network.conv1.weight.shape == (64, 3, 3, 3)
    assert network.bn1.num_batches_tracked == len(run["batches"])
    images = torch.rand(1, 3, 32, 32)
    assert network.maxpool(network.conv1(images)).shape[2:] == (32, 32)


def test_chapter_6_holds_out_what_its_teacher_never_saw(on_cifar10):
    watched, training = on_cifar10["watched"], on_cifar10["training"]
    # The parts of the recorded runs.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StandIn, "each", 10)
        whole = some_images("", "train")
    for split, part in (("train", training), ("validation", watched)):
        carved = data._carve(whole, split)
        assert torch.equal(part.split.images, carved.images)
        assert torch.equal(part.split.labels, carved.labels)
    # What is watched stays as it is, and what is learned does not.
    torch.testing.assert_close(watched[0][0], watched.split.images[0] / 255)
    assert not torch.equal(training[0][0], training[0][0])


def test_chapter_6_on_digits_reports_no_score():
    notebook = nbformat.read(CHAPTER.with_suffix(".ipynb"), as_version=4)
    (cell,) = [
        cell
        for cell in notebook.cells
        if "pd.DataFrame(rows).T" in cell.source and "networks" in cell.source
    ]
    (output,) = cell.outputs
    assert "11,173,962" in output.data["text/html"]
    assert "accuracy" not in output.data["text/html"]


def test_chapter_6_moves_its_digits_and_never_mirrors_them():
    text = CHAPTER.read_text("utf-8")
    (node,) = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == "digits"
    ]
    parts = {"torch": torch, "F": F, "transforms": transforms}
    parts |= {"TensorDataset": TensorDataset, "load_digits": load_digits}
    exec(ast.get_source_segment(text, node), parts)
    training, watched = parts["digits"]()
    images, labels = load_digits(return_X_y=True)
    assert training.tensors[1].tolist() == labels[:128].tolist()
    assert watched.tensors[1].tolist() == labels[128:160].tolist()
    whole = torch.tensor(images).float().view(-1, 1, 8, 8) / 16
    large = whole.repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(
        watched.tensors[0], large[128:160].expand(-1, 3, -1, -1)
    )
    padded = F.pad(large[:128], (4,) * 4)
    windows = padded.unfold(2, 32, 1).unfold(3, 32, 1)  # (n, 1, 9, 9, 32, 32)
    distances = (windows - training.tensors[0][:, :1, None, None]).abs()
    moved = distances.flatten(4).amax(4).flatten(1).amin(1)
    assert moved.max() == 0
