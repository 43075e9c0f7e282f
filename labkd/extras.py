r"""
# What needs more than torch

The losses, calibration, ResNet and ViT need torch and NumPy alone, so that
`pip install labkd` replaces nobody's torch. What draws, reads records or
loads images needs more, and says how to get it.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    r"""
    Names the extra that an import inside needs, where it is missing.

    * `extra`: of the package, such as `course`

    Raises `ModuleNotFoundError` with the command that installs it.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            f'{missing.name} is missing: pip install "labkd[{extra}]"',
            name=missing.name,
        ) from missing
