"""What the sources of this course claim, beside what our records say.

The results page has a marker where the plot goes. A claim's words and how it
was measured are the source's; figures and verdicts come from the records.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

import words
from forest import Group, Row, forest
from headline import SIZES, over_the_run, paired, rank, until_level
from plots import Interval
from records_table import short, teacher_percent
from scipy.special import fdtri

from labkd import comparisons, records, verdicts

MARKER = "<!-- claims -->"
HEAD = (
    "Claim",
    "Teacher, %",
    "Without",
    "With",
    "With against without",
    "Here",
)
# What must be the source's own before a run of ours repeats its claim.
PARTS = ("teacher", "student", "data", "budget")


@dataclass(frozen=True)
class Claim:
    """One row: in `measure`, `ours` differs from `theirs`.

    `stated` is what the source says of its own runs, by part, in the fields
    of a recipe: a part that it does not state cannot be the same. `beside` is
    a recipe whose value stands beside the two.
    """

    source: str
    words: str
    measured: str
    ours: str
    theirs: str
    measure: str = "accuracy"
    stated: dict[str, dict] = field(default_factory=dict)
    beside: str = ""


@dataclass(frozen=True)
class Measure:
    """What is counted, its unit, and how, from a pair of records.

    `against` is how two are compared, `digits` how many a value shows.
    """

    name: str
    unit: str
    of: Callable[[dict, dict], tuple[float, float]] | None = None
    against: str = "with minus without"
    digits: int = 1


def _hundredths(score: str):
    return lambda *pair: tuple(100 * run["test"][score] for run in pair)


# Those with the same unit are drawn on one scale.
MEASURES = {
    "accuracy": Measure("accuracy", "points", _hundredths("accuracy")),
    "area": Measure("accuracy over the run", "points", over_the_run),
    "epochs": Measure("epochs to the level", "epochs", until_level),
    "ece": Measure("ECE", "points of ECE", _hundredths("ece")),
    "spread": Measure(
        "deviation",
        "times the deviation",
        against="with divided by without",
        digits=2,
    ),
}
UNITS = {
    "points": "Accuracy, %, and differences in points",
    "epochs": "Epochs to the level: fewer is sooner",
    "points of ECE": "Calibration error (ECE), in points: lower is better",
    "times the deviation": (
        "Deviation of accuracy over the seeds, in points, and as a ratio: 1 "
        "is alike"
    ),
}
ESSAY = "an essay, “From ResNet-18 to ViT on CIFAR-10”"
THESIS = "distillistic, a master's thesis"
SOFT_VIT = "soft-vit_from_resnet18-cifar10"
SCRATCH_VIT = "scratch-vit-cifar10"
CLOTHES = "resnet18-fashion_mnist"
# The usual width; all training images, which is what 0 stands for.
RESNET18 = {"architecture": "resnet18", "width": 64}
RESNET50 = {"architecture": "resnet50", "width": 64}
CIFAR10 = {
    "dataset": "cifar10",
    "source": "original",
    "training_images": 0,
}
FASHION_MNIST = {
    "dataset": "fashion-mnist",
    "source": "original",
    "training_images": 0,
}
CLAIMS = (
    Claim(
        ESSAY,
        "Soft labels make a ViT “converge more quickly”: sooner",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        measure="epochs",
        stated={"teacher": RESNET18, "data": CIFAR10},
    ),
    Claim(
        ESSAY,
        "“Converges more quickly”, read as: ahead on average",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        measure="area",
        stated={"teacher": RESNET18, "data": CIFAR10},
    ),
    Claim(
        ESSAY,
        "“Converges more quickly”, read as: further on at the end",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        stated={"teacher": RESNET18, "data": CIFAR10},
    ),
    Claim(
        "labml's annotated tutorial",
        "A small CNN gets 80 %, taught by a large one 82 %",
        "one run of each, on the test images, after every epoch",
        "soft-small_cnn_from_large_cnn-cifar10",
        "scratch-small_cnn-cifar10",
        stated={
            "teacher": {"architecture": "large_cnn", "epochs": 20},
            "student": {"architecture": "small_cnn"},
            "data": CIFAR10,
            "budget": {"epochs": 10},
        },
    ),
    Claim(
        "a Lightning repository, ResNet-50 to ResNet-18",
        "A ResNet-50 helps a ResNet-18 (taken for granted)",
        "no figure is given; a study of this pair reports +0.06 points "
        "([Yaşar, 2026](references.md#yasar2026), version 2)",
        "soft-resnet18_from_resnet50-cifar10",
        "scratch-resnet18-cifar10",
        stated={"teacher": RESNET50, "student": RESNET18, "data": CIFAR10},
    ),
    Claim(
        "a write-up, ViT-B/16 to ResNet-34",
        "A ViT can teach a CNN; the aim is above 85 %",
        "no figure is given; ViT-B/16 with ImageNet's weights, ResNet-34",
        "soft-resnet18_4500_from_vit-cifar10",
        "scratch-resnet18_4500-cifar10",
        stated={
            "teacher": {"architecture": "ViT-B/16"},
            "student": {"architecture": "resnet34", "width": 64},
            "data": CIFAR10,
        },
    ),
    Claim(
        THESIS,
        "Mutual learning is unstable",
        "runs whose students stayed in eval mode after the first epoch",
        f"mutual-{CLOTHES}",
        f"scratch-{CLOTHES}",
        measure="spread",
        stated={
            "student": RESNET18 | {"cohort": 3},
            "data": FASHION_MNIST,
            "budget": {"epochs": 20},
        },
    ),
    Claim(
        THESIS,
        "A virtual teacher of one softmax is better calibrated than of two",
        "ECE of single runs",
        f"virtual-{CLOTHES}",
        f"virtual_softened-{CLOTHES}",
        measure="ece",
        beside=f"scratch-{CLOTHES}",
        stated={
            "student": RESNET18,
            "data": FASHION_MNIST,
            "budget": {"epochs": 20},
        },
    ),
    Claim(
        THESIS,
        "A teacher at full resolution helps a student that sees a half",
        "single runs, in code that shrinks the teacher's image too",
        "soft-resnet18_half_from_resnet50-fashion_mnist",
        "scratch-resnet18_half-fashion_mnist",
        stated={
            "teacher": RESNET50,
            "student": RESNET18,
            "data": {"dataset": "imagenet"},
            "budget": {"epochs": 20},
        },
    ),
)


@dataclass(frozen=True)
class Outcome:
    """A claim beside our runs; `words` is the verdict, `parts` what differs.

    `values` are the teacher's accuracy in per cent, and what is compared,
    without what is claimed and with it; `beside` is that of another recipe.
    """

    claim: Claim
    words: str = "open"
    shown: str = "not recorded yet"
    interval: Interval | None = None
    reason: str = ""
    parts: tuple[str, ...] = ()
    values: tuple[str, ...] = ("", "", "")
    beside: str = ""
    arms: tuple[comparisons.Arm, ...] = ()


def table(found: list[dict]) -> str:
    """The forest of all claims as HTML, then as Markdown what was run."""
    outcomes = [outcome(claim, found) for claim in CLAIMS]
    groups = []
    for unit, heading in UNITS.items():
        rows = [
            _row(each)
            for each in outcomes
            if MEASURES[each.claim.measure].unit == unit
        ]
        none = 1.0 if unit == "times the deviation" else 0.0
        groups.append(Group(heading, rows, none))
    caption = (
        "Each claim beside our runs: the teacher's accuracy, then what is "
        "compared, without and with what is claimed, and the difference with "
        "its 95 % interval. Filled: the interval excludes no "
        "difference. Hollow: it does not. Dashed: not tested."
    )
    text = [forest(caption, HEAD, groups), ""]
    text += ["/// details | How each was measured, there and here", ""]
    text += [_told(each) for each in outcomes]
    return "\n".join([*text, "", "///", ""])


def outcome(claim: Claim, found: list[dict]) -> Outcome:
    """What our records say of a claim, at the size that `rank` prefers."""
    arms = comparisons.arms_by_name(found)
    pairs = [
        [arms.get((name, size)) for name in (claim.ours, claim.theirs)]
        for size in SIZES
    ]
    recorded = [
        pair
        for pair in pairs
        if all(arm and len(arm.records) > 1 for arm in pair)
    ]
    best = max(recorded, key=lambda pair: min(map(rank, pair)), default=None)
    return _judge(claim, found, *best) if best else Outcome(claim)


def _judge(claim: Claim, found: list[dict], ours, theirs) -> Outcome:
    names = ours.recipe, theirs.recipe
    weak = verdicts.weakness(found, names, ours.size)
    said, shown, interval = "open", "some runs never reach the level", None
    measure = MEASURES[claim.measure]
    if measure.of is None:
        said, shown, ends = _spread(ours, theirs)
        values = _deviation(theirs), _deviation(ours)
        interval = Interval(*ends, not weak)
    else:
        pairs = verdicts.pairs_of(found, *names, ours.size)
        ahead = paired(pairs, measure.of)
        values = _means(measure, pairs)
        if ahead:
            said, shown = verdicts.verdict(ahead).words, short(ahead)
            interval = Interval(ahead.mean, ahead.low, ahead.high, not weak)
    # A teacher that tests nothing leaves no verdict, whatever the measure.
    return Outcome(
        claim,
        verdicts.NOT_TESTED if weak else said,
        shown,
        interval,
        weak,
        tuple(_other_parts(claim, found, ours)),
        (
            teacher_percent(found, list(ours.records)) or "none",
            *(_number(measure, value) for value in values),
        ),
        _beside(claim, found, ours.size),
        (ours, theirs),
    )


def _means(measure: Measure, pairs) -> tuple[float, float]:
    """What is compared, without and with, in the mean over the pairs."""
    both = [measure.of(*pair) for pair in pairs]
    ours, theirs = (statistics.mean(side) for side in zip(*both, strict=True))
    return theirs, ours


def _beside(claim: Claim, found: list[dict], size: str) -> str:
    """The measure of the recipe that a claim has beside its two."""
    runs = verdicts.runs_of(found, claim.beside, size)
    if not runs:
        return ""
    measure = MEASURES[claim.measure]
    mean, _ = _means(measure, [(run, run) for run in runs])
    return _number(measure, mean)


def _number(measure: Measure, value: float) -> str:
    # The mean with a run that never reaches its level is no number.
    return "" if math.isnan(value) else f"{value:.{measure.digits}f}"


def _row(each: Outcome) -> Row:
    about = each.claim.source
    if each.arms:
        run = each.arms[0].records[0]
        taught = words.teacher(run)
        about += f"<br>here: {words.student(run, sized=True)}"
        about += f", taught by a {taught}" if taught else ""
        about += f"; {words.data(run)}"
    if each.beside:
        about += f"<br>labels alone: {each.beside}"
    verdict = f"<strong>{each.words.removeprefix('here: ')}</strong>"
    notes = [each.reason] if each.reason else []
    if each.parts:
        notes.append(f"not a replication: other {', '.join(each.parts)}")
    verdict += "".join(f"<br><small>{note}</small>" for note in notes)
    return Row(
        f"{each.claim.words}<br><small>{about}</small>",
        each.values,
        each.shown,
        each.interval,
        verdict,
    )


def _told(each: Outcome) -> str:
    """A paragraph of a list: the source's way, ours, and the files."""
    claim = each.claim
    text = f"- **{claim.words}** ({claim.source}). *There:* {claim.measured}."
    if not each.arms:
        return f"{text} *Here:* not recorded yet."
    run = each.arms[0].records[0]
    files = " and ".join(_link(arm) for arm in each.arms)
    measure, settings = MEASURES[claim.measure], words.settings(run)
    return (
        f"{text} *Here:* {measure.name}, {measure.against}, {each.shown}; "
        f"{f'{settings}; ' if settings else ''}"
        f"{records.data_of(run)}, {records.budget_of(run)} "
        f"({each.arms[0].size}). Records: {files}; again: `{run['command']}`."
    )


def _other_parts(claim: Claim, found: list[dict], ours) -> list[str]:
    """The parts of our runs that are not, as far as is known, the source's."""
    run = ours.records[0]
    config = run["config"] | {"source": run["source"]}
    settings = dict.fromkeys(PARTS[1:], config)
    if teachers := verdicts.teachers_of(found, list(ours.records)):
        settings["teacher"] = teachers[0]["config"]
    return [
        part
        for part in PARTS
        if part in settings
        and not _same(claim.stated.get(part), settings[part])
    ]


def _same(stated: dict | None, ours: dict) -> bool:
    if not stated:
        return False
    return all(ours.get(key) == value for key, value in stated.items())


def _spread(ours, theirs) -> tuple[str, str, tuple[float, float, float]]:
    """Standard deviations over the seeds, by Fisher's F of their squares."""
    counts = [len(arm.records) - 1 for arm in (ours, theirs)]
    ratio = _deviation(ours) / _deviation(theirs)
    low, high = (
        ratio / math.sqrt(fdtri(*counts, share)) for share in (0.975, 0.025)
    )
    said = "higher" if low > 1 else "lower" if high < 1 else None
    return (
        f"here: {said or 'no difference found'}",
        f"{ratio:.1f} ({low:.1f} to {high:.1f})",
        (ratio, low, high),
    )


def _deviation(arm) -> float:
    """Of accuracy over the seeds, in points."""
    return 100 * statistics.stdev(arm.scores("accuracy"))


def _link(arm) -> str:
    first = arm.records[0]
    path = f"results/{arm.recipe}/{arm.size}-seed{first['seed']}.json"
    return f"[{words.whole(first)}]({path}), {len(arm.records)} seeds"
