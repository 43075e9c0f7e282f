r"""What makes the records: recipes, runs, the recorder."""

from importlib.util import find_spec

from labkd.extras import needs_extra

# They are looked for and not imported, which would take seconds.
with needs_extra("lab"):
    for _package in ("accelerate", "filelock", "pydantic", "typer"):
        try:
            _there = find_spec(_package)
        except ValueError:
            _there = None
        if _there is None:
            raise ModuleNotFoundError(name=_package)
