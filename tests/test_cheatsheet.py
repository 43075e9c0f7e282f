r"""The snippets of the cheat sheet: alone, short, and equal to labkd."""

import ast
import re
from pathlib import Path

import cells
import library_table
import pytest
import torch
from torch import nn

from labkd import (
    calibration,
    decoupled,
    features,
    mutual_learning,
    soft_targets,
)
from labkd.conventions import ALL
from labkd.distillation_token import hard_distillation_loss, token_loss
from labkd.virtual_teacher import virtual_teacher_loss
from labkd.vit import joint_log_probabilities

ROOT = Path(__file__).parents[1]
SNIPPETS = sorted((ROOT / "docs" / "snippets").glob("*.py"))
PROGRAM = ROOT / "docs" / "snippets" / "cnn_to_vit.py"
PAGE = (ROOT / "docs" / "cheatsheet.md").read_text("utf-8")


def run(name):
    r"""What a snippet defines, in a namespace that was empty before."""
    namespace = {}
    source = (ROOT / "docs" / "snippets" / f"{name}.py").read_text("utf-8")
    exec(compile(source, name, "exec"), namespace)
    return namespace


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    z, v, more = 3 * torch.randn(
        3, 64, 10, generator=generator, dtype=torch.float64
    )
    return z, v, more, torch.randint(10, (64,), generator=generator)


def assert_same(ours, theirs, logits):
    r"""Equal values, and equal gradients for `logits`."""
    torch.testing.assert_close(ours, theirs)
    pulls = (torch.autograd.grad(x.sum(), logits)[0] for x in (ours, theirs))
    torch.testing.assert_close(*pulls)


def imported_by(source):
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize(
    "path",
    [path for path in SNIPPETS if path != PROGRAM],
    ids=lambda p: p.stem,
)
def test_each_is_short_and_stands_alone(path):
    source = path.read_text("utf-8")
    lines = source.splitlines()
    # The whole loop has its evaluation with it.
    longest = 45 if path.stem == "whole_loop" else 25
    assert len(lines) <= longest and max(map(len, lines)) <= 79
    assert imported_by(source) == {"torch"}
    before = {"__builtins__"}
    defined = set(run(path.stem)) - before - {"torch", "F"}
    assert defined


def test_pasted_together_none_hides_another():
    where = {}
    for path in SNIPPETS:
        if path != PROGRAM:
            defined = set(run(path.stem)) - {"__builtins__", "torch", "F"}
            for name in defined:
                assert name not in where, (name, path.stem, where[name])
                where[name] = path.stem


def test_the_page_shows_each_once():
    shown = re.findall(r"^<!-- (\w+)\.py -->$", PAGE, re.M)
    assert sorted(shown) == [path.stem for path in SNIPPETS]


def test_each_cites_its_source_or_its_chapter():
    sections = re.split(r"^## ", PAGE, flags=re.M)[1:]
    for section in sections:
        if ".py -->" in section and not section.startswith("The whole loop"):
            assert re.search(r"references\.md#|\.ipynb", section), section


def test_prose_and_snippet_stand_side_by_side(tmp_path):
    (tmp_path / "one.py").write_text("import torch\n\nONE = 1\n")
    page = "# Sheet\n\nIntro.\n\n## One\n\nBefore.\n\n<!-- one.py -->\n"
    intro, one, code = cells.of_sheet(page, tmp_path)
    assert intro["source"] == "# Sheet\n\nIntro."
    assert one["source"] == "## One\n\nBefore."
    assert code["source"] == "import torch\n\nONE = 1"
    with pytest.raises(FileNotFoundError, match="two.py"):
        cells.of_sheet(page.replace("one.py", "two.py"), tmp_path)


def test_soften(batch):
    z, *_ = batch
    ours = run("soften")["soften"](z, 3.0)
    torch.testing.assert_close(ours, soft_targets.soften(z, 3.0))


def test_kl_divergence(batch):
    z, v, *_ = batch
    z.requires_grad_(), v.requires_grad_()
    ours = run("kl_divergence")["kl_divergence"](z, v, 3.0)
    assert_same(ours, soft_targets.kl_divergence(z, v, 3.0), z)
    assert ours.requires_grad
    again = run("kl_divergence")["kl_divergence"](z.detach(), v, 3.0)
    assert not again.requires_grad


def test_hintons_loss(batch):
    z, v, _, labels = batch
    z.requires_grad_()
    loss = run("hinton")["distillation_loss"]
    assert_same(
        loss(z, v, labels), soft_targets.distillation_loss(z, v, labels), z
    )
    settings = {"temperature": 2.0, "soft_weight": 0.3}
    assert_same(
        loss(z, v, labels, **settings),
        soft_targets.distillation_loss(z, v, labels, **settings),
        z,
    )


def test_hard_distillation(batch):
    z, v, _, labels = batch
    z.requires_grad_()
    ours = run("hard_distillation")["hard_distillation_loss"](z, v, labels)
    assert_same(ours, hard_distillation_loss(z, v, labels), z)


def test_the_token_head(batch):
    z, v, second, labels = batch
    second.requires_grad_()
    token = run("token_head")
    ours = token["token_loss"](z, second, v, labels)
    assert_same(ours, token_loss(z, second, v, labels), second)
    torch.testing.assert_close(
        token["predict"](z, second).log(), joint_log_probabilities(z, second)
    )


@pytest.mark.parametrize("ensemble", [False, True])
def test_mutual_learning(batch, ensemble):
    *cohort, labels = batch
    for logits in cohort:
        logits.requires_grad_()
    name = "mutual_ensemble" if ensemble else "mutual_learning"
    ours = run(name)[f"{name}_loss"](cohort, labels, 0.3)
    theirs = mutual_learning.mutual_learning_loss(
        cohort, labels, weight=0.3, ensemble=ensemble
    )
    torch.testing.assert_close(ours, theirs)
    for logits in cohort:
        pulls = (
            torch.autograd.grad(sum(x), logits, retain_graph=True)[0]
            for x in (ours, theirs)
        )
        torch.testing.assert_close(*pulls)


def test_the_virtual_teacher(batch):
    z, _, _, labels = batch
    z.requires_grad_()
    ours = run("virtual_teacher")["virtual_teacher_loss"](z, labels, 0.8, 0.4)
    theirs = virtual_teacher_loss(
        z, labels, correct_probability=0.8, weight=0.4
    )
    assert_same(ours, theirs, z)


def test_decoupled_distillation(batch):
    z, v, _, labels = batch
    z.requires_grad_(), v.requires_grad_()
    loss = run("decoupled")["decoupled_loss"]
    assert_same(loss(z, v, labels), decoupled.decoupled_loss(z, v, labels), z)
    rows = torch.linspace(0, 9, len(z), dtype=z.dtype)
    settings = {"temperature": 2.0, "alpha": 0.3, "beta": rows}
    assert_same(
        loss(z, v, labels, **settings),
        decoupled.decoupled_loss(z, v, labels, **settings),
        z,
    )
    assert not loss(z.detach(), v, labels).requires_grad


def test_standardised_logits(batch):
    z, v, _, labels = batch
    # The small number in the snippet is a ten-millionth of a deviation.
    z, v = (10 * z).requires_grad_(), (10 * v).requires_grad_()
    standardised = run("standardised")
    loss = standardised["standardised_loss"]
    assert_same(
        loss(z, v, labels), decoupled.standardised_loss(z, v, labels), z
    )
    settings = {"temperature": 1.0, "soft_weight": 0.3}
    assert_same(
        loss(z, v, labels, **settings),
        decoupled.standardised_loss(z, v, labels, **settings),
        z,
    )
    assert not loss(z.detach(), v, labels).requires_grad
    level = torch.zeros(2, 10, requires_grad=True)
    scores = standardised["standardise"](level)
    (scores * torch.randn(2, 10)).sum().backward()
    assert torch.equal(scores, torch.zeros(2, 10))
    assert level.grad.isfinite().all()


def test_correlations(batch):
    z, v, *_ = batch
    z.requires_grad_(), v.requires_grad_()
    loss = run("correlation")["correlation_loss"]
    assert_same(loss(z, v), decoupled.correlation_loss(z, v), z)
    assert not loss(z.detach(), v).requires_grad


def test_features_of_a_network():
    model, images = small(0).train(), torch.randn(8, 4)
    watched = run("features")
    logits, seen = watched["run"](model, images, "2")
    assert torch.equal(model[3](seen), logits) and logits.requires_grad
    assert not model[2]._forward_hooks
    logits, seen = watched["ask_features"](model, images, "0")
    assert not model.training and not seen.requires_grad
    torch.testing.assert_close(seen, model[0](images))


@pytest.mark.parametrize("special_tokens", [1, 2])
def test_tokens_as_a_grid(special_tokens):
    tokens = torch.randn(2, 9 + special_tokens, 5)
    torch.testing.assert_close(
        run("token_grid")["token_grid"](tokens, special_tokens),
        features.token_grid(tokens, special_tokens=special_tokens),
    )


def test_attention_transfer():
    student = torch.randn(3, 4, 8, 8, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(3, 7, 5, 9, dtype=torch.float64, requires_grad=True)
    loss = run("attention_transfer")["attention_transfer_loss"]
    ours = loss(student, teacher)
    assert_same(
        ours, features.attention_transfer_loss(student, teacher), student
    )
    assert not loss(student.detach(), teacher).requires_grad


def test_relational_distillation():
    student = torch.randn(6, 4, dtype=torch.float64)
    student[1] = student[0]
    student.requires_grad_()
    teacher = torch.randn(6, 9, dtype=torch.float64, requires_grad=True)
    loss = run("relational")["relational_loss"]
    ours = loss(student, teacher)
    assert_same(ours, features.relational_loss(student, teacher), student)
    assert not loss(student.detach(), teacher).requires_grad


def convolutions(channels, seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, channels, 3),
        nn.ReLU(),
        nn.Conv2d(channels, 8, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(32, 3),
    )


def test_both_stages_of_fitnets():
    teacher = convolutions(9, 0)
    images = torch.randn(128, 1, 6, 6)
    with torch.no_grad():
        teacher[-1].weight.mul_(40)
        teacher[-1].bias.sub_(teacher(images).mean(dim=0))
    labels = teacher(images).argmax(dim=1)
    data = torch.utils.data.TensorDataset(images, labels)
    batches = torch.utils.data.DataLoader(data, 32)
    first, second = convolutions(4, 1), convolutions(4, 1)
    torch.manual_seed(2)
    stage_one = run("hints")["train_on_hints"]
    stage_one(first[:2], teacher[:2], (4, 9), batches, epochs=3)
    torch.manual_seed(2)
    features.train_on_hints(
        second,
        teacher,
        features.Regressor(4, 9),
        batches,
        student_layer="1",
        teacher_layer="1",
        epochs=3,
        learning_rate=1e-3,
    )
    for ours, theirs in zip(
        first.parameters(), second.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    untrained = convolutions(4, 1)
    assert not torch.equal(first[0].weight, untrained[0].weight)
    assert torch.equal(first[5].weight, untrained[5].weight)
    run("whole_loop")["distill"](first, teacher, batches, batches, epochs=20)
    right = (first.eval()(images).argmax(1) == labels).double().mean()
    assert right > 0.7


def test_the_calibration_error(batch):
    z, _, _, labels = batch
    ours = run("calibration_error")["expected_calibration_error"]
    for bins in (1, 10, 15):
        theirs = calibration.expected_calibration_error(
            z.softmax(1), labels, bins
        )
        assert ours(z, labels, bins) == pytest.approx(theirs, abs=1e-7)


def test_temperature_scaling(batch):
    z, _, _, labels = batch
    # Right more often than not, and far too sure of it.
    z[torch.arange(48), labels[:48]] += 6
    z.requires_grad_()
    ours = run("temperature_scaling")["fit_temperature"](4 * z, labels)
    theirs = calibration.fit_temperature(4 * z, labels)
    assert ours == pytest.approx(theirs, rel=1e-4) and ours > 2


def small(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3)
    )


def test_a_frozen_teacher_stays_as_it_is():
    frozen = run("frozen_teacher")
    teacher = frozen["freeze"](small(0))
    before = {k: v.clone() for k, v in teacher.state_dict().items()}
    images = torch.randn(16, 4)
    torch.testing.assert_close(
        frozen["ask"](teacher, images), frozen["ask"](teacher, images)
    )
    assert not any(p.requires_grad for p in teacher.parameters())
    after = teacher.state_dict()
    assert all(torch.equal(after[key], before[key]) for key in before)
    with pytest.raises(RuntimeError, match="training mode"):
        frozen["ask"](teacher.train(), images)


def test_cached_logits_stay_with_their_images():
    cached = run("cached_logits")
    images, labels = torch.randn(50, 4), torch.randint(3, (50,))
    indexed = cached["Indexed"](torch.utils.data.TensorDataset(images, labels))
    teacher = small(0)
    before = teacher[1].running_mean.clone()
    table = cached["teacher_table"](teacher, indexed, batch_size=16)
    assert torch.equal(teacher[1].running_mean, before)
    assert not table.requires_grad and table.shape == (50, 3)
    # A teacher in training mode gives the same table.
    again = cached["teacher_table"](teacher.train(), indexed)
    torch.testing.assert_close(again, table)
    shuffled = torch.utils.data.DataLoader(indexed, 8, shuffle=True)
    seen = 0
    for some, its_labels, indices in shuffled:
        torch.testing.assert_close(table[indices], teacher(some))
        assert torch.equal(labels[indices], its_labels)
        seen += len(some)
    assert seen == len(indexed) == 50


def test_the_whole_loop_teaches():
    torch.manual_seed(0)
    images = torch.randn(256, 4)
    teacher = nn.Linear(4, 3)
    with torch.no_grad():
        teacher.weight.mul_(8)
    labels = teacher(images).argmax(1)
    before = teacher.weight.clone()
    student = small(1)
    data = torch.utils.data.TensorDataset(images, labels)
    batches = torch.utils.data.DataLoader(data, 32, shuffle=True)
    loop = run("whole_loop")
    accuracies = loop["distill"](student, teacher, batches, batches)
    right = (student.eval()(images).argmax(1) == labels).double().mean()
    assert right > 0.85 and len(accuracies) == 10
    # What it returns is what the student does in evaluation mode.
    assert accuracies[-1] == pytest.approx(right.item())
    assert accuracies[-1] > accuracies[0]
    assert torch.equal(teacher.weight, before) and not teacher.training


class Net(nn.Module):
    r"""The parts that a ResNet has by these names."""

    def __init__(self, channels):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU()
        self.layer1 = nn.Conv2d(8, channels, 3, padding=1)
        self.layer2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.fc = nn.Linear(channels, 3)

    def forward(self, x):
        x = self.layer1(self.relu(self.bn1(self.conv1(x))))
        return self.fc(self.layer2(x).mean(dim=(2, 3)))


def on_the_desk():
    r"""What the calls of the page take for granted."""
    torch.manual_seed(0)
    images, labels = torch.randn(16, 1, 5, 5), torch.randint(3, (16,))
    data = torch.utils.data.TensorDataset(images, labels)
    logits = torch.randn(5, 16, 3, requires_grad=True)
    return {
        "images": images,
        "labels": labels,
        "dataset": data,
        "training": torch.utils.data.DataLoader(data, 8),
        "validation": torch.utils.data.DataLoader(data, 8),
        "student": Net(64),
        "teacher": Net(128),
        **{name: Net(4) for name in "abc"},
        "logits": logits[0],
        "student_logits": logits[0],
        "teacher_logits": logits[1].detach(),
        "class_logits": logits[2],
        "token_logits": logits[3],
        "vit": lambda images: (logits[2], logits[3]),
        "device": "cpu",
        "validation_logits": 4 * logits[4],
        "validation_labels": labels,
        "tokens": torch.randn(2, 10, 6),
        "ours": torch.randn(16, 4, 5, 5, requires_grad=True),
        "theirs": torch.randn(16, 6, 3, 3),
        "student_embeddings": torch.randn(16, 4, requires_grad=True),
        "teacher_embeddings": torch.randn(16, 9),
    }


SECTIONS = {
    name: section
    for section in re.split(r"^## ", PAGE, flags=re.M)
    for name in re.findall(r"^<!-- (\w+)\.py -->$", section, re.M)
}


@pytest.mark.parametrize(
    "path", [p for p in SNIPPETS if p != PROGRAM], ids=lambda p: p.stem
)
def test_the_call_beside_each_runs(path):
    (call,) = re.findall(
        r"^```python\n(.*?)^```$", SECTIONS[path.stem], re.M | re.S
    )
    # The column is narrow.
    assert max(map(len, call.splitlines())) <= 47
    defined = run(path.stem)
    names = set(defined) - {"__builtins__", "torch", "F"}
    assert any(f"{name}(" in call for name in names)
    namespace = on_the_desk() | defined
    exec(call, namespace)
    for name in ("loss", "soft"):
        if name in re.findall(r"^(\w+) = ", call, re.M):
            assert namespace[name].ndim == 0 and namespace[name].isfinite()
            if "backward" not in call:
                namespace[name].backward()


@pytest.mark.parametrize("path", SNIPPETS, ids=lambda p: p.stem)
def test_what_loops_over_batches_moves_them_to_a_device(path):
    source = path.read_text("utf-8")
    if re.search(r"for images.* in ", source):
        assert ".to(device)" in source


def test_the_questions_lead_to_every_loss():
    tree = PAGE[PAGE.index("## Which one") : PAGE.index("## Which temp")]
    linked = set(re.findall(r"\]\(#([\w-]+)\)", tree))
    headings = re.findall(r"^## (.+)$", PAGE, re.M)
    anchors = {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in headings
    }
    assert linked <= anchors
    losses = [
        path.stem
        for path in SNIPPETS
        if path != PROGRAM and "loss" in " ".join(run(path.stem))
    ]
    assert len(losses) > 8
    for name in losses:
        (heading,) = re.findall(r"\A(.+)\n", SECTIONS[name])
        anchor = re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        assert anchor in linked, heading


def test_the_table_of_libraries_has_their_settings():
    rows = library_table.table().splitlines()[2:]
    assert len(rows) == len(ALL)
    labml = next(row for row in rows if row.startswith("| labml"))
    cells = [cell.strip() for cell in labml.strip("|").split("|")]
    assert "`soft_weight` 100" in cells[1]
    # 4/9 and 0.9 at ten classes, 0.04 / 0.54 at a hundred.
    assert cells[2:] == ["5", "0.444", "0.9", "0.074"]


@pytest.mark.parametrize("library", ALL, ids=lambda library: library.library)
def test_the_loss_of_a_library_is_worked_out_from_its_settings(library):
    shown = library_table.loss(library).replace("`", "").replace("T²", "T**2")
    # A space between two factors multiplies them.
    code = re.sub(r"(?<=[\w)]) (?=[\w(])", " * ", shown)
    temperature, *weights = library.example
    names = library_table.names(library)
    given = dict(zip(names, weights, strict=True)) | {"T": temperature}
    for classes in (10, 100):
        ours = library.ours(*library.example, num_classes=classes)
        terms = given | {"C": classes}
        hard = eval(code, terms | {"CE": 1, "KL": 0})
        assert hard == pytest.approx(ours.hard)
        soft = eval(code, terms | {"CE": 0, "KL": 1})
        assert soft == pytest.approx(ours.soft)
