import torch


def token_grid(tokens, special_tokens=1):
    # The class token lies nowhere in the image; a DeiT has two of its kind.
    patches = tokens[:, special_tokens:]  # (batch, patches, width)
    side = round(patches.shape[1] ** 0.5)
    return torch.unflatten(patches.transpose(1, 2), 2, (side, side))
