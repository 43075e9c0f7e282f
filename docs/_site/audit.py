"""Weighs an audit: `audit.py SECURITY.md REPORT...`, each report as JSON.

Every known weakness of a pinned package needs a written answer, and every
answer a weakness that is still there. What could not be audited is no pass.
"""

import json
import re
import sys
from pathlib import Path

# | package | identifier | why it does not reach a reader, or what we did |
ANSWER = re.compile(r"^\| ([\w.@/-]+) \| ([\w:-]+\d[\w:-]*) \| (.+) \|$", re.M)


def of_python(report: dict) -> tuple[set[tuple[str, str]], list[str]]:
    """pip-audit's report: findings as (package, identifier), and the rest."""
    found, unknown = set(), []
    for package in report["dependencies"]:
        if "skip_reason" in package:
            unknown.append(package["skip_reason"])
        for weakness in package.get("vulns", []):
            found.add((package["name"], weakness["id"]))
    return found, unknown


def of_npm(report: dict) -> tuple[set[tuple[str, str]], list[str]]:
    """npm's report: findings as (package, identifier), and the rest."""
    if "vulnerabilities" not in report:
        return set(), [report.get("message") or "npm audited nothing"]
    found = set()
    for name, package in report["vulnerabilities"].items():
        for cause in package["via"]:
            # A name alone is a package on the way to the weak one.
            if isinstance(cause, dict):
                found.add((name, cause["url"].rpartition("/")[2]))
    return found, []


def problems(answers: str, reports: list[dict]) -> list[str]:
    """What keeps an audit from passing, each in a line."""
    found, wrong = set(), []
    for report in reports:
        python = "dependencies" in report
        findings, unknown = (of_python if python else of_npm)(report)
        found |= findings
        wrong += [f"not audited: {reason}" for reason in unknown]
    answered = {(m[1], m[2]) for m in ANSWER.finditer(answers)}
    for package, weakness in sorted(found - answered):
        wrong.append(f"without an answer: {weakness} of {package}")
    for package, weakness in sorted(answered - found):
        wrong.append(
            f"answered, but not found any more: {weakness}, {package}"
        )
    return wrong


def main(answers: str, *reports: str) -> int:
    """Prints what is wrong; returns the exit status."""
    read = [json.loads(Path(path).read_text("utf-8")) for path in reports]
    wrong = problems(Path(answers).read_text("utf-8"), read)
    print("\n".join(wrong) or "every known weakness has its answer")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
