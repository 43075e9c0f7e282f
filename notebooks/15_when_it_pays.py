# %% [markdown]
# # When it pays
#
# [Chapter 6](06_from_cnn_to_vit.ipynb) measured one gain: so many images, so
# many epochs, one teacher. Would it be there with a tenth of the images? Or
# with all the time in the world? A gain that holds at one point only is an
# anecdote with error bars.
#
# So we walk away from that point, along one axis at a time, and look for a
# *crossing point*: where the teacher stops helping and begins to stand in
# the way. First on paper, where it can be computed; then on the digits,
# where we can make a teacher as poor as we like; then on CIFAR-10.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from labkd import figures, records
from labkd.comparisons import arms
from labkd.data import load
from labkd.inference import paired_difference
from labkd.lab import sweeps
from labkd.lab.perceptrons import Perceptrons, say
from labkd.lab.recipes import RECIPES
from labkd.pixels import Normalise
from labkd.soft_targets import distillation_loss

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Few labels, or a teacher that errs
#
# Think of blurred photographs that all look alike. Whoever saw the scene
# says *truck* of seven in ten, *car* of a quarter, *frog* of the rest:
# $p = (0.7, 0.25, 0.05)$. This $p$ is what a student should answer. It gets
# $n$ such photographs, each with one label, and a teacher that answers
# $q = (0.8, 0.15, 0.05)$ to all of them. How far from $p$ does it end?
#
# A student that can answer freely gives
# [the mean of its targets](01_hard_and_soft_labels.ipynb). With weight $w$
# on the teacher and $f$ for the share of each label, that is
# $(1 - w) f + w q$. The shares are right on average, and scatter: a class's
# share has the variance $p_c (1 - p_c) / n$. The teacher does not scatter,
# and is wrong by the same amount whatever $n$ is. The expected squared
# distance has one term for each, and no product of the two, because
# $f - p$ is zero on average:
#
# $$
# \begin{aligned}
# \mathbb{E} \lVert (1 - w) f + w q - p \rVert^2
#   &= (1 - w)^2 \, \frac{V}{n} + w^2 B , \\
# V = 1 - \sum_c p_c^2 , \qquad
# B &= \lVert q - p \rVert^2 .
# \end{aligned}
# $$
#
# Here $V = 1 - 0.555 = 0.445$ and $B = 0.1^2 + 0.1^2 = 0.02$. With $w = 1$
# the labels are as good as the teacher at $n = V / B = 22.25$: the crossing
# point. At our default $w = 0.9$ it lies where
# $n = V (1 - 0.1^2) / (0.9^2 B) \approx 27.2$. Below it the teacher helps,
# above it the same teacher, with the same weight, hurts. (Menon et al.,
# [2021](../docs/references.md#menon2021), section 3, look at distillation as
# such a trade of variance for bias.)
#
# The cell draws the labels a hundred thousand times and compares.

# %%
p, q = torch.tensor([0.70, 0.25, 0.05]), torch.tensor([0.80, 0.15, 0.05])
V, B = (1 - p.square().sum()).item(), (q - p).square().sum().item()
assert abs(V - 0.445) < 1e-6 and abs(B - 0.02) < 1e-6


def expected(n, w):
    return (1 - w) ** 2 * V / n + w**2 * B


# %%
torch.manual_seed(0)
for n, w in ((5, 0.0), (5, 0.9), (40, 0.0), (40, 0.9)):
    drawn = torch.multinomial(p.expand(100_000, 3), n, replacement=True)
    f = F.one_hot(drawn, 3).float().mean(1)  # (draws, classes)
    reply = (1 - w) * f + w * q
    distance = (reply - p).square().sum(1).mean().item()
    print(f"n = {n:2}, w = {w}: {distance:.4f} drawn,", end=" ")
    print(f"{expected(n, w):.4f} by the formula")
    assert abs(distance / expected(n, w) - 1) < 0.02
assert expected(5, 0.9) < expected(5, 0)
assert expected(40, 0.9) > expected(40, 0)
crossing = V * (1 - 0.1**2) / (0.9**2 * B)
assert abs(crossing - 27.2) < 0.05
assert abs(expected(crossing, 0.9) - expected(crossing, 0)) < 1e-9

# %% [markdown]
# ## The weight that is right
#
# Nobody has to keep $w$ where it was. The derivative in $w$ is
# $-2 (1 - w) V / n + 2 w B$, and zero at
#
# $$
# w^* = \frac{V / n}{V / n + B} = \frac{V}{V + n B} .
# $$
#
# Five photographs: $w^* = 0.445 / 0.545 \approx 0.82$. Forty: $0.36$. A
# thousand: $0.02$. With this weight the distance is
# $\frac{V}{n} B / (\frac{V}{n} + B)$, less than either alone: **a teacher
# that is heard as loudly as it deserves does no harm.** What hurts past the
# crossing point is not the teacher, it is the weight. The formula knows $p$
# and we never do; but validation images can judge a weight.

# %%
for n, by_hand in ((5, 0.82), (40, 0.36), (1000, 0.02)):
    w = torch.tensor(0.5, requires_grad=True)
    best = V / (V + n * B)
    slope = torch.autograd.grad(expected(n, w), w)[0].item()
    assert abs(slope - (2 * 0.5 * B - 2 * 0.5 * V / n)) < 1e-6
    grid = torch.linspace(0, 1, 1001)
    assert abs(grid[expected(n, grid).argmin()].item() - best) < 1e-3
    assert abs(best - by_hand) < 0.005
    assert expected(n, best) < min(expected(n, 0), expected(n, 1))
    print(f"n = {n:4}: w* = {best:.2f}, distance {expected(n, best):.5f}")

# %% [markdown]
# ## Two teachers for the digits
#
# A network is not a free answer to one photograph, so we look whether the
# picture holds. Ten students a point, side by side, perceptrons with 32
# units; each has its own initial values and its own images, the same in
# every arm. They see 20 to 1,200 digits and take the same number of steps
# whatever they see: more images, not more work. The **good** teacher has
# learned from all 1,200, the **poor** one from 60 of them. Both are eight
# times as wide as their students.
#
# Each arm at each size has its learning rate from the same grid, judged by
# four other students on the validation images. The test images are opened
# once. $T = 4$ and $w = 0.9$, untuned for now.


# %%
def train(model, which, v, rate, *, w, T=4.0, steps=120):
    optimizer = torch.optim.AdamW(model.parameters(), rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, cycle_momentum=False
    )
    torch.manual_seed(0)
    rows = torch.arange(len(which))[:, None]
    model.train()
    for _ in range(steps):
        places = torch.randint(which.shape[1], (len(which), 64))
        batch = which[rows, places]  # (students, 64)
        z = model(x["train"][batch]).flatten(0, 1)  # (rows, classes)
        p = (v[batch].flatten(0, 1) / T).softmax(1)
        soft = T**2 * F.cross_entropy(z / T, p)
        hard = F.cross_entropy(z, y["train"][batch].flatten())
        optimizer.zero_grad()
        (len(which) * (w * soft + (1 - w) * hard)).backward()
        optimizer.step()
        schedule.step()
    return model.eval()


# %%
names = ("train", "validation", "test")
splits = {name: load("digits", name) for name in names}
normalise = Normalise.of(splits["train"].images)
x = {name: normalise(s.images).flatten(1) for name, s in splits.items()}
y = {name: s.labels for name, s in splits.items()}


def draw(seeds, count):
    each = [torch.Generator().manual_seed(seed) for seed in seeds]
    drawn = [torch.randperm(1200, generator=g)[:count] for g in each]
    return torch.stack(drawn)  # (students, images)


def percent_right(students, split):
    right = say(students, x[split]).argmax(2) == y[split]
    return 100 * right.double().mean(1)  # (students,)


# %%
nobody, v = torch.zeros(1200, 10), {}
for name, seeds, count in (("good", [0], 1200), ("poor", [99], 60)):
    teacher = Perceptrons([101], 64, 256, dropout=0.3)
    train(teacher, draw(seeds, count), nobody, 1e-2, w=0, steps=400)
    v[name] = say(teacher, x["train"])[0]  # (images, classes)
    print(f"{name} teacher: {percent_right(teacher, 'test').item():.1f} %")


# %%
def tuned(count, v, w):
    seeds, right = range(100, 104), {}
    for rate in (1e-2, 3e-2, 1e-1):
        trial = Perceptrons(seeds, 64, 32, dropout=0)
        train(trial, draw(seeds, count), v, rate, w=w)
        right[rate] = percent_right(trial, "validation").mean().item()
    best = max(right, key=right.get)
    students = Perceptrons(range(10), 64, 32, dropout=0)
    train(students, draw(range(10), count), v, best, w=w)
    return percent_right(students, "test").tolist(), right[best]


counts, gain = (20, 60, 200, 1200), {}
alone = {count: tuned(count, nobody, 0.0) for count in counts}
usual = {(name, n): tuned(n, v[name], 0.9) for name in v for n in counts}
for (name, count), (right, _) in usual.items():
    gain[name, count] = paired_difference(right, alone[count][0])
    print(f"{name} teacher, {count:4} images: {gain[name, count]}")

# %% [markdown]
# **The picture holds.** The good teacher's gain is large where labels are
# few and shrinks with every step to the right. The poor one helps students
# that have fewer images than it had itself. Where they have as many, no
# difference found. Beyond that it costs them, and with all the images they
# end far behind those without a teacher: they could know more than it does,
# and nine tenths of the weight say that they must not.

# %% fig_alt="Gain in points against the number of training images, on a logarithmic axis, with intervals. The good teacher's curve falls from high above zero to close to it; the poor teacher's starts above zero, crosses it, and ends far below."
axes = plt.subplots(figsize=(3.1, 2.6))[1]
for name, colour in (("good", figures.CORRECT), ("poor", figures.STUDENT)):
    of = [gain[name, count] for count in counts]
    means, widths = zip(*((g.mean, g.half_width) for g in of), strict=True)
    axes.errorbar(
        counts, means, widths, color=colour, capsize=3, label=f"{name} teacher"
    )
axes.axhline(0, color=figures.OTHER, lw=1)
axes.set(xscale="log", xlabel="training images", ylabel="gain, points")
axes.set_xticks(counts, [f"{count:,}" for count in counts], minor=False)
axes.minorticks_off()
axes.legend()
plt.show()

# %%
first, last = counts[0], counts[-1]
for name in v:
    assert gain[name, first].found and gain[name, first].mean > 0
good = [gain["good", count].mean for count in counts]
assert good == sorted(good, reverse=True)
ends = (gain["good", first], gain["good", last])
assert ends[0].mean - ends[0].half_width > ends[1].mean + ends[1].half_width
assert not gain["poor", 60].found
for count in (200, 1200):
    assert gain["poor", count].found and gain["poor", count].mean < 0

# %% [markdown]
# ## Turn it down
#
# Now the poor teacher once more, its weight chosen on the validation images
# from three, with the learning rate for each of them from the same grid; and
# one more choice, not to listen, which is $w = 0$ and the students that we
# have already.
#
# **With the fewest images the teacher still helps, and nowhere does it cost
# anything that we could find.** Its weight is largest where labels are
# fewest, and with all the images the best choice is not to listen. Then the
# two arms are the same students, and the difference is zero by construction.
# Four students judge each weight, so do not read more into the steps between;
# and with $T^2 = 16$ before the soft term even the smallest weight is no
# whisper. **Tune the weight before you blame the teacher.**

# %%
chosen, mended = {}, {}
for count in counts:
    trials = {w: tuned(count, v["poor"], w) for w in (0.1, 0.5)}
    trials |= {0.0: alone[count], 0.9: usual["poor", count]}
    chosen[count] = max(trials, key=lambda w: trials[w][1])
    right = trials[chosen[count]][0]
    mended[count] = paired_difference(right, alone[count][0])
    print(f"{count:4} images: w = {chosen[count]}, {mended[count]}")
assert chosen[first] == max(chosen.values()) > chosen[last] == 0
assert mended[first].found and mended[first].mean > 0
assert not any(m.found and m.mean < 0 for m in mended.values())

# %% [markdown]
# ## On CIFAR-10: fewer images
#
# Now [chapter 6's](06_from_cnn_to_vit.ipynb) ViT and its ResNet-18, which has
# seen 45,000 labels. The recipes were written
# before the runs: five paired seeds a point, both arms with the learning rate
# that their grids chose in chapter 6, and the same number of steps for every
# number of images: a student of 1,000 is shown each of them ten times as
# often. To have the points in an hour or two on two cores, these students
# train half as long as chapter 6's.

# %%
kept = {(arm.recipe, arm.size): arm for arm in arms(records.read_all())}


def along(axis, size):
    points = sweeps.points(axis, size, RECIPES)
    found = {p: kept.get((p.soft, size)) for p in points}
    return {p: arm for p, arm in found.items() if arm and arm.difference}


def print_axis(axis):
    central = kept[sweeps.SOFT, "laptop"].records[0]
    print(axis.replace("_", " "), "on", records.data_of(central))
    for size in ("laptop", "full"):
        for point, arm in along(axis, size).items():
            two = (kept[name, size] for name in (point.scratch, point.soft))
            shown = [a.spread("accuracy", scale=100, digits=1) for a in two]
            print(f"{size}, {point.value:,g}:", *shown, "% (deviation)")
            print(f"    ahead by {arm.difference}")
    return [arm.difference for arm in along(axis, "laptop").values()]


# %%
gains = print_axis("training_images")
few, *_, many = gains
assert all(gain.found and gain.mean > 0 for gain in gains)
assert few.mean - few.half_width > many.mean + many.half_width
means = [gain.mean for gain in gains]
assert means == sorted(means, reverse=True) and few.mean > 3 * many.mean
right = kept["teacher-resnet18-cifar10", "laptop"].scores("accuracy")
for (recipe, size), arm in kept.items():
    if size == "laptop" and "-vit" in recipe and "cifar10" in recipe:
        assert max(arm.scores("accuracy")) < min(right)

# %% [markdown]
# **The fewer images, the larger the gain.** With a tenth of them it is
# several times as large, and the intervals of the two ends do not touch. No
# crossing point is in sight: this teacher is right more often than any ViT of
# ours ([chapter 4](04_the_teacher.ipynb)), so its $B$ is small.
#
# But mind what else it brings along. It has seen 45,000 labels, and the fewer
# its student has, the more of what it passes on is news. In chapter 6 a
# teacher of the student's own 10,000 images did as well as this one, as far
# as we could tell; for 1,000 images that is not recorded.

# %% [markdown]
# ## On CIFAR-10: more epochs
#
# The other axis is patience. All students have 10,000 images here, and train
# for a quarter of chapter 6's epochs, for half of them, or for all; each has
# a schedule of its own, which ends where its training ends.

# %%
gains = print_axis("epochs")
means = [gain.mean for gain in gains]
assert not gains[0].found and all(gain.found for gain in gains[1:])
assert means == sorted(means) and means[1] > 0
print_axis("temperature")
gains = print_axis("teacher_weight")
low, *_, high = sorted(gain.mean for gain in gains)
assert high - low < min(gain.half_width for gain in gains)
turned = [*along("temperature", "laptop").values()]
ece = [sum(arm.scores("ece")) / len(arm.records) for arm in turned]
print("calibration errors:", *(f"{error:.3f}" for error in ece))
assert ece[0] < 0.05 and min(ece[1:]) > 0.1
mild, *hot = (arm.scores("accuracy") for arm in turned)
ahead = paired_difference(mild, hot[-1])
assert ahead.found and ahead.mean > 0 and sum(mild) > sum(hot[1])
for arm, right in zip(turned[1:], hot, strict=True):
    file = records.path_of(arm.recipe, "laptop", 0)
    z = load_file(file.with_suffix(".logits.safetensors"))["test"]
    assert z.float().softmax(1).amax(1).mean() > right[0] + 0.1

# %% fig_alt="Gain in points, with 95 % intervals. Above, against training images: high at a thousand, falling to a fraction of it at ten thousand. Below, against epochs: an interval around zero at five, rising at ten and twenty."
colours = {"laptop": figures.STUDENT, "full": figures.CORRECT}
panels = plt.subplots(2, 1, figsize=(3.1, 4.6), sharey=True)[1]
for axes, axis in zip(panels, ("training_images", "epochs"), strict=True):
    ticks = set()
    for size, hue in colours.items():
        if found := along(axis, size):
            values = [point.value for point in found]
            gains = [arm.difference for arm in found.values()]
            means = [gain.mean for gain in gains]
            widths = [gain.half_width for gain in gains]
            axes.errorbar(values, means, widths, fmt="o-", c=hue, label=size)
            ticks |= set(values)
    axes.set_xscale("log")
    axes.set_xticks(sorted(ticks), [f"{tick:,g}" for tick in sorted(ticks)])
    axes.minorticks_off()
    axes.axhline(0, color=figures.OTHER, lw=1)
    axes.set(xlabel=axis.replace("_", " "), ylabel="gain, points")
panels[0].legend()
panels[0].set_title(records.data_of(kept[sweeps.SOFT, "laptop"].records[0]))
plt.show()

# %% [markdown]
# **The more patience, the larger the gain.** After a quarter of the epochs no
# difference found: five seeds cannot even tell its sign. After half of them
# it is there, and after all of them it is larger still, in the mean: what a
# teacher gives, it gives to those who stay.
# Beyer et al. ([2022](../docs/references.md#beyer2022)) make the same point
# with thousands of epochs on ImageNet. How far it goes on, twenty epochs
# cannot say; the plan for one large GPU goes to 300.
#
# **Temperature and weight** are turned at half of chapter 6's epochs, with
# three seeds and a teacher trained anew. Three seeds are few, and many
# intervals hold zero; between the weights the gain differs by less than half
# an interval. But $T = 1$ is ahead of $T = 12$, in the mean ahead of our
# $T = 3$ too, and only its student's probabilities mean what they say: the
# calibration error is below 0.05, at every other temperature, where students
# are too sure, above 0.1 (all asserted). At $T = 1$ a student that cannot
# tell what its teacher can learns the *average* of the teacher's answers,
# which is calibrated if they are. At $T = 3$ it learns the average of
# softened answers; used at $T = 1$ that is sharpened, *after* averaging.
# So choose $T$ on validation images, by what you need:
# [the tables](../docs/results.md#temperature) have all columns.
#
# **To take home.** A teacher pays where labels are few, where the student has
# time, and where it knows better than the student could. If one of these is
# missing, turn it down before you leave it out, and let validation images
# decide.

# %% [markdown]
# ## Held to the library
#
# The soft term of our step is a cross-entropy with the teacher's
# probabilities, as in [chapter 8](08_large_cnn_to_small_cnn.ipynb). The
# [library](../labkd/soft_targets.py#distillation_loss) has the divergence. The
# two differ by the teacher's entropy, times $w T^2$, in which no student
# occurs: so the gradients are equal.

# %%
torch.manual_seed(0)
z, t = 3 * torch.randn(2, 64, 10, dtype=torch.float64)
z.requires_grad_()
labels, p = torch.randint(10, (64,)), (t / 4).softmax(1)
soft, hard = 16 * F.cross_entropy(z / 4, p), F.cross_entropy(z, labels)
ours = 0.9 * soft + 0.1 * hard
theirs = distillation_loss(z, t, labels, temperature=4.0, soft_weight=0.9)
entropy = -(p * p.log()).sum(1).mean()
torch.testing.assert_close(ours, theirs + 0.9 * 16 * entropy)
slopes = (torch.autograd.grad(loss, z)[0] for loss in (ours, theirs))
torch.testing.assert_close(*slopes)

# %% [markdown]
# ## Exercises
#
# **1. A better teacher.** For the photographs above another teacher says
# $q = (0.75, 0.2, 0.05)$. Where is its crossing point at $w = 0.9$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $B = 2 \cdot 0.05^2 = 0.005$, a quarter of before, so the crossing point is
# four times as far out: $0.445 \cdot 0.99 / (0.81 \cdot 0.005) \approx 109$.
#
# </details>
#
# **2. Two teachers.** One says $(0.8, 0.15, 0.05)$, another
# $(0.65, 0.25, 0.1)$. What does their mean do to $B$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The mean is $(0.725, 0.2, 0.075)$, with
# $B = 0.025^2 + 0.05^2 + 0.025^2 = 0.00375$. Alone they have $0.02$ and
# $0.005$: their errors point different ways, and in part cancel. A mean is
# never worse than the two on average, and here better than both.
#
# </details>
#
# **3. Four times the labels.** You tuned $w$ at ten photographs and now have
# forty. Without tuning again, what should $w$ be?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# From $w = V / (V + nB)$ follows $(1 - w) / w = n B / V$: the odds against
# the teacher grow with $n$. At ten, $w = 0.69$ and the odds are $0.449$; four
# times that is $1.798$, and $w = 1 / 2.798 = 0.357$.
#
# </details>
#
# **4. Equal work.** On CIFAR-10 the student with 1,000 images is shown each
# of them ten times an epoch. Which command gives 2,000 images to a student
# that works as long, and why not just leave `repeats` as it is?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# `python -m labkd run scratch-vit_1000-cifar10 --set training_images=2000
# --set repeats=5`: 10,000 images an epoch, as before. With `repeats=10` it
# would take twice as many steps, and nobody could say whether the labels or
# the steps had helped.
#
# </details>
#
# **5. Patience.** Does more training move the crossing point of the
# photographs?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# No. A student that answers freely ends at $(1 - w) f + w q$ however long it
# trains: $V$, $B$, $n$ and $w$ are all there is. What patience changes is how
# near a student comes to that answer. So a gain that is lost with more epochs
# was a gain in *speed*, and one that stays is what the targets are worth.
#
# </details>

# %% [markdown]
# ## References
#
# - Menon et al., *A Statistical Perspective on Distillation*
#   ([2021](../docs/references.md#menon2021)): section 3, a teacher's answers
#   as labels with less variance and some bias.
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 6, soft targets from
#   few labelled examples.
# - Beyer et al., *Knowledge Distillation: A Good Teacher is Patient and
#   Consistent* ([2022](../docs/references.md#beyer2022)): how long students
#   may need.
# - The code: sweeps.py,
#   perceptrons.py,
#   [inference.py](../labkd/inference.py).
