r"""
# What a teacher of your own answers

Some ways of being wrong raise no error: a teacher gives probabilities where
logits are wanted, or stays in training mode, and a student learns nonsense,
for hours. These checks look at the answers and need no label. The
others look at what it knows.
"""

from collections.abc import Mapping

from torch import Tensor

# Of the spread of its logits. A GPU that rounds convolutions to TF32 is a
# thousandth off, BatchNorm or dropout in training mode several tenths.
STEADY = 0.01
# Probabilities in half precision sum to one up to a few thousandths; logits
# of many images that do so by accident there are none.
SUM = 0.01


def check_form(answer: object, images: int, classes: int) -> None:
    r"""
    One tensor of finite floats, of shape (images, classes).

    * `answer`: what the teacher returned
    * `images`, `classes`: how many it should have answered, of how many

    Raises `ValueError` with what came instead.
    """
    if not isinstance(answer, Tensor):
        parts = ""
        if isinstance(answer, Mapping):
            parts = f" of {', '.join(map(str, answer))}"
        elif isinstance(answer, tuple | list):
            parts = f" of {len(answer)}"
        raise ValueError(
            f"it answers with a {type(answer).__name__}{parts}, not with one "
            "tensor: wrap it in a module that returns the logits alone"
        )
    if answer.shape != (images, classes):
        raise ValueError(
            f"it answers {images} images in shape {tuple(answer.shape)}; the "
            f"data has {classes} classes, so that it should be "
            f"{(images, classes)}"
        )
    if not answer.is_floating_point():
        raise ValueError(f"it answers in {answer.dtype}, not in floats")
    finite = answer.isfinite().all(1)
    if not finite.all():
        bad = answer[~finite][0]
        raise ValueError(
            f"it answers {int((~finite).sum())} of {images} images with "
            f"numbers that are not finite, such as "
            f"{bad[~bad.isfinite()][0].item()}"
        )


def check_steady(first: Tensor, again: Tensor, when: str) -> None:
    r"""
    The same answers to the same images.

    * `first`, `again`: logits, shape (images, classes)
    * `when`: what was different the second time, for the message

    Raises `ValueError` when they differ by more than rounding.
    """
    most = (first - again).abs().max().item()
    spread = first.std().item()
    # Logits that are all alike have no spread; that is not for here. And a
    # difference that is not a number is one.
    if not most <= STEADY * spread + 1e-6:
        raise ValueError(
            f"its logits of the same {len(first)} images differ by up to "
            f"{most:.3g}, where they spread over {spread:.3g}, {when}: does "
            "something in it stay in training mode, such as dropout or "
            "BatchNorm, or draw at random?"
        )


def check_unchanged(before: dict[str, str], after: dict[str, str]) -> None:
    r"""
    The teacher's own numbers stay as they are while it is asked.

    * `before`, `after`: a digest of each parameter and buffer, by name

    Raises `ValueError` naming the first that changed.
    """
    changed = [name for name in after if after[name] != before.get(name)]
    if changed:
        raise ValueError(
            f"it changes when it is asked: {changed[0]!r} is another "
            f"afterwards, {len(changed)} of {len(after)} parameters and "
            "buffers in all"
        )


def check_logits(logits: Tensor) -> None:
    r"""
    Logits, and not probabilities.

    The softmax of probabilities is almost flat, whatever the teacher knows.
    Log-probabilities are right: $\log p_i = z_i - \log \sum_j e^{z_j}$ are
    the logits less one number an image, which no softmax sees, at any
    temperature.

    * `logits`: floating point, shape (images, classes)

    Raises `ValueError` when no entry is negative and every row sums to one,
    or when all entries lie in 0 .. 1, as those of a sigmoid do.
    """
    if logits.min() < 0:
        return
    off = (logits.sum(1) - 1).abs().max().item()
    if off < SUM:
        raise ValueError(
            "it gives probabilities, not logits: none is negative, and each "
            f"row sums to one, at most {off:.1g} off over {len(logits)} "
            "images; leave out its softmax, or give their logarithm"
        )
    # One answer to everything is judged by its accuracy.
    if logits.min() < logits.max() <= 1:
        raise ValueError(
            f"it gives numbers in {logits.min():.2g} .. {logits.max():.2g} "
            f"for all {len(logits)} images, as a sigmoid does, not logits"
        )
