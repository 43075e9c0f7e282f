"""A recipe in words, and the networks in it, from a record's settings."""

from labkd import records

NETWORKS = {
    "resnet18": "ResNet-18",
    "resnet34": "ResNet-34",
    "resnet50": "ResNet-50",
    "vit": "ViT",
    "large_cnn": "large CNN",
    "small_cnn": "small CNN",
}
# What a teacher's name says beside its network.
KINDS = {
    "long": "trained longer",
    "10k": "of 10,000 images",
    "narrow": "of a quarter of the usual width",
}
PIXELS = {2: ", half the pixels a side", 4: ", a quarter of the pixels a side"}
# By objective; what is left of a name is said by the functions below.
LEARNED = {
    "cross-entropy": "labels alone",
    "doubled": "labels, twice the loss (control)",
    "soft": "soft labels",
    "permuted": "soft labels, wrong classes permuted (control)",
    "smoothing": "labels as soft as the teacher's (control)",
    "argmax": "hard distillation",
    "token": "the teacher's decisions through a token",
    "decoupled": "decoupled loss (DKD)",
    "standardised": "standardised logits",
    "correlations": "correlations (DIST)",
    "hint": "hints, then soft labels (FitNets)",
    "attention": "attention transfer",
    "relations": "relations (RKD)",
    "mutual": "mutual learning",
    "mutual-ensemble": "mutual learning, the peers' mean",
    "virtual": "a virtual teacher",
}
# Objectives with a temperature, and with the weight of a teacher's term. What
# has other weights shows them in its record; that of peers is in the words.
SOFTENED = (
    *("soft", "permuted", "smoothing"),
    *("standardised", "decoupled", "correlations", "hint"),
)
WEIGHTED = (
    *("soft", "permuted", "smoothing", "argmax", "token"),
    *("standardised", "hint", "virtual"),
)


def lesson(record: dict) -> str:
    """What the network learns from, without the names of networks."""
    config = record["config"]
    method, _, _ = records.parts_of(record["recipe"])
    if method == "teacher":
        return "labels alone, to teach"
    words = LEARNED[config.get("objective", "cross-entropy")]
    if method == "control":
        words += ", with a token (control)"
    elif method == "born_again":
        words += " of its own kind (born again)"
    elif method == "assistant":
        words += " of a distilled assistant"
    elif method == "virtual_softened":
        words += f" softened again, T = {config['temperature']:g}"
    elif method.startswith("mutual"):
        weight = config["teacher_weight"]
        words += f", {config.get('cohort', 1)} students, weight {weight:g}"
    if config.get("mixup"):
        words += ", blended images"
    return words + turned(record)


def settings(record: dict) -> str:
    """Temperature and weight of the teacher's term, where a loss has them."""
    config = record["config"]
    objective = config.get("objective", "cross-entropy")
    said = []
    if objective in SOFTENED:
        said.append(f"T = {config['temperature']:g}")
    if objective in WEIGHTED:
        said.append(f"weight {config['teacher_weight']:g}")
    return ", ".join(said)


def turned(record: dict) -> str:
    """The settings of a loss that a sweep turns, where this is one of it."""
    method, _, _ = records.parts_of(record["recipe"])
    if not method.startswith(("soft_t", "soft_w")):
        return ""
    config = record["config"]
    return (
        f", T = {config['temperature']:g}, weight {config['teacher_weight']:g}"
    )


def student(record: dict, *, sized: bool = False) -> str:
    """The network that was trained, with its parameters if asked.

    Old records do not count them; of a cohort all students are counted.
    """
    config = record["config"]
    name = NETWORKS.get(config.get("architecture"), record["recipe"])
    _, its_name, _ = records.parts_of(record["recipe"])
    name += _kind(its_name)
    if sized and record.get("parameters"):
        each = record["parameters"] // config.get("cohort", 1)
        name += f" of {each:,} parameters"
    return name + PIXELS.get(config.get("shrink", 1), "")


def data(record: dict) -> str:
    """The images of a run in few words: `CIFAR-10, JPEG copy`."""
    name, _, source = records.data_of(record).rstrip(")").partition(" (")
    return f"{name}, {source.partition(',')[0]}"


def teacher(record: dict) -> str:
    """The network that taught it, or nothing."""
    name = record["config"].get("teacher") or ""
    _, network, _ = records.parts_of(name)
    # Longer names first: `small_cnn` has an underscore of its own.
    plain = network if network in NETWORKS else network.rpartition("_")[0]
    return NETWORKS.get(plain, name) + _kind(network)


def whole(record: dict) -> str:
    """Student, lesson and teacher: the recipe's name in words."""
    words = f"{student(record)}: {lesson(record)}"
    taught = teacher(record)
    return f"{words}, from a {taught}" if taught else words


def _kind(name: str) -> str:
    found = [words for key, words in KINDS.items() if name.endswith(f"_{key}")]
    return f" {found[0]}" if found else ""
