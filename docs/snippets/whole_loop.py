import torch
import torch.nn.functional as F


def distill(student, teacher, batches, epochs=10, T=4.0, soft_weight=0.9):
    teacher.eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
    for _ in range(epochs):
        student.train()
        for images, labels in batches:  # a DataLoader
            with torch.no_grad():
                teacher_logits = teacher(images)
            student_logits = student(images)
            hard = F.cross_entropy(student_logits, labels)
            soft = F.kl_div(
                torch.log_softmax(student_logits / T, dim=1),
                torch.log_softmax(teacher_logits / T, dim=1),
                reduction="batchmean",
                log_target=True,
            )
            loss = (1 - soft_weight) * hard + soft_weight * T**2 * soft
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
