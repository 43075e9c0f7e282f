"""Sheet 10: what of a project can be checked by machine."""

import math
import re
import runpy
import shlex
import shutil
import tempfile
from pathlib import Path

from scipy.stats import nct, t

from labkd import records
from labkd.comparisons import arms
from labkd.lab.recipes import change, find

HERE = Path(__file__).parents[1]
SHEET = (HERE / "10_a_project.md").read_text("utf-8")
OURS, THEIRS = "soft-vit_from_resnet18-digits", "scratch-vit-digits"


def part_a():
    # Every question can be asked of a recipe that exists.
    listed = SHEET[SHEET.index("\n1. ") : SHEET.index("\nQuestions 1 to 5")]
    questions = re.split(r"^\d\. ", listed, flags=re.M)[1:]
    options = [re.search(r"`(--set .+?)`", of)[1] for of in questions]
    assert len(options) == 7
    for number, line in enumerate(options, 1):
        recipe = find(OURS if number <= 5 else THEIRS, "laptop")
        changed = change(recipe, line.replace("--set ", "").split())
        assert changed != recipe


def part_b(pilot_spread=0.8, smallest_effect=1.0):
    # An example of a plan's arithmetic, with an invented pilot.
    effect = smallest_effect / pilot_spread
    for seeds in range(2, 100):
        edge = t.ppf(0.975, seeds - 1)
        shift = effect * math.sqrt(seeds)
        if nct.sf(edge, seeds - 1, shift) >= 0.8:
            return [str(seeds)]
    raise ValueError("more seeds than anybody has time for")


def part_c():
    block = re.search(r"```bash\n(.*?)```", SHEET, re.S)[1]
    lines = block.replace("\\\n", " ").strip().splitlines()
    assert len(lines) == 3
    for words in map(shlex.split, lines):
        assert words[:4] == ["python", "-m", "labkd", "run"]
        settings = [
            b for a, b in zip(words, words[1:], strict=False) if a == "--set"
        ]
        change(find(words[4], "laptop"), settings)


def part_d():
    compare = runpy.run_path(str(HERE / "snippets" / "compare_folders.py"))
    names = "soft-vit_from_resnet18-cifar10", "scratch-vit-cifar10"
    with tempfile.TemporaryDirectory() as folder:
        folders = [Path(folder) / name for name in names]
        for name, own in zip(names, folders, strict=True):
            kept = own / name
            kept.mkdir(parents=True)
            for file in (records.RESULTS / name).glob("laptop-seed*.json"):
                shutil.copy(file, kept)
        found = compare["compare"](*folders)
        # A seed that one arm lacks is no pair, and no accident either.
        next((folders[0] / names[0]).glob("*.json")).unlink()
        try:
            compare["compare"](*folders)
        except ValueError:
            pass
        else:
            raise RuntimeError("a missing seed was not noticed")
    (same,) = (
        arm.difference
        for arm in arms(records.read_all())
        if (arm.recipe, arm.size) == (names[0], "laptop")
    )
    assert math.isclose(found.mean, same.mean, abs_tol=1e-9)
    print(found)


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d):
        print(part.__name__, part() or "")
