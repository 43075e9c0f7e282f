"""Drawings of the results as SVG: text is text, colours are the page's.

The numbers stand beside each, so that a screen reader leaves the drawing out.
"""

import math
from dataclasses import dataclass
from html import escape

WIDTH = 220
# Of a chart: its width, and where its panels lie in it.
CHART = 360
LEFT, RIGHT = 38, 350
UPPER, LOWER = (34, 164), (196, 276)


@dataclass(frozen=True)
class Interval:
    """What a row of a forest draws: a mean and the ends of its interval."""

    mean: float
    low: float
    high: float
    tested: bool = True


@dataclass(frozen=True)
class Scale:
    """From values to places, `start` to `end`, by their logarithm if asked."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def place(self, value: float) -> float:
        """Where a value lies."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = (math.log(v) for v in (low, high, value))
        share = (value - low) / (high - low)
        return round(self.start + share * (self.end - self.start), 1)


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers that span a range, at least two and about `most`."""
    raw = max(high - low, 1e-9) / most
    power = 10 ** math.floor(math.log10(raw))
    step = next(power * n for n in (1, 2, 5, 10) if power * n >= raw * 0.999)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * n, 9) for n in range(first, last + 1)]


def forest_scale(intervals: list[Interval], none: float = 0.0) -> tuple:
    """The scale of a group of rows with its ticks; `none` is no difference."""
    reach = [end for each in intervals for end in (each.low, each.high)]
    low, high = min(none, *reach), max(none, *reach)
    if none == 1:
        marks = [
            value
            for value in (0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0)
            if low / 2 < value < high * 2
        ]
        ends = min(low, marks[0]), max(high, marks[-1])
        return Scale(*ends, 12, WIDTH - 12, log=True), marks
    marks = ticks(low, high)
    return Scale(marks[0], marks[-1], 12, WIDTH - 12), marks


def axis(scale: Scale, marks: list[float]) -> str:
    """The numbers above a group of rows of a forest."""
    drawn = [
        f'<text x="{scale.place(mark)}" y="12" text-anchor="middle">'
        f"{mark:g}</text>"
        for mark in marks
    ]
    return _svg(WIDTH, 16, drawn, "axis")


def strip(found: Interval, scale: Scale, marks: list[float], none=0.0) -> str:
    """A row's interval, hollow where it holds `none`, dashed if no test."""
    decided = found.tested and not found.low <= none <= found.high
    kind = "decided" if decided else "undecided"
    kind = kind if found.tested else "untested"
    low, mean, high = map(scale.place, (found.low, found.mean, found.high))
    zero = scale.place(none)
    drawn = [
        *(
            f'<path class="grid" d="M{scale.place(mark)} 0V24"/>'
            for mark in marks
        ),
        f'<path class="none" d="M{zero} 0V24"/>',
        f'<path class="reach" d="M{low} 12H{high}"/>',
        f'<path class="ends" d="M{low} 8V16M{high} 8V16"/>',
        f'<circle class="mean" cx="{mean}" cy="12" r="4.5"/>',
    ]
    return _svg(WIDTH, 24, drawn, f"strip {kind}")


@dataclass(frozen=True)
class Line:
    """One line of a chart: a value and half of its bar for each place."""

    name: str
    kind: str
    values: list[float]
    halves: list[float]


def chart(
    values: list[str],
    places: list[float],
    accuracy: list[Line],
    ahead: Line,
    axis_name: str,
) -> str:
    """Accuracies above, the paired difference below, over one axis."""
    across = Scale(min(places), max(places), LEFT + 22, RIGHT - 22)
    drawn = [
        f'<text x="{across.place(place)}" y="{LOWER[1] + 16}" '
        f'text-anchor="middle">{value}</text>'
        for place, value in zip(places, values, strict=True)
    ]
    middle = (LEFT + RIGHT) / 2
    drawn += [
        f'<text x="{middle}" y="{LOWER[1] + 34}" text-anchor="middle">'
        f"{escape(axis_name)}</text>",
        f'<text x="0" y="{LOWER[0] - 10}">Ahead, points, with the 95 % '
        "interval</text>",
        '<text x="0" y="12">Accuracy, %</text>',
    ]
    left = 86
    for line in accuracy:
        drawn += _sample(line, left)
        left += 42 + 6.2 * len(line.name)
    drawn += _panel(accuracy, UPPER, across, places)
    drawn += _panel([ahead], LOWER, across, places, none=0.0)
    return _svg(CHART, LOWER[1] + 40, drawn, "lines")


def _sample(line: Line, left: float) -> list[str]:
    """A piece of a line with its name: the legend."""
    return [
        f'<g class="{line.kind}"><path class="line" d="M{left} 8h24"/>'
        f'<circle class="mean" cx="{left + 12}" cy="8" r="3.5"/></g>',
        f'<text x="{left + 29}" y="12">{escape(line.name)}</text>',
    ]


def _panel(lines, span, across: Scale, places, none=None) -> list[str]:
    reach = [
        end
        for line in lines
        for value, half in zip(line.values, line.halves, strict=True)
        for end in (value - half, value + half)
    ] + ([] if none is None else [none])
    marks = ticks(min(reach), max(reach), 4)
    up = Scale(marks[0], marks[-1], span[1], span[0])
    drawn = []
    for mark in marks:
        y = up.place(mark)
        kind = "none" if mark == none else "grid"
        drawn += [
            f'<path class="{kind}" d="M{LEFT} {y}H{RIGHT}"/>',
            f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end">'
            f"{mark:g}</text>",
        ]
    for line in lines:
        drawn += _drawn(line, across, up, places)
    return drawn


def _drawn(line: Line, across: Scale, up: Scale, places) -> list[str]:
    points = [
        (across.place(place), up.place(value))
        for place, value in zip(places, line.values, strict=True)
    ]
    path = "L".join(f"{x} {y}" for x, y in points)
    inner = [f'<path class="line" d="M{path}"/>']
    for (x, y), value, half in zip(
        points, line.values, line.halves, strict=True
    ):
        if half:
            ends = up.place(value - half), up.place(value + half)
            inner.append(f'<path class="reach" d="M{x} {ends[0]}V{ends[1]}"/>')
        inner.append(f'<circle class="mean" cx="{x}" cy="{y}" r="3.5"/>')
    return [f'<g class="{line.kind}">', *inner, "</g>"]


def _svg(width: int, height: int, drawn: list[str], kind: str) -> str:
    return (
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" '
        f'aria-hidden="true">{"".join(drawn)}</svg>'
    )
