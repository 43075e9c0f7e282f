"""What the solutions of chapter 13, Features and relations, claim."""

import torch

from labkd.features import (
    attention_transfer_loss,
    hint_loss,
    relational_loss,
    token_grid,
)

torch.set_num_threads(1)


def exercise_1():
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 6, 8, 4, 4, dtype=torch.float64)
    changed = {
        "permuted": student[:, torch.randperm(8)],
        "three times": 3 * student,
    }
    noticed = []
    for maps in changed.values():
        hint, attention, relations = (
            abs(loss(maps, teacher) - loss(student, teacher)).item()
            for loss in (hint_loss, attention_transfer_loss, of_embeddings)
        )
        assert hint > 0.01
        assert max(attention, relations) < 1e-9
        noticed.append(hint)
    return f"the hint changes by {noticed[0]:.2f} and {noticed[1]:.2f}"


def of_embeddings(student, teacher):
    return relational_loss(student.flatten(1), teacher.flatten(1))


def exercise_2():
    found = {size: 4 * size**3 for size in (64, 256, 1024)}
    assert round(found[64] / 1e6) == 1
    assert round(found[256] / 1e6) == 67
    assert round(found[1024] / 1e9, 1) == 4.3
    return ", ".join(f"{n}: {b / 1e6:,.0f} MB" for n, b in found.items())


def exercise_3():
    # A token knows which patch it is; the two in front have negative numbers.
    number = torch.arange(66.0) - 2
    tokens = number[None, :, None]  # (1, tokens, width)
    right = token_grid(tokens, special_tokens=2)[0, 0]
    wrong = tokens[:, :64].transpose(1, 2).unflatten(2, (8, 8))[0, 0]
    assert right[0, 0] == 0 and wrong[0, 2] == 0
    assert right[0, 7] == 7 and wrong[1, 1] == 7
    assert wrong[0, :2].tolist() == [-2, -1]
    assert {62, 63} == set(right.flatten().tolist()) - set(
        wrong.flatten().tolist()
    )
    return "the upper left patch is at row 0, column 2"


if __name__ == "__main__":
    for n in range(1, 4):
        print(f"{n}: {globals()[f'exercise_{n}']()}")
