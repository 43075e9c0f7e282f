"""The command line: one line for a mistake, and nothing lost."""

import pytest

from labkd import records
from labkd.lab import store, voices
from labkd.lab.cli import main

NAME = "teacher-resnet18-cifar10"
DIGITS = "teacher-resnet18-digits"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "nothing"], "no recipe 'nothing'"),
        (["run", NAME, "--seed", "-1"], "at least 0, got -1"),
        (["run", NAME, "--set", "epochs=x"], "epochs: "),
        (["run", NAME, "--set", "seeds=2"], "'seeds'"),
        (["run", NAME, "--set", "dataset=gone"], "no data set 'gone'"),
        (["run", DIGITS, "--set", "training_images=5"], "5 training images"),
        (["run", NAME, "--minutes", "-1"], "at least 0, got -1"),
        (["run", NAME, "--minutes", "nan"], "got nan"),
        (
            [
                *("run", NAME, "--set", "epochs=1"),
                *("--results", str(records.RESULTS)),
            ],
            "leave out --results",
        ),
        (["run", NAME, "--size", "huge"], "huge"),
        (["run", NAME, "--seed", "x"], "x"),
        (["run", DIGITS, "--log", "paper"], "'paper'"),
        (["run", NAME, "--accumulate", "0"], "at least 1, got 0"),
        (["run", NAME, "--accumulate", "x"], "'x'"),
        (["run", NAME, "--precision", "half"], "'half'"),
        (["run", NAME, "--compile", "maybe"], "'maybe'"),
        (["run"], "NAME"),
        (["targets", DIGITS], "cannot learn from a table"),
        (["targets", "nothing"], "no recipe 'nothing'"),
        (["record", "--workers", "0"], "at least 1, got 0"),
        (["record", "--size", "huge"], "huge"),
        ([], "verb"),
        (["dance"], "dance"),
    ],
)
def test_a_mistake_costs_one_line_and_status_2(words, message, folder, capsys):
    try:
        status = main(words)
    except SystemExit as end:
        status = end.code
    error = capsys.readouterr().err
    assert status == 2
    assert message in error and error.startswith("labkd: ")
    assert error.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("words", [["run", "nothing"], ["dance"]])
def test_of_several_processes_the_first_speaks_first(
    words, folder, monkeypatch, capsys
):
    waited = []
    monkeypatch.setattr("labkd.lab.voices.time.sleep", waited.append)
    for rank, seconds in (("0", []), ("1", [voices.HEARD_AFTER])):
        monkeypatch.setenv("RANK", rank)
        try:
            assert main(words) == 2
        except SystemExit as end:
            assert end.code == 2
        # Whoever is still there then has a mistake of its own to tell.
        assert capsys.readouterr().err.count("labkd: ") == 1
        assert waited == seconds


def test_list_and_table(capsys):
    assert main(["list"]) == 0
    assert NAME in capsys.readouterr().out
    assert main(["table"]) == 0
    assert NAME in capsys.readouterr().out


def test_the_table_ends_with_the_paired_differences(folder, capsys):
    scores = {"accuracy": 0.5, "nll": 1.0, "ece": 0.1, "brier": 0.7}
    for recipe, gain in (("alone", 0.0), ("soft", 0.02)):
        for seed in range(3):
            record = dict.fromkeys(records.FIELDS, "") | {
                "recipe": recipe,
                "size": "laptop",
                "seed": seed,
                "seconds": 1.0,
                "config": {"baseline": "alone" if gain else ""},
                "test": scores | {"accuracy": 0.5 + gain + seed / 100},
            }
            store.write(record, folder)
    assert main(["table", "--results", str(folder)]) == 0
    lines = capsys.readouterr().out.strip().splitlines()
    assert len(lines) == 1 + 6 + 1
    assert lines[-1].startswith("soft, laptop: accuracy minus that of alone")
    assert "+2.0 ± 0.0" in lines[-1]


def test_a_trial_opens_no_test_image(folder, capsys):
    words = ["run", DIGITS, "--trial", "--set", "epochs=1"]
    assert main(words) == 0
    assert "validation accuracy" in capsys.readouterr().out
    assert not list(folder.glob("runs/*/*seed0.json"))
    (trial,) = folder.glob("runs/*/*.trial.json")
    assert '"test"' not in trial.read_text("utf-8")
    assert '"validation"' in trial.read_text("utf-8")


def test_set_leaves_a_record_of_its_own_command(folder):
    assert main(["run", DIGITS, "--seed", "5", "--set", "epochs=1"]) == 0
    record = records.read(DIGITS, "laptop", 5, folder / "runs")
    assert record["config"]["epochs"] == len(record["epochs"]) == 1
    assert record["command"].endswith("--seed 5 --set epochs=1")
    assert not list(folder.rglob("*.part"))


def test_a_record_says_how_it_was_computed(folder):
    words = ["run", DIGITS, "--set", "epochs=1"]
    options = ["--accumulate", "2", "--precision", "bfloat16"]
    assert main([*words, *options, "--compile", "no"]) == 0
    record = records.read(DIGITS, "laptop", 0, folder / "runs")
    assert (record["processes"], record["accumulation"]) == (1, 2)
    assert record["precision"] == "bfloat16 autocast"
    assert record["compiled"] is False
    command = "--accumulate 2 --precision bfloat16 --compile no"
    assert record["command"].endswith(f"epochs=1 {command}")


def test_a_logger_that_is_not_installed_is_asked_for(
    folder, monkeypatch, capsys
):
    monkeypatch.setattr("labkd.lab.cli.find_spec", lambda name: None)
    assert main(["run", DIGITS, "--log", "wandb"]) == 2
    assert "pip install wandb" in capsys.readouterr().err
    assert list(folder.iterdir()) == []
