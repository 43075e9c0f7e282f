"""The benchmark compares like with like, and prints what it measured."""

import json
import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from labkd.data import ImageSet
from labkd.lab import benchmark, rounds
from labkd.lab.customary import Pictures, batches_of, train_epoch
from labkd.lab.rounds import Bench, bare, customary, images_for, ours, resnet20
from labkd.lab.teachers import nobody
from labkd.pixels import Normalise
from labkd.training import fit
from labkd.views import Bank, apply_views, every_view

CPU = torch.device("cpu")
PAIRS = (
    "ours / customary",
    "labels / recorded",
    "labels / live",
    "ours / bare",
)


def some_images(count=24, side=8):
    generator = torch.Generator().manual_seed(0)
    half = torch.randint(256, (count, 3, side, side // 2), generator=generator)
    # Their own mirror images: with no padding all views are the same.
    images = torch.cat([half, half.flip(-1)], dim=-1).byte()
    names = tuple("0123456789")
    return ImageSet(images, torch.arange(count) % 10, names, "random")


def some_bench(**changes):
    data = some_images(count=32, side=32)
    settings = {
        "data": data,
        "normalise": Normalise.of(data.images),
        "size": "laptop",
        "batch_size": 4,
        "steps": 2,
        "workers": 0,
        "compiled": False,
    }
    return Bench(**(settings | changes))


def our_epochs(model, data, *, batch_size, epochs=1, **changes):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    settings = {
        "normalise": Normalise.of(data.images),
        "objective": lambda logits, _, labels: F.cross_entropy(logits, labels),
        "teacher": nobody,
        "generator": torch.Generator().manual_seed(0),
        "epochs": range(epochs),
        "batch_size": batch_size,
        "bank": Bank.every(len(data), padding=0),
    } | changes
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    return list(fit(model, data, optimizer, schedule, **settings))


def rows(pixels):
    return sorted(map(tuple, pixels.flatten(1).tolist()))


def test_both_loops_show_every_image_once_normalised_alike():
    data, seen = some_images(), {"ours": [], "customary": []}
    normalise = Normalise.of(data.images)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    loader = batches_of(data, normalise, padding=0, batch_size=10, workers=0)
    for side in seen:
        watch = model.register_forward_pre_hook(
            lambda _, given, side=side: seen[side].append(given[0].clone())
        )
        if side == "ours":
            our_epochs(model, data, batch_size=10)
        else:
            train_epoch(model, loader, optimizer, CPU)
        watch.remove()
        assert [len(batch) for batch in seen[side]] == [10, 10, 4]
    first, second = (torch.tensor(rows(torch.cat(b))) for b in seen.values())
    torch.testing.assert_close(first, second, rtol=0, atol=1e-5)
    # Not one image many times: all differ.
    assert len(first.unique(dim=0)) == len(data)


def test_worker_processes_change_nothing_but_who_reads():
    data = some_images()
    normalise = Normalise.of(data.images)
    given = [
        list(batches_of(data, normalise, padding=0, batch_size=10, workers=n))
        for n in (0, 2)
    ]
    first, second = (torch.cat([x for x, _ in batches]) for batches in given)
    assert rows(first) == rows(second)


def test_the_customary_crops_are_our_views():
    shape = (1, 3, 4, 4)
    image = torch.arange(48, dtype=torch.uint8).mul(5).reshape(shape)
    data = ImageSet(image, torch.tensor([0]), ("a",), "random")
    normalise = Normalise.of(image)
    pictures = Pictures(data, normalise, padding=1)
    torch.manual_seed(0)
    theirs = torch.stack([pictures[0][0] for _ in range(300)])
    every = every_view(padding=1)
    copies = image.expand(len(every), -1, -1, -1)
    views = normalise(apply_views(copies, every, padding=1))
    # (300, 1, 48) - (18, 48): the largest difference to each of our views
    distances = theirs.flatten(1)[:, None] - views.flatten(1)
    nearest = distances.abs().amax(dim=2).min(dim=1)
    assert nearest.values.max() < 1e-5
    assert len(nearest.indices.unique()) == 18


def test_both_loops_learn_the_same_from_the_same_weights():
    data, losses = some_images(), {"ours": [], "customary": []}
    for side, found in losses.items():
        torch.manual_seed(0)
        model = resnet20()
        if side == "ours":
            model = model.to(memory_format=torch.channels_last)
            epochs = our_epochs(model, data, batch_size=24, epochs=4)
            found += [epoch["loss"] for epoch in epochs]
            continue
        loader = batches_of(
            data,
            Normalise.of(data.images),
            padding=0,
            batch_size=24,
            workers=0,
        )
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        for _ in range(4):
            found.append(train_epoch(model, loader, optimizer, CPU))
    assert losses["ours"] == pytest.approx(losses["customary"], rel=1e-3)
    assert len(set(losses["ours"])) == 4


def test_the_customary_loss_is_the_mean_over_images():
    model = nn.Linear(2, 2, bias=False)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    batches = [
        (torch.zeros(3, 2), torch.tensor([0, 1, 0])),
        (torch.zeros(1, 2), torch.tensor([1])),
    ]
    loss = train_epoch(model, batches, optimizer, CPU)
    assert loss == pytest.approx(math.log(2))
    assert model.training


def test_resnet20_has_the_size_of_the_paper():
    # He et al. (2015), table 6: 20 layers, 0.27 million parameters.
    model = resnet20()
    parameters = sum(p.numel() for p in model.parameters())
    assert round(parameters / 1e6, 2) == 0.27
    layers = [
        m
        for name, m in model.named_modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and "downsample" not in name
    ]
    assert len(layers) == 20
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        assert model(torch.randn(1, 3, 32, 32)).shape == (1, 10)
    # Two operations a multiply-add; 40.8 million without the shortcuts.
    assert counter.get_total_flops() / 2e6 == pytest.approx(41, abs=0.5)


@pytest.mark.parametrize("make", [ours, customary, bare])
def test_a_round_trains_on_as_many_batches_as_every_other(make, monkeypatch):
    bench = some_bench()
    recipe = bench.recipe("teacher-resnet18-cifar10")
    model = resnet20()
    clocked, sizes = [], []
    model.register_forward_pre_hook(lambda _, x: sizes.append(len(x[0])))

    def two_seconds(work):
        sizes.clear()
        work()
        clocked.append(list(sizes))
        return 2.0

    monkeypatch.setattr(rounds, "_seconds", two_seconds)
    before = model.fc.weight.detach().clone()
    rate = make(bench, model, recipe)
    assert rate() == rate() == 2 * 4 / 2.0
    assert clocked == [[4, 4], [4, 4]]
    assert not torch.equal(model.fc.weight, before)


def test_the_clock_counts_the_work(monkeypatch):
    ticks = iter([10.0, 13.5])
    monkeypatch.setattr(rounds.time, "perf_counter", lambda: next(ticks))
    done = []
    assert rounds._seconds(lambda: done.append(1)) == 3.5
    assert done == [1]


def test_the_pairs_follow_the_recipes_of_the_course(monkeypatch):
    made = []
    for name in ("ours", "customary", "bare"):
        monkeypatch.setattr(
            benchmark, name, lambda *a, name=name: made.append((name, *a))
        )
    pairs = list(benchmark.pairs_of(some_bench()))
    assert tuple(" / ".join(sides) for sides in pairs) == PAIRS
    names = [name for name, *_ in made]
    assert names == ["ours", "customary", *["ours"] * 5, "bare"]
    weights = [
        torch.cat([p.flatten() for p in model.parameters()])
        for _, _, model, *_ in made
    ]
    # Equal on both sides, and never the same tensors.
    for first, second in ((0, 1), (2, 3), (4, 5), (6, 7)):
        assert torch.equal(weights[first], weights[second])
    assert len({id(model) for _, _, model, *_ in made}) == 8
    objectives = [recipe.objective for _, _, _, recipe, *_ in made]
    assert objectives[2:6] == ["cross-entropy", "soft"] * 2
    assert made[0][3] == made[1][3] == made[6][3] == made[7][3]
    for model in (made[0][2], made[6][2], made[7][2]):
        kernel = model.layer2[0].conv1.weight
        assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert made[1][2].layer2[0].conv1.weight.is_contiguous()


@pytest.mark.parametrize("name", ["recorded", "live"])
def test_both_teachers_answer_for_every_view(name):
    torch.manual_seed(0)
    pairs = benchmark.pairs_of(some_bench())
    (sides,) = (each for each in pairs if name in each)
    assert all(rate() > 0 for rate in sides.values())


def test_sides_are_measured_in_turn_and_compared_pair_by_pair():
    calls = []

    def side(name, rates):
        given = iter(rates)

        def rate():
            calls.append(name)
            return next(given)

        return rate

    clock = iter([0.0, 1.0, 2.0, 3.0])
    sides = {
        # The first of each is not counted.
        "a": side("a", [1e9, 20.0, 30.0, 90.0]),
        "b": side("b", [1e-9, 10.0, 10.0, 10.0]),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(benchmark.time, "monotonic", lambda: next(clock))
        found = benchmark.compare(sides, seconds=2.5)
    assert calls == list("ab" + "ab" + "ba" + "ab")
    assert found == {
        "ratio": 3.0,
        "lowest": 2.0,
        "highest": 9.0,
        "rounds": 3,
        "images_per_second": {"a": 30.0, "b": 10.0},
    }


def test_without_cifar10_the_images_are_random_bytes(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKD_DATA", str(tmp_path))
    first, second = (images_for(2, 5, 1, CPU) for _ in range(2))
    # Four batches ahead, two in the round, four behind.
    assert first.images.shape == (50, 3, 32, 32)
    assert first.images.dtype is torch.uint8 and first.source == "random"
    assert torch.equal(first.images, second.images)
    assert len(first.images.unique()) == 256
    assert set(first.labels.tolist()) == set(range(10))


def run(capsys, *arguments):
    threads, seed = torch.get_num_threads(), torch.get_rng_state()
    try:
        status = benchmark.main(list(arguments))
    except SystemExit as ending:
        status = ending.code
    finally:
        torch.set_num_threads(threads)
        torch.set_rng_state(seed)
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_run_prints_and_writes_what_it_measured(
    capsys, monkeypatch, tmp_path
):
    monkeypatch.setenv("LABKD_DATA", str(tmp_path))
    file = tmp_path / "benchmark.json"
    words = "--seconds 0 --threads 1 --workers 0 --batch-size 4 --steps 1"
    status, out, err = run(capsys, *words.split(), "--json", str(file))
    assert (status, err) == (0, "")
    report = json.loads(file.read_text("utf-8"))
    settings = {"threads": 1, "workers": 0, "batch_size": 4, "steps": 1}
    assert report.items() >= (settings | {"images": "random"}).items()
    assert report["seconds"] == 0 and report["compile"] is False
    assert report["size"] == "laptop"
    assert report["command"] == f"python -m labkd.lab.benchmark {words}"
    for key in ("device", "precision", "versions", "commit", "date"):
        assert report[key]
        assert str(report[key]) in out
    assert tuple(report["comparisons"]) == PAIRS
    lines = out.splitlines()[-4:]
    for line, (name, found) in zip(
        lines, report["comparisons"].items(), strict=True
    ):
        first, second = found["images_per_second"].values()
        assert found["rounds"] == 1 and first > 0 and second > 0
        assert " / ".join(found["images_per_second"]) == name
        # One pair of rounds: its ratio is the median and the spread.
        expected = pytest.approx(first / second)
        for key in ("ratio", "lowest", "highest"):
            assert found[key] == expected
        assert line == benchmark.line_of(name, found)
        assert line.split()[3] == f"{first / second:.2f}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--seconds nan", "--seconds must be finite"),
        ("--seconds -1", "--seconds must be finite"),
        ("--threads 0", "--threads must be at least 1, got 0"),
        ("--workers -1", "--workers must be at least 0, got -1"),
        ("--batch-size 1", "--batch-size must be at least 2, got 1"),
        ("--steps 0", "--steps must be at least 1, got 0"),
        ("--steps many", "invalid int value: 'many'"),
        ("--json nowhere/b.json", "there is no folder nowhere"),
        ("--frobnicate", "unrecognized arguments: --frobnicate"),
    ],
)
def test_a_mistake_costs_one_line(capsys, words, said):
    status, out, err = run(capsys, *words.split())
    assert (status, out) == (2, "")
    assert err.startswith("labkd.lab.benchmark: ") and said in err
    assert err.count("\n") == 1


def test_more_images_than_there_are_is_a_mistake(capsys, monkeypatch):
    few = some_images(count=30, side=32)
    monkeypatch.setattr(rounds, "load", lambda *_, **__: few)
    words = "--threads 1 --workers 0 --batch-size 4 --steps 4"
    status, out, err = run(capsys, *words.split())
    assert (status, out) == (2, "")
    assert "take 32 images; there are 30" in err and err.count("\n") == 1
