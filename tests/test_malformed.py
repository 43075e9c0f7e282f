"""Malformed input: one line that names it, status 2, and nothing touched."""

import gzip
import json
import lzma
import os
import shlex
import shutil
import struct
import zlib
from contextlib import nullcontext

import numpy as np
import pytest
import torch
import worlds
from PIL import Image
from safetensors.torch import save_file
from worlds import SCRATCH, STUDENT, TEACHER, idx, jpeg, members, only

from labkd import tensors
from labkd.lab import checkpoints

DATA = "data/cifar10-jpeg.tar.xz"
UNPACKED = "data/cifar10-jpeg-q75/train.safetensors"
BATCHES = "data/cifar-10-batches-py"
RED = "shades/train/red/03.png"
IMAGES = "data/fashion-mnist/train-images-idx3-ubyte"
LABELS = "data/fashion-mnist/train-labels-idx1-ubyte"
STOPPED = f"runs/{SCRATCH}/*.checkpoint"
WEIGHTS = f"runs/{TEACHER}/*.weights.safetensors"
LOGITS = f"runs/{TEACHER}/*-????????.logits.safetensors"
TABLE = f"runs/{TEACHER}/*.table"
RECORD = f"runs/{STUDENT}/laptop-seed0.json"
GRID = f"runs/{SCRATCH}/laptop-grid.json"

SHADES = " ".join(worlds.SHADES)
# What is there already is not repeated unless it is asked for.
LEARN = f"run {STUDENT} {SHADES} --again"
ASK = f"targets {STUDENT} {SHADES}"
ALONE = f"run {SCRATCH} {SHADES}"
GO_ON = f"{ALONE} --seed 7"
CIFAR = f"run {SCRATCH} --set dataset=cifar10 --set patch_size=16"
CIFAR += " --set epochs=1"
FASHION = f"run {SCRATCH} --set dataset=fashion-mnist"


def put(path, raw):
    r"""This file has these bytes."""

    def damage(folder):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)

    return damage


def cut(pattern, share=0.5):
    r"""This file ends early."""

    def damage(folder):
        path = only(folder, pattern)
        raw = path.read_bytes()
        path.write_bytes(raw[: int(share * len(raw))])

    return damage


def flip(pattern, share=0.5):
    r"""One bit of this file is another."""

    def damage(folder):
        path = only(folder, pattern)
        raw = bytearray(path.read_bytes())
        raw[int(share * len(raw))] ^= 4
        path.write_bytes(raw)

    return damage


def become_a_folder(pattern):
    def damage(folder):
        path = only(folder, pattern)
        path.unlink()
        path.mkdir()

    return damage


def remove(pattern):
    def damage(folder):
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return damage


def archive(entries):
    return lambda folder: worlds.write_archive(folder / DATA, entries)


def unpacked(images=(20, 3, 32, 32), labels=None, **more):
    kept = {"images": torch.zeros(images, dtype=torch.uint8)}
    kept["labels"] = torch.arange(20) % 10 if labels is None else labels
    kept = {k: v for k, v in (kept | more).items() if v is not None}

    def damage(folder):
        tensors.write(folder / UNPACKED, kept, {})

    return damage


def alone(damage):
    r"""The same, and the archive that would mend it is not there."""

    def both(folder):
        damage(folder)
        (folder / DATA).unlink()

    return both


def picture(mode, path=RED, size=(8, 8), **options):
    def damage(folder):
        (folder / path).unlink(missing_ok=True)
        Image.new(mode, size).save(folder / path, **options)

    return damage


def bomb(side):
    r"""A PNG of few bytes that says that it is large."""

    def chunk(kind, content):
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return put(RED, b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b""))


def checkpoint(change):
    r"""The checkpoint of a run that was stopped, changed."""

    def damage(folder):
        path = only(folder, STOPPED)
        kept = torch.load(path, weights_only=True)
        kept = change(kept)
        checkpoints.previous(path).unlink()
        torch.save(kept, path)

    return damage


def other_run(kept):
    return kept | {"made_of": kept["made_of"] | {"width": 64, "seed": 3}}


def other_model(kept):
    state = kept["state"] | {"model": {"a": torch.zeros(3)}}
    return kept | {"state": state}


def without(key):
    return lambda kept: {k: v for k, v in kept.items() if k != key}


class Trap:
    def __reduce__(self):
        return (print, ("sprung",))


def of_another_model(pattern):
    def damage(folder):
        tensors.write(only(folder, pattern), {"a": torch.zeros(2)}, {})

    return damage


def table_of(change):
    def damage(folder):
        path = only(folder, TABLE)
        kept, metadata = tensors.read_with_metadata(path)
        table, metadata = change(kept["logits"], dict(metadata))
        metadata.pop("crc32", None)
        save_file({"logits": table}, path, metadata)

    return damage


def unfinished(folder):
    path = only(folder, TABLE)
    half = path.with_name(f"unfinished-{path.name}")
    half.write_bytes(path.read_bytes()[:-9])
    path.unlink()


def record(change, path=RECORD):
    def damage(folder):
        kept = change(json.loads((folder / path).read_text()))
        (folder / path).write_text(json.dumps(kept))

    return damage


def scored(accuracy):
    return lambda kept: kept | {"test": kept["test"] | {"accuracy": accuracy}}


def grid(content):
    return put(GRID, json.dumps(content).encode())


def nothing(folder):
    pass


# What is wrong, the command, what its line must say. `trusted` stands before
# archives whose checksum is taken for the right one.
CASES = {
    # Archives.
    "archive truncated": (cut(DATA), CIFAR, "cifar10-jpeg.tar.xz is damaged"),
    "archive empty": (put(DATA, b""), CIFAR, "tar.xz is damaged"),
    "archive with a bit flipped": (flip(DATA), CIFAR, "its sha256 is"),
    "archive that is a page": (put(DATA, b"<html>"), CIFAR, "another file"),
    "trusted, truncated": (cut(DATA), CIFAR, "tar.xz is damaged"),
    "trusted, no xz": (put(DATA, b"text"), CIFAR, "tar.xz is damaged"),
    "trusted, no tar": (
        put(DATA, lzma.compress(b"text" * 999)),
        CIFAR,
        "tar.xz is damaged",
    ),
    "trusted, empty tar": (archive({}), CIFAR, "tar.xz is damaged"),
    "trusted, no image": (
        archive(members() | {"c/train/cat/0.jpg": b"cat"}),
        CIFAR,
        "c/train/cat/0.jpg is no image",
    ),
    "trusted, unknown class": (
        archive(members() | {"c/train/lion/0.jpg": jpeg()}),
        CIFAR,
        "train has other classes",
    ),
    "trusted, unknown split": (
        archive(members() | {"c/dev/cat/0.jpg": jpeg()}),
        CIFAR,
        "not test and train",
    ),
    "trusted, path that leaves": (
        archive(members() | {"../../etc/passwd": jpeg()}),
        CIFAR,
        "not test and train",
    ),
    "trusted, two sizes": (
        archive(members() | {"c/train/cat/0.jpg": jpeg(side=16)}),
        CIFAR,
        "tar.xz is damaged",
    ),
    # What was unpacked, with no archive beside it.
    "unpacked empty": (alone(put(UNPACKED, b"")), CIFAR, "safetensors is dam"),
    "unpacked is text": (
        alone(put(UNPACKED, b"text" * 9)),
        CIFAR,
        f"put {DATA[5:]} into",
    ),
    "unpacked without labels": (
        alone(
            lambda folder: tensors.write(
                folder / UNPACKED, {"images": torch.zeros(2)}, {}
            )
        ),
        CIFAR,
        "train.safetensors is damaged ('labels')",
    ),
    "unpacked missing": (
        alone(lambda folder: (folder / UNPACKED).parent.mkdir()),
        CIFAR,
        "train.safetensors",
    ),
    "unpacked of another size": (
        alone(unpacked(images=(20, 3, 28, 28))),
        CIFAR,
        "(20, 3, 28, 28)",
    ),
    "unpacked with fewer labels": (
        alone(unpacked(labels=torch.arange(10))),
        CIFAR,
        "torch.int64 of shape (10,)",
    ),
    "unpacked with an eleventh class": (
        alone(unpacked(labels=torch.arange(20))),
        CIFAR,
        "labels 0 to 19",
    ),
    "unpacked with no image": (
        alone(unpacked(images=(0, 3, 32, 32), labels=torch.arange(0))),
        CIFAR,
        "train.safetensors is damaged",
    ),
    "unpacked with half labels": (
        alone(unpacked(labels=torch.zeros(20))),
        CIFAR,
        "torch.float32 of shape (20,)",
    ),
    "unpacked with too few images": (
        unpacked(),
        CIFAR,
        "20 training images of 10 classes leave none for validation",
    ),
    "batches without files": (
        lambda folder: (folder / BATCHES).mkdir(),
        CIFAR,
        "cifar-10-batches-py is damaged",
    ),
    "batches with other bytes": (
        put(f"{BATCHES}/data_batch_1", b"1"),
        CIFAR,
        "cifar-10-batches-py is damaged",
    ),
    # Folders of images.
    "image truncated": (cut(RED), LEARN, "red/03.png"),
    "image empty": (put(RED, b""), LEARN, "red/03.png"),
    "image that is text": (put(RED, b"text"), LEARN, "red/03.png"),
    "image with a bit flipped": (flip(RED, 0.4), LEARN, "red/03.png"),
    "image with its head alone": (cut(RED, 0.2), LEARN, "red/03.png"),
    "image of another size": (
        picture("RGB", size=(9, 8)),
        LEARN,
        "red/03.png has (9, 8), those before it (8, 8)",
    ),
    "image of 16 bits": (picture("I;16"), LEARN, "red/03.png"),
    "test image of 16 bits": (
        picture("I;16", "shades/test/red/01.png"),
        LEARN,
        "test/red/01.png",
    ),
    "test image truncated": (
        cut("shades/test/blue/01.png", 0.9),
        LEARN,
        "test/blue/01.png",
    ),
    "image that is a pipe": (
        lambda folder: os.mkfifo(folder / "shades/test/red/9.png"),
        LEARN,
        "red/9.png is no image",
    ),
    "image of floats": (
        picture("F", "shades/train/red/02.tiff"),
        LEARN,
        "red/02.tiff",
    ),
    "image that is a bomb": (bomb(60_000), LEARN, "red/03.png"),
    "image that is a small bomb": (bomb(10_000), LEARN, "red/03.png"),
    "image with pixels missing": (bomb(3_000), LEARN, "red/03.png"),
    "photograph truncated": (
        put("shades/train/red/03.jpg", jpeg()[:500]),
        LEARN,
        "red/03.jpg",
    ),
    "print truncated": (
        lambda folder: [
            picture("CMYK", "shades/train/red/03.jpg", (64, 64))(folder),
            cut("shades/train/red/03.jpg", 0.8)(folder),
        ],
        LEARN,
        "red/03.jpg",
    ),
    "no images to learn": (remove("shades/train"), LEARN, "shades/train"),
    "no class to learn": (remove("shades/train/*"), LEARN, "shades/train"),
    "a class without images": (
        remove("shades/train/red/*"),
        LEARN,
        "red",
    ),
    # IDX files.
    "IDX empty": (put(IMAGES, b""), FASHION, "images-idx3-ubyte is damaged"),
    "IDX truncated": (cut(IMAGES), FASHION, "is not a whole IDX file"),
    "IDX with more behind it": (
        put(IMAGES, idx(np.zeros((9, 28, 28), np.uint8)) + b"more"),
        FASHION,
        "is not a whole IDX file",
    ),
    "IDX of integers": (
        put(IMAGES, idx(np.zeros((9, 28, 28), np.int32), kind=12)),
        FASHION,
        "is not a whole IDX file of bytes",
    ),
    "IDX of endless axes": (
        put(IMAGES, b"\0\0\x08\xff" + b"\xff" * 9),
        FASHION,
        "images-idx3-ubyte is damaged",
    ),
    "IDX larger than numbers": (
        put(IMAGES, b"\0\0\x08\x03" + b"\xff" * 12),
        FASHION,
        "is not a whole IDX file",
    ),
    "IDX of one axis": (
        put(IMAGES, idx(np.zeros(100, np.uint8))),
        FASHION,
        "images of shape (100,)",
    ),
    "IDX packed badly": (
        lambda folder: [
            remove(IMAGES)(folder),
            put(IMAGES + ".gz", b"text")(folder),
        ],
        FASHION,
        "idx3-ubyte.gz is damaged",
    ),
    "IDX packed and truncated": (
        lambda folder: [
            remove(IMAGES)(folder),
            put(IMAGES + ".gz", gzip.compress(bytes(999))[:-9])(folder),
        ],
        FASHION,
        "idx3-ubyte.gz is damaged",
    ),
    "labels of fewer images": (
        put(LABELS, idx(np.zeros(99, np.uint8))),
        FASHION,
        "labels of shape (99,)",
    ),
    "labels beyond the classes": (
        put(LABELS, idx(np.full(100, 200, np.uint8))),
        FASHION,
        "labels up to 200 of 10 classes",
    ),
    "labels missing": (remove(LABELS), FASHION, "no train-labels-idx1-ubyte"),
    # Recipes.
    **{
        f"recipe {setting}": (nothing, f"{ALONE} --set {setting}", message)
        for setting, message in {
            "epochs=0": "epochs: Input",
            "epochs=1e3": "got '1e3'",
            "epochs=99999999999": "got '99999999999'",
            "width=-1": "got '-1'",
            "width=33": "width 33 is no multiple of heads 2",
            "width=1000000000": "got '1000000000'",
            "learning_rate=nan": "got 'nan'",
            "learning_rate=-inf": "got '-inf'",
            "learning_rate=fast": "'fast'",
            "momentum=2": "got '2'",
            "objective=hard": "got 'hard'",
            "objective=soft": "does not go with teacher ''",
            "architecture=resnet19": "'resnet19'",
            "architecture=small_cnn": "got 8 x 8",
            "patch_size=3": "8 is no multiple of patch_size 3",
            "heads=0": "got '0'",
            "shrink=3": "shrink=3 does not divide 8",
            "shrink=8": "patch_size",
            "distillation_token=maybe": "got 'maybe'",
            "cohort=2": "cohort=2",
            "mixup=true": "mixup=true needs a teacher",
            "drop_path=1": "got 1.0",
            "mlp_ratio=1e9": "got '1e9'",
            "padding=9": "padding=9 would crop past images of 8",
            "training_images=2": "2 training images",
            "epochs": "'epochs'",
            "=3": "no setting ''",
            "seeds=3": "'seeds'",
            "dataset=": "no data set ''",
            "dataset=shade": "no data set 'shade'",
            "teacher=me": "'me'",
        }.items()
    },
    "no such teacher": (nothing, f"{LEARN} --set teacher=me", "'me'"),
    "no temperature": (nothing, f"{LEARN} --set temperature=0", "above 0"),
    "a long name": (
        nothing,
        f"{ALONE} --set dataset={'a' * 5000}",
        "File name too long",
    ),
    # Checkpoints.
    "checkpoint truncated": (cut(STOPPED), GO_ON, "from the one before"),
    "checkpoint empty": (cut(STOPPED, 0), GO_ON, "checkpoint is damaged"),
    "checkpoint with a bit flipped": (
        flip(STOPPED),
        GO_ON,
        "checkpoint is damaged",
    ),
    "checkpoint of another run": (
        checkpoint(other_run),
        GO_ON,
        "seed=3 and not 7, width=64 and not 32",
    ),
    "checkpoint of another model": (
        checkpoint(other_model),
        GO_ON,
        "checkpoint is damaged",
    ),
    "checkpoint without a state": (
        checkpoint(without("state")),
        GO_ON,
        "it does not hold epochs, seconds, state",
    ),
    "checkpoint without a schedule": (
        checkpoint(lambda kept: kept | {"state": {}}),
        GO_ON,
        "checkpoint is damaged",
    ),
    "checkpoint that is a list": (
        checkpoint(lambda kept: ["epochs", "seconds", "state"]),
        GO_ON,
        "it does not hold epochs",
    ),
    "checkpoint that runs code": (
        checkpoint(lambda kept: kept | {"seconds": Trap()}),
        GO_ON,
        "checkpoint is damaged",
    ),
    "checkpoint of wrong kinds": (
        checkpoint(lambda kept: kept | {"epochs": 3, "seconds": "long"}),
        GO_ON,
        "checkpoint is damaged",
    ),
    "checkpoint that is a folder": (
        become_a_folder(STOPPED),
        GO_ON,
        "Is a directory",
    ),
    # Weights, logits and tables.
    "weights truncated": (cut(WEIGHTS), LEARN, "weights.safetensors is dam"),
    "weights with a bit flipped": (flip(WEIGHTS), LEARN, "checksum differs"),
    "weights of another model": (
        of_another_model(WEIGHTS),
        LEARN,
        "weights.safetensors is damaged",
    ),
    "logits truncated": (cut(LOGITS), LEARN, "logits.safetensors is damaged"),
    "logits of nothing": (
        of_another_model(LOGITS),
        LEARN,
        "logits.safetensors is damaged ('test')",
    ),
    "table truncated": (cut(TABLE), LEARN, "table is damaged"),
    "table with a bit flipped": (flip(TABLE, 0.9), LEARN, "checksum differs"),
    "table of another teacher": (
        table_of(lambda table, found: (table, found | {"weights": "0"})),
        LEARN,
        "table is not a table of these weights",
    ),
    "table of fewer images": (
        table_of(lambda table, found: (table[1:].contiguous(), found)),
        LEARN,
        "table is damaged (shape (32, 9, 3))",
    ),
    "table of fewer views": (
        table_of(lambda table, found: (table[:, 1:].contiguous(), found)),
        LEARN,
        "has 8 of 9 views: delete it",
    ),
    "table asked for again": (cut(TABLE), ASK, "table is damaged"),
    "table half done": (unfinished, ASK, "unfinished-laptop"),
    # Records and grids.
    "record truncated": (cut(RECORD), "table", "seed0.json is damaged"),
    "record empty": (put(RECORD, b""), "table", "seed0.json is damaged"),
    "record of bytes": (put(RECORD, b"\xff\xfe"), "table", "is damaged"),
    "record that is a list": (put(RECORD, b"[]"), "table", "holds a list"),
    "record too deep": (put(RECORD, b"[" * 9999), "table", "is damaged"),
    "record without scores": (
        record(without("test")),
        "table",
        "the record lacks test",
    ),
    "record with a word for a score": (
        record(lambda kept: kept | {"test": kept["test"] | {"nll": "low"}}),
        "table",
        "test nll is 'low'",
    ),
    "record of no seed": (
        record(lambda kept: kept | {"seed": None}),
        "table",
        "seed is None",
    ),
    "record without a recipe": (
        record(lambda kept: kept | {"config": []}),
        "table",
        "config is []",
    ),
    "record of no settings": (
        record(lambda kept: kept | {"config": {}}),
        "table",
        "config is empty",
    ),
    "record with an escape in its name": (
        record(lambda kept: kept | {"recipe": "\033[2J"}),
        "table",
        r"recipe is '\x1b[2J'",
    ),
    **{
        f"record with an accuracy of {accuracy}": (
            record(scored(float(accuracy))),
            "table",
            f"test accuracy is {message}",
        )
        for accuracy, message in {
            "nan": "nan",
            "7": "7.0",
            "-inf": "-inf",
        }.items()
    },
    "grid truncated": (put(GRID, b'{"a'), ALONE, "grid.json is damaged"),
    "grid without a choice": (grid({}), ALONE, "grid.json is damaged"),
    "grid of no rate": (grid({"learning_rate": -1}), ALONE, "is -1.0"),
    "grid of a word": (grid({"learning_rate": "x"}), ALONE, "'x'"),
    # Command lines.
    "seed too large": (nothing, f"{ALONE} --seed {2**70}", "--seed"),
    "seed of a fraction": (nothing, f"{ALONE} --seed 1.5", "--seed"),
    "folder that is a file": (
        put("here", b""),
        f"{ALONE} --folder here",
        "here",
    ),
    "results that are a file": (
        put("here", b""),
        f"{ALONE} --results here",
        "here",
    ),
    "records that are a file": (
        put("here", b""),
        "record --only none --results here/there --folder x --minutes y",
        "--minutes",
    ),
    "folder with a nothing": (nothing, f"{ALONE} --folder a\0b", "null"),
    "an option of two lines": (nothing, f"run {SCRATCH} '--a\nb'", "--a"),
    "quotes": (nothing, 'run "\'"', "no recipe"),
    "a path for a name": (nothing, "run ../../x", "'../../x'"),
    "an option for a value": (nothing, "run --seed", "--seed"),
    "a size of another": (nothing, f"run {SCRATCH} --size full", "'full'"),
    "a table of no teacher": (nothing, f"targets {SCRATCH}", "cannot learn"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    worlds.make(folder)
    return folder


@pytest.mark.parametrize("name", CASES)
def test_one_line_status_2_and_nothing_touched(name, world, tmp_path):
    damage, words, message = CASES[name]
    folder = tmp_path / "world"
    shutil.copytree(world, folder)
    damage(folder)
    before = worlds.contents(folder)
    trusted = name.startswith("trusted")
    with (
        worlds.trusting(folder / DATA) if trusted else nullcontext(),
        worlds.in_known_order(),
    ):
        words = shlex.split(words)
        words += ["--results", "runs"] if words == ["table"] else []
        status, _, error = worlds.command(folder, *words)
    assert status == 2, error
    assert error.startswith("labkd: ") and error.count("\n") == 1, error
    assert message in error
    assert len(error) < 2_000 + 5_000 * ("long" in name)
    after = worlds.contents(folder)
    assert after.keys() == before.keys()
    assert [key for key in before if after[key] != before[key]] == []


@pytest.mark.parametrize(
    ("gone", "words", "limit", "name"),
    [
        ("data/none", CIFAR, 100_000, "cifar10-jpeg-q75"),
        ("runs/none", f"{ALONE} --seed 8", 100_000, ".checkpoint"),
        (TABLE, ASK, 1_500, ".table"),
        (LOGITS, LEARN, 200_000, ".checkpoint"),
    ],
    ids=["unpacking", "training", "table", "teacher"],
)
def test_a_disk_that_is_full_costs_one_line(
    gone, words, limit, name, world, tmp_path
):
    folder = tmp_path / "world"
    shutil.copytree(world, folder)
    remove(gone)(folder)
    before = worlds.contents(folder)
    with (
        worlds.files_of_at_most(limit),
        worlds.trusting(folder / DATA),
    ):
        status, _, error = worlds.command(folder, *shlex.split(words))
    assert status == 2
    assert error.startswith("labkd: ") and error.count("\n") == 1
    assert f"{name} cannot be written: File too large" in error
    assert worlds.contents(folder) == before
    # With room, the same command does it.
    with worlds.trusting(folder / DATA):
        worlds.finished(folder, *shlex.split(words))


def test_memory_that_is_full_costs_one_line(tmp_path, monkeypatch):
    def grow(*_, **__):
        torch.empty(2**62, dtype=torch.uint8)

    monkeypatch.setattr("labkd.lab.experiments.run", grow)
    status, _, error = worlds.command(tmp_path, "run", SCRATCH)
    assert status == 2 and error.count("\n") == 1
    assert error.startswith("labkd: out of memory, a smaller")


def test_a_mistake_of_ours_is_not_hidden(tmp_path, monkeypatch):
    def stumble(*_, **__):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr("labkd.lab.experiments.run", stumble)
    with pytest.raises(RuntimeError, match="shapes differ"):
        worlds.command(tmp_path, "run", SCRATCH)


def test_a_trial_that_is_damaged_chooses_no_rate(world, tmp_path):
    from labkd.lab.plans import choose_rates, plan

    where = {"results": tmp_path, "folder": tmp_path, "only": SCRATCH}
    for job in plan("laptop", **where):
        if job.makes.name.endswith(".trial.json"):
            job.makes.parent.mkdir(parents=True, exist_ok=True)
            job.makes.write_text("{")
    with pytest.raises(ValueError, match="trial.json is damaged"):
        choose_rates("laptop", **where)


def test_a_folder_that_is_read_only_is_named(world, tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    folder = tmp_path / "world"
    shutil.copytree(world, folder)
    place = folder / "runs" / SCRATCH
    place.chmod(0o500)
    before = worlds.contents(folder)
    status, _, error = worlds.command(folder, *shlex.split(GO_ON))
    place.chmod(0o700)
    assert status == 2 and str(place.relative_to(folder)) in error
    assert worlds.contents(folder) == before
