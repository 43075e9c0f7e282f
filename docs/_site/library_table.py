"""The settings of other libraries in ours, as a table of the cheat sheet."""

from records_table import rows

from labkd.conventions import ALL, OneWeight, TwoWeights

MARKER = "<!-- conventions -->"
HEAD = (
    "Library",
    "Its loss, with example settings",
    "$T$",
    "Soft weight $w$",
    "Scale",
    "Soft weight at 100 classes",
)
CLASSES = 10
# What its settings and the number of classes put before KL, for a soft weight
# of one; T² where a library is not named.
FACTORS = {
    "labml": "KL / C",
    "Keras' example, first version": "KL",
    "DeiT": "T² KL / C",
    "haitongli": "T² KL / C",
    "attention transfer": "2 T² KL / C",
}


def table() -> str:
    """Markdown: a row a library, with its example settings in ours."""
    return "\n".join(rows(HEAD, map(_row, ALL)))


def _row(library) -> list[str]:
    ours = library.ours(*library.example, num_classes=CLASSES)
    of_more = library.ours(*library.example, num_classes=100)
    return [
        library.library,
        f"{loss(library)}<br>{_settings(library)}",
        f"{ours.temperature:.3g}",
        f"{ours.soft_weight:.3f}",
        f"{ours.scale:.3g}",
        f"{of_more.soft_weight:.3f}",
    ]


def loss(library) -> str:
    """Its loss in the names of its settings."""
    kl = FACTORS.get(library.library, "T² KL")
    first, *others = (f"`{name}`" for name in names(library))
    if isinstance(library, TwoWeights):
        return f"{others[0]} CE + {first} {kl}"
    if not isinstance(library, OneWeight):
        return f"(1 - {first}) CE + (2 T² + {first}) KL / C"
    if library.of_labels:
        return f"{first} CE + (1 - {first}) {kl}"
    return f"(1 - {first}) CE + {first} {kl}"


def names(library) -> tuple[str, ...]:
    """What it calls its weights, in the order of its example."""
    if isinstance(library, TwoWeights):
        return library.soft, library.hard
    return (getattr(library, "weight", "alpha"),)


def _settings(library) -> str:
    temperature, *weights = library.example
    pairs = zip(names(library), weights, strict=True)
    shown = [f"`{name}` {weight:g}" for name, weight in pairs]
    return ", ".join([f"`T` {temperature:g}", *shown])
