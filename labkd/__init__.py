r"""Knowledge distillation in PyTorch: the code behind the course."""

__version__ = "0.1.0"
