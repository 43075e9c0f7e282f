import sys

from labkd import records
from labkd.inference import paired_difference


def scores(folder, score="accuracy"):
    found = records.read_all(folder)
    # One folder holds one arm: nothing is mixed up by accident.
    assert len({(run["recipe"], run["size"]) for run in found}) == 1
    return {run["seed"]: 100 * run["test"][score] for run in found}


def compare(ours, theirs, score="accuracy"):
    ours, theirs = scores(ours, score), scores(theirs, score)
    if ours.keys() != theirs.keys():
        raise ValueError(f"seeds {sorted(ours)} against {sorted(theirs)}")
    seeds = sorted(ours)
    pair = ([arm[seed] for seed in seeds] for arm in (ours, theirs))
    return paired_difference(*pair)


if __name__ == "__main__":
    for score in ("accuracy", "nll", "ece", "brier"):
        print(f"100 x {score}: {compare(*sys.argv[1:3], score)}")
