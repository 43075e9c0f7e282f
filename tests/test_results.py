r"""The results page against a count of its own from the JSON files."""

import csv
import io
import json
import math
import re
import statistics
from dataclasses import asdict
from html import unescape
from itertools import product
from types import SimpleNamespace

import claims
import forest
import plots
import pytest
import records_table
import sweeps_table
import usage
import words
from conftest import ROOT
from scipy.stats import t as student_t

from labkd import records, verdicts
from labkd.lab import sweeps
from labkd.lab.recipes import RECIPES

TAG = re.compile(r"<[^>]+>")
ROW = re.compile(r"<tr[^>]*>(.*?)</tr>", re.S)
CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.S)


def counted():
    r"""Every record that counts, read without a line of ours."""
    found = {}
    for path in records.RESULTS.glob("*/*-seed*.json"):
        run = json.loads(path.read_text("utf-8"))
        if not run.get("superseded"):
            found[run["recipe"], run["size"], run["seed"]] = run
    return found


FOUND = counted()
PAGE = " ".join((ROOT / "docs" / "results.md").read_text("utf-8").split())
SHIPPED = records_table.read(records.RESULTS)
KNOWN = list(SHIPPED.values())
TABLE = records_table.table(SHIPPED, [], "results/")


def text_of(html):
    return " ".join(unescape(TAG.sub(" ", html)).split())


def rows_of(html):
    r"""The rows of a table, each a list of its cells' texts."""
    return [[text_of(c) for c in CELL.findall(r)] for r in ROW.findall(html)]


def accuracies(recipe, size):
    return {
        seed: 100 * run["test"]["accuracy"]
        for (name, its_size, seed), run in FOUND.items()
        if (name, its_size) == (recipe, size)
    }


def by_hand(ours, theirs, size):
    r"""Mean and half width of Student's interval, from the files."""
    mine, yours = accuracies(ours, size), accuracies(theirs, size)
    differences = [mine[s] - yours[s] for s in mine.keys() & yours]
    count = len(differences)
    quantile = student_t(count - 1).ppf(0.975)
    half = quantile * statistics.stdev(differences) / math.sqrt(count)
    return statistics.mean(differences), half


def short(mean, half):
    r"""A difference as a table shows it: zero has no sign."""
    text = f"{mean:+.1f} ± {half:.1f}"
    return text[1:] if text[1:].startswith("0.0 ") else text


def paths_of_grids():
    return {
        (path.parent.name, path.name.removesuffix("-grid.json")): json.loads(
            path.read_text("utf-8")
        )
        for path in records.RESULTS.glob("*/*-grid.json")
    }


def test_the_page_says_what_was_tuned():
    assert (
        "Students' settings were chosen on validation images, from the grids "
        "at the end of [All runs](#all-runs): the learning rate, and at size "
        "*overnight* temperature and weight, or what a loss has in their "
        "place; at size *laptop* these were set and not tuned. A control "
        "without a grid has the settings of what it controls. Of the "
        "teachers, only the one at size *overnight* had its learning rate "
        "tuned."
    ) in PAGE
    grids = paths_of_grids()
    tuned, softened = set(), set()
    for (recipe, size, _), run in FOUND.items():
        config = run["config"]
        name = recipe
        # The points of a sweep have the rate of the arm that they move.
        if (name, size) not in grids:
            name = RECIPES[recipe][size].tuned_as
        grid = grids.get((name, size))
        if grid:
            assert config["learning_rate"] == grid["learning_rate"]
            rates = {t["config"]["learning_rate"] for t in grid["trials"]}
        if recipe.startswith("teacher-"):
            if grid and len(rates) > 1:
                tuned.add((recipe, size))
            continue
        # At size overnight soft labels have the rate that labels chose.
        if grid and len(rates) == 1:
            labels = grids[RECIPES[name][size].tuned_as, size]
            assert rates == {labels["learning_rate"]}
            rates = {t["config"]["learning_rate"] for t in labels["trials"]}
            for key in {"temperature", "teacher_weight"} & grid.keys():
                assert config[key] == grid[key]
            softened.add((recipe, size))
        assert grid and len(rates) > 1
        if (recipe, size) not in softened and recipe.startswith("soft-"):
            assert size == "laptop"
    assert tuned == {("teacher-resnet18-cifar10", "overnight")}
    assert {size for _, size in softened} == {"overnight"}


def test_the_page_says_what_a_size_is():
    assert (
        "A run of size *laptop* takes minutes of one or two CPU cores; one of "
        "size *overnight* has all training images, or the number that its row "
        "names, and may take over an hour."
    ) in PAGE
    minutes = {"laptop": [], "overnight": []}
    for (_, size, _), run in FOUND.items():
        minutes[size].append(run["seconds"] / 60)
        if size == "overnight" and run["config"]["training_images"]:
            assert "4,500 images" in records.budget_of(run)
    assert max(minutes["laptop"]) < 60 < max(minutes["overnight"])
    devices = {run["device"].partition(", ")[2] for run in FOUND.values()}
    assert devices == {"1 thread", "2 threads"}


def test_the_page_says_what_distillation_bought():
    gains, tested, behind = [], 0, 0
    weak = {key for key, (cells, _) in methods().items() if "not" in cells[6]}
    for recipe, size in methods().keys() - weak:
        if recipe.startswith("soft-"):
            baseline = FOUND[recipe, size, 0]["config"]["baseline"]
            mean, half = by_hand(recipe, baseline, size)
            tested += 1
            behind += mean < -half
            if mean > half:
                gains.append(mean)
    said = records_table.bought(KNOWN)
    assert f"higher in {len(gains)} of {tested} comparisons" in said
    assert f"by {min(gains):.1f} to {max(gains):.1f} points" in said
    assert f"; lower in {behind or 'none'}." in said
    assert records_table.made(KNOWN).startswith(said)
    assert records_table.bought([]) == ""


def test_every_run_has_its_row_with_its_scores():
    head, *rows = rows_of(TABLE)
    assert len(rows) == len(FOUND) > 100
    shown = {}
    for row in rows:
        cells = dict(zip(head, row, strict=True))
        slug = cells["Run"].rpartition(" ")[2]
        shown[slug, cells["Size"], int(cells["Seed"])] = cells
    assert shown.keys() == FOUND.keys()
    for key, run in FOUND.items():
        cells, test = shown[key], run["test"]
        assert cells["Accuracy, %"] == f"{100 * test['accuracy']:.2f}"
        for name in ("NLL", "ECE", "Brier"):
            assert cells[name] == f"{test[name.lower()]:.3f}"
        asked = run.get("teacher") or {}
        teacher = FOUND.get(
            (asked.get("recipe"), asked.get("size"), asked.get("seed"))
        )
        own = f"{100 * teacher['test']['accuracy']:.1f}" if teacher else ""
        assert cells["Teacher, %"] == own


def test_each_cifar10_row_says_where_its_images_come_from():
    head, *rows = rows_of(TABLE)
    column = head.index("Data")
    for row in rows:
        run = FOUND[
            row[0].rpartition(" ")[2],
            row[head.index("Size")],
            int(row[head.index("Seed")]),
        ]
        if run["dataset"] == "cifar10" and run["source"] == "jpeg-q75":
            assert row[column] == "CIFAR-10, JPEG copy"
        else:
            assert "JPEG" not in row[column]
    assert any("JPEG copy" in row[column] for row in rows)


def test_every_row_leads_to_its_record():
    links = re.findall(r'href="results/([^"]+\.json)"', TABLE)
    assert sorted(links) == sorted(SHIPPED)
    assert all((records.RESULTS / link).is_file() for link in links)


def test_the_csv_has_every_run():
    text = records_table.csv(records.RESULTS)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == len(FOUND)
    for row in rows:
        run = FOUND[row["recipe"], row["size"], int(row["seed"])]
        for score in records.SCORES:
            assert float(row[score]) == run["test"][score]
        assert row["command"] == run["command"]
        assert row["date"] == run["date"]
        assert row["source"] == run["source"]
        for key in ("epochs", "temperature", "teacher_weight"):
            known = run["config"].get(key)
            assert (
                row[key] == "" if known is None else float(row[key]) == known
            )
        assert row["name"] == words.whole(run)


def test_a_student_of_a_cohort_is_as_large_as_one_alone():
    alone = FOUND["scratch-resnet18-fashion_mnist", "laptop", 0]
    own = f"ResNet-18 of {alone['parameters']:,} parameters"
    assert words.student(alone, sized=True) == own
    for method, students in (("mutual", 2), ("mutual_three", 3)):
        run = FOUND[f"{method}-resnet18-fashion_mnist", "laptop", 0]
        assert run["parameters"] == students * alone["parameters"]
        assert words.student(run, sized=True) == own


def test_the_charts_of_another_teacher_are_named():
    told = re.search(
        r"In the charts \*(.+)\* and \*(.+)\* the teacher was trained once "
        r"more, on another CPU \(the accuracy given is that of the first "
        r"training\), and each point has three seeds in place of five\. So "
        r"one setting \(\$T = 3\$, \$w = 0\.9\$, 10,000 images, 10 "
        r"epochs\), which is in all four charts, has a wider interval there, "
        r"and another verdict: fewer seeds find less\.",
        PAGE,
    ).groups()
    half = "vit_half_epochs_from_resnet18-cifar10"
    five, three = (
        verdicts.judge(
            KNOWN, name, "scratch-vit_half_epochs-cifar10", "laptop"
        )
        for name in (f"soft-{half}", f"soft_t3-{half}")
    )
    assert five.difference.found and not three.difference.found
    # Only these runs name their teacher by a digest.
    other = [
        name
        for axis, (name, *_) in sweeps_table.AXES.items()
        if any(
            "sha256" in FOUND[point.soft, "laptop", 0]["teacher"]
            for point in sweeps.points(axis, "laptop", RECIPES)
        )
    ]
    assert list(told) == other
    # Where the axes meet there are two recipes of one setting.
    widths = {}
    for axis, (name, *_) in sweeps_table.AXES.items():
        for point in sweeps.points(axis, "laptop", RECIPES):
            config = FOUND[point.soft, "laptop", 0]["config"]
            seeds = accuracies(point.soft, "laptop")
            assert len(seeds) == (3 if name in other else 5)
            met = config["temperature"], config["teacher_weight"]
            met += config["training_images"], config["epochs"]
            if met == (3, 0.9, 10_000, 10):
                widths[name] = by_hand(point.soft, point.scratch, "laptop")[1]
    assert widths.keys() == {name for name, *_ in sweeps_table.AXES.values()}
    narrow = max(half for name, half in widths.items() if name not in other)
    assert all(widths[name] > narrow for name in other)


def test_sweeps_keep_the_rates_of_the_long_runs_as_the_page_says():
    assert (
        "All keep the learning rates that the grids chose for 10,000 images "
        "and 20 epochs."
    ) in PAGE
    for method in (sweeps.SOFT, sweeps.SCRATCH):
        trials = paths_of_grids()[method, "laptop"]["trials"]
        budgets = {
            (t["config"]["training_images"], t["config"]["epochs"])
            for t in trials
        }
        assert budgets == {(10_000, 20)}


def test_few_images_have_a_teacher_who_saw_more():
    html = sweeps_table.table(KNOWN)
    assert "The teacher learned from 45,000 images: the fewer" in html
    for point in sweeps.points("training_images", "laptop", RECIPES):
        asked = FOUND[point.soft, "laptop", 0]["teacher"]["recipe"]
        # Older records do not say that they have all images.
        config = FOUND[asked, "laptop", 0]["config"]
        assert config.get("training_images", 0) == 0


def test_the_page_says_that_all_of_cifar_10_is_a_jpeg_copy():
    assert "whether it changes the figures was not measured" in PAGE
    sources = {
        run["source"] for run in FOUND.values() if run["dataset"] == "cifar10"
    }
    assert sources == {"jpeg-q75"}


def test_without_records_there_is_a_page_all_the_same(tmp_path):
    assert records_table.csv(tmp_path).strip() in ("", '""')
    assert "No run" in records_table.table({}, [], "")
    assert "No run" in records_table.made([])
    assert "Nothing" in sweeps_table.table([])
    assert "not been recorded" in sweeps_table.advice([])


def test_the_page_says_when_the_records_were_made():
    text = records_table.made(KNOWN)
    days = sorted(run["date"][:10] for run in FOUND.values())
    assert f"**{len(FOUND)} runs of" in text
    recipes = {recipe for recipe, _, _ in FOUND}
    assert f"of {len(recipes)} recipes**" in text
    for day in (days[0], days[-1]):
        assert re.search(rf"\b{int(day[8:])}\b", text) and day[:4] in text


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-11-21", "2026-11-21", "on 21 November 2026"),
        ("2026-11-01", "2026-11-26", "from 1 to 26 November 2026"),
        ("2026-11-21", "2026-12-02", "from 21 November to 2 December 2026"),
        (
            "2026-12-31",
            "2027-01-02",
            "from 31 December 2026 to 2 January 2027",
        ),
    ],
)
def test_dates_in_words(first, last, said):
    run = KNOWN[0]
    text = records_table.made([run | {"date": first}, run | {"date": last}])
    assert f"recorded {said}, " in text


def test_the_records_of_a_page_are_those_that_its_code_names():
    code = """
%matplotlib inline
runs = records.load_runs().query("size == 'laptop'")
for T in (1, 2):
    show(runs, f"soft_t{T}-vit_half_epochs_from_resnet18-cifar10")
show(runs, "scratch-vit-cifar10", f"soft-{pair}")
"""
    cells = [{"cell_type": "code", "source": code}]
    cells += [{"cell_type": "markdown", "source": "`control-vit-cifar10`"}]
    found = usage.records_in({"cells": cells}, KNOWN)
    assert {run["size"] for run in found} == {"laptop"}
    names = {run["recipe"] for run in found}
    assert {name for name in names if not name.startswith("soft_t")} == {
        "scratch-vit-cifar10"
    }
    vit = "-vit_half_epochs_from_resnet18-cifar10"
    assert {f"soft_t{T}{vit}" for T in (1, 2, 3, 6, 12)} < names
    assert usage.records_in({"cells": []}, KNOWN) == []


def methods():
    r"""The rows of the methods, by recipe, with the size above them."""
    html = records_table.by_method(KNOWN)
    found, size = {}, None
    for row in ROW.findall(html):
        cells = [text_of(c) for c in CELL.findall(row)]
        if "Labels alone:" in cells[0]:
            size = re.search(r"\((\w+)\)\. Labels", cells[0])[1]
        elif size:
            found[cells[0].rpartition(" ")[2], size] = cells, row
    return found


def test_each_method_has_the_paired_difference_of_the_files():
    shown = methods()
    assert len(shown) > 10
    for (recipe, size), (cells, _) in shown.items():
        config = FOUND[recipe, size, 0]["config"]
        mean, half = by_hand(recipe, config["baseline"], size)
        assert cells[4] == short(mean, half)
        if config["objective"] == "soft":
            settings = f"T = {config['temperature']:g}, weight "
            assert settings + f"{config['teacher_weight']:g}" in cells[0]
        values = list(accuracies(recipe, size).values())
        deviation = statistics.stdev(values)
        assert cells[3] == f"{statistics.mean(values):.1f} ± {deviation:.1f}"
        assert cells[1] == str(len(values))
        if not cells[6].startswith("not tested"):
            said = "no difference found"
            if abs(mean) > half:
                said = "higher" if mean > 0 else "lower"
            assert cells[6] == said


def test_a_weak_teacher_of_the_files_is_not_tested():
    exempt = ("mutual", "mutual-ensemble", "virtual")
    seen = set()
    for (recipe, size), (cells, row) in methods().items():
        config = FOUND[recipe, size, 0]["config"]
        teacher, weak, best = config.get("teacher"), False, 0.0
        if teacher and config["objective"] not in exempt:

            def ends(name, size=size):
                return [
                    100 * run["epochs"][-1]["validation"]["accuracy"]
                    for (its, s, _), run in FOUND.items()
                    if (its, s) == (name, size)
                ]

            students, best = ends(config["baseline"]), min(ends(teacher))
            weak = teacher != config["baseline"] and (
                best <= max(students) or best < statistics.mean(students) + 1
            )
        assert cells[6].startswith("not tested") == weak
        # The figures behind it stand beside it.
        assert (f"the teacher has {best:.1f} %" in cells[6]) == weak
        assert ('"strip untested"' in row) == weak
        seen.add(weak)
    assert seen == {True, False}


def test_methods_and_charts_have_every_compared_recipe():
    compared = {
        key[:2]
        for key, run in FOUND.items()
        if len(accuracies(*key[:2])) > 1 and run["config"].get("baseline")
    }
    charted = {
        (point.soft, size)
        for axis in sweeps_table.AXES
        for size in sweeps_table.SIZES
        for point in sweeps.points(axis, size, RECIPES)
    }
    assert compared <= methods().keys() | charted


def test_a_row_is_drawn_to_scale():
    interval = plots.Interval(1.5, -0.5, 3.5)
    scale, marks = plots.forest_scale([interval, plots.Interval(0, -2, 1)])
    assert marks[0] <= -2 and marks[-1] >= 3.5 and 0 in marks
    row = plots.strip(interval, scale, marks)
    low, high = map(
        float, re.search(r'"reach" d="M(\S+) 12H(\S+)"', row).groups()
    )
    mean = float(re.search(r'cx="(\S+)"', row)[1])
    axis = plots.axis(scale, marks)
    places = {
        float(value): float(x)
        for x, value in re.findall(r'x="(\S+)" y="12"[^>]*>(\S+)</text>', axis)
    }
    assert list(places) == marks
    unit = (places[marks[-1]] - places[marks[0]]) / (marks[-1] - marks[0])
    for place, value in ((low, -0.5), (mean, 1.5), (high, 3.5)):
        expected = places[0] + unit * value
        assert place == pytest.approx(expected, abs=0.15)
    zero = float(re.search(r'"none" d="M(\S+) ', row)[1])
    assert zero == pytest.approx(places[0], abs=0.15)


@pytest.mark.parametrize(
    ("interval", "kind"),
    [
        (plots.Interval(1, 0.5, 1.5), "decided"),
        (plots.Interval(1, -0.5, 2.5), "undecided"),
        (plots.Interval(1, 0.5, 1.5, False), "untested"),
    ],
)
def test_what_was_found_is_seen_without_colour(interval, kind):
    scale, marks = plots.forest_scale([interval])
    assert f'class="strip {kind}"' in plots.strip(interval, scale, marks)


def test_a_ratio_is_drawn_by_its_logarithm():
    interval = plots.Interval(2, 0.5, 8)
    scale, marks = plots.forest_scale([interval], 1.0)
    assert 1.0 in marks and marks[0] <= 0.5 and marks[-1] >= 8
    half, one, two = map(scale.place, (0.5, 1, 2))
    assert two - one == pytest.approx(one - half, abs=0.2)


@pytest.mark.parametrize(
    ("low", "high", "marks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-4.2, 2.7, [-6, -4, -2, 0, 2, 4]),
        (47.6, 50.2, [47, 48, 49, 50, 51]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round_and_span_the_range(low, high, marks):
    found = plots.ticks(low, high)
    if low == high:
        assert found[0] <= low <= found[-1]
    else:
        assert found == pytest.approx(marks)


def ece_of(recipe, size):
    return 100 * statistics.mean(
        run["test"]["ece"]
        for (name, its_size, _), run in FOUND.items()
        if (name, its_size) == (recipe, size)
    )


def test_every_claim_has_one_row_of_the_forest():
    html = claims.table(KNOWN)
    rows = [row for row in rows_of(html) if len(row) == 7]
    assert len(rows) == len(claims.CLAIMS) + 1
    for claim in claims.CLAIMS:
        (row,) = [row for row in rows if row[0].startswith(claim.words)]
        outcome = claims.outcome(claim, KNOWN)
        assert tuple(row[1:4]) == outcome.values
        assert row[4] == outcome.shown
        size = outcome.arms[0].size
        for place, name in ((2, claim.theirs), (3, claim.ours)):
            values = accuracies(name, size).values()
            if claim.measure == "accuracy":
                assert row[place] == f"{statistics.mean(values):.1f}"
            elif claim.measure == "spread":
                assert row[place] == f"{statistics.stdev(values):.2f}"
            elif claim.measure == "ece":
                assert row[place] == f"{ece_of(name, size):.1f}"
                alone = f"{ece_of(claim.beside, size):.1f}"
                assert f"labels alone: {alone}" in row[0]
        if claim.measure == "accuracy":
            mean, half = by_hand(claim.ours, claim.theirs, size)
            assert row[4] == short(mean, half)
        if any("cifar10" in key for key in (claim.ours, claim.theirs)):
            assert "JPEG copy" in row[0]


def test_a_table_keeps_its_roles_when_it_is_laid_out_as_blocks():
    row = forest.Row("one", ("1",), "+1.0", None, "open")
    html = forest.forest(
        "A table", ("a", "b", "c", "d"), [forest.Group("g", [row])]
    )
    cells = re.findall(r"<t[hd]\b[^>]*>", html)
    assert len(cells) == 5 + 3 + 5
    assert all('role="' in cell for cell in cells)
    assert 'data-label="b"' in html and html.count('role="row"') == 3


def test_a_chart_is_drawn_to_scale():
    for axis, size in (
        ("temperature", "laptop"),
        ("training_images", "laptop"),
    ):
        html = sweeps_table.table(KNOWN)
        name = sweeps_table.AXES[axis][0]
        (figure,) = [
            part
            for part in re.findall(r"<figure.*?</figure>", html, re.S)
            if f">{name}</h3>" in part
        ]
        points = sweeps.points(axis, size, RECIPES)
        groups = re.findall(
            r'<g class="(soft|labels)">(.*?)</g>', figure, re.S
        )
        # The legend's two, both arms above, the difference below.
        assert [kind for kind, _ in groups] == [
            *("soft", "labels"),
            *("soft", "labels"),
            "soft",
        ]
        gains = [by_hand(p.soft, p.scratch, size)[0] for p in points]
        means = [
            statistics.mean(accuracies(p.soft, size).values()) for p in points
        ]
        for (_, group), values in ((groups[2], means), (groups[4], gains)):
            heights = [float(y) for y in re.findall(r'cy="([^"]+)"', group)]
            assert len(heights) == len(values)
            slopes = [
                (y - heights[0]) / (v - values[0])
                for y, v in zip(heights[1:], values[1:], strict=True)
            ]
            # Higher values stand higher, in proportion.
            assert max(slopes) < 0
            assert slopes == pytest.approx([slopes[0]] * len(slopes), rel=0.1)


def test_recipes_in_words_are_told_apart():
    seen = {}
    for name, sizes in RECIPES.items():
        for size, recipe in sizes.items():
            run = {"recipe": name, "config": asdict(recipe), "source": "a"}
            run |= {"dataset": recipe.dataset}
            key = words.whole(run), words.data(run), records.budget_of(run)
            assert (key, size) not in seen, (name, seen)
            seen[key, size] = name
            assert name not in key[0] and "_" not in key[0]


def test_the_sweep_says_which_temperature_it_would_choose():
    text = sweeps_table.advice(KNOWN)
    tables = re.split(r"^\| (?=Te)", text, flags=re.M)[1:]
    leads = False
    for axis, table in zip(
        ("temperature", "teacher_weight"), tables, strict=True
    ):
        _, _, *lines = table.partition("\n\n")[0].splitlines()
        shown = [
            [cell.strip() for cell in line.strip(" |").split("|")]
            for line in lines
        ]
        ends = {}
        for point in sweeps.points(axis, "laptop", RECIPES):
            ends[point.value] = [
                100 * run["epochs"][-1]["validation"]["accuracy"]
                for (recipe, size, _), run in FOUND.items()
                if (recipe, size) == (point.soft, "laptop")
            ]
        best, second = sorted(
            ends, key=lambda value: statistics.mean(ends[value]), reverse=True
        )[:2]
        lead = [x - y for x, y in zip(ends[best], ends[second], strict=True)]
        # Student's quantile for a mean of three, two-sided 95 %.
        assert len(lead) == 3
        half = 4.303 * statistics.stdev(lead) / 3**0.5
        clear = statistics.mean(lead) > half
        leads = leads or clear
        for (value, right), cells in zip(ends.items(), shown, strict=True):
            bold = "**" if clear and value == best else ""
            mean, spread = statistics.mean(right), statistics.stdev(right)
            assert cells[0] == f"{bold}{value:g}{bold}"
            assert cells[1] == f"{bold}{mean:.1f} ± {spread:.1f}{bold}"
    assert "JPEG copy" in text
    none = "No value was found to be ahead of the next best in paired seeds."
    assert (none in text) != leads
    assert "Means of 3 seeds" in text
    assert "above with $w = 0.9$, below with $T = 3$" in text


def test_a_leader_is_ahead_in_paired_seeds():
    def arm(*right):
        epochs = [[{"validation": {"accuracy": r}}] for r in right]
        return SimpleNamespace(records=[{"epochs": each} for each in epochs])

    close = {1: arm(0.5, 0.52), 2: arm(0.47, 0.53), 3: arm(0.3, 0.3)}
    assert sweeps_table._leader(close) is None
    # A mean lead of ten points in two pairs, which differ by one or by eight.
    clear = {1: arm(0.5, 0.51), 2: arm(0.60, 0.62), 3: arm(0.3, 0.3)}
    assert sweeps_table._leader(clear) == 2
    torn = {1: arm(0.5, 0.52), 2: arm(0.56, 0.66), 3: arm(0.3, 0.3)}
    assert sweeps_table._leader(torn) is None


def test_the_grid_of_the_cheat_sheet_is_that_of_the_overnight_runs():
    page = (ROOT / "docs" / "cheatsheet.md").read_text("utf-8")
    assert (
        "Over all training images our ViT chose $T = 2$ from 1, 2 and 4, as "
        "in [the program](#one-whole-program), and our small CNN $T = 8$ from "
        "4, 8 and 16. Both chose $w = 0.9$ rather than 0.5."
    ) in " ".join(page.split())
    small = "soft-small_cnn_from_resnet18-cifar10"
    for recipe, temperatures, chosen in (
        (sweeps.SOFT, (1, 2, 4), 2),
        (small, (4, 8, 16), 8),
    ):
        grid = paths_of_grids()[recipe, "overnight"]
        tried = {
            (t["config"]["temperature"], t["config"]["teacher_weight"])
            for t in grid["trials"]
        }
        assert tried == set(product(temperatures, (0.5, 0.9)))
        assert (grid["temperature"], grid["teacher_weight"]) == (chosen, 0.9)
    program = (ROOT / "docs" / "snippets" / "cnn_to_vit.py").read_text("utf-8")
    assert "temperature=2.0, soft_weight=0.9" in program


def test_hot_students_are_worse_calibrated_as_the_cheat_sheet_says():
    cold, *hot = [
        statistics.mean(
            run["test"]["ece"]
            for (recipe, size, _), run in FOUND.items()
            if (recipe, size) == (point.soft, "laptop")
        )
        for point in sweeps.points("temperature", "laptop", RECIPES)
    ]
    page = (records.RESULTS.parents[1] / "docs/cheatsheet.md").read_text()
    assert (
        "In this sweep students taught at $T > 1$ had a larger calibration "
        "error than those taught at $T = 1$"
    ) in " ".join(page.split())
    assert min(hot) > cold


@pytest.fixture
def all_runs(open_page):
    r"""The page, and what its table shows now."""
    page = open_page("results/")

    def column(name):
        head = page.locator(".runs thead th").all_inner_texts()
        place = head.index(name) + 1
        cells = f".runs tbody tr:visible > :nth-child({place})"
        return page.locator(cells).all_inner_texts()

    return page, column


def test_runs_are_found_by_words(all_runs):
    page, column = all_runs
    assert len(column("Seed")) == len(FOUND)
    page.get_by_label("Find").fill("softened fashion")
    names = [key for key in FOUND if key[0].startswith("virtual_softened")]
    assert len(column("Seed")) == len(names) > 0
    told = page.locator(".find output").inner_text()
    assert told == f"{len(names)} of {len(FOUND)} runs"
    page.get_by_label("Find").fill("no such run")
    assert column("Seed") == []


def test_runs_are_sorted_from_the_keyboard(all_runs):
    page, column = all_runs
    button = page.get_by_role("button", name="Accuracy, %")
    head = page.locator(".runs th", has=button)
    button.focus()
    page.keyboard.press("Enter")
    rising = [float(text) for text in column("Accuracy, %")]
    assert rising == sorted(rising) and len(rising) == len(FOUND)
    assert head.get_attribute("aria-sort") == "ascending"
    page.keyboard.press("Enter")
    falling = [float(text) for text in column("Accuracy, %")]
    assert falling == rising[::-1]
    assert head.get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Time").click()
    assert head.get_attribute("aria-sort") is None
    seconds = page.locator(".runs tbody td[data-value]").evaluate_all(
        "cells => cells.map(cell => Number(cell.dataset.value))"
    )
    assert seconds == sorted(seconds)


def test_without_a_script_the_table_is_there(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}results/")
    assert page.locator(".runs tbody tr").count() == len(FOUND)
    assert not page.locator(".find").is_visible()
    box = page.locator(".all-runs")
    assert box.get_attribute("tabindex") == "0"
    assert box.get_attribute("aria-label") == "All runs"
    context.close()


def test_the_csv_is_downloaded(open_page):
    page = open_page("results/")
    with page.expect_download() as download:
        page.get_by_text("Download all runs as CSV").click()
    with open(download.value.path(), encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == len(FOUND)


@pytest.mark.parametrize("scheme", ("light", "dark"))
def test_drawings_have_the_colour_of_the_page(open_page, scheme):
    page = open_page("results/", 390, scheme)
    text, body = page.evaluate(
        """() => [document.querySelector(".chart text"), document.body].map(
          (element, i) => getComputedStyle(element)[i ? "color" : "fill"])"""
    )
    shades = [int(n) for n in re.findall(r"\d+", text)[:3]]
    assert (min(shades) > 120) == (scheme == "dark")
    assert text == body
    # On a phone every drawing is as wide as the screen, and no wider.
    for svg in page.locator(".chart svg, .strip").all():
        box = svg.bounding_box()
        assert box["width"] > 300 and box["x"] + box["width"] <= 390
