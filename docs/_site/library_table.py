"""The settings of other libraries in ours, as a table of the cheat sheet."""

from records_table import rows

from labkd.conventions import ALL, TwoWeights

MARKER = "<!-- conventions -->"
HEAD = (
    "Loss",
    "Its settings",
    "$T$",
    "Soft weight $w$",
    "Scale",
    "Soft weight at 100 classes",
)
CLASSES = 10


def table() -> str:
    """Markdown: a row a library, with its example settings in ours."""
    return "\n".join(rows(HEAD, map(_row, ALL)))


def _row(library) -> list[str]:
    ours = library.ours(*library.example, num_classes=CLASSES)
    of_more = library.ours(*library.example, num_classes=100)
    return [
        library.library,
        _settings(library),
        f"{ours.temperature:g}",
        f"{ours.soft_weight:.3f}",
        f"{ours.scale:.3g}",
        f"{of_more.soft_weight:.3f}",
    ]


def _settings(library) -> str:
    temperature, *weights = library.example
    if isinstance(library, TwoWeights):
        names = library.soft, library.hard
    else:
        names = (getattr(library, "weight", "alpha"),)
    shown = [f"`{n}` {w:g}" for n, w in zip(names, weights, strict=True)]
    return ", ".join([f"`T` {temperature:g}", *shown])
