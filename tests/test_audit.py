r"""The audit: a finding needs an answer, and an answer a finding."""

import json
import re
from pathlib import Path

import pytest
from audit import ANSWER, main, problems

ROOT = Path(__file__).resolve().parents[1]
ANSWERED = "| torch | PYSEC-2099-1 | it needs a model that we never load |\n"
CLEAN = {"dependencies": [{"name": "torch", "version": "2", "vulns": []}]}
WEAK = {
    "dependencies": [
        {"name": "torch", "vulns": [{"id": "PYSEC-2099-1"}]},
        {"name": "numpy", "vulns": []},
    ]
}
NPM = {
    "vulnerabilities": {
        "katex": {"via": [{"url": "https://x.example/GHSA-aaaa-bbbb-1ccc"}]},
        "above": {"via": ["katex"]},
    }
}


@pytest.mark.parametrize(
    ("answers", "reports", "expected"),
    [
        ("", [CLEAN], []),
        ("", [WEAK], ["without an answer: PYSEC-2099-1 of torch"]),
        (ANSWERED, [WEAK], []),
        (
            ANSWERED,
            [CLEAN],
            ["answered, but not found any more: PYSEC-2099-1, torch"],
        ),
        # Another package's answer is none.
        (
            ANSWERED.replace("torch", "numpy"),
            [WEAK],
            [
                "without an answer: PYSEC-2099-1 of torch",
                "answered, but not found any more: PYSEC-2099-1, numpy",
            ],
        ),
        (
            ANSWERED,
            [WEAK, NPM],
            ["without an answer: GHSA-aaaa-bbbb-1ccc of katex"],
        ),
        ("", [{"message": "no network"}], ["not audited: no network"]),
        (
            "",
            [{"dependencies": [{"name": "x", "skip_reason": "unknown x"}]}],
            ["not audited: unknown x"],
        ),
        ("", [{"vulnerabilities": {}}], []),
    ],
)
def test_a_finding_needs_an_answer_and_an_answer_a_finding(
    answers, reports, expected
):
    assert problems(answers, reports) == expected


def test_the_verdict_is_the_exit_status(tmp_path, capsys):
    answers, report = tmp_path / "S.md", tmp_path / "r.json"
    answers.write_text("# Nothing")
    for content, status in ((CLEAN, 0), (WEAK, 1)):
        report.write_text(json.dumps(content))
        assert main(str(answers), str(report)) == status
    assert "PYSEC-2099-1 of torch" in capsys.readouterr().out


def test_each_promise_names_tests_that_exist_and_each_answer_is_one():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+\.py)`", text))
    assert len(named) >= 6
    assert all((ROOT / "tests" / name).is_file() for name in named)
    _, _, table = text.partition("| package | weakness | answer |")
    rows = [r for r in table.partition("\n\n")[0].splitlines()[2:] if r]
    assert all(ANSWER.fullmatch(row) for row in rows)
