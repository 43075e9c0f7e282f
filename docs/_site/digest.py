"""The digest that ties a notebook's outputs to the code that made them."""

import hashlib
import json


def code_digest(notebook: dict) -> str:
    """SHA-256 over the sources of the code cells, in order."""
    # On disk a source may be a list of lines, in memory it is one string.
    sources = [
        "".join(cell["source"])
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()
