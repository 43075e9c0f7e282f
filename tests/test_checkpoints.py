"""Checkpoints: whole or not at all, and going on to the same bits."""

import pickle
import subprocess
import sys
from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from labkd.lab import checkpoints
from labkd.lab.checkpoints import claimed, restore, snapshot


def parts(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 3))
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=20
    )
    return model, optimizer, schedule, torch.Generator().manual_seed(seed)


def train(model, optimizer, schedule, generator, *, steps):
    # Dropout draws from torch's own generator, the data from ours.
    for _ in range(steps):
        images = torch.randn(5, 4, generator=generator)
        loss = F.cross_entropy(model(images), torch.arange(5) % 3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def test_two_halves_are_the_whole_to_the_bit(tmp_path):
    whole = parts()
    train(*whole, steps=12)
    first = parts()
    train(*first, steps=5)
    checkpoints.save(tmp_path / "c", snapshot(*first))
    # Another process, in which everything stands elsewhere.
    second = parts(seed=7)
    torch.manual_seed(99)
    restore(checkpoints.load(tmp_path / "c"), *second)
    train(*second, steps=7)
    ours, theirs = second[0].state_dict(), whole[0].state_dict()
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)
    assert second[2].get_last_lr() == whole[2].get_last_lr()


def test_a_snapshot_on_disk_does_not_move_with_the_model(tmp_path):
    state = parts()
    checkpoints.save(tmp_path / "c", snapshot(*state))
    before = state[0][0].weight.detach().clone()
    train(*state, steps=3)
    kept = checkpoints.load(tmp_path / "c")["model"]["0.weight"]
    assert torch.equal(kept, before)
    assert not torch.equal(state[0][0].weight, before)


def test_nothing_is_there_before_the_first(tmp_path):
    assert checkpoints.load(tmp_path / "none") is None


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "c"
    checkpoints.save(path, {"epochs": [1]})
    with pytest.raises((AttributeError, pickle.PicklingError)):
        checkpoints.save(path, {"epochs": lambda: None})
    assert checkpoints.load(path) == {"epochs": [1]}


def test_a_damaged_file_is_named_at_whatever_byte_it_ends(tmp_path):
    path = tmp_path / "c"
    checkpoints.save(path, snapshot(*parts()))
    whole = path.read_bytes()
    cuts = range(0, len(whole), len(whole) // 7)
    for start, end in pairwise(cuts):
        path.write_bytes(whole[:end] if start else b"")
        with pytest.raises(ValueError, match="is damaged.*delete it"):
            checkpoints.load(path)


def test_the_last_two_are_kept(tmp_path):
    path = tmp_path / "c"
    for epoch in (1, 2, 3):
        checkpoints.save(path, {"epoch": epoch})
    before = checkpoints.previous(path)
    assert sorted(tmp_path.iterdir()) == [path, before]
    assert checkpoints.load(path) == {"epoch": 3}
    # Killed between the two renamings, a process leaves the one before.
    path.unlink()
    assert checkpoints.load(path) == {"epoch": 2}
    assert checkpoints.exist(path)
    checkpoints.save(path, {"epoch": 3})
    assert checkpoints.load(before) == {"epoch": 2}
    checkpoints.remove(path)
    assert list(tmp_path.iterdir()) == [] and not checkpoints.exist(path)


def test_a_damaged_newest_is_kept_for_the_reader_to_delete(tmp_path):
    path = tmp_path / "c"
    for epoch in (1, 2):
        checkpoints.save(path, {"epoch": epoch})
    path.write_bytes(path.read_bytes()[:-100])
    found = {file: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(ValueError, match="c is damaged .* from the one befo"):
        checkpoints.load(path)
    assert found == {file: file.read_bytes() for file in tmp_path.iterdir()}
    path.unlink()
    assert checkpoints.load(path) == {"epoch": 1}
    # With no third to go back to, the run starts anew.
    checkpoints.previous(path).write_bytes(b"")
    with pytest.raises(ValueError, match="previous is damaged .* start anew"):
        checkpoints.load(path)


def test_a_single_bit_is_noticed(tmp_path):
    path = tmp_path / "c"
    checkpoints.save(path, {"a": torch.zeros(10_000)})
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ValueError, match="c is damaged .the checksum of"):
        checkpoints.load(path)


def test_the_checkpoint_of_another_run_says_how_it_differs(tmp_path):
    path, state = tmp_path / "c", {"epochs": [], "seconds": 0.5, "state": {}}
    theirs = {"seed": 1, "width": 8, "mixup": True}
    checkpoints.save(path, state | {"made_of": theirs})
    assert checkpoints.load(path, theirs)["made_of"] == theirs
    with pytest.raises(ValueError, match="another run") as caught:
        checkpoints.load(path, {"seed": 2, "width": 8})
    assert "seed=1 and not 2" in str(caught.value)
    assert "mixup=True and not 'its default'" in str(caught.value)
    assert "width" not in str(caught.value)
    # Those that were written before checkpoints said so are taken as they are.
    checkpoints.save(path, state)
    assert checkpoints.load(path, theirs) == state
    checkpoints.save(path, {"epochs": []})
    with pytest.raises(ValueError, match="it does not hold"):
        checkpoints.load(path, theirs)


def test_a_checkpoint_cannot_run_code(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("sprung",))

    path = tmp_path / "c"
    torch.save({"model": Trap()}, path)
    with pytest.raises(ValueError, match="is damaged"):
        checkpoints.load(path)


def test_a_run_is_one_commands_at_a_time(tmp_path):
    path = tmp_path / "runs" / "one.lock"
    with claimed(path):
        with claimed(tmp_path / "two.lock"):
            pass
        with pytest.raises(BlockingIOError, match=str(path)), claimed(path):
            pass
    # Given back, also when the run fails.
    with pytest.raises(KeyError), claimed(path):
        raise KeyError
    with claimed(path):
        pass


def test_the_claim_of_a_killed_run_dies_with_it(tmp_path):
    path = tmp_path / "one.lock"
    code = (
        "import sys; from filelock import FileLock; lock ="
        "FileLock(sys.argv[1]); lock.acquire(); print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        other.stdout.readline()
        with pytest.raises(BlockingIOError), claimed(path):
            pass
        other.kill()
    with claimed(path):
        pass
