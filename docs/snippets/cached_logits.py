import torch


class Indexed(torch.utils.data.Dataset):
    def __init__(self, dataset):
        self.dataset = dataset

    def __len__(self):
        return len(self.dataset)

    def __getitem__(self, index):
        # The index travels along, so that shuffling cannot part the image
        # from what the teacher said about it.
        return *self.dataset[index], index


@torch.no_grad()
def teacher_table(teacher, indexed, device="cpu", batch_size=256):
    teacher.to(device).eval()
    # In order, and of images that no random crop will change afterwards.
    batches = torch.utils.data.DataLoader(indexed, batch_size)
    logits = [teacher(images.to(device)) for images, *_ in batches]
    return torch.cat(logits).cpu()
