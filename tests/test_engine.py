"""The engine: what is chosen, and what cannot be."""

import pytest
import torch

from labkd.lab import cli as __main__
from labkd.lab import engine

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_the_precision_is_as_asked_or_the_devices(monkeypatch):
    assert engine.bfloat16("bfloat16", CPU)
    assert not engine.bfloat16("float32", CPU)
    assert not engine.bfloat16("auto", CPU)
    monkeypatch.setattr(engine, "native_bfloat16", GPU.__eq__)
    assert engine.bfloat16("auto", GPU)
    with pytest.raises(ValueError, match="got 'float16'"):
        engine.bfloat16("float16", CPU)


def test_compiling_pays_on_a_gpu_and_for_long(monkeypatch):
    monkeypatch.setattr(engine.shutil, "which", lambda name: f"/{name}")
    assert engine.compiles("auto", GPU, engine.COMPILE_FROM)
    assert not engine.compiles("auto", GPU, engine.COMPILE_FROM - 1)
    assert not engine.compiles("auto", CPU, engine.COMPILE_FROM)
    assert engine.compiles("yes", CPU, 1)
    assert not engine.compiles("no", GPU, engine.COMPILE_FROM)
    with pytest.raises(ValueError, match="got 'maybe'"):
        engine.compiles("maybe", CPU, 1)


def test_a_compiler_that_is_not_there_is_asked_for(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert engine.compiler() is None
    with pytest.raises(ValueError, match="needs a C\\+\\+ compiler"):
        engine.compiles("yes", CPU, 1)
    assert not engine.compiles("auto", CPU, 1)


def test_the_command_line_offers_what_there_is():
    options = __main__._parser().parse_args(["run", "x"])
    for key, usual in __main__.ENGINE.items():
        assert getattr(options, key) == usual
    for key, choices in (
        ("precision", engine.PRECISIONS),
        ("compile", engine.COMPILE),
    ):
        for choice in choices:
            words = ["run", "x", f"--{key}", choice]
            assert getattr(__main__._parser().parse_args(words), key) == choice
