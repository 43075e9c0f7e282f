r"""
# Figures

The drawings that chapters share: a distribution over classes with the
correct one highlighted, hard and soft labels side by side, a reliability
diagram, the curves of some runs and their paired differences. Each draws into
axes that it is given and returns nothing, so that a chapter decides on layout
and titles.
"""

from collections.abc import Sequence

import numpy as np

from labkd.calibration import Reliability
from labkd.extras import needs_extra
from labkd.inference import paired_difference

with needs_extra("course"):
    import matplotlib.pyplot as plt
    import pandas as pd
    from matplotlib.axes import Axes

# One hue a role: the correct class, the student, everything else. Told
# apart in grey and by readers who do not see red and green as two colours.
CORRECT = "#0b7285"
STUDENT = "#d9480f"
OTHER = "#adb5bd"
STYLE = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "legend.frameon": False,
    "figure.constrained_layout.use": True,
}


def use_style() -> None:
    r"""Set the look of all figures of a chapter: white, no box, no grid."""
    plt.rcParams.update(STYLE)


def draw_probabilities(
    axes: Axes,
    probabilities: Sequence[float],
    class_names: Sequence[str],
    correct: int,
    *,
    log: bool = False,
) -> None:
    r"""
    One image's probabilities as bars, the correct class highlighted.

    * `probabilities`: shape (classes,), in 0 .. 1
    * `class_names`: as many
    * `correct`: the index of the correct class
    * `log`: a logarithmic axis, on which small probabilities can be read
    """
    probabilities = np.asarray(probabilities, dtype=float)
    places = np.arange(len(probabilities))
    colours = [CORRECT if i == correct else OTHER for i in places]
    axes.barh(places, probabilities, color=colours)
    axes.set_yticks(places, class_names)
    axes.get_yticklabels()[correct].set(color=CORRECT, weight="bold")
    axes.invert_yaxis()
    axes.set_xlabel("probability")
    if log:
        axes.set_xscale("log")
    else:
        axes.set_xlim(0, 1.19)
    for place, probability in zip(places, probabilities, strict=True):
        axes.annotate(
            f"{probability:.1e}" if log else f"{probability:.3f}",
            (probability, place),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )


def draw_pull(
    axes: Axes,
    target: Sequence[float],
    student: Sequence[float],
    class_names: Sequence[str],
) -> None:
    r"""
    A target beside a student's probabilities, with the pull between them.

    The gradient with respect to the student's logits is student minus
    target; descent moves against it. The arrow of a class runs from the
    student's bar to the target's: its length is the size of that gradient.

    * `target`, `student`: shape (classes,), each sums to 1
    * `class_names`: as many
    """
    target = np.asarray(target, dtype=float)
    student = np.asarray(student, dtype=float)
    places = np.arange(len(target))
    axes.bar(places - 0.2, target, 0.36, color=CORRECT, label="target")
    axes.bar(places + 0.2, student, 0.36, color=STUDENT, label="student")
    for place, high, low in zip(places, target, student, strict=True):
        if abs(high - low) > 0.005:
            axes.annotate(
                "",
                xy=(place + 0.2, high),
                xytext=(place + 0.2, low),
                arrowprops={"arrowstyle": "-|>", "color": "black"},
            )
    axes.set_xticks(places, class_names)
    axes.set(ylim=(0, 1.08), ylabel="probability")
    axes.label_outer()


def draw_reliability(
    axes: Axes, curve: Reliability, name: str, *, colour: str = CORRECT
) -> None:
    r"""
    A reliability diagram: how often a classifier is right when it says so.

    A calibrated one lies on the diagonal. Above it, it is right more often
    than it says; below it, less often. The larger a dot, the more images are
    in its bin.

    * `curve`: as `calibration.reliability_curve` gives it
    * `name`: its name in the legend
    * `colour`: of the line
    """
    axes.axline((0, 0), slope=1, color=OTHER, linewidth=1)
    filled = curve.count > 0
    confidence, accuracy = curve.confidence[filled], curve.accuracy[filled]
    axes.plot(confidence, accuracy, color=colour, label=name, linewidth=1)
    share = curve.count[filled] / curve.count.sum()
    axes.scatter(confidence, accuracy, 3 + 200 * share, color=colour)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal")
    axes.set(xlabel="confidence", ylabel="accuracy")


def draw_curves(
    axes: Axes,
    runs: pd.DataFrame,
    score: str,
    name: str,
    *,
    colour: str = STUDENT,
    dashes: str = "-",
) -> None:
    r"""
    A score over the epochs: a line for the mean of the seeds, in their band.

    * `runs`: as `records.curves` gives them
    * `score`: the name of its column
    * `name`: its name in the legend
    * `colour`, `dashes`: of the line
    """
    values = runs.pivot(index="epoch", columns="seed", values=score)
    low, high = values.min(axis=1), values.max(axis=1)
    axes.fill_between(values.index, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(
        values.index,
        values.mean(axis=1),
        color=colour,
        linestyle=dashes,
        label=name,
    )


def draw_differences(
    axes: Axes, differences: dict[str, Sequence[float]]
) -> None:
    r"""
    Paired differences as a forest: a row for each comparison.

    The large dot is the mean and the line its 95 % interval, which is also
    written above it; each small dot below is one pair of runs. The vertical
    line at zero is where neither of the two is ahead.

    * `differences`: by the comparison's name, a number for each pair, at
      least two
    """
    axes.axvline(0, color=OTHER, linewidth=1)
    for place, values in enumerate(differences.values()):
        found = paired_difference(values, np.zeros(len(values)))
        below = [place + 0.2] * len(values)
        axes.plot(values, below, "o", color=OTHER, ms=4)
        axes.plot([found.low, found.high], [place, place], color=STUDENT)
        axes.plot(found.mean, place, "o", color=STUDENT, ms=8)
        axes.annotate(
            found.short,
            (found.mean, place),
            xytext=(0, 9),
            textcoords="offset points",
            ha="center",
        )
    axes.set_yticks(range(len(differences)), differences)
    axes.set_ylim(len(differences) - 0.5, -0.7)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)


class Html(str):
    r"""A text that a notebook shows as HTML."""

    def _repr_html_(self) -> str:
        return str(self)
