import torch
import torch.nn.functional as F


def relations(embeddings):
    steps = embeddings[None] - embeddings[:, None]  # (batch, batch, width)
    # This norm has slope 0 at 0, where a square root has an infinite one.
    lengths = torch.linalg.vector_norm(steps, dim=2)
    rows = len(embeddings)
    distances = lengths / (lengths.sum() / (rows * (rows - 1)))
    # Between equal rows there is no direction: a step of 0 by infinity.
    safe = lengths.masked_fill(lengths == 0, torch.inf)
    units = steps / safe[..., None]
    return distances, units @ units.transpose(1, 2)  # cosines of angles


def relational_loss(student_embeddings, teacher_embeddings):
    distances, angles = relations(student_embeddings)
    their_distances, their_angles = relations(teacher_embeddings.detach())
    by_distance = F.huber_loss(distances, their_distances)
    by_angle = F.huber_loss(angles, their_angles)
    return 25 * by_distance + 50 * by_angle
