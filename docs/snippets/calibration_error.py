import torch


def expected_calibration_error(logits, labels, num_bins=15):
    confidence, predicted = logits.softmax(dim=1).max(dim=1)
    hits = (predicted == labels).double()
    edges = torch.arange(1, num_bins, device=logits.device) / num_bins
    bins = torch.bucketize(confidence, edges)
    gap = hits.new_zeros(num_bins)
    # In each bin, the sum of what it was sure of minus what came true.
    gap.index_add_(0, bins, confidence.double() - hits)
    return gap.abs().sum().item() / len(labels)
