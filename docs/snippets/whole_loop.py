import torch
import torch.nn.functional as F


@torch.no_grad()
def evaluate(model, batches, device):
    model.eval()
    right = total = 0
    for images, labels in batches:
        predicted = model(images.to(device)).argmax(dim=1)
        right += (predicted == labels.to(device)).sum().item()
        total += len(labels)
    return right / total


def distill(
    student, teacher, training, validation, epochs=10, T=4.0, soft_weight=0.9
):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    student.to(device)
    teacher.to(device).eval()
    optimizer = torch.optim.SGD(student.parameters(), lr=0.05, momentum=0.9)
    accuracies = []
    for _ in range(epochs):
        student.train()
        for images, labels in training:  # a DataLoader, as is `validation`
            images, labels = images.to(device), labels.to(device)
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
        accuracies.append(evaluate(student, validation, device))
    return accuracies  # on the validation images, after each epoch
