"""What makes the loop last: files, deadlines, going on to the same bits."""

import itertools
import math
import random
import shlex
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator

from labkd.data import load
from labkd.lab import building, launching
from labkd.lab.building import some_of
from labkd.lab.launching import Run, tell, train
from labkd.lab.outcomes import evaluate
from labkd.lab.recipes import change, find
from labkd.lab.teachers import no_teacher
from labkd.pixels import Normalise, predict

SCRATCH = "scratch-vit-digits"
SOFT = "soft-vit_from_resnet18-digits"
# Four batches an epoch; stochastic depth draws from torch's own generator.
SMALL = replace(
    find(SCRATCH, "laptop"), epochs=4, training_images=200, drop_path=0.3
)
WHOLE = load("digits", "train")
IMAGES, NORMALISE = some_of(WHOLE, 200), Normalise.of(WHOLE.images)


def run_in(folder, recipe=SMALL, name=SCRATCH, **changes):
    return Run(
        name=name,
        size="laptop",
        recipe=recipe,
        seed=3,
        command="",
        results=folder / "results",
        folder=folder / "runs",
        **changes,
    )


def trained(run, teacher=no_teacher):
    accelerator = Accelerator(cpu=True, mixed_precision="no")
    return train(run, accelerator, IMAGES, NORMALISE, teacher)


def stopping_at(batch):
    r"""Says nothing, and at some batch the run ends."""
    calls = itertools.count()

    def ask(pixels, indices, views):
        if next(calls) == batch:
            raise KeyboardInterrupt

    return ask


def assert_same(first, second):
    (ours, kept), (theirs, expected) = first, second
    ours, theirs = ours.state_dict(), theirs.state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    for a, b in zip(kept["epochs"], expected["epochs"], strict=True):
        assert a | {"seconds": 0} == b | {"seconds": 0}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    return trained(run_in(tmp_path_factory.mktemp("undisturbed")))


def test_every_epoch_is_there_with_its_scores(undisturbed):
    model, kept = undisturbed
    assert [epoch["epoch"] for epoch in kept["epochs"]] == [1, 2, 3, 4]
    validation = load("digits", "validation")
    logits = predict(model, validation.images, NORMALISE)
    scores = evaluate(logits, validation.labels)
    assert kept["epochs"][-1]["validation"] == scores
    spent = sum(epoch["seconds"] for epoch in kept["epochs"])
    assert kept["seconds"] > spent


def test_a_run_that_is_stopped_anywhere_goes_on_to_the_same_bits(
    undisturbed, tmp_path
):
    run, moments = run_in(tmp_path), random.Random(0)
    done, stops = 0, 0
    while True:
        # In the first batch, in the last of an epoch, anywhere.
        left = 4 * (4 - done)
        try:
            final = trained(run, stopping_at(moments.randrange(left + 1)))
            break
        except KeyboardInterrupt:
            stops += 1
        kept = launching.checkpoints.load(run.file("checkpoint"))
        done = len(kept["epochs"]) if kept else 0
    assert stops >= 3
    assert_same(final, undisturbed)


def test_a_run_goes_on_from_the_checkpoint_before_the_newest(
    undisturbed, tmp_path
):
    run = run_in(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        trained(run, stopping_at(13))
    path = run.file("checkpoint")
    assert len(launching.checkpoints.load(path)["epochs"]) == 3
    path.unlink()
    assert len(launching.checkpoints.load(path)["epochs"]) == 2
    assert_same(trained(run), undisturbed)


def test_a_checkpoint_that_was_copied_is_another_runs(tmp_path):
    run, other = run_in(tmp_path), replace(run_in(tmp_path), seed=4)
    with pytest.raises(KeyboardInterrupt):
        trained(other, stopping_at(5))
    copied = other.file("checkpoint").rename(run.file("checkpoint"))
    before = copied.read_bytes()
    with pytest.raises(ValueError, match="another run, with seed=4 and not 3"):
        trained(run)
    assert copied.read_bytes() == before


def test_another_seed_is_another_run(undisturbed, tmp_path):
    model, _ = trained(replace(run_in(tmp_path), seed=4))
    theirs = undisturbed[0].state_dict()
    differ = [not torch.equal(v, theirs[k]) for k, v in model.named_buffers()]
    differ += [
        not torch.equal(v, theirs[k]) for k, v in model.named_parameters()
    ]
    assert all(differ)


def test_a_run_that_is_done_is_not_trained_again(
    undisturbed, tmp_path, capsys
):
    run = run_in(tmp_path)
    trained(run)
    capsys.readouterr()
    # Time is up, but nothing is left that takes any.
    again = trained(replace(run, deadline=0.0), stopping_at(0))
    assert_same(again, undisturbed)
    assert capsys.readouterr().out == "going on after epoch 4\n"


def test_a_deadline_inside_an_epoch_keeps_the_last_whole_one(
    undisturbed, tmp_path, monkeypatch, capsys
):
    # A clock that ticks whenever somebody looks: once a batch, once an
    # epoch.
    clock = itertools.count()
    ticking = SimpleNamespace(
        monotonic=lambda: float(next(clock)), perf_counter=time.perf_counter
    )
    monkeypatch.setattr(launching, "time", ticking)
    run = run_in(tmp_path)
    with pytest.raises(TimeoutError, match="last whole epoch is kept"):
        trained(replace(run, deadline=7.5))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 and lines[0].startswith("epoch 1/4: loss ")
    assert_same(trained(run), undisturbed)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "going on after epoch 1"
    assert lines[1].startswith("epoch 2/4") and len(lines) == 4


def test_an_epoch_that_would_be_too_long_is_not_begun(tmp_path, monkeypatch):
    standing = SimpleNamespace(
        monotonic=lambda: 0.0, perf_counter=time.perf_counter
    )
    monkeypatch.setattr(launching, "time", standing)
    run = run_in(tmp_path, deadline=1e-6)
    for epoch in (1, 2, 3):
        with pytest.raises(TimeoutError, match=f"epoch {epoch} is kept"):
            trained(run)
    # After the last there is none to be too long.
    assert len(trained(run)[1]["epochs"]) == 4


def test_a_run_that_diverges_stops_and_leaves_nothing(tmp_path):
    wild = replace(SMALL, optimizer="sgd", learning_rate=1e9, clip_norm=0.0)
    run = run_in(tmp_path, wild)
    with pytest.raises(ValueError, match="^epoch 1, step [234]: the loss is"):
        trained(run)
    assert not run.file("checkpoint").exists()


def test_a_loss_that_spoils_later_leaves_the_last_whole_epoch(
    undisturbed, tmp_path, monkeypatch
):
    calls, objective_of = itertools.count(1), building.objective_of

    def spoiling(recipe):
        objective = objective_of(recipe)

        def spoiled(*given):
            # The second of four batches in the third epoch.
            return objective(*given) * (math.nan if next(calls) == 10 else 1)

        return spoiled

    run = run_in(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(building, "objective_of", spoiling)
        with pytest.raises(ValueError, match="^epoch 3, step 2: .* is nan"):
            trained(run)
    kept = launching.checkpoints.load(run.file("checkpoint"))
    assert [epoch["epoch"] for epoch in kept["epochs"]] == [1, 2]
    assert_same(trained(run), undisturbed)


def test_weights_that_spoil_in_the_last_step_are_not_kept(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(
        launching, "predict", lambda *given: torch.tensor([[math.nan]])
    )
    run = run_in(tmp_path)
    with pytest.raises(ValueError, match="after epoch 1 .* are not finite"):
        trained(run)
    assert not run.file("checkpoint").exists()


def test_a_damaged_checkpoint_is_named(tmp_path):
    path = run_in(tmp_path).file("checkpoint")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half of it")
    with pytest.raises(ValueError, match=f"{path.name} is damaged"):
        trained(run_in(tmp_path))


def test_files_of_another_recipe_or_seed_are_other_files(tmp_path):
    ours = run_in(tmp_path)
    others = [
        replace(ours, recipe=replace(SMALL, epochs=3)),
        replace(ours, seed=1),
        replace(ours, size="full"),
        replace(ours, name="another"),
    ]
    files = {run.file("checkpoint") for run in (ours, *others)}
    assert len(files) == 5
    # What was planned about a run does not move its files.
    planned = replace(ours, recipe=replace(SMALL, seeds=9, baseline="x"))
    assert planned.file("checkpoint") in files


def test_a_table_is_of_a_teacher_and_of_the_students_images(tmp_path):
    soft = find(SOFT, "laptop")
    teacher = run_in(tmp_path, soft, SOFT).teacher()
    path = teacher.table(soft)
    # How a student learns does not matter to the table.
    same = replace(soft, objective="argmax", learning_rate=0.5, epochs=1)
    assert teacher.table(same) == path
    others = [
        teacher.table(replace(soft, training_images=100)),
        teacher.table(replace(soft, padding=2)),
        teacher.table(replace(soft, mirror=not soft.mirror)),
        replace(teacher, recipe=replace(teacher.recipe, epochs=9)).table(soft),
    ]
    assert len({path, *others}) == 5


def test_the_teacher_is_its_own_recipe_with_the_students_images(tmp_path):
    name = "soft-vit_from_resnet18-cifar10"
    recipe = find(name, "laptop")
    run = run_in(tmp_path, recipe, name, deadline=99.0)
    teacher = run.teacher()
    assert teacher.name == recipe.teacher
    assert teacher.recipe == find(recipe.teacher, "laptop")
    assert (teacher.seed, teacher.deadline) == (0, 99.0)
    # Among the weights, and not among the student's records.
    assert teacher.results == teacher.folder == run.folder
    small = replace(run, recipe=replace(recipe, dataset="digits")).teacher()
    assert small.recipe.dataset == "digits"
    assert small.file("weights") != teacher.file("weights")


@pytest.mark.parametrize("image_size", [0, 32])
@pytest.mark.parametrize("dataset", ["cifar10", "digits", "my photos"])
def test_the_teachers_command_makes_it_again(dataset, image_size, tmp_path):
    name = "soft-vit_from_resnet18-cifar10"
    changes = {"dataset": dataset, "image_size": image_size}
    recipe = replace(find(name, "laptop"), **changes)
    teacher = run_in(tmp_path, recipe, name).teacher()
    words = shlex.split(teacher.command)
    assert words[:5] == ["python", "-m", "labkd", "run", teacher.name]
    settings = [b for a, b in itertools.pairwise(words) if a == "--set"]
    again = change(find(teacher.name, "laptop"), settings)
    assert again == teacher.recipe
    assert len(settings) == (dataset != "cifar10") + (image_size != 0)


def test_processes_that_outnumber_the_last_batch_are_refused():
    three = SimpleNamespace(num_processes=3)
    # 130 images in batches of 64 leave two.
    with pytest.raises(ValueError, match="3 processes cannot share .* of 2,"):
        launching._check_shares(SMALL, three, 130)
    for images in (131, 128, 192):
        launching._check_shares(SMALL, three, images)


def test_parts_that_outnumber_a_share_are_refused(tmp_path):
    two = SimpleNamespace(num_processes=2)
    # 133 images in batches of 64 leave five, of which one process has two.
    launching._check_shares(SMALL, two, 133, 2)
    with pytest.raises(ValueError, match="2 processes .* of 5 in 3 parts eac"):
        launching._check_shares(SMALL, two, 133, 3)
    with pytest.raises(ValueError, match="^1 process cannot .* of 8 in 9 par"):
        trained(run_in(tmp_path, accumulation=9))


def test_one_process_speaks_for_all(capsys):
    for main in (True, False):
        tell(SimpleNamespace(is_main_process=main), "all is well")
    assert capsys.readouterr().out == "all is well\n"
