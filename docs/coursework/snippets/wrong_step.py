import torch
import torch.nn.functional as F


def distillation_step(
    student,
    teacher,
    images,
    labels,
    optimizer,
    temperature=4.0,
    soft_weight=0.9,
):
    student.train()
    teacher.train()
    student_logits = student(images)
    teacher_logits = teacher(images)
    p = torch.softmax(teacher_logits / temperature, dim=1)
    q = torch.softmax(student_logits / temperature, dim=1)
    soft = F.kl_div(q, p, reduction="mean")
    hard = F.cross_entropy(torch.softmax(student_logits, dim=1), labels)
    loss = soft_weight * hard + (1 - soft_weight) * soft
    loss.backward()
    optimizer.step()
    return loss.item()
