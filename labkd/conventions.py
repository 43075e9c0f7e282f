r"""
# Conventions of other libraries

Every loss of distillation in the manner of Hinton is a number $a$ times the
cross-entropy with the labels, plus a number $b$ times the divergence from the
teacher at a temperature:

$$
\mathcal{L} = a \operatorname{CE}(y, q^{T=1})
  + b \operatorname{KL}(p \,\|\, q) ,
$$

the divergence summed over the classes and averaged over the images. We write
the two numbers as a weight and a [scale](#Hinton). Libraries differ in what
they call them, in what they multiply and divide them by, and in which of them
a weight called `alpha` belongs to. Here each writes its settings down in its
own words. `ours` says what they are in ours; `of` finds the settings that do
what ours do.

A library with one weight can keep the proportion of two terms and not their
size. `of` then returns a factor beside the weight: the loss of the library
times the factor has the value of ours up to a constant, and the gradient. It
belongs to the learning rate.

The number of classes matters where a library averages over them: there the
same settings mean another loss on another data set.

One row is of another loss, the
[standardised](../labkd/decoupled.py#standardised_loss) one: its library finds
deviations over the classes with $C - 1$, and not with $C$ as the paper, which
is another temperature.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Hinton:
    r"""
    Our settings: a [`distillation_loss`](../labkd/soft_targets.py), scaled.

    Hinton, Vinyals and Dean (2015), section 2, times a number $s$:

    $$
    \mathcal{L} = s \, \bigl[ (1 - w) \operatorname{CE}(y, q^{T=1})
      + w \, T^2 \operatorname{KL}(p \,\|\, q) \bigr] .
    $$

    * `temperature`: $T > 0$, finite
    * `soft_weight`: $w$ in 0 .. 1
    * `scale`: $s > 0$, finite

    Raises `ValueError` for numbers outside these bounds.
    """

    temperature: float
    soft_weight: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("temperature", "scale"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                raise ValueError(
                    f"{name} must be positive and finite, got {value}"
                )
        if not 0 <= self.soft_weight <= 1:
            raise ValueError(
                f"soft_weight must lie in 0 .. 1, got {self.soft_weight}"
            )

    @property
    def hard(self) -> float:
        r"""$a = s (1 - w)$, which multiplies the cross-entropy."""
        return self.scale * (1 - self.soft_weight)

    @property
    def soft(self) -> float:
        r"""$b = s w T^2$, which multiplies the divergence."""
        return self.scale * self.soft_weight * self.temperature**2


def from_terms(temperature: float, hard: float, soft: float) -> Hinton:
    r"""
    Our settings, from the numbers $a$ and $b$ before the two terms.

    $$
    s = a + b / T^2, \qquad w = \frac{b / T^2}{s} .
    $$

    * `temperature`: $T > 0$, finite
    * `hard`, `soft`: $a$ and $b$, at least 0, finite, not both 0

    Raises `ValueError` for numbers outside these bounds.
    """
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature must be positive and finite, got {temperature}"
        )
    if not (0 <= hard < math.inf and 0 <= soft < math.inf) or hard + soft == 0:
        raise ValueError(
            "hard and soft must be at least 0, finite and not both 0, got "
            f"{hard} and {soft}"
        )
    return Hinton(temperature, *proportion(hard, soft / temperature**2))


def proportion(hard: float, soft: float) -> tuple[float, float]:
    r"""
    Two weights as one, and what is left.

    $$
    a = f \, (1 - \alpha), \qquad b = f \alpha .
    $$

    * `hard`, `soft`: $a$ and $b$, at least 0 and not both 0

    Returns $(\alpha, f)$.
    """
    return soft / (hard + soft), hard + soft


@dataclass(frozen=True)
class TwoWeights:
    r"""
    A library that gives each term a weight of its own.

    $$
    \mathcal{L} = \text{hard} \cdot \operatorname{CE}
      + \text{soft} \cdot u(T, C) \operatorname{KL} .
    $$

    * `library`: its name
    * `soft`, `hard`: the names of its weights
    * `unit`: $u$, of the temperature and the number of classes: what a soft
      weight of one puts before the divergence
    * `example`: settings to show it by: temperature, soft, hard
    * `standardised`: of logits divided by their deviation over the classes,
      taken with $C - 1$
    """

    library: str
    soft: str
    hard: str
    unit: Callable[[float, int], float]
    example: tuple[float, float, float]
    standardised: bool = False

    def ours(
        self, temperature: float, soft: float, hard: float, num_classes: int
    ) -> Hinton:
        r"""Its settings in our words: the same loss."""
        unit = self.unit(temperature, num_classes)
        stretch = self._stretch(num_classes)
        return from_terms(stretch * temperature, hard, soft * unit)

    def of(self, ours: Hinton, num_classes: int) -> tuple[float, float, float]:
        r"""Our settings in its words: temperature, soft, hard."""
        temperature = ours.temperature / self._stretch(num_classes)
        unit = self.unit(temperature, num_classes)
        return temperature, ours.soft / unit, ours.hard

    def _stretch(self, num_classes: int) -> float:
        # Its deviation is so many times ours: our temperature is higher.
        if not self.standardised:
            return 1.0
        return math.sqrt(num_classes / (num_classes - 1))


@dataclass(frozen=True)
class OneWeight:
    r"""
    A library whose two weights are $\alpha$ and $1 - \alpha$.

    $$
    \mathcal{L} = (1 - \alpha) \operatorname{CE}
      + \alpha \, u(T, C) \operatorname{KL} ,
    $$

    or the other way round.

    * `library`: its name
    * `of_labels`: $\alpha$ weighs the cross-entropy, not the divergence
    * `unit`: $u$, of the temperature and the number of classes
    * `example`: settings to show it by: temperature and $\alpha$
    * `without_labels`: in place of $u$ when the labels have no weight; else
      nothing
    * `weight`: its name for $\alpha$
    """

    library: str
    of_labels: bool
    unit: Callable[[float, int], float]
    example: tuple[float, float]
    without_labels: float | None = None
    weight: str = "alpha"

    def ours(
        self, temperature: float, alpha: float, num_classes: int
    ) -> Hinton:
        r"""
        Its settings in our words: the same loss.

        Raises `ValueError` for an alpha outside 0 .. 1.
        """
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in 0 .. 1, got {alpha}")
        soft = 1 - alpha if self.of_labels else alpha
        unit = self._unit(temperature, num_classes, soft == 1)
        return from_terms(temperature, 1 - soft, soft * unit)

    def of(self, ours: Hinton, num_classes: int) -> tuple[float, float, float]:
        r"""Our settings in its words: temperature, alpha and the factor."""
        unit = self._unit(ours.temperature, num_classes, ours.hard == 0)
        soft, factor = proportion(ours.hard, ours.soft / unit)
        alpha = 1 - soft if self.of_labels else soft
        return ours.temperature, alpha, factor

    def _unit(
        self, temperature: float, num_classes: int, alone: bool
    ) -> float:
        if alone and self.without_labels is not None:
            return self.without_labels
        return self.unit(temperature, num_classes)


def _squared(temperature: float, num_classes: int) -> float:
    return temperature**2


def _over_classes(temperature: float, num_classes: int) -> float:
    return 1 / num_classes


def _squared_over_classes(temperature: float, num_classes: int) -> float:
    return temperature**2 / num_classes


def _twice_squared_over_classes(temperature: float, num_classes: int) -> float:
    return 2 * temperature**2 / num_classes


def _nothing(temperature: float, num_classes: int) -> float:
    return 1.0


LABML = TwoWeights(
    "labml", "soft_weight", "label_weight", _over_classes, (5.0, 100.0, 0.5)
)
PYTORCH = TwoWeights(
    "PyTorch's tutorial",
    "soft_target_loss_weight",
    "ce_loss_weight",
    _squared,
    (2.0, 0.25, 0.75),
)
MDISTILLER = TwoWeights(
    "mdistiller", "KD_WEIGHT", "CE_WEIGHT", _squared, (4.0, 0.9, 0.1)
)
# Weights of one each unless told otherwise, which is not a mean: twice ours.
# With only `task_loss_weight` given, the other is what is left to one.
TIMM = TwoWeights(
    "timm",
    "distill_loss_weight",
    "task_loss_weight",
    _squared,
    (4.0, 1.0, 1.0),
)
STANDARDISED = TwoWeights(
    "logit standardization",
    "KD_WEIGHT",
    "CE_WEIGHT",
    _squared,
    (2.0, 9.0, 0.1),
    standardised=True,
)
KERAS = OneWeight("Keras' example", True, _squared, (10.0, 0.1))
# As it stood before its issues 869 and 870.
KERAS_BEFORE = OneWeight(
    "Keras' example, first version", True, _nothing, (10.0, 0.1)
)
# A part of Keras itself, and not the example.
KERAS_DISTILLER = OneWeight(
    "Keras' Distiller",
    True,
    _squared,
    (3.0, 0.5),
    weight="student_loss_weight",
)
# Of labels until the guide was rewritten, of the teacher since.
HUGGING_FACE = OneWeight(
    "Hugging Face's guide", False, _squared, (5.0, 0.5), weight="lambda_param"
)
TORCHDISTILL = OneWeight(
    "torchdistill", True, _squared, (4.0, 0.5), without_labels=1.0
)
LIGHTNING = OneWeight("the Lightning repository", True, _squared, (4.0, 0.5))
DEIT = OneWeight("DeiT", False, _squared_over_classes, (1.0, 0.5))
HAITONGLI = OneWeight("haitongli", False, _squared_over_classes, (20.0, 0.9))
# Its `T*T * 2. * alpha` became a sum in the write-up below.
ATTENTION_TRANSFER = OneWeight(
    "attention transfer", False, _twice_squared_over_classes, (4.0, 0.9)
)


@dataclass(frozen=True)
class SumForProduct:
    r"""
    The write-up ViT-B/16 to ResNet-34: a product of three became a sum.

    $$
    \mathcal{L} = (1 - \alpha) \operatorname{CE}
      + \tfrac1C (2 T^2 + \alpha) \operatorname{KL} .
    $$

    * `example`: its settings, temperature and $\alpha$
    """

    library: str = "ViT-B/16 to ResNet-34"
    example: tuple[float, float] = (4.0, 0.7)

    def ours(
        self, temperature: float, alpha: float, num_classes: int
    ) -> Hinton:
        r"""
        Its settings in our words: the same loss.

        Raises `ValueError` for an alpha outside 0 .. 1.
        """
        if not 0 <= alpha <= 1:
            raise ValueError(f"alpha must lie in 0 .. 1, got {alpha}")
        soft = (2 * temperature**2 + alpha) / num_classes
        return from_terms(temperature, 1 - alpha, soft)

    def of(self, ours: Hinton, num_classes: int) -> tuple[float, float, float]:
        r"""
        Our settings in its words: temperature, alpha and the factor.

        With $a$ and $b$ our two terms, $b (1 - \alpha) C
        = a \, (2 T^2 + \alpha)$ is linear in $\alpha$. Raises `ValueError`
        when its divergence, which never weighs nothing, cannot be as light.
        """
        soft = ours.soft * num_classes
        least = 2 * ours.temperature**2
        alpha = (soft - ours.hard * least) / (soft + ours.hard)
        if alpha < 0:
            raise ValueError(
                f"with {num_classes} classes and T = {ours.temperature} its "
                f"soft term outweighs soft_weight={ours.soft_weight}"
            )
        return ours.temperature, alpha, soft / (least + alpha)


SUM_FOR_PRODUCT = SumForProduct()
ALL = (
    LABML,
    PYTORCH,
    MDISTILLER,
    TIMM,
    STANDARDISED,
    KERAS,
    KERAS_BEFORE,
    KERAS_DISTILLER,
    HUGGING_FACE,
    TORCHDISTILL,
    LIGHTNING,
    DEIT,
    HAITONGLI,
    ATTENTION_TRANSFER,
    SUM_FOR_PRODUCT,
)
