r"""
# What a run leaves

Scores on images that it never learned from, its answers to them, its weights
in half precision, and the circumstances: machine, precision, versions, commit.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch
import torchvision
from torch import Tensor, nn

import labkd
from labkd import tensors
from labkd.calibration import (
    brier_score,
    expected_calibration_error,
    negative_log_likelihood,
)
from labkd.data import ImageSet
from labkd.files import read_json, reading
from labkd.lab.building import build
from labkd.lab.recipes import Recipe
from labkd.mutual_learning import Cohort
from labkd.pixels import Normalise, predict
from labkd.vit import VisionTransformer, joint_log_probabilities


def evaluate(logits: Tensor, labels: Tensor) -> dict[str, float]:
    r"""Accuracy, NLL, ECE and Brier score of (images, classes) logits."""
    probabilities = torch.softmax(logits.double(), dim=1)
    hits = logits.argmax(dim=1) == labels
    return {
        "accuracy": hits.double().mean().item(),
        "nll": negative_log_likelihood(logits, labels),
        "ece": expected_calibration_error(probabilities, labels),
        "brier": brier_score(probabilities, labels),
    }


def answer(
    model: nn.Module, images: Tensor, normalise: Normalise
) -> dict[str, Tensor]:
    r"""
    A model's logits, and those of its heads or its peers if it has any.

    * `images`: uint8, shape (images, channels, height, width)

    Returns float32 of shape (images, classes): `together`, which is what the
    model predicts by, and, of a distilled transformer, `class` and `token`;
    of a cohort, whose first student speaks for it, `student 1` and so on.
    """
    if isinstance(model, Cohort):
        return {
            f"student {k}" if k else "together": predict(
                student, images, normalise
            )
            for k, student in enumerate(model.students)
        }
    if not getattr(model, "distillation_head", None):
        return {"together": predict(model, images, normalise)}
    both = predict(_HeadsApart(model), images, normalise)
    class_logits, token_logits = both.chunk(2, dim=1)
    return {
        "together": joint_log_probabilities(class_logits, token_logits),
        "class": class_logits,
        "token": token_logits,
    }


class _HeadsApart(nn.Module):
    def __init__(self, model: VisionTransformer) -> None:
        super().__init__()
        self.model = model
        # `predict` gives back the mode that it finds.
        self.train(model.training)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.model.encode(images)
        class_logits = self.model.head(tokens[:, 0])
        token_logits = self.model.distillation_head(tokens[:, 1])
        return torch.cat([class_logits, token_logits], dim=1)


def keep(values: dict[str, Tensor], path: Path) -> None:
    r"""
    Write tensors, floating point in half precision, whole or not.

    Raises `OSError` when they cannot be written.
    """
    halves = {
        key: (value.half() if value.is_floating_point() else value)
        .contiguous()
        .cpu()
        for key, value in values.items()
    }
    tensors.write(path, halves, {})


def load_weights(path: Path, model: nn.Module) -> nn.Module:
    r"""
    Gives a model the weights that `keep` wrote; returns it.

    Raises `ValueError` when the file is damaged, or of another model.
    """
    weights = tensors.read(path)
    with reading(path, "delete it to train the model anew"):
        model.load_state_dict(weights)
    return model


def load_student(record: str | Path, weights: str | Path) -> nn.Module:
    r"""
    The model of a run, in eval mode, with the statistics of its pixels.

    It carries `mean` and `deviation`, float32 of shape (channels, 1, 1):
    `student((pixels - student.mean) / student.deviation)` are the logits of
    pixels in 0 .. 1.

    * `record`, `weights`: the two files that a run writes

    Raises `ValueError` for a record that does not say what its images were
    like, or weights of another model.
    """
    kept = read_json(Path(record))
    with reading(Path(record), "make it anew by its command"):
        shown = torch.zeros(1, *kept["image_shape"], dtype=torch.uint8)
        images = ImageSet(
            shown, torch.zeros(1).long(), tuple(kept["classes"]), ""
        )
        model = build(Recipe(**kept["config"]), images)
    load_weights(Path(weights), model)
    for key, values in kept["pixels"].items():
        values = torch.tensor(values)[:, None, None]
        model.register_buffer(key, values, persistent=False)
    return model.eval()


def decided(path: Path, count: int | None = None) -> Tensor:
    r"""
    The class that a model chose for each test image, from its kept logits.

    * `path`: of what `keep` wrote
    * `count`: how many images there are; any number if left out

    Returns int64 of shape (images,). Raises `ValueError` when the file is
    damaged, or of other images.
    """
    kept = tensors.read(path)
    with reading(path, "delete it to train the model anew"):
        chosen = kept["test"].argmax(dim=1)
        if count not in (None, len(chosen)):
            raise ValueError(f"of {len(chosen)} images, not of {count}")
    return chosen


def circumstances(device: torch.device, bfloat16: bool) -> dict:
    r"""The fields of a record that say where it was made, and with what."""
    return {
        "device": _name_of(device),
        "precision": "bfloat16 autocast" if bfloat16 else "float32",
        "versions": {
            "labkd": labkd.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "torchvision": torchvision.__version__,
        },
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _name_of(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    flags = getattr(torch.cpu, "get_capabilities", dict)()
    name = flags.get("cpu_name") or platform.processor() or "CPU"
    threads = torch.get_num_threads()
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def _commit() -> str:
    # A copy of the checkout without its history is told its commit.
    if "LABKD_COMMIT" in os.environ:
        return os.environ["LABKD_COMMIT"]
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--", "*.py"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        # Outside a checkout the version of the package stands for it.
        return f"labkd {labkd.__version__}"
    return f"{head} with changes" if changed else head
