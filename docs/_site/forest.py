"""Tables of the results as HTML, the forest plot among them."""

from dataclasses import dataclass

from plots import Interval, axis, forest_scale, strip


@dataclass(frozen=True)
class Row:
    """A row of a forest, its cells already HTML."""

    name: str
    numbers: tuple[str, ...]
    shown: str
    interval: Interval | None
    verdict: str


@dataclass(frozen=True)
class Group:
    """Rows on one scale, below a heading."""

    heading: str
    rows: list[Row]
    none: float = 0.0


def forest(
    caption: str,
    head: tuple[str, ...],
    groups: list[Group],
    *,
    one_scale: bool = False,
) -> str:
    """A table in which each row has its interval drawn beside its numbers.

    `head`: the names of the columns, the drawing's left out. `one_scale`: for
    all groups, which then have one unit. On a phone a row becomes a block, so
    roles say that it is still a table.
    """
    name, *numbers, shown, verdict = head
    columns = [name, *numbers, shown, "", verdict]
    lines = [
        f'<table class="forest" role="table"><caption>{caption}</caption>',
        '<thead role="rowgroup"><tr role="row">',
        *(
            f'<th scope="col" role="columnheader">{column}</th>'
            if column
            else '<td role="cell"></td>'
            for column in columns
        ),
        "</tr></thead>",
    ]
    for group in groups:
        on_scale = groups if one_scale else [group]
        drawn = [r.interval for g in on_scale for r in g.rows if r.interval]
        scale, marks = forest_scale(drawn, group.none) if drawn else (None, [])
        lines += [
            '<tbody role="rowgroup"><tr class="group" role="row">',
            f'<th colspan="{len(columns) - 2}" scope="rowgroup" '
            f'role="rowheader">{group.heading}</th>',
            f'<td role="cell">{axis(scale, marks) if scale else ""}</td>',
            '<td role="cell"></td></tr>',
        ]
        for row in group.rows:
            lines += _row(row, numbers, shown, group.none, scale, marks)
        lines.append("</tbody>")
    return "\n".join([*lines, "</table>"])


def _row(row, numbers, shown, none, scale, marks) -> list[str]:
    drawn = row.interval and strip(row.interval, scale, marks, none)
    return [
        f'<tr role="row"><th scope="row" role="rowheader">{row.name}</th>',
        *(
            f'<td class="number" role="cell" data-label="{label}">{cell}</td>'
            for label, cell in zip(numbers, row.numbers, strict=True)
        ),
        f'<td class="number shown" role="cell" data-label="{shown}">'
        f"{row.shown}</td>",
        f'<td class="drawn" role="cell">{drawn or ""}</td>',
        f'<td class="verdict" role="cell">{row.verdict}</td></tr>',
    ]


def plain_table(caption: str, head, cells) -> str:
    """A small table as HTML: its first column names the rows."""
    top = "".join(f'<th scope="col">{each}</th>' for each in head)
    lines = [
        '<div class="rich" role="region" tabindex="0" '
        f'aria-label="{caption}">',
        f'<table class="dataframe"><thead><tr>{top}</tr></thead><tbody>',
    ]
    for first, *others in cells:
        line = "".join(f"<td>{each}</td>" for each in others)
        lines.append(f'<tr><th scope="row">{first}</th>{line}</tr>')
    return "\n".join([*lines, "</tbody></table></div>"])
