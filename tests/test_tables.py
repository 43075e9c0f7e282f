"""The tables of sweeps and benchmarks say what the records say."""

import json
import re

import benchmark_table
import pytest
import records_table
import sweeps_table

from labkd import records, verdicts
from labkd.inference import paired_difference
from labkd.lab import benchmark, sweeps
from labkd.lab.recipes import RECIPES, find
from labkd.views import every_view

EPOCHS = sweeps.points("epochs", "laptop", RECIPES)


def runs(recipe, accuracies, size="laptop", validation=0.5, **config):
    asked = find(recipe, size).teacher
    config |= {
        "baseline": find(recipe, size).baseline,
        "teacher": asked,
        "epochs": 5,
    }
    return [
        {
            "recipe": recipe,
            "size": size,
            "seed": seed,
            "dataset": "cifar10",
            "source": "original",
            "config": config,
            "teacher": {"recipe": asked, "size": size, "seed": 0},
            "test": {
                "accuracy": accuracy,
                "nll": 1.0,
                "ece": accuracy / 5,
                "brier": 0.5,
            },
            "seconds": 1.0,
            "device": "a device",
            "command": "a command",
            "epochs": [{"validation": {"accuracy": validation}}],
        }
        for seed, accuracy in enumerate(accuracies)
    ]


def point(number, soft, scratch, points=EPOCHS, size="laptop"):
    there = points[number]
    teacher = find(there.soft, size).teacher
    return [
        *runs(there.scratch, scratch, size),
        *runs(there.soft, soft, size),
        *runs(teacher, [0.9], size, validation=0.8),
    ]


def part(text, heading):
    return re.split("^### ", text, flags=re.M)[
        1 + list(sweeps_table.AXES).index(heading)
    ]


def in_order(found):
    key = ("recipe", "size", "seed")
    return sorted(found, key=lambda r: tuple(r[k] for k in key))


def test_without_records_the_tables_say_so():
    text = sweeps_table.table([])
    assert text.count("nothing has been recorded yet") == 8
    assert "|" not in text


def test_a_point_has_both_arms_and_their_paired_difference():
    ours, theirs = [0.50, 0.53, 0.55], [0.48, 0.50, 0.55]
    text = part(sweeps_table.table(in_order(point(1, ours, theirs))), "epochs")
    (row,) = re.findall(r"^\| 10 \|.*$", text, flags=re.M)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    points = ([100 * value for value in arm] for arm in (ours, theirs))
    difference = paired_difference(*points)
    assert cells[2:5] == ["51.0 ± 3.6", "52.7 ± 2.5", "50.0"]
    assert cells[5:7] == ["0.105 ± 0.005", "3"]
    assert cells[7].startswith(f"{difference.short}<span")
    assert cells[8] == "here: no difference found"
    assert "CIFAR-10 (original), the teacher 90.0 % right" in text
    assert "2 of 3 points are not recorded yet" in text
    # The images' axis crosses here, and has the same point.
    other = sweeps_table.table(in_order(point(1, ours, theirs)))
    text = part(other, "training_images")
    assert re.search(r"^\| 10,000 \| .* 51\.0 ± 3\.6", text, flags=re.M)


def test_a_weak_teacher_leaves_no_verdict_in_a_table():
    found = in_order(point(1, [0.5, 0.53, 0.55], [0.48, 0.5, 0.55]))
    for table in (
        lambda: part(sweeps_table.table(found), "epochs"),
        lambda: records_table.table(dict(enumerate(found)), []),
    ):
        for run in found:
            if run["recipe"].startswith("teacher-"):
                run["epochs"][-1]["validation"]["accuracy"] = 0.9
        assert "here: no difference found |" in table()
        for run in found:
            if run["recipe"].startswith("teacher-"):
                run["epochs"][-1]["validation"]["accuracy"] = 0.505
        assert "| not tested |" in table() and "here:" not in table()


def test_no_verdict_beside_a_weak_teacher_of_the_shipped_records():
    found = records_table.read(records.RESULTS)
    known = list(found.values())
    rows = records_table.table(found, []).splitlines()
    seen = set()
    for name in {r["recipe"] for r in known if r["config"].get("baseline")}:
        row = next(row for row in rows if row.startswith(f"| `{name}` | lap"))
        weak = bool(verdicts.weakness(known, (name,), "laptop"))
        assert row.endswith("| not tested |") == weak
        assert ("here:" in row) != weak
        seen.add(weak)
    assert seen == {True, False}


@pytest.mark.parametrize(
    ("gains", "told"),
    [
        ((0.02, 0.01, 0.01), "No crossing point: soft labels are ahead"),
        ((-0.02, -0.01, -0.01), "No crossing point: soft labels are behind"),
        ((0.02, 0.01, -0.01), "its sign between 10 and 20."),
        ((0.02, -0.01, 0.01), "between 5 and 10 and between 10 and 20."),
    ],
)
def test_the_crossing_point_is_where_the_sign_changes(gains, told):
    scratch = [0.5, 0.51]
    found = [
        run
        for number, gain in enumerate(gains)
        for run in point(number, [value + gain for value in scratch], scratch)
    ]
    text = part(sweeps_table.table(in_order(found)), "epochs")
    assert told in text
    if told.startswith("No"):
        assert "at 3 of 3 the interval excludes zero" in text


def test_laptop_and_full_stand_side_by_side():
    full = sweeps.points("temperature", "full", RECIPES)
    found = [
        *point(0, [0.9, 0.91], [0.89, 0.9], full, "full"),
        *point(0, [0.5, 0.52], [0.5, 0.51]),
    ]
    text = part(sweeps_table.table(in_order(found)), "temperature")
    assert re.search(r"At size `full`, .*\n\n(\|.*\n)+\| 1 \|.* 89\.5", text)
    assert "At size `laptop` nothing has been recorded" in text


@pytest.fixture
def reports(tmp_path, monkeypatch):
    def write(size, **ratios):
        comparisons = {
            name: {
                "ratio": ratios.get(name.split()[-1], 1.0),
                "lowest": 0.5,
                "highest": 9.0,
                "rounds": 7,
                "images_per_second": dict.fromkeys(name.split(" / "), 1234.5),
            }
            for name in benchmark_table.MEANING
        }
        report = {
            "size": size,
            "device": "a device",
            "precision": "float32",
            "batch_size": 128,
            "workers": 2,
            "versions": {"torch": "2.0"},
            "date": "2026-01-01",
            "commit": "0123456789",
            "command": "python -m labkd.lab.benchmark",
            "comparisons": comparisons,
        }
        path = benchmark_table.path_of(size)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report))

    monkeypatch.setattr(benchmark_table, "RESULTS", tmp_path)
    return write


def test_every_ratio_that_is_measured_has_its_row(reports):
    for written in (benchmark_table.speeds, benchmark_table.costs):
        assert written([]).strip() == "Not recorded yet: `laptop` and `full`."
    reports("laptop", customary=1.37)
    text = benchmark_table.speeds([])
    for name in benchmark_table.MEANING:
        assert text.count(f"| {name} |") == 1
    assert "| 1.37 | 0.50 to 9.00 | ours 1,234, customary 1,234 |" in text
    assert "commit `0123456`" in text and "Not recorded yet: `full`" in text
    reports("full", customary=12.0)
    text = benchmark_table.speeds([])
    assert "| 12.00 |" in text and "Not recorded" not in text


def test_the_ratios_are_those_of_the_benchmark():
    words = benchmark.__doc__
    for name in benchmark_table.MEANING:
        assert f"**{name}**" in words


@pytest.mark.parametrize("size", ["laptop", "full"])
def test_the_table_pays_when_the_epochs_exceed_the_views(reports, size):
    reports(size, live=1.5, recorded=1.01)
    text = benchmark_table.costs([])
    recipe = find(benchmark_table.STUDENT, size)
    views = len(every_view(recipe.padding))
    runs = next(n for n in range(1, 99) if n * recipe.epochs > views)
    row = (
        f"| `{size}` | 1.50 | 1.01 | {views} | {recipe.epochs} | run {runs} |"
    )
    assert row in text


def teacher_run(accuracies, size="laptop"):
    epochs = [
        {"epoch": n, "seconds": 10.0, "validation": {"accuracy": accuracy}}
        for n, accuracy in enumerate(accuracies, 1)
    ]
    about = {"recipe": benchmark_table.TEACHER, "size": size, "seed": 0}
    return about | {"device": "a device", "epochs": epochs}


def test_time_to_the_goal():
    text = benchmark_table.times(
        [
            teacher_run([0.5, 0.8, 0.7]),
            teacher_run([0.5, 0.94, 0.95, 0.93], "full"),
        ]
    )
    assert "| 80.0% | not reached in 30 s, 3 epochs |" in text
    assert "| 95.0% | 20 s of training, epoch 2 |" in text
    assert "Not recorded" not in text
    assert "Not recorded yet: `full`" in benchmark_table.times(
        [teacher_run([0.5])]
    )
