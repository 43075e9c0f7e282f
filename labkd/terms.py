r"""
# Two terms and their weights

Every loss of distillation in the manner of Hinton is a number $a$ times the
cross-entropy with the labels, plus a number $b$ times the divergence from the
teacher at a temperature:

$$
\mathcal{L} = a \operatorname{CE}(y, q^{T=1})
  + b \operatorname{KL}(p \,\|\, q) ,
$$

the divergence summed over the classes and averaged over the images. We write
the two numbers as a weight and a scale, and here is how to go from the one
form to the other. How other libraries write them is told in
[conventions](../labkd/conventions.py).
"""

import math
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
