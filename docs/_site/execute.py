"""Run the chapters and write their outputs beside them.

python docs/_site/execute.py [notebooks/NN_name.py ...]

The .py is the source, the .ipynb is made from it: the same cells, with
outputs, fixed ids and no times, so that running twice gives the same bytes.
"""

import base64
import io
import os
import sys
import tomllib
from pathlib import Path

import jupytext
import nbformat
from digest import code_digest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 600
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def execute(source: Path, folder: Path) -> nbformat.NotebookNode:
    """A chapter, given as .py, with the outputs of a fresh run in a folder."""
    notebook = paired(source)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    for cell in notebook.cells:
        # What goes to stderr is progress and warnings of the machine at hand.
        if cell.cell_type == "code":
            printed = [o for o in cell.outputs if o.get("name") != "stderr"]
            cell.outputs = joined(printed)
            lighten(cell.outputs)
    notebook.metadata.pop("language_info", None)
    notebook.metadata["labkd_digest"] = code_digest(notebook)
    return notebook


def joined(outputs: list) -> list:
    """A text that arrived in two pieces, on a busy machine, is one."""
    kept = []
    for out in outputs:
        if kept and kept[-1].output_type == out.output_type == "stream":
            kept[-1].text += out.text
        else:
            kept.append(out)
    return kept


def lighten(outputs: list) -> None:
    """Figures lose the transparency that they do not have: the same pixels."""
    for data in (out.get("data", {}) for out in outputs):
        if "image/png" in data:
            raw = base64.b64decode(data["image/png"])
            data["image/png"] = base64.b64encode(_opaque(raw)).decode()


def _opaque(png: bytes) -> bytes:
    image, written = Image.open(io.BytesIO(png)), io.BytesIO()
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] < 255:
        return png
    image.convert("RGB").save(written, "png", optimize=True)
    return min(png, written.getvalue(), key=len)


def paired(source: Path) -> nbformat.NotebookNode:
    """The cells of a .py file as a notebook without outputs."""
    notebook = jupytext.read(source, fmt="py:percent")
    for number, cell in enumerate(notebook.cells, 1):
        cell.id = f"cell-{number:02d}"
    notebook.metadata["jupytext"] = jupytext_settings()
    notebook.metadata["kernelspec"] = dict(KERNEL)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def jupytext_settings() -> dict[str, str]:
    """What jupytext adds to a pair that it saves: then it changes nothing."""
    text = (ROOT / "notebooks" / "jupytext.toml").read_text("utf-8")
    settings = tomllib.loads(text)
    return {k: v for k, v in settings.items() if k.endswith("_filter")}


def main() -> None:
    """Execute the named chapters, or all of them."""
    # Pictures of CIFAR-10 in figures come from here, when they are at hand.
    os.environ.setdefault("LABKD_DATA", str(ROOT / "data"))
    chosen = [Path(name).resolve() for name in sys.argv[1:]]
    for source in chosen or sorted((ROOT / "notebooks").glob("[0-9]*.py")):
        notebook = execute(source, source.parent)
        nbformat.validate(notebook)
        # Written only when every cell has run: a failure keeps the old one.
        nbformat.write(notebook, source.with_suffix(".ipynb"))
        print(f"ran {source.name}")


if __name__ == "__main__":
    main()
