"""The command line: one line for a mistake, and nothing lost."""

import pytest

from labkd import records
from labkd.data import load
from labkd.lab import store, voices
from labkd.lab.cli import main
from labkd.lab.recipes import RECIPES

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
        (["run", NAME, "--seed", "-1"], "--seed"),
        (["run", NAME, "--seed", str(2**63)], "--seed"),
        (["run", NAME, "--set", "epochs=x"], "epochs: "),
        (["run", NAME, "--set", "epoch=3"], "nearest are: epochs"),
        (["run", NAME, "--set", "seeds=2"], "'seeds'"),
        (["run", NAME, "--set", "dataset=gone"], "no data set 'gone'"),
        (["run", DIGITS, "--set", "training_images=5"], "5 training images"),
        (["run", NAME, "--minutes", "-1"], "--minutes"),
        (["run", NAME, "--minutes", "nan"], "--minutes"),
        (
            [
                *("run", NAME, "--set", "epochs=1"),
                *("--results", str(records.RESULTS)),
            ],
            "leave out --results",
        ),
        (["run", NAME, "--size", "huge"], "huge"),
        (["run", NAME, "--seed", "x"], "--seed"),
        (["run", DIGITS, "--log", "paper"], "'paper'"),
        (["run", NAME, "--accumulate", "0"], "--accumulate"),
        (["run", NAME, "--precision", "half"], "'half'"),
        (["run", NAME, "--compile", "maybe"], "'maybe'"),
        (["run"], "name"),
        (["targets", DIGITS], "cannot learn from a table"),
        (["targets", "nothing"], "no recipe 'nothing'"),
        (["record", "--workers", "0"], "--workers"),
        (["record", "--size", "huge"], "huge"),
        (["table", "--results", "nope"], "no folder nope"),
        (["dance"], "dance"),
    ],
)
def test_a_mistake_costs_one_line_and_status_2(words, message, folder, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.startswith("labkd: ")
    assert error.count("\n") == 1 and "Value error" not in error
    assert list(folder.iterdir()) == []


def test_nothing_asked_for_is_a_question(capsys):
    assert main([]) == 0
    told = capsys.readouterr().out
    for verb in ("list", "run", "targets", "record", "table"):
        assert f"  {verb} " in told


def test_a_run_interrupted_at_once_costs_one_line(monkeypatch, capsys):
    def interrupt(*words, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("labkd.lab.cli.store.tuned", interrupt)
    assert main(["run", DIGITS]) == 130
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("words", [["run", "nothing"], ["dance"]])
def test_of_several_processes_the_first_speaks_first(
    words, folder, monkeypatch, capsys
):
    waited = []
    monkeypatch.setattr("labkd.lab.voices.time.sleep", waited.append)
    for rank, seconds in (("0", []), ("1", [voices.HEARD_AFTER])):
        monkeypatch.setenv("RANK", rank)
        assert main(words) == 2
        # Whoever is still there then has a mistake of its own to tell.
        assert capsys.readouterr().err.count("labkd: ") == 1
        assert waited == seconds


def test_the_list_has_every_recipe_once_by_chapter(capsys):
    assert main(["list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["chapter", "recipe", "shows"]
    rows = [line.split() for line in lines]
    chapters = [int(row[0]) for row in rows]
    assert chapters == sorted(chapters) and set(chapters) <= set(range(1, 18))
    sizes = [name for name, sizes in RECIPES.items() for _ in sizes]
    assert sorted(row[1] for row in rows) == sorted(sizes)
    kept = [r for r in records.read_all() if r["recipe"] == NAME]
    (line,) = [row for row in lines if f"{NAME} " in row and "laptop" in row]
    (found,) = [r for r in kept if r["size"] == "laptop"]
    assert line.split()[-4:] == [
        *("1", "of", "1"),
        f"{found['seconds'] / 60:.1f}",
    ]
    # Whoever sees it for the first time need not guess what a blank means.
    waiting = [line for line in lines if " 0 of " in line]
    assert waiting and len(waiting) < len(lines)
    for line in lines:
        assert line.endswith("not recorded yet") == (line in waiting)


def test_the_table_of_all_has_every_run(capsys):
    assert main(["table", "--all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(records.read_all())


def test_the_table_has_means_and_paired_differences(folder, capsys):
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
    _, alone, soft, note = capsys.readouterr().out.splitlines()
    assert "51.0 ± 1.0" in alone and "53.0 ± 1.0" in soft
    assert "+2.0 ± 0.0 (95 % interval)" in soft and "deviation" in note


def test_a_trial_opens_no_test_image(folder, capsys):
    words = ["run", DIGITS, "--trial", "--set", "epochs=1"]
    assert main(words) == 0
    assert "validation accuracy" in capsys.readouterr().out
    assert not list(folder.glob("runs/*/*seed0.json"))
    (trial,) = folder.glob("runs/*/*.trial.json")
    assert '"test"' not in trial.read_text("utf-8")
    assert '"validation"' in trial.read_text("utf-8")


def test_trials_are_no_records(folder, capsys):
    # Their files stand beside records, and have no score on test images.
    words = ["run", DIGITS, "--set", "epochs=1"]
    assert main([*words, "--trial"]) == 0
    assert main([*words, "--results", "runs"]) == 0
    assert main(["table", "--results", "runs", "--all"]) == 0
    assert len(capsys.readouterr().out.splitlines()[-2:]) == 2
    assert len(records.read_all(folder / "runs")) == 1


def test_a_run_that_is_there_is_not_repeated_unless_asked_for(folder, capsys):
    words = ["run", DIGITS, "--set", "epochs=1"]
    assert main(words) == 0
    path = records.path_of(DIGITS, "laptop", 0, folder / "runs")
    before = path.stat().st_mtime_ns
    capsys.readouterr()
    assert main(words) == 0
    assert "--again" in capsys.readouterr().out
    assert path.stat().st_mtime_ns == before
    assert main([*words, "--again"]) == 0
    assert path.stat().st_mtime_ns > before


def test_a_run_killed_after_its_record_has_still_to_tidy_up(
    folder, monkeypatch
):
    words = ["run", DIGITS, "--set", "epochs=1"]
    with monkeypatch.context() as killed:
        killed.setattr("labkd.lab.checkpoints.remove", lambda path: None)
        assert main(words) == 0
    assert list(folder.rglob("*.checkpoint"))
    (before,) = records.read_all(folder / "runs")
    assert main(words) == 0
    assert not list(folder.rglob("*.checkpoint"))
    (after,) = records.read_all(folder / "runs")
    assert after["test"] == before["test"]
    assert after["epochs"] == before["epochs"]


def test_a_student_is_loaded_by_the_line_that_the_run_prints(folder, capsys):
    assert main(["run", DIGITS, "--set", "epochs=1"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    scope = {}
    exec(line.removeprefix("to use them: "), scope)
    student, test_set = scope["student"], load("digits", "test")
    pixels = test_set.images / 255
    logits = student((pixels - student.mean) / student.deviation)
    record = records.read(DIGITS, "laptop", 0, folder / "runs")
    hits = (logits.argmax(1) == test_set.labels).double().mean().item()
    # Weights are kept in half precision.
    assert hits == pytest.approx(record["test"]["accuracy"], abs=0.005)


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
