r"""
Knowledge distillation in PyTorch: the code behind the course.

What readers use most is here; everything else is in its module.
"""

from importlib import import_module

__version__ = "0.1.0"
# Where each name is: it is imported when somebody asks for it.
_OFFERED = {
    "distillation_loss": "soft_targets",
    "kl_divergence": "soft_targets",
    "soften": "soft_targets",
    "load": "data",
    "pretrained": "shipped",
}
__all__ = list(_OFFERED)


def __getattr__(name: str):
    if name not in _OFFERED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"labkd.{_OFFERED[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_OFFERED])
