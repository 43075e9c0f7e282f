"""The engine: what is chosen, and what cannot be."""

from typing import get_args

import pytest
import torch

from labkd.lab import cli, engine

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
    for offered, choices in (
        (cli.Precision, engine.PRECISIONS),
        (cli.Compile, engine.COMPILE),
    ):
        literal, *_ = get_args(offered)
        assert set(get_args(literal)) == set(choices)
