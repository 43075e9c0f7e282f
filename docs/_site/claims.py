"""What the sources of this course claim, beside what our records say.

The results page has a marker where the table goes. A claim's words and how it
was measured are the source's; figures and verdicts come from the records.
"""

import math
import statistics
from dataclasses import dataclass

from headline import SIZES
from records_table import rows
from scipy.special import fdtri

from labkd import comparisons

MARKER = "<!-- claims -->"
HEAD = (
    "Source",
    "What it claims",
    "How that was measured",
    "Ours",
    "Verdict",
    "Records",
    "Again",
)


@dataclass(frozen=True)
class Claim:
    """One row: in `measure`, `ours` is `sign` times more than `theirs`."""

    source: str
    words: str
    measured: str
    ours: str
    theirs: str
    measure: str = "accuracy"
    sign: int = 1
    note: str = ""


ESSAY = "*From ResNet-18 to ViT on CIFAR-10*, an essay"
THESIS = "distillistic, a master's thesis"
SOFT_VIT = "soft-vit_from_resnet18-cifar10"
SCRATCH_VIT = "scratch-vit-cifar10"
CLOTHES = "resnet18-fashion_mnist"
CLAIMS = (
    Claim(
        ESSAY,
        "with soft labels, a ViT “converges more quickly”: sooner",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
        measure="epochs",
        sign=-1,
    ),
    Claim(
        ESSAY,
        "the same, read as: further on",
        "the curves of one run",
        SOFT_VIT,
        SCRATCH_VIT,
    ),
    Claim(
        "labml's annotated tutorial",
        "a small CNN gets 80 %, distilled from a large one 82 %",
        "one run of each, on the test images, after every epoch",
        "soft-small_cnn_from_large_cnn-cifar10",
        "scratch-small_cnn-cifar10",
    ),
    Claim(
        "a Lightning repository, ResNet-50 to ResNet-18",
        "none; that it helps is understood",
        "no figure is given; elsewhere +0.21 points "
        "([arXiv:2605.31191](https://arxiv.org/abs/2605.31191))",
        "soft-resnet18_from_resnet50-cifar10",
        "scratch-resnet18-cifar10",
        note="narrow networks",
    ),
    Claim(
        "a Korean write-up, ViT to CNN",
        "a ViT can teach a CNN; the aim is above 85 %",
        "no figure is given; ViT-B/16 with ImageNet's weights, ResNet-34",
        "soft-resnet18_from_vit-cifar10",
        "scratch-resnet18-cifar10",
        note="our own ViT, a narrow ResNet-18, fewer images",
    ),
    Claim(
        THESIS,
        "mutual learning is unstable",
        "runs whose students stayed in eval mode after the first batch",
        f"mutual-{CLOTHES}",
        f"scratch-{CLOTHES}",
        measure="spread",
    ),
    Claim(
        THESIS,
        "the virtual teacher is better calibrated without its second softmax",
        "ECE of single runs",
        f"virtual-{CLOTHES}",
        f"virtual_softened-{CLOTHES}",
        measure="ece",
        sign=-1,
    ),
    Claim(
        THESIS,
        "a teacher at full resolution helps a student that sees a half",
        "single runs, in code that shrinks the teacher's image too",
        "soft-resnet18_half_from_resnet50-fashion_mnist",
        "scratch-resnet18_half-fashion_mnist",
    ),
)


def table(found: list[dict]) -> str:
    """Markdown: a row a claim; what has no records yet says so."""
    arms = comparisons.arms_by_name(found)
    return "\n".join(rows(HEAD, [_row(claim, arms) for claim in CLAIMS]))


def _row(claim: Claim, arms: dict) -> list[str]:
    told = [claim.source, claim.words, claim.measured]
    for size in SIZES:
        pair = [arms.get((n, size)) for n in (claim.ours, claim.theirs)]
        if all(arm and len(arm.records) > 1 for arm in pair):
            shown, verdict = _judge(claim, *pair)
            note = f" ({size}; {claim.note})" if claim.note else f" ({size})"
            files = ", ".join(_link(arm) for arm in pair)
            again = f"`{pair[0].records[0]['command']}`"
            return [*told, shown + note, verdict, files, again]
    return [*told, "not recorded yet", "open", "", ""]


def _judge(claim: Claim, ours, theirs) -> tuple[str, str]:
    if claim.measure == "spread":
        return _spread(ours, theirs)
    unit = {"accuracy": "points", "ece": "points of ECE", "epochs": "epochs"}
    pair = zip(*_paired(ours, theirs), strict=True)
    measured = [_measured(claim.measure, *runs) for runs in pair]
    ahead = comparisons.paired_difference(*zip(*measured, strict=True))
    verdict = "not found"
    if ahead.found:
        verdict = "confirmed" if claim.sign * ahead.mean > 0 else "reversed"
    figures = str(ahead).removesuffix(", no difference found")
    shown = f"{figures} {unit[claim.measure]}"
    if claim.measure == "accuracy":
        first, second = (
            arm.spread("accuracy", scale=100, digits=1)
            for arm in (theirs, ours)
        )
        shown = f"{first} %, taught {second} %: {shown}"
    return shown, f"**{verdict}**"


def _paired(ours, theirs) -> list[list[dict]]:
    runs = [{r["seed"]: r for r in arm.records} for arm in (ours, theirs)]
    shared = sorted(runs[0].keys() & runs[1].keys())
    return [[of[seed] for seed in shared] for of in runs]


def _measured(measure: str, ours: dict, theirs: dict) -> tuple[float, float]:
    if measure != "epochs":
        return tuple(100 * r["test"][measure] for r in (ours, theirs))
    # Until nine tenths of where the baseline ends.
    curves = [
        [epoch["validation"]["accuracy"] for epoch in run["epochs"]]
        for run in (ours, theirs)
    ]
    level = 0.9 * curves[1][-1]
    never = len(curves[0]) + 1
    return tuple(
        next((e for e, a in enumerate(curve, 1) if a >= level), never)
        for curve in curves
    )


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
    verdict = (
        "confirmed" if low > 1 else "reversed" if high < 1 else "not found"
    )
    shown = (
        f"deviation over {counts[0] + 1} seeds {deviations[0]:.2f} points, "
        f"of single students {deviations[1]:.2f}: ratio {ratio:.1f}, "
        f"interval {low:.1f} to {high:.1f}"
    )
    return shown, f"**{verdict}**"


def _link(arm) -> str:
    first = arm.records[0]
    path = f"results/{arm.recipe}/{arm.size}-seed{first['seed']}.json"
    return f"[{arm.recipe}]({path}) × {len(arm.records)}"
