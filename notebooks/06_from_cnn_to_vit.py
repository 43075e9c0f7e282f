# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
#   labkd:
#     title: From CNN to ViT
#     description: A ResNet-18 teaches a Vision Transformer on CIFAR-10. Two
#       loops side by side, five paired seeds; is the student faster, or
#       better, and what does it cost?
# ---

# %% [markdown]
# # From CNN to ViT
#
# A CNN is born knowing that neighbouring pixels belong together. A Vision
# Transformer is not, and with few images it never quite finds out. So let
# one teach the other: a ResNet-18, a small ViT, CIFAR-10.
#
# The essay that this course grew from, *From ResNet-18 to ViT on CIFAR-10*,
# claims that a ViT with soft labels "converges more quickly". That sentence
# can mean two things: it arrives *sooner*, or it arrives *further on*. One
# curve above another shows both at once. We measure them apart, five times
# each, and ask what the lesson costs.
#
# First a detail on which all of it rests: what does a random crop do to a
# label?

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

import statistics

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

# %%
from labkd import calibration, costs, figures, inference, records, verdicts
from labkd.comparisons import arms
from labkd.data import load
from labkd.inference import area_under_curve, crossing, paired_difference
from labkd.lab.building import objective_of, some_of
from labkd.lab.cli import main
from labkd.lab.recipes import find
from labkd.lab.teachers import live
from labkd.pixels import Normalise
from labkd.training import fit
from labkd.views import Bank, apply_views, build_table, draw_views, look_up
from labkd.vit import VisionTransformer

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## A crop changes the label
#
# Take a photograph with a truck on the left and a car on the right. Of the
# left crop a teacher says *truck* 0.70, *car* 0.25, *frog* 0.05; of the
# right one 0.20, 0.70, 0.10. The hard label is "truck" for both. The soft
# label belongs to the *crop*.
#
# Suppose the student sees one crop and the teacher is asked about another,
# drawn by itself. Then the student gets both answers for the same pixels.
# With $K$ answers $p_k$ of mean $\bar p$, write
# $\log \frac{p_k}{q} = \log \frac{p_k}{\bar p} + \log \frac{\bar p}{q}$ and
# average:
#
# $$
# \begin{aligned}
# \frac1K \sum_k \operatorname{KL}(p_k \,\|\, q)
#   &= J + \operatorname{KL}(\bar p \,\|\, q) , \\
# J &= \frac1K \sum_k \operatorname{KL}(p_k \,\|\, \bar p) .
# \end{aligned}
# $$
#
# **The best reply to several targets is their mean**, and a loss $J$ is left
# that no student can remove. By hand: $\bar p = (0.450, 0.475, 0.075)$;
# $0.7 \log \frac{0.7}{0.45} + 0.25 \log \frac{0.25}{0.475} + 0.05 \log
# \frac{0.05}{0.075} = 0.1285$, for the right crop 0.1380, so $J = 0.1333$.
# The student is told *car*, just about, whatever it sees.


# %%
def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


crops = torch.tensor([[0.70, 0.25, 0.05], [0.20, 0.70, 0.10]])
mean = crops.mean(0)
by_hand = torch.tensor([0.450, 0.475, 0.075])
torch.testing.assert_close(mean, by_hand)
J = kl(crops, mean)
by_hand = torch.tensor([0.1285, 0.1380])
torch.testing.assert_close(J, by_hand, rtol=0, atol=6e-5)
assert abs(J.mean() - 0.1333) < 6e-5

replies = torch.randn(100, 1, 3).softmax(-1)  # 100 students
loss = kl(crops, replies).mean(1)  # (students,)
torch.testing.assert_close(loss, J.mean() + kl(mean, replies[:, 0]))
assert (loss > J.mean()).all()

# %% [markdown]
# ## The two loops
#
# So both must look at the same crop: a *consistent* teacher, in the words of
# Beyer et al. ([2022](../docs/references.md#beyer2022), section 3.1). Here
# are the loops, whole. The first learns from labels. The second has the
# teacher's answer to `x`, *this* `x`, and a loss of two terms
# ([chapter 3](03_the_kl_loss.ipynb)). Nothing else differs: from one seed
# both see the same images in the same order, cropped alike.
#
# The images are scikit-learn's digits. Their teacher will be a small CNN,
# trained by the first loop on all 1,200.

# %%
data, held_out, test_set = (
    load("digits", split) for split in ("train", "validation", "test")
)
normalise = Normalise.of(data.images)
T, w = 3.0, 0.9


def optimizer_and_schedule(model, learning_rate, steps):
    optimizer = torch.optim.AdamW(
        model.parameters(), learning_rate, weight_decay=0.05, fused=True
    )
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, steps, pct_start=0.25, cycle_momentum=False
    )


# %%
def batches(data, epochs, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(data), generator=generator)
        for batch in order.split(100):
            views = draw_views(len(batch), padding=1, generator=generator)
            crops = apply_views(data.images[batch], views, padding=1)
            yield normalise(crops), data.labels[batch]


def step(model, loss, optimizer, schedule):
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()


# %%
def train_on_labels(model, data, learning_rate, epochs, seed):
    steps = epochs * -(-len(data) // 100)
    tools = optimizer_and_schedule(model, learning_rate, steps)
    for x, y in batches(data, epochs, seed):
        loss = F.cross_entropy(model(x), y)
        step(model, loss, *tools)


def train_on_soft_labels(model, data, learning_rate, epochs, seed):
    steps = epochs * -(-len(data) // 100)
    tools = optimizer_and_schedule(model, learning_rate, steps)
    for x, y in batches(data, epochs, seed):
        z = model(x)  # (batch, classes)
        with torch.no_grad():
            p = (teacher(x) / T).softmax(1)
        log_q = (z / T).log_softmax(1)
        soft = F.kl_div(log_q, p, reduction="batchmean")
        loss = (1 - w) * F.cross_entropy(z, y) + w * T**2 * soft
        step(model, loss, *tools)


# %% [markdown]
# A live teacher computes in every step. It need not: with padding 1 there
# are 18 views of an image, so we ask about all of them once
# ([`build_table`](../labkd/views.py#build_table)) and look answers up. The
# cell checks that the table says what the teacher says, up to half
# precision. It also prints what a table of *one* answer an image would
# ignore: how many digits change their first class from view to view, and
# $J$.
#
# The student is a ViT that gets 300 of the digits. Each arm has the same
# number of steps and takes its learning rate from the same grid, judged on
# the validation images; five paired seeds; the test images once. This is a
# rehearsal: students so small differ by points from seed to seed. Read the
# interval, not the two means.

# %%
torch.manual_seed(0)
teacher = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
    *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
)
train_on_labels(teacher, data, 3e-3, epochs=15, seed=0)
teacher.eval().requires_grad_(False)
few = some_of(data, 300)
bank, each = Bank.every(len(few), padding=1), torch.arange(len(few))
table = build_table(lambda x: teacher(normalise(x)), few.images, bank)
columns = bank.choose(each, 1, torch.Generator())  # a view an image
asked = teacher(normalise(bank.show(few.images, each, columns)))
found = look_up(table, each, columns)
torch.testing.assert_close(found, asked, rtol=1e-3, atol=1e-3)
p = (table.float() / T).softmax(-1)  # (images, views, classes)
changed = (p.argmax(-1) != p[:, :1].argmax(-1)).any(1).float().mean()
J = kl(p, p.mean(1, keepdim=True)).mean()
print(f"{changed:.0%} change their first class; J = {J:.3f}")
assert changed > 0.1 and J > 0.01


# %%
def percent_right(model, data):
    with torch.no_grad():
        predicted = model.eval()(normalise(data.images)).argmax(1)
    return 100 * (predicted == data.labels).double().mean().item()


def new_student(seed):
    torch.manual_seed(seed)
    sizes = {"image_size": 8, "patch_size": 4, "in_channels": 1}
    sizes |= {"width": 32, "depth": 2, "heads": 2, "mlp_ratio": 2.0}
    return VisionTransformer(num_classes=10, **sizes)


def student_run(train, rate, seed):
    student = new_student(seed)
    train(student, few, rate, epochs=40, seed=seed)
    return student


# %%
scores = {}
print(f"teacher: {percent_right(teacher, test_set):.1f} %")
for train in (train_on_labels, train_on_soft_labels):
    tried = {r: student_run(train, r, 100) for r in (5e-3, 1e-2, 2e-2)}
    best = max(tried, key=lambda r: percent_right(tried[r], held_out))
    runs = [student_run(train, best, seed) for seed in range(5)]
    scores[train] = [percent_right(run, test_set) for run in runs]
    mean = statistics.mean(scores[train])
    spread = statistics.stdev(scores[train])
    print(f"{train.__name__} (rate {best:g}):", end=" ")
    print(f"{mean:.1f} ± {spread:.1f} % (deviation)")
    assert spread > 1
gain = paired_difference(*reversed(scores.values()))
print(f"difference in points: {gain}")

# %% [markdown]
# ## On CIFAR-10: what was fixed before
#
# The recorded comparison has the
# [half-wide ResNet-18](04_the_teacher.ipynb#the-recorded-teacher) as teacher,
# trained on 45,000 labels, and a ViT with patches of 8 pixels that gets
# 10,000 images. Fixed before these runs and kept in every record: the grid,
# the budget, the number of seeds, the baseline, and the test, a paired
# difference of test accuracies with its 95 % interval. The cell prints them,
# and asserts that the arms differ in what the student learns from and, where
# the grid chose so, in the learning rate. Nothing else. Where there is a GPU,
# in Colab say, it also runs one pair itself, larger, at size `overnight`.

# %%
recipes = {
    "labels": "scratch-vit-cifar10",
    "soft": "soft-vit_from_resnet18-cifar10",
    "argmax": "argmax-vit_from_resnet18-cifar10",
    "soft, 10k teacher": "soft-vit_from_resnet18_10k-cifar10",
}
kept = {(a.recipe, a.size): a for a in arms(records.read_all())}
found = {name: kept[r, "laptop"] for name, r in recipes.items()}
plan = {name: arm.records[0]["config"] for name, arm in found.items()}
for key in ("training_images", "epochs", "learning_rates", "seeds"):
    print(f"{key}: {plan['labels'][key]}")
lesson = {"objective", "teacher", "temperature", "teacher_weight"}
for name, config in plan.items():
    print(f"{name}: learning rate {config['learning_rate']} chosen")
    other = {k for k in config if config[k] != plan["labels"][k]}
    assert other <= lesson | {"baseline", "learning_rate"}
    assert [r["seed"] for r in found[name].records] == list(range(5))
if torch.cuda.is_available():  # the whole path anew, teacher first
    for name in ("labels", "soft"):
        main(["run", recipes[name], "--size", "overnight"])

# %% [markdown]
# ## Faster?
#
# The curves show the validation accuracy after each epoch: a line for the
# mean of five seeds, a band from the worst of them to the best.
#
# *Time to accuracy* is when a curve reaches a level. Counted in whole epochs,
# a lead of half an epoch is sometimes none and sometimes one, so
# [`crossing`](../labkd/inference.py#crossing) draws a line from each epoch to
# the next. Which level? The choice decides the answer. So the second cell
# takes three, and one number that needs none: the *area under the curve*, the
# mean accuracy over the run. Differences are paired by seed; negative epochs
# mean that soft labels are earlier.
#
# **Sooner, by little, and ahead in the mean of the run.** At the lowest level
# no difference found; at the two others soft labels are earlier, and the area
# is larger. But a curve that ends higher crosses the late levels earlier for
# that reason alone, and in every run the learning rate falls to zero at epoch
# 20: when a level is reached is largely the schedule's doing. "Converges more
# quickly" promises a shorter run. Whether soft labels keep that promise, only
# a shorter schedule can tell (exercise 1).
#
# An epoch takes as long in both arms, within a tenth: no teacher runs in it.
# The table of its answers was paid for before.


# %% fig_alt="Validation accuracy over 20 epochs for each arm, a line for the mean of five seeds in a band from worst to best. The curves of labels and soft labels start together and draw apart, soft labels above."
def over_epochs(arm):
    epochs = [record["epochs"] for record in arm.records]  # one a seed
    return [[e["validation"]["accuracy"] for e in each] for each in epochs]


curves = {name: over_epochs(arm) for name, arm in found.items()}
looks = {"labels": ("#212529", "--"), "soft": (figures.STUDENT, "-")}
looks["argmax"] = (figures.CORRECT, ":")
looks["soft, 10k teacher"] = ("#862e9c", "-.")
figure, axes = plt.subplots(figsize=(6, 3.4))
epochs = range(1, 21)
for name, (colour, dashes) in looks.items():
    values = torch.tensor(curves[name])  # (seeds, epochs)
    low, high = values.min(0).values, values.max(0).values
    axes.fill_between(epochs, low, high, color=colour, alpha=0.2, lw=0)
    axes.plot(epochs, values.mean(0), dashes, color=colour, label=name)
axes.set(xlabel="epoch", ylabel="validation accuracy", xticks=[1, 10, 20])
axes.set_title(records.data_of(found["soft"].records[0]))
axes.legend(loc="lower right")
plt.show()

# %%
first, names = {}, ("labels", "soft")
for level in (0.40, 0.45, 0.50):
    labels, soft = ([crossing(c, level) for c in curves[n]] for n in names)
    first[level] = paired_difference(soft, labels)
    means = statistics.mean(labels), statistics.mean(soft)
    print("{:.0%}: epochs {:.1f}, soft {:.1f}".format(level, *means))
    print(f"    difference: {first[level]}")
area = {n: [100 * area_under_curve(c) for c in curves[n]] for n in names}
ahead = paired_difference(area["soft"], area["labels"])
print(f"points over the run: {ahead}")
assert not first[0.40].found and ahead.found and ahead.mean > 0
assert all(first[a].found and first[a].mean < 0 for a in (0.45, 0.50))
seconds = [
    [statistics.median(e["seconds"] for e in r["epochs"]) for r in a.records]
    for a in (found["labels"], found["soft"])
]
ratio = statistics.median(b / a for a, b in zip(*seconds, strict=True))
print(f"an epoch with soft labels takes {ratio:.2f} of one with labels")
assert 0.9 < ratio < 1.1

# %% [markdown]
# ## Better?
#
# Now the test images, which a run looks at once. *Kappa* asks how much more
# often student and teacher are right or wrong on the same images than their
# accuracies alone would give
# ([`cohen_kappa`](../labkd/inference.py#cohen_kappa)).
#
# **Yes, better.** Soft labels end ahead, the interval excludes zero, and
# the student has become more like its teacher. This is one pair of networks
# at one budget, on 10,000 images, from one run of the teacher: the seeds
# vary the student alone. And the gain is only as honest as its baseline: an
# earlier ViT of ours, badly started from too small initial values, gained
# more (not recorded). Tune the rival before you praise the method.
#
# **More labels, or softer ones?** This teacher has seen 45,000 labels, the
# student 10,000. What does it pass on? In the control, **argmax**,
# the same teacher gives its first choice for each crop as a hard label, half
# and half with the true one (Touvron et al.,
# [2021](../docs/references.md#touvron2021), equation 3). It is ahead of the
# labels too, without any softness. Soft labels are ahead of it in turn, but
# the teacher's weight differs as well, 0.9 against one half, so not all of
# that need be softness. (On ImageNet Touvron et al. found the hard ones
# better, table 3.)
#
# And probabilities? **With soft labels, NLL and ECE are worse than with
# labels.** Argmax makes the NLL better; in its ECE, no difference found.
#
# The other control takes the additional labels away. The **10k teacher** is
# the same ResNet-18, trained on the student's own 10,000 images, and right
# less often. **Its soft labels help too**, with no label added: the interval
# over *labels* excludes zero. And between the two teachers **no difference
# found**; how large one could still be, the last interval says. So it is
# softer labels, as far as five seeds can tell, and not more of them.


# %%
def beside(key, kind):
    file = records.path_of(*key).with_suffix(f".{kind}.safetensors")
    return {split: kept.float() for split, kept in load_file(file).items()}


def kappa(record, said):
    key = record["recipe"], record["size"], record["seed"]
    answers = beside(key, "predictions")["test"]
    return inference.cohen_kappa(answers == truth, said == truth, 2)


teacher_run = ("teacher-resnet18-cifar10", "laptop", 0)
said = beside(teacher_run, "logits")["test"].argmax(1)
truth = torch.arange(10).repeat_interleave(1000)  # images lie by class
judged = {
    name: {s: arm.scores(s) for s in ("accuracy", "nll", "ece")}
    | {"kappa": [kappa(r, said) for r in arm.records]}
    for name, arm in found.items()
}


# %%
def compare(ours, theirs, score="accuracy"):
    pair = (judged[name][score] for name in (ours, theirs))
    return paired_difference(*([100 * x for x in side] for side in pair))


for score in ("accuracy", "nll", "ece", "kappa"):
    print(f"100 x {score}")
    for name, of in judged.items():
        values = [100 * value for value in of[score]]
        mean, spread = statistics.mean(values), statistics.stdev(values)
        print(f"    {name}: {mean:.1f} ± {spread:.1f} (deviation)")
    more = compare("soft", "labels", score)
    print(f"    soft over labels: {more}")
    assert more.found and more.mean > 0

# %%
for score in ("accuracy", "nll", "ece"):
    print(f"100 x {score}, argmax over labels:", end=" ")
    print(compare("argmax", "labels", score))
    print(f"    soft over argmax: {compare('soft', 'argmax', score)}")
for pair in (("argmax", "labels"), ("soft", "argmax")):
    assert compare(*pair).found and compare(*pair).mean > 0
sharper = compare("argmax", "labels", "nll")
assert sharper.found and sharper.mean < 0
assert not compare("argmax", "labels", "ece").found
young = "soft, 10k teacher"
for ours, theirs in ((young, "labels"), ("soft", young)):
    print(f"points, {ours} over {theirs}: {compare(ours, theirs)}")
alone = compare(young, "labels")
assert alone.low > 0 and not compare("soft", young).found
run = ("teacher-resnet18_10k-cifar10", "laptop", 0)
theirs, its = (records.read(*of)["test"] for of in (teacher_run, run))
print(f"teachers: {theirs['accuracy']:.1%}, 10k {its['accuracy']:.1%}")
pair, known = (recipes["soft"], recipes["labels"]), records.read_all()
print("soft over labels:", verdicts.judge(known, *pair, "laptop"))
assert its["accuracy"] < theirs["accuracy"]

# %% [markdown]
# ## Better, and too sure of itself
#
# How can better answers come with worse probabilities? By the mean reply
# again. To a weak student many images look alike. Let it mix up three trucks
# and a car, of which the teacher is sure: $(0.998, 0.001, 0.001)$ and
# $(0.001, 0.998, 0.001)$. At $T = 3$ these become $(0.833, 0.083, 0.083)$
# and $(0.083, 0.833, 0.083)$; the best reply is the mean,
# $(0.646, 0.271, 0.083)$. That is the student's softmax *at temperature 3*.
# At temperature 1 it is the cube, normalised: $(0.929, 0.069, 0.002)$, for a
# truck in three cases of four. **A mean, sharpened, is not the mean of the
# sharp.** Argmax has no temperature, hence nothing to sharpen.
#
# The remedy is one number, [fitted on the validation
# images](02_temperature.ipynb), which changes no answer. The student on soft
# labels needs the larger one. With it, the calibration error falls by more
# than half, and its NLL ends below that of the student on labels. Logits are
# kept of the first seed alone, so these have no interval.

# %%
sure = torch.tensor([[0.998, 0.001, 0.001]] * 3 + [[0.001, 0.998, 0.001]])
mean = (sure.log() / 3).softmax(1).mean(0)
both = torch.stack([mean, (3 * mean.log()).softmax(0)])
by_hand = torch.tensor([[0.646, 0.271, 0.083], [0.929, 0.069, 0.002]])
torch.testing.assert_close(both, by_hand, rtol=0, atol=6e-4)

labels, scored = torch.arange(10).repeat_interleave(1000), {}
for name in ("labels", "soft"):
    logits = beside((recipes[name], "laptop", 0), "logits")
    z, held = logits["test"], logits["validation"]  # 500 a class
    heat = calibration.fit_temperature(held, labels[::2])
    for t in (1.0, heat):
        p = (z / t).softmax(1)
        ece = calibration.expected_calibration_error(p, labels)
        nll = calibration.negative_log_likelihood(z / t, labels)
        scored[name, t > 1] = t, ece, nll
        print(f"{name:6}  T = {t:.2f}: ECE {ece:.3f}, NLL {nll:.3f}")
assert scored["soft", True][0] > scored["labels", True][0]
assert scored["soft", True][1] < scored["soft", False][1] / 2
assert scored["soft", True][2] < scored["labels", True][2]

# %% [markdown]
# ## What it costs, what it buys
#
# The costs were [measured](../labkd/costs.py) apart, on one thread, the two
# models in turn. Memory is what a forward pass needs besides the weights.
# The student is smaller on every line. For one image at a time it is not
# faster by as much as its multiply-adds promise, since every operation has a
# price of its own, however small. And it is far from the teacher's accuracy:
# what you buy is a small network, not the large one made small.
#
# The second cell adds up what was computed, in units of one student's
# training, a backward pass counted as two forward passes. The student is the
# cheapest item. Even the table of 50 views costs more than a live teacher
# for one run of 20 epochs: it pays from the third run on, and this arm alone
# made eight (three rates, five seeds). "Same budget" is true of what the
# *student* computes. With the teacher's labels and its work one could do
# other things (exercise 4).
#
# **Held to the library.** Our second loop is
# [`fit`](../labkd/training.py#fit) with the objective of the recorded recipe
# and a live teacher: from one seed both end with the same answers.

# %%
paid = costs.read("laptop")
print(f"{paid['device']}, {paid['precision']}, {paid['date']}")
print(paid["command"])
for name, cost in paid["models"].items():
    print(f"{name}: {cost['parameters']:,} parameters")
    for key in ("float32_bytes", "float16_bytes", "multiply_adds"):
        print(f"    {cost[key] / 1e6:.1f} million {key.replace('_', ' ')}")
    for batch, of in cost["batches"].items():
        each = f"{of['milliseconds']:.2f} ms an image"
        print(f"    batch of {batch}: {each}, {of['peak_bytes'] / 1e6:.1f} MB")
big, small = paid["models"].values()
fewer = big["multiply_adds"] / small["multiply_adds"]
alone = [cost["batches"]["1"]["milliseconds"] for cost in (big, small)]
print(f"multiply-adds {fewer:.1f} to 1, time {alone[0] / alone[1]:.1f} to 1")
assert big["parameters"] > small["parameters"]
assert 1 < alone[0] / alone[1] < fewer
for batch, of in big["batches"].items():
    student = small["batches"][batch]
    assert all(of[k] > student[k] for k in ("milliseconds", "peak_bytes"))

# %%
teach, learn = (find(n, "laptop") for n in (teacher_run[0], recipes["soft"]))
views = 2 * (2 * learn.padding + 1) ** 2
shown = learn.epochs * learn.training_images
bill = {
    "training the teacher": 3 * teach.epochs * 45_000 * big["multiply_adds"],
    "its table": views * learn.training_images * big["multiply_adds"],
    "a live teacher instead": shown * big["multiply_adds"],
    "training the student": 3 * shown * small["multiply_adds"],
}
for what, amount in bill.items():
    print(f"{what:22}  {amount / bill['training the student']:5.1f}")
assert min(bill, key=bill.get) == "training the student"
assert views == 50 and 2 < views / learn.epochs < 3
first, best = records.read(*teacher_run), max(found["soft"].scores("accuracy"))
for name, r in (("teacher", first), ("student", found["soft"].records[0])):
    right = f"{r['test']['accuracy']:.1%} right, trained in"
    print(f"{name}: {right} {r['seconds']:.0f} s, {r['device']}")
assert first["test"]["accuracy"] > best + 0.1

# %%
ours, theirs = new_student(0), new_student(0)
train_on_soft_labels(ours, few, 1e-2, epochs=2, seed=3)
epochs = fit(
    *(theirs, few, *optimizer_and_schedule(theirs, 1e-2, steps=6)),
    normalise=normalise,
    objective=objective_of(learn),
    teacher=live(teacher),
    generator=torch.Generator().manual_seed(3),
    epochs=range(2),
    batch_size=100,
    bank=bank,
    clip_norm=1.0,
)
assert len(list(epochs)) == 2
pixels = normalise(test_set.images)
torch.testing.assert_close(ours(pixels), theirs(pixels), rtol=0, atol=1e-3)

# %% [markdown]
# ## Exercises
#
# **1. Really faster?** Can soft labels reach in 15 epochs what labels reach
# in 20? Which run answers, and what do you compare?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# `python -m labkd run soft-vit_from_resnet18-cifar10 --set epochs=15`, for
# each seed: a schedule that *ends* at 15. Compare its test accuracy with
# that of the labels at 20, by a paired difference. One that contains
# zero does not show that they are equal, so say beforehand how much less you
# would accept.
#
# </details>
#
# **2. One answer an image.** Let the teacher answer for the uncropped image
# and the student see crops. Is $J$ left over? What does the student learn
# instead?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Put `normalise(data.images[batch])` in place of the teacher's `x`. There is
# one answer an image now, so nothing is averaged and a student that knows
# its images can reach zero: by giving every crop the same answer. It learns
# to be blind to the crop. Beyer et al. (section 3.1) compare this *fixed
# teacher* with the consistent one.
#
# </details>
#
# **3. At temperature 1.** Repeat the toy of the three trucks and the car
# with $T = 1$ in the loss. Is the student still too sure?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# No. The mean is $0.75 \cdot 0.998 + 0.25 \cdot 0.001 = 0.749$ for truck, and
# nothing is sharpened afterwards. Temperature buys attention to the small
# probabilities ([chapter 2](02_temperature.ipynb)) and pays in calibration,
# which can be mended after training.
#
# </details>
#
# **4. The rival.** Name two other ways to spend what the teacher and its
# table cost, and how to test them.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Give the student all 45,000 labels
# (`--set training_images=0` on `scratch-vit-cifar10`), or more epochs, or
# more width. Fix budget and grid first, pair the seeds, print the interval.
# Soft labels are worth their price where labels are short, or where one
# teacher serves many students.
#
# </details>
#
# **5. More padding.** With padding 4 there are 162 views. From which run on
# does the table pay, at 20 epochs a run?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $162 / 20 = 8.1$: from the ninth. A teacher that notes each answer when it
# is first asked for would never do more than a live one.
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 2.
# - Touvron et al., *Training Data-Efficient Image Transformers and
#   Distillation through Attention*
#   ([2021](../docs/references.md#touvron2021)): section 4, a CNN teaches a
#   ViT on ImageNet.
# - Beyer et al., *Knowledge Distillation: A Good Teacher is Patient and
#   Consistent* ([2022](../docs/references.md#beyer2022)): section 3.1, one
#   view for both.
# - Guo et al., *On Calibration of Modern Neural Networks*
#   ([2017](../docs/references.md#guo2017)): section 4.2.
# - The code: [views.py](../labkd/views.py), [vit.py](../labkd/vit.py),
#   [costs.py](../labkd/costs.py), recipes.toml.
