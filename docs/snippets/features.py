import torch


def run(model, images, name):
    # PyTorch calls the hook with what the part of this name puts out.
    seen = []

    def hook(module, inputs, output):
        seen.append(output)

    handle = model.get_submodule(name).register_forward_hook(hook)
    logits = model(images)
    handle.remove()
    return logits, seen[-1]


@torch.no_grad()
def ask_features(teacher, images, name):
    return run(teacher.eval(), images, name)
