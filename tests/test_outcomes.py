"""What a run leaves: scores by their formulas, answers, weights, a commit."""

import re
import subprocess

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import softmax

import labkd
from labkd.data import load
from labkd.lab.outcomes import (
    answer,
    circumstances,
    decided,
    evaluate,
    keep,
    load_weights,
)
from labkd.mutual_learning import Cohort
from labkd.pixels import Normalise, predict
from labkd.resnet import ResNet
from labkd.vit import VisionTransformer

IMAGES = load("digits", "validation").images
NORMALISE = Normalise.of(IMAGES)


def transformer(token, seed=0):
    torch.manual_seed(seed)
    return VisionTransformer(
        image_size=8,
        patch_size=4,
        in_channels=1,
        num_classes=10,
        width=16,
        depth=2,
        heads=2,
        mlp_ratio=2.0,
        distillation_token=token,
    )


def test_scores_are_those_of_their_formulas():
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(400, 7, generator=generator)
    labels = torch.randint(7, (400,), generator=generator)
    scores = evaluate(logits, labels)
    p, y = softmax(logits.double().numpy(), axis=1), labels.numpy()
    confidence, hits = p.max(1), p.argmax(1) == y
    gaps = 0.0
    for upper in np.arange(1, 16) / 15:
        inside = (confidence > upper - 1 / 15) & (confidence <= upper)
        gaps += abs(hits[inside].sum() - confidence[inside].sum())
    assert scores == {
        "accuracy": pytest.approx(hits.mean()),
        "nll": pytest.approx(-np.log(p[range(400), y]).mean()),
        "ece": pytest.approx(gaps / 400),
        "brier": pytest.approx(((p - np.eye(7)[y]) ** 2).sum(1).mean()),
    }


def test_a_perfect_and_a_clueless_model():
    labels = torch.arange(10)
    sure = evaluate(100 * torch.eye(10), labels)
    assert sure["accuracy"] == 1
    assert max(sure["nll"], sure["ece"], sure["brier"]) < 1e-9
    clueless = evaluate(torch.zeros(10, 10), labels)
    assert clueless["nll"] == pytest.approx(np.log(10))
    assert clueless["brier"] == pytest.approx(0.9)


def test_one_head_has_one_answer():
    model = transformer(token=False)
    answers = answer(model, IMAGES, NORMALISE)
    assert list(answers) == ["together"]
    expected = predict(model, IMAGES, NORMALISE)
    assert torch.equal(answers["together"], expected)


def test_the_first_of_a_cohort_speaks_for_it():
    students = [transformer(token=False, seed=seed) for seed in range(3)]
    model = Cohort(students).train()
    answers = answer(model, IMAGES, NORMALISE)
    assert list(answers) == ["together", "student 1", "student 2"]
    for student, logits in zip(students, answers.values(), strict=True):
        assert student.training
        assert torch.equal(logits, predict(student, IMAGES, NORMALISE))
    assert torch.equal(answers["together"], predict(model, IMAGES, NORMALISE))


@pytest.mark.parametrize("training", [True, False])
def test_two_heads_answer_apart_and_together(training):
    model = transformer(token=True).train(training)
    answers = answer(model, IMAGES, NORMALISE)
    assert set(answers) == {"together", "class", "token"}
    # Asking changes nothing, nor does the mode that it finds.
    assert model.training is training and model.blocks[0].training is training
    with torch.no_grad():
        together = model.eval()(NORMALISE(IMAGES))
        heads = model.train()(NORMALISE(IMAGES))
    torch.testing.assert_close(answers["together"], together)
    torch.testing.assert_close(answers["class"], heads[0])
    torch.testing.assert_close(answers["token"], heads[1])
    mean = (heads[0].softmax(1) + heads[1].softmax(1)) / 2
    torch.testing.assert_close(answers["together"].exp(), mean)


@pytest.mark.parametrize("build", [transformer, ResNet])
def test_weights_come_back_to_half_precision(build, tmp_path):
    torch.manual_seed(0)
    if build is ResNet:
        model, other = (ResNet(width=4, in_channels=1) for _ in range(2))
    else:
        model, other = (transformer(True, seed) for seed in (0, 1))
    with torch.no_grad():
        # BatchNorm's buffers are weights too.
        model.train()(NORMALISE(IMAGES))
    path = tmp_path / "there" / "w.safetensors"
    keep(model.state_dict(), path)
    kept = load_file(path)
    assert load_weights(path, other) is other
    for name, value in model.state_dict().items():
        back = other.state_dict()[name]
        assert back.dtype is value.dtype
        if value.is_floating_point():
            assert kept[name].dtype is torch.float16
            assert torch.equal(back, value.half().to(value.dtype)), name
        else:
            assert torch.equal(back, value), name
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_keeping_fails_whole(tmp_path):
    path = tmp_path / "w.safetensors"
    keep({"a": torch.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(AttributeError):
        keep({"a": torch.ones(2), "b": "no tensor"}, path)
    assert path.read_bytes() == before


def test_columns_of_a_larger_tensor_can_be_kept(tmp_path):
    both = torch.randn(4, 6)
    path = tmp_path / "w.safetensors"
    keep(dict(zip("ab", both.chunk(2, dim=1), strict=True)), path)
    assert torch.equal(load_file(path)["b"], both[:, 3:].half())


def test_decisions_are_read_from_logits_of_as_many_images(tmp_path):
    path = tmp_path / "logits"
    keep({"test": torch.eye(4)[[2, 0, 3]]}, path)
    assert decided(path).tolist() == decided(path, 3).tolist() == [2, 0, 3]
    with pytest.raises(
        ValueError, match="logits is damaged.*3 images, not of"
    ):
        decided(path, 4)
    keep({"validation": torch.eye(4)}, path)
    with pytest.raises(ValueError, match="logits is damaged .'test'"):
        decided(path)


def test_weights_of_another_model_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    keep(transformer(token=True).state_dict(), path)
    with pytest.raises(ValueError, match="w.safe.*distillation_head"):
        load_weights(path, transformer(token=False))


def test_circumstances_name_device_precision_and_versions():
    found = circumstances(torch.device("cpu"), bfloat16=False)
    assert found["precision"] == "float32"
    assert "thread" in found["device"]
    assert found["versions"]["torch"] == torch.__version__
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["date"])
    narrow = circumstances(torch.device("cpu"), bfloat16=True)
    assert narrow["precision"] == "bfloat16 autocast"


def test_the_commit_is_the_one_that_is_told(monkeypatch):
    monkeypatch.setenv("LABKD_COMMIT", "1234abcd")
    assert circumstances(torch.device("cpu"), False)["commit"] == "1234abcd"


def test_without_being_told_the_commit_is_the_checkouts(monkeypatch):
    monkeypatch.delenv("LABKD_COMMIT", raising=False)
    commit = circumstances(torch.device("cpu"), False)["commit"]
    git = ["git", "-C", __file__.rsplit("/", 1)[0], "rev-parse", "HEAD"]
    head = subprocess.run(git, capture_output=True, text=True)
    if head.returncode:
        assert commit.startswith("labkd ")
    else:
        assert commit.removesuffix(" with changes") == head.stdout.strip()


def test_without_git_the_version_stands_for_the_commit(monkeypatch, tmp_path):
    monkeypatch.delenv("LABKD_COMMIT", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    commit = circumstances(torch.device("cpu"), False)["commit"]
    assert commit == f"labkd {labkd.__version__}"
