"""Sheet 7: calibration. Parts return, as text, what the guide states."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.optimize import minimize_scalar

from labkd import calibration, records

CONFIDENCE = [0.30, 0.45, 0.55, 0.65, 0.70, 0.85, 0.90, 0.95]
RIGHT = [0, 1, 1, 0, 1, 1, 0, 1]


def binned_error(confidence, right, bins):
    confidence, right = np.asarray(confidence), np.asarray(right)
    member = np.ceil(bins * confidence).astype(int)
    gaps = np.bincount(member, confidence - right, minlength=bins + 1)
    return np.abs(gaps).sum() / len(right)


def part_a():
    four, one = (binned_error(CONFIDENCE, RIGHT, bins) for bins in (4, 1))
    # Inside one bin, gaps of both signs cancel.
    assert one <= four
    return [f"{four:.5f}", f"{one:.5f}"]


def calibration_error(logits, labels):
    confidence, answer = logits.double().softmax(1).max(1)
    return binned_error(confidence, answer == labels, 15)


def nll(logits, labels):
    return F.cross_entropy(logits.double(), labels).item()


def fitted(logits, labels):
    return math.exp(
        minimize_scalar(
            lambda power: nll(logits / math.exp(power), labels),
            bounds=(-3, 3),
        ).x
    )


def kept(recipe):
    path = records.path_of(recipe, "laptop", 0)
    logits = load_file(path.with_suffix(".logits.safetensors"))
    classes = torch.arange(10)
    return (
        logits["validation"].float(),
        classes.repeat_interleave(500),
        logits["test"].float(),
        classes.repeat_interleave(1000),
    )


def before_and_after(recipe):
    held, held_labels, logits, labels = kept(recipe)
    heat = fitted(held, held_labels)
    rows = []
    for temperature in (1.0, heat):
        z = logits / temperature
        right = (z.argmax(1) == labels).double().mean().item()
        rows.append((right, calibration_error(z, labels), nll(z, labels)))
        print(f"{recipe}, T = {temperature:.2f}: ", end="")
        print("accuracy {:.3f}, ECE {:.3f}, NLL {:.3f}".format(*rows[-1]))
    assert rows[0][0] == rows[1][0] and rows[1][2] < rows[0][2]
    return heat, rows


def part_b():
    recipe = "teacher-resnet18-cifar10"
    heat, rows = before_and_after(recipe)
    held, held_labels, logits, labels = kept(recipe)
    ours = calibration.fit_temperature(held, held_labels)
    assert math.isclose(heat, ours, rel_tol=1e-3)
    probabilities = logits.double().softmax(1)
    theirs = calibration.expected_calibration_error(probabilities, labels)
    assert math.isclose(rows[0][1], theirs, abs_tol=1e-6)
    assert rows[1][1] < rows[0][1]


def part_c():
    generator, errors = np.random.default_rng(0), {}
    for images, repeats in ((100, 400), (1000, 200), (10_000, 100)):
        shape = repeats, images
        confidence = generator.uniform(0.5, 1, shape)
        right = generator.uniform(size=shape) < confidence
        pairs = zip(confidence, right, strict=True)
        found = [binned_error(*pair, 15) for pair in pairs]
        errors[images] = np.mean(found)
        print(f"{images:6} images: {errors[images]:.4f}")
    for fewer in (100, 1000):
        ratio = errors[fewer] / errors[10 * fewer]
        assert abs(ratio / math.sqrt(10) - 1) < 0.1
    return ["−1/2"]


def part_d():
    names = "scratch-vit-cifar10", "soft-vit_from_resnet18-cifar10"
    (cool, labels), (hot, soft) = map(before_and_after, names)
    assert hot > cool > 1
    # Before, the student on soft labels is worse calibrated, not after.
    assert soft[0][1] > labels[0][1] and soft[1][1] < soft[0][1] / 2
    # Three images alike, the teacher sure of each: two of one class.
    sure = torch.tensor([[0.98, 0.01, 0.01]] * 2 + [[0.01, 0.98, 0.01]])
    reply = (sure.log() / 3).softmax(1).mean(0)
    used = (3 * reply.log()).softmax(0)
    honest = sure.mean(0)
    assert used[0] > honest[0] + 0.1
    return [f"{p[0].item():.3f}" for p in (honest, used)]


def part_e():
    first, second = (2.0, 0.0, 0.0), (1.2, 0.0, -10.0)
    told = []
    for temperature in (1.0, 4.0):
        both = torch.tensor([first, second]) / temperature
        told.append(both.softmax(1).max(1).values)
    assert told[0][0] > told[0][1] and told[1][0] < told[1][1]
    return [f"{value:.3f}" for pair in told for value in pair]


def part_f():
    z, labels = torch.zeros(1000, 10), torch.arange(10).repeat(100)
    assert calibration_error(z, labels) < 1e-9
    assert math.isclose(nll(z, labels), math.log(10), rel_tol=1e-6)
    brier = calibration.brier_score(z.softmax(1), labels)
    assert math.isclose(brier, 0.9, rel_tol=1e-6)
    return ["log 10 = 2.303", "0.9"]


if __name__ == "__main__":
    for part in (part_a, part_b, part_c, part_d, part_e, part_f):
        print(part.__name__, part() or "")
