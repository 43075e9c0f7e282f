r"""
# The recipes of the course

Each name, `METHOD-STUDENT_from_TEACHER-DATASET`, comes in sizes: `laptop`
for minutes of two CPU cores, `overnight` for hours of them, on all training
images, and `full` for one large GPU.
The arms of one comparison differ in what the student learns from and in
nothing else: same images, same budget, same grid of learning rates."""

from dataclasses import replace
from difflib import get_close_matches

from labkd.lab import sweeps
from labkd.lab.cnn_arms import CNN_RECIPES, CNN_WANTED
from labkd.lab.recipes import Recipe

SIZES = ("laptop", "overnight", "full")

# He et al. (2015), section 4.2, train in batches of 128 from a rate of 0.1.
_TEACHER = Recipe(
    dataset="cifar10",
    architecture="resnet18",
    width=32,
    epochs=7,
    batch_size=128,
    learning_rate=0.1,
)
_WIDE = replace(_TEACHER, width=64, batch_size=512, learning_rate=0.4)
# As many views as epochs: an image that is mirrored in one is not in the next.
_NIGHT_TEACHER = replace(
    _TEACHER,
    epochs=30,
    views=30,
    learning_rates=(0.1, 0.2, 0.4),
    trial_epochs=6,
)

_LAPTOP = Recipe(
    dataset="cifar10",
    training_images=10_000,
    # A pixel less of padding on each side is a smaller table of the
    # teacher's answers: 50 views of an image instead of 162.
    padding=2,
    architecture="vit",
    width=128,
    patch_size=8,
    depth=4,
    heads=4,
    mlp_ratio=2.0,
    epochs=20,
    batch_size=128,
    optimizer="adamw",
    learning_rate=1e-3,
    annealing="cos",
    weight_decay=0.05,
    clip_norm=1.0,
    learning_rates=(5e-4, 1e-3, 2e-3),
    seeds=5,
)

_SCRATCH = {
    "laptop": _LAPTOP,
    # Patches of 4 pixels: 64 tokens an image. A quarter of the budget chooses
    # the settings.
    "overnight": replace(
        _LAPTOP,
        training_images=0,
        padding=4,
        views=20,
        patch_size=4,
        learning_rates=(1e-3, 2e-3, 4e-3),
        trial_epochs=5,
    ),
    # The size of ViT-Lite-6/4 (Hassani et al. 2021): 3.2 million parameters.
    "full": replace(
        _LAPTOP,
        training_images=0,
        padding=4,
        width=256,
        patch_size=4,
        depth=6,
        epochs=60,
        batch_size=512,
        drop_path=0.1,
        learning_rate=1e-3,
        learning_rates=(5e-4, 1e-3, 2e-3),
    ),
}


def _arm(
    overnight: dict[str, object] | None = None, **fields: object
) -> dict[str, Recipe]:
    compared = {"baseline": "scratch-vit-cifar10"} | fields
    sizes = {size: replace(r, **compared) for size, r in _SCRATCH.items()}
    night = replace(sizes["overnight"], **(overnight or {}))
    return sizes | {"overnight": night}


def _control(**fields: object) -> dict[str, Recipe]:
    # What the soft labels' gain is made of, at the size that can tell.
    return {"overnight": _arm({"seeds": 3}, **fields)["overnight"]}


_FROM_RESNET18 = {"teacher": "teacher-resnet18-cifar10"}
_SOFT = {"objective": "soft", "temperature": 3.0, "teacher_weight": 0.9}
_WEIGHTS = {"loss_weights": (0.5, 0.9)}
# Tuned on validation like the learning rate, from settings in the middle.
_SOFTNESS = {"temperature": 2.0, "temperatures": (1.0, 2.0, 4.0), **_WEIGHTS}
# The same loss at the same temperature and weight: only the teacher's
# probabilities are others.
_LIKE_SOFT = {
    "temperature": 2.0,
    "teacher_weight": 0.9,
    "tuned_as": "soft-vit_from_resnet18-cifar10",
}
_TOKEN = {"distillation_token": True}

# The whole path in a minute, with nothing to download.
_REHEARSAL = replace(
    _LAPTOP,
    dataset="digits",
    training_images=0,
    padding=1,
    patch_size=2,
    width=32,
    depth=2,
    heads=2,
    epochs=10,
    batch_size=64,
    learning_rates=(2e-3, 4e-3),
    seeds=2,
)

_ARM_SOFT = _arm(_SOFTNESS, **_SOFT, **_FROM_RESNET18)
# Away from the central comparison, on all sides of it.
_AWAY = sweeps.recipes(_SCRATCH, _ARM_SOFT)

RECIPES = {
    "teacher-resnet18-cifar10": {
        "laptop": _TEACHER,
        "overnight": _NIGHT_TEACHER,
        "full": replace(_WIDE, epochs=60),
    },
    "scratch-vit-cifar10": _arm(baseline=""),
    "soft-vit_from_resnet18-cifar10": _ARM_SOFT,
    "argmax-vit_from_resnet18-cifar10": _arm(
        {"seeds": 3, **_WEIGHTS},
        objective="argmax",
        teacher_weight=0.5,
        **_FROM_RESNET18,
    ),
    "token-vit_from_resnet18-cifar10": _arm(
        {"seeds": 3, **_WEIGHTS},
        objective="token",
        teacher_weight=0.5,
        **_TOKEN,
        **_FROM_RESNET18,
    ),
    "control-vit-cifar10": _arm({"seeds": 3}, **_TOKEN),
    "permuted-vit_from_resnet18-cifar10": _control(
        objective="permuted", **_LIKE_SOFT, **_FROM_RESNET18
    ),
    # It has its teacher's mean entropy, and nothing else from it.
    "smoothing-vit-cifar10": _control(
        objective="smoothing", **_LIKE_SOFT, **_FROM_RESNET18
    ),
    "doubled-vit-cifar10": _control(objective="doubled"),
    # This teacher has seen the students' 10,000 labels and no others: what
    # it gives is softer labels, and not the knowledge of more of them.
    "teacher-resnet18_10k-cifar10": {
        "laptop": replace(_TEACHER, training_images=10_000, epochs=20)
    },
    "soft-vit_from_resnet18_10k-cifar10": {
        "laptop": replace(
            _LAPTOP,
            teacher="teacher-resnet18_10k-cifar10",
            baseline="scratch-vit-cifar10",
            **_SOFT,
        )
    },
    # Beyer et al. (2022): a patient student, and a teacher that is asked
    # about the very image that the student sees.
    "long-vit_from_resnet18-cifar10": {
        "full": replace(
            _SCRATCH["full"],
            epochs=300,
            objective="soft",
            temperature=1.0,
            teacher_weight=1.0,
            mixup=True,
            drop_path=0.0,
            learning_rates=(),
            seeds=1,
            **_FROM_RESNET18,
        )
    },
    "teacher-resnet18-digits": {
        "laptop": replace(
            _TEACHER,
            dataset="digits",
            padding=1,
            width=8,
            epochs=4,
            batch_size=64,
        )
    },
    "scratch-vit-digits": {"laptop": _REHEARSAL},
    "soft-vit_from_resnet18-digits": {
        "laptop": replace(
            _REHEARSAL,
            teacher="teacher-resnet18-digits",
            baseline="scratch-vit-digits",
            **_SOFT,
        )
    },
    **CNN_RECIPES,
    **_AWAY,
}

# In which order their records are made. Arms that stand together are recorded
# together, seed by seed.
WANTED = (
    ("teacher-resnet18-cifar10",),
    ("scratch-vit-cifar10", "soft-vit_from_resnet18-cifar10"),
    (
        "argmax-vit_from_resnet18-cifar10",
        "token-vit_from_resnet18-cifar10",
        "control-vit-cifar10",
    ),
    ("permuted-vit_from_resnet18-cifar10",),
    ("smoothing-vit-cifar10", "doubled-vit-cifar10"),
    ("teacher-resnet18_10k-cifar10",),
    ("soft-vit_from_resnet18_10k-cifar10",),
    ("long-vit_from_resnet18-cifar10",),
    *CNN_WANTED,
    ("teacher-resnet18-digits",),
    ("scratch-vit-digits", "soft-vit_from_resnet18-digits"),
    *sweeps.wanted(),
)


def find(name: str, size: str) -> Recipe:
    r"""
    The recipe of a name at a size.

    Raises `ValueError` for a name or a size that does not exist.
    """
    if name not in RECIPES:
        near = get_close_matches(name, RECIPES, n=3, cutoff=0.0)
        raise ValueError(
            f"no recipe {name!r}; the nearest are: {', '.join(near)} "
            "(python -m labkd list names all)"
        )
    if size not in RECIPES[name]:
        raise ValueError(
            f"{name} has no size {size!r}; it has: {', '.join(RECIPES[name])}"
        )
    return RECIPES[name][size]
