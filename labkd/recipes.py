r"""
# Recipes

A recipe is everything about a run that could change its result, except the
seed: data, model, budget, optimizer. It is frozen, it has a name
(`METHOD-STUDENT_from_TEACHER-DATASET`) and comes in sizes: `laptop` for two
CPU cores, `colab` for ten minutes of a T4, `full` for one large GPU. Records
hold the recipe they were made with, and a test compares the two.
"""

from dataclasses import asdict, dataclass, fields, replace

SIZES = ("laptop", "colab", "full")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    r"""
    What is trained, on what, for how long.

    * `dataset`: a name or folder that `data.load` takes
    * `architecture`: a layout of `resnet.LAYOUTS`
    * `width`: channels after the stem
    * `epochs`, `batch_size`: the budget
    * `learning_rate`: the peak; a linear rise over the first quarter of the
      steps, a linear fall to zero over the rest
    * `momentum`, `weight_decay`: of SGD with Nesterov's momentum
    * `padding`: pixels around the image before the random crop
    """

    dataset: str
    architecture: str
    width: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float = 0.9
    weight_decay: float = 5e-4
    padding: int = 4


RECIPES = {
    "teacher-resnet18-cifar10": {
        "laptop": Recipe(
            dataset="cifar10",
            architecture="resnet18",
            width=32,
            epochs=7,
            batch_size=128,
            learning_rate=0.1,
        ),
        "colab": Recipe(
            dataset="cifar10",
            architecture="resnet18",
            width=64,
            epochs=10,
            batch_size=512,
            learning_rate=0.4,
        ),
        "full": Recipe(
            dataset="cifar10",
            architecture="resnet18",
            width=64,
            epochs=60,
            batch_size=512,
            learning_rate=0.4,
        ),
    },
}


def find(name: str, size: str) -> Recipe:
    r"""
    The recipe of a name at a size.

    Raises `ValueError` for a name or a size that does not exist.
    """
    if name not in RECIPES:
        raise ValueError(
            f"no recipe {name!r}; there are: {', '.join(sorted(RECIPES))}"
        )
    if size not in RECIPES[name]:
        raise ValueError(
            f"{name} has no size {size!r}; it has: {', '.join(RECIPES[name])}"
        )
    return RECIPES[name][size]


def change(recipe: Recipe, settings: list[str]) -> Recipe:
    r"""
    A recipe with some fields set anew.

    * `settings`: strings `key=value`, such as `epochs=2`

    Raises `ValueError` for a key that is no field or a value of another type.
    """
    types = {field.name: field.type for field in fields(recipe)}
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or key not in types:
            raise ValueError(
                f"expected key=value with a key of {', '.join(types)}, "
                f"got {setting!r}"
            )
        try:
            changes[key] = types[key](value)
        except ValueError:
            raise ValueError(
                f"{key} must be of type {types[key].__name__}, got {value!r}"
            ) from None
    changed = replace(recipe, **changes)
    _check(changed)
    return changed


def _check(recipe: Recipe) -> None:
    for key, value in asdict(recipe).items():
        least = 1 if key in ("width", "epochs", "batch_size") else 0
        if isinstance(value, int | float) and not value >= least:
            raise ValueError(f"{key} must be at least {least}, got {value}")
