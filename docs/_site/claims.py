"""What the sources of this course claim, beside what our records say.

The results page has a marker where the table goes. A claim's words and how it
was measured are the source's; figures and verdicts come from the records.
"""

import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field

from headline import SIZES, over_the_run, paired, until_level
from records_table import rows, teacher_percent
from scipy.special import fdtri

from labkd import comparisons, records, verdicts

MARKER = "<!-- claims -->"
HEAD = (
    "Source",
    "What it claims",
    "How that was measured",
    "Ours",
    "Data and budget",
    "Verdict",
    "Records",
    "Again",
)
# What must be the source's own before a run of ours repeats its claim.
PARTS = ("teacher", "student", "data", "budget")


@dataclass(frozen=True)
class Claim:
    """One row: in `measure`, `ours` differs from `theirs`.

    `stated` is what the source says of its own runs, by part, in the fields
    of a recipe: a part that it does not state cannot be the same.
    """

    source: str
    words: str
    measured: str
    ours: str
    theirs: str
    measure: str = "accuracy"
    stated: dict[str, dict] = field(default_factory=dict)


@dataclass(frozen=True)
class Measure:
    """What is counted, its unit, and how, from a pair of records."""

    name: str
    unit: str
    of: Callable[[dict, dict], tuple[float, float]]


def _hundredths(score: str):
    return lambda *pair: tuple(100 * run["test"][score] for run in pair)


MEASURES = {
    "accuracy": Measure("accuracy", "points", _hundredths("accuracy")),
    "ece": Measure("ECE", "points of ECE", _hundredths("ece")),
    "epochs": Measure("epochs to the level", "epochs", until_level),
    "area": Measure("accuracy over the run", "points", over_the_run),
}
ESSAY = "*From ResNet-18 to ViT on CIFAR-10*, an essay"
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
        "with soft labels, a ViT “converges more quickly”: sooner",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        measure="epochs",
        stated={"teacher": RESNET18, "data": CIFAR10},
    ),
    Claim(
        ESSAY,
        "the same, read as: ahead all along",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        measure="area",
        stated={"teacher": RESNET18, "data": CIFAR10},
    ),
    Claim(
        ESSAY,
        "the same, read as: further on at the end",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        stated={"teacher": RESNET18, "data": CIFAR10},
    ),
    Claim(
        "labml's annotated tutorial",
        "a small CNN gets 80 %, distilled from a large one 82 %",
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
        "none; that it helps is understood",
        "no figure is given; elsewhere +0.06 points, first given as +0.21 "
        "([arXiv:2605.31191](https://arxiv.org/abs/2605.31191), version 2)",
        "soft-resnet18_from_resnet50-cifar10",
        "scratch-resnet18-cifar10",
        stated={"teacher": RESNET50, "student": RESNET18, "data": CIFAR10},
    ),
    Claim(
        "a write-up, ViT-B/16 to ResNet-34",
        "a ViT can teach a CNN; the aim is above 85 %",
        "no figure is given; ViT-B/16 with ImageNet's weights, ResNet-34",
        "soft-resnet18_from_vit-cifar10",
        "scratch-resnet18-cifar10",
        stated={
            "teacher": {"architecture": "ViT-B/16"},
            "student": {"architecture": "resnet34", "width": 64},
            "data": CIFAR10,
        },
    ),
    Claim(
        THESIS,
        "mutual learning is unstable",
        "runs whose students stayed in eval mode after the first batch",
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
        "the virtual teacher is better calibrated without its second softmax",
        "ECE of single runs",
        f"virtual-{CLOTHES}",
        f"virtual_softened-{CLOTHES}",
        measure="ece",
        stated={
            "student": RESNET18,
            "data": FASHION_MNIST,
            "budget": {"epochs": 20},
        },
    ),
    Claim(
        THESIS,
        "a teacher at full resolution helps a student that sees a half",
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


def table(found: list[dict]) -> str:
    """Markdown: a row a claim; what has no records yet says so."""
    return "\n".join(rows(HEAD, [_row(claim, found) for claim in CLAIMS]))


def _row(claim: Claim, found: list[dict]) -> list[str]:
    told = [claim.source, claim.words, claim.measured]
    arms = comparisons.arms_by_name(found)
    for size in SIZES:
        pair = [arms.get((n, size)) for n in (claim.ours, claim.theirs)]
        if all(arm and len(arm.records) > 1 for arm in pair):
            shown, verdict = _judge(claim, found, *pair)
            run = pair[0].records[0]
            data = f"{records.data_of(run)}, {records.budget_of(run)} ({size})"
            files = ", ".join(_link(arm) for arm in pair)
            return [*told, shown, data, verdict, files, f"`{run['command']}`"]
    return [*told, "not recorded yet", "", "open", "", ""]


def _judge(claim: Claim, found: list[dict], ours, theirs) -> tuple[str, str]:
    names = ours.recipe, theirs.recipe
    weak = verdicts.weakness(found, names, ours.size)
    if claim.measure == "spread":
        name, (shown, words) = "deviation", _spread(ours, theirs)
    else:
        measure = MEASURES[claim.measure]
        pairs = verdicts.pairs_of(found, *names, ours.size)
        name, ahead = measure.name, paired(pairs, measure.of)
        if ahead is None:
            return "some runs never reach the level", "open"
        shown = ahead.labelled(measure.unit)
        words = verdicts.verdict(ahead).words
    # A teacher that tests nothing leaves no verdict, whatever the measure.
    words = (
        f"**{verdicts.NOT_TESTED}**: {weak}"
        if weak
        else (f"**{words}** in {name}")
    )
    other = _other_parts(claim, found, ours)
    if other:
        words += f"; not a replication ({', '.join(other)})"
    return f"{_accuracies(found, ours, theirs)}; {shown}", words


def _accuracies(found: list[dict], ours, theirs) -> str:
    teacher = teacher_percent(found, list(ours.records))
    means = [
        f"{100 * statistics.mean(arm.scores('accuracy')):.1f} %"
        for arm in (theirs, ours)
    ]
    known = f"teacher {teacher} %, " if teacher else ""
    return f"{known}baseline {means[0]}, claimed method {means[1]}"


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


def _spread(ours, theirs) -> tuple[str, str]:
    """Standard deviations over the seeds, by Fisher's F of their squares."""
    deviations, counts = [], []
    for arm in (ours, theirs):
        values = [100 * value for value in arm.scores("accuracy")]
        deviations.append(statistics.stdev(values))
        counts.append(len(values) - 1)
    ratio = deviations[0] / deviations[1]
    low, high = (
        ratio / math.sqrt(fdtri(*counts, share)) for share in (0.975, 0.025)
    )
    words = "higher" if low > 1 else "lower" if high < 1 else None
    shown = (
        f"deviation over {counts[0] + 1} seeds {deviations[0]:.2f} points, "
        f"of single students {deviations[1]:.2f}: ratio {ratio:.1f}, "
        f"95 % interval {low:.1f} to {high:.1f}"
    )
    return shown, f"here: {words or 'no difference found'}"


def _link(arm) -> str:
    first = arm.records[0]
    path = f"results/{arm.recipe}/{arm.size}-seed{first['seed']}.json"
    return f"[{arm.recipe}]({path}) × {len(arm.records)}"
