r"""
# The recipes of chapters 8 to 12

Small CNNs that learn from large ones, from a Vision Transformer, from each
other, from nobody and from more pixels than they see: the systems that this
course grew from, each against the same student with labels alone, and all
tuned alike. `arms` has those of the chapters before, and
puts them together.
"""

from dataclasses import replace

from labkd.lab.recipes import Recipe

RATES = (0.05, 0.1, 0.2)

# Few epochs of many images: a laptop sees hardly an image a third time, so
# that two views of each, itself and its mirror image, are enough.
_LAPTOP = Recipe(
    dataset="cifar10",
    training_images=10_000,
    padding=0,
    architecture="resnet18",
    width=8,
    epochs=6,
    batch_size=64,
    learning_rate=0.1,
    learning_rates=RATES,
    seeds=5,
)
# The rate grows with the batch (Goyal et al. 2017).
_FULL = replace(
    _LAPTOP,
    training_images=0,
    padding=4,
    width=64,
    epochs=30,
    batch_size=512,
    learning_rate=0.4,
    learning_rates=(0.2, 0.4, 0.8),
)
_CIFAR10 = {"laptop": _LAPTOP, "full": _FULL}

# Clothes are grey and 28 pixels wide: a third of the work.
_FASHION = {
    "laptop": replace(
        _LAPTOP, dataset="fashion-mnist", training_images=3_000, epochs=8
    ),
    "full": replace(_FULL, dataset="fashion-mnist", padding=2, epochs=20),
}

_ALONE = {"learning_rates": (), "seeds": 1}
_SOFT = {"objective": "soft", "temperature": 4.0, "teacher_weight": 0.9}


def _at(sizes: dict[str, Recipe], **fields: object) -> dict[str, Recipe]:
    return {size: replace(recipe, **fields) for size, recipe in sizes.items()}


def _teacher(
    sizes: dict[str, Recipe], laptop_epochs: int, **fields: object
) -> dict[str, Recipe]:
    # Teachers are trained once, and for longer than their students.
    longer = {
        size: replace(recipe, epochs=recipe.epochs * 4 // 3, **fields)
        for size, recipe in _at(sizes, **_ALONE).items()
    }
    laptop = replace(longer["laptop"], epochs=laptop_epochs)
    return longer | {"laptop": laptop}


# Chapter 8. labml trains the large network for twice as many epochs as the
# small one; a GPU has the time.
_SMALL = {
    "laptop": replace(_LAPTOP, architecture="small_cnn", epochs=5),
    "full": replace(
        _LAPTOP,
        architecture="small_cnn",
        training_images=0,
        padding=4,
        epochs=10,
        batch_size=128,
    ),
}
_LARGE = {
    size: replace(
        recipe,
        architecture="large_cnn",
        epochs=epochs,
        learning_rate=0.05,
        **_ALONE,
    )
    for (size, recipe), epochs in zip(_SMALL.items(), (8, 20), strict=True)
}

# Chapter 9. This teacher has seen every training image: it stands for a
# transformer that was trained elsewhere, on more than the student has.
_VIT = {
    size: replace(
        recipe,
        **_ALONE,
        training_images=0,
        padding=4,
        architecture="vit",
        patch_size=patch_size,
        width=width,
        depth=depth,
        mlp_ratio=2.0,
        epochs=epochs,
        batch_size=batch_size,
        optimizer="adamw",
        learning_rate=1e-3,
        annealing="cos",
        weight_decay=0.05,
        clip_norm=1.0,
    )
    for (size, recipe), (patch_size, width, depth, epochs, batch_size) in zip(
        _CIFAR10.items(),
        ((8, 128, 4, 15, 128), (4, 256, 6, 120, 512)),
        strict=True,
    )
}

# Chapter 10. Two students, one more of them, one voice for the others, and
# more weight on what the others believe.
_MUTUAL = {"objective": "mutual", "teacher_weight": 0.5, "cohort": 2}
_ENSEMBLE = {"objective": "mutual-ensemble", "cohort": 3}

# Chapter 11. The teacher that is written down by hand, and the published
# form, which takes its probabilities for logits and softens them.
_VIRTUAL = {"objective": "virtual", "teacher_weight": 0.5}
_SOFTENED = {"smooth_teacher": True, "temperature": 20.0}

# Chapter 12. What the student sees is smaller; its teacher's view is not.
_HALF, _QUARTER = (_at(_FASHION, shrink=factor) for factor in (2, 4))


def _pair(
    student: str, sizes: dict[str, Recipe], dataset: str, teacher: str
) -> dict[str, dict[str, Recipe]]:
    scratch = f"scratch-{student}-{dataset}"
    soft = f"soft-{student}_from_{teacher}-{dataset}"
    taught = {"teacher": f"teacher-{teacher}-{dataset}", "baseline": scratch}
    return {scratch: sizes, soft: _at(sizes, **taught, **_SOFT)}


def _fashion(
    sizes: dict[str, Recipe], student: str = "resnet18", **fields: object
) -> dict[str, Recipe]:
    return _at(sizes, baseline=f"scratch-{student}-fashion_mnist", **fields)


CNN_RECIPES = {
    "teacher-large_cnn-cifar10": _LARGE,
    **_pair("small_cnn", _SMALL, "cifar10", "large_cnn"),
    "teacher-resnet50-cifar10": _teacher(
        _CIFAR10, 20, architecture="resnet50"
    ),
    **_pair("resnet18", _CIFAR10, "cifar10", "resnet50"),
    "teacher-vit-cifar10": _VIT,
    **_pair("resnet18", _CIFAR10, "cifar10", "vit"),
    "teacher-resnet50-fashion_mnist": _teacher(
        _FASHION, 10, architecture="resnet50"
    ),
    **_pair("resnet18", _FASHION, "fashion_mnist", "resnet50"),
    # After ten epochs that teacher was no better than its students, and what
    # it taught them made them worse. This one was added when that was known.
    "teacher-resnet50_long-fashion_mnist": {
        "laptop": _teacher(_FASHION, 40, architecture="resnet50")["laptop"]
    },
    "soft-resnet18_from_resnet50_long-fashion_mnist": {
        "laptop": replace(
            _FASHION["laptop"],
            teacher="teacher-resnet50_long-fashion_mnist",
            baseline="scratch-resnet18-fashion_mnist",
            **_SOFT,
        )
    },
    "mutual-resnet18-fashion_mnist": _fashion(_FASHION, **_MUTUAL),
    "mutual_heavy-resnet18-fashion_mnist": _fashion(
        _FASHION, **(_MUTUAL | {"teacher_weight": 0.8})
    ),
    "mutual_three-resnet18-fashion_mnist": _fashion(
        _FASHION, **(_MUTUAL | {"cohort": 3})
    ),
    "mutual_ensemble-resnet18-fashion_mnist": _fashion(
        _FASHION, **(_MUTUAL | _ENSEMBLE)
    ),
    "virtual-resnet18-fashion_mnist": _fashion(_FASHION, **_VIRTUAL),
    "virtual_softened-resnet18-fashion_mnist": _fashion(
        _FASHION, **_VIRTUAL, **_SOFTENED
    ),
    **_pair("resnet18_half", _HALF, "fashion_mnist", "resnet50"),
    "mutual-resnet18_half-fashion_mnist": _fashion(
        _HALF, "resnet18_half", **_MUTUAL
    ),
    **_pair("resnet18_quarter", _QUARTER, "fashion_mnist", "resnet50"),
}

# In which order their records are made.
CNN_WANTED = (
    ("teacher-resnet50-fashion_mnist",),
    (
        "scratch-resnet18-fashion_mnist",
        "soft-resnet18_from_resnet50-fashion_mnist",
        "virtual-resnet18-fashion_mnist",
        "virtual_softened-resnet18-fashion_mnist",
    ),
    (
        "scratch-resnet18_half-fashion_mnist",
        "soft-resnet18_half_from_resnet50-fashion_mnist",
        "mutual-resnet18_half-fashion_mnist",
        "scratch-resnet18_quarter-fashion_mnist",
        "soft-resnet18_quarter_from_resnet50-fashion_mnist",
    ),
    ("teacher-resnet50_long-fashion_mnist",),
    ("soft-resnet18_from_resnet50_long-fashion_mnist",),
    (
        "mutual-resnet18-fashion_mnist",
        "mutual_heavy-resnet18-fashion_mnist",
        "mutual_three-resnet18-fashion_mnist",
        "mutual_ensemble-resnet18-fashion_mnist",
    ),
    ("teacher-resnet50-cifar10", "teacher-vit-cifar10"),
    (
        "scratch-resnet18-cifar10",
        "soft-resnet18_from_resnet50-cifar10",
        "soft-resnet18_from_vit-cifar10",
    ),
    ("teacher-large_cnn-cifar10",),
    ("scratch-small_cnn-cifar10", "soft-small_cnn_from_large_cnn-cifar10"),
)
