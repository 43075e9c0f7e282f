from labkd import records
from labkd.comparisons import arms

run = records.read("scratch-vit-cifar10", "laptop", 0)
print(sorted(run))
print(run["test"]["accuracy"], run["epochs"][-1]["validation"])

for arm in arms(records.read_all()):
    baseline = arm.records[0]["config"].get("baseline")
    print(arm.recipe, arm.size, len(arm.records), baseline)
