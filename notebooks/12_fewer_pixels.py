# %% [markdown]
# # Fewer pixels
#
# So far a student was cheap because it was small. It can also look at less.
# A camera at the door has few pixels, and even where there are many, a
# network that reads a quarter of them does a quarter of the work. The
# teacher works in training only, on a large machine. Let *it* see everything.
#
# Su and Maji ([2017](../docs/references.md#su2017)) teach students of
# degraded images by a teacher of clean ones. A master's thesis,
# [distillistic](https://github.com/PiaCuk/distillistic), calls it
# **cross-quality distillation** and tries it on ImageNet at 42, 84 and 168
# pixels. The hope: who sees more can tell what the student cannot see.
#
# Can it? The derivation below is less hopeful, and so are the experiments.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
from functools import partial

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state, vmap
from torch.utils.flop_counter import FlopCounterMode

from labkd import cross_quality, figures, records, soft_targets, verdicts
from labkd.data import ImageSet, load
from labkd.inference import paired_difference
from labkd.lab.building import build
from labkd.lab.recipes import find
from labkd.pixels import Normalise

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Half the side, a quarter of the work
#
# A 3 x 3 convolution computes, at each position and for each output channel,
# a sum over nine weights for each input channel. With 8 channels in and 8
# out that is $9 \cdot 8 \cdot 8 = 576$ multiply-adds a position: on 28 x 28
# positions $784 \cdot 576 = 451{,}584$, on 14 x 14 a quarter, 112,896, on
# 7 x 7 again a quarter, 28,224.
#
# PyTorch's counter agrees (it counts a multiply-add as two operations). The
# cell also counts a prediction of the recorded student, a ResNet-18 of
# width 8, which does not quite follow the law. A stage of stride 2 *rounds
# up*: 7 positions to a side become 4, then 2, then 1. At 1 x 1 the law ends:
# eight of nine weights meet only padding, and are counted all the same. The
# linear head costs the same at every size, and no parameter is saved. And
# [time is not work](06_from_cnn_to_vit.ipynb#what-it-costs-what-it-buys):
# every operation has a price of its own.


# %%
def multiply_adds(model, channels, side):
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model.eval()(torch.zeros(1, channels, side, side))
    counts = counter.get_flop_counts()
    return {name: sum(of.values()) // 2 for name, of in counts.items()}


layer = nn.Conv2d(8, 8, 3, padding=1)
for side, by_hand in ((28, 451_584), (14, 112_896), (7, 28_224)):
    assert multiply_adds(layer, 8, side)["Global"] == by_hand
nothing = torch.zeros(1, 1, 28, 28).byte(), torch.zeros(1).long()
clothes, work = ImageSet(*nothing, tuple("abcdefghij"), "original"), {}
for side, kind in ((28, ""), (14, "_half"), (7, "_quarter")):
    recipe = find(f"scratch-resnet18{kind}-fashion_mnist", "laptop")
    counts = multiply_adds(build(recipe, clothes), 1, 28)
    parts = [n for k, n in counts.items() if "layer" in k[-6:] or "fc" in k]
    work[side] = counts["Global"]
    print(f"{side} pixels: {work[side]:,}; stages and head", *parts)
print(f"ratios {work[28] / work[14]:.2f}, {work[14] / work[7]:.2f}")
assert 3.5 < work[28] / work[14] < 4 and 3.5 < work[14] / work[7] < 4

# %% [markdown]
# ## What a mean forgets
#
# To shrink by a factor $f$, put one pixel in place of $f \times f$, their
# mean:
#
# $$
# x'_{ij} = \frac{1}{f^2} \sum_{a, b = 0}^{f - 1} x_{f i + a,\, f j + b} .
# $$
#
# ```
# 0 4 8 8
# 0 0 8 8   becomes   1 8
# 1 3 5 7             2 6
# 3 1 7 5
# ```
#
# The mean of the image stays, $68 / 16 = 17 / 4$. Its variance does not. The
# variance of a mean of $n$ pixels is the mean of their $n^2$ covariances:
# $\sigma^2 / n$ when they are independent, $\sigma^2$ when they are equal.
# Neighbours are in between; the cell prints where. So shrunken pixels keep
# the mean zero of their normalisation and lose its unit variance; BatchNorm
# after the first convolution mends that.
#
# What is gone? Of $f^2$ numbers one is left; every pattern whose blocks have
# mean zero is invisible. Exchange the two columns of the lower left block:
# a falling stripe becomes a rising one, and the small image does not change.
# **No student can tell these two apart, and the teacher can.**

# %%
first = torch.tensor(
    [[[[0.0, 4, 8, 8], [0, 0, 8, 8], [1, 3, 5, 7], [3, 1, 7, 5]]]]
)
second = first.clone()
second[..., 2:, :2] = first[..., 2:, :2].flip(-1)
small = F.avg_pool2d(first, 2)
assert torch.equal(small[0, 0], torch.tensor([[1.0, 8.0], [2.0, 6.0]]))
assert small.mean() == first.mean() == 17 / 4
assert not torch.equal(first, second)
assert torch.equal(small, F.avg_pool2d(second, 2))

everything = load("digits", "train")
normalise = Normalise.of(everything.images)
for f in (1, 2, 4):
    kept = F.avg_pool2d(normalise(everything.images), f).var().item()
    print(f"{8 // f} x {8 // f}: variance {kept:.2f}", end="; ")
    print(f"independent pixels would have {1 / f**2:.2f}")
    assert f == 1 or 1 / f**2 < kept < 1

# %% [markdown]
# ## The best reply to a blurred question
#
# Of the first image the teacher says truck 0.70, car 0.25, frog 0.05, of the
# second 0.20, 0.70, 0.10. Three in four such images are of the first kind.
# The student sees the same four numbers, $s$ for short, and is taught both.
# What should it say?
#
# [Chapter 6](06_from_cnn_to_vit.ipynb#a-crop-changes-the-label) answered:
# the mean. There the mean was over crops; here it is over all images $x$
# that look like $s$, $\bar p(s) = E[\,p(x) \mid s\,]$. The same split of the
# logarithm, averaged over everything, gives
#
# $$
# E \operatorname{KL}(p \,\|\, q)
#   = \underbrace{E \operatorname{KL}(p \,\|\, \bar p)}_J
#   + E \operatorname{KL}(\bar p \,\|\, q) ,
# $$
#
# with $p$ taken at $x$, $\bar p$ and $q$ at $s$.
# So the best student says $q(s) = E[\,p(x) \mid s\,]$, the teacher's mean
# opinion of all that it cannot tell apart, and $J$ is left whatever it does.
# By hand: $\bar p = \tfrac{1}{80} (46, 29, 5)$ and $J = 0.09934$.
#
# And hard labels? Let $\pi(x)$ be the true probabilities of the classes for
# image $x$, of which $y$ is one draw. Then $E[y \mid s] = E[\,E[y \mid x]
# \mid s\,] = E[\,\pi(x) \mid s\,]$. If the teacher is right, $p = \pi$, this
# is $\bar p(s)$ again. **A right teacher and the labels have the same best
# student**: in the end it says nothing that they do not. (At $T > 1$ the
# targets are softened, at the price that
# [chapter 6](06_from_cnn_to_vit.ipynb#better-and-too-sure-of-itself) names.)


# %%
def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


share = torch.tensor([0.75, 0.25], dtype=torch.float64)
p = torch.tensor([[0.70, 0.25, 0.05], [0.20, 0.70, 0.10]]).double()
reply = share @ p
by_hand = torch.tensor([46, 29, 5]).double() / 80
torch.testing.assert_close(reply, by_hand)
J = share @ kl(p, reply)
assert abs(J - 0.09934) < 6e-6

z = torch.randn(1000, 1, 3, dtype=torch.float64)  # 1000 students
q = z.softmax(-1)
torch.testing.assert_close(kl(p, q) @ share, J + kl(reply, q[:, 0]))
z = reply.log().requires_grad_()
(pull,) = torch.autograd.grad(share @ kl(p, z.softmax(-1)), z)
torch.testing.assert_close(pull, torch.zeros(3).double())

# %% [markdown]
# ## The noise in the target
#
# In the end; but students have few images. Let one have $n$ that look like
# $s$. Its best guess is the mean of their $n$ targets, with a squared error
# of the targets' variance over $n$. For a hard label, which is 0 or 1, the
# variance is $\bar p_i (1 - \bar p_i)$. The law of total variance splits it:
#
# $$
# \underbrace{\bar p_i (1 - \bar p_i)}_{\text{hard}}
#   = \underbrace{E[\,p_i (1 - p_i) \mid s\,]}_{\text{which class, given } x}
#   + \underbrace{\operatorname{Var}(p_i \mid s)}_{\text{soft: which } x} .
# $$
#
# A soft label has the second part alone. For the truck, $\tfrac{46}{80} \cdot
# \tfrac{34}{80} = 0.24438$ is $\tfrac34 \cdot 0.7 \cdot 0.3 + \tfrac14 \cdot
# 0.2 \cdot 0.8 = 0.19750$ plus $\tfrac34 \cdot (\tfrac18)^2 + \tfrac14 \cdot
# (\tfrac38)^2 = 0.04688$. Added up over the classes, 0.53406 against 0.08531:
# one soft label is worth six hard ones. That is the statistical view of Menon
# et al. ([2021](../docs/references.md#menon2021)): a right teacher has the
# labels' mean and less variance. A real one adds a bias of its own.
#
# Now change the resolution. Averaged over all images, the first part is
# $E[\,p_i(1 - p_i)\,]$: **there is no $s$ in it. What a right teacher takes
# away is the same, however little the student sees. What it leaves grows**,
# for a coarser $s$ mixes more images. Two predictions:
#
# 1. Where the student sees less, the teacher takes away a smaller *share* of
#    the noise. Nothing here makes it help more.
# 2. A teacher with the *student's view*, which says $\bar p(s)$, leaves none.
#    To see the whole image is an advantage only as far as it makes the
#    teacher right.
#
# The cells check the toy by simulation, and the rest in a world that can be
# counted out: all $2^{16}$ black and white images of 4 x 4 pixels, equally
# likely, and a random network that *is* the truth $\pi$. A student sees 16, 4
# or 1 pixels. Also printed: the accuracy of the best student, which no loss
# can lift.

# %%
hard = reply * (1 - reply)
left = share @ (p - reply).square()
torch.testing.assert_close(hard, share @ (p * (1 - p)) + left)
by_hand = torch.tensor([0.24438, 0.04688, 0.53406, 0.08531]).double()
ours = torch.stack([hard[0], left[0], hard.sum(), left.sum()])
torch.testing.assert_close(ours, by_hand, rtol=0, atol=6e-6)

torch.manual_seed(0)
n, students = 20, 50_000
which = torch.multinomial(share, n * students, replacement=True)
given = p[which]
drawn = F.one_hot(torch.multinomial(given, 1).flatten(), 3).double()
for name, targets, noise in (
    ("hard", drawn, hard.sum()),
    ("soft", given, left.sum()),
):
    guess = targets.view(students, n, 3).mean(1)
    error = (guess - reply).square().sum(1).mean()
    print(f"{name}: error {error:.5f}, predicted {noise / n:.5f}")
    torch.testing.assert_close(error, noise / n, rtol=0.02, atol=0)


# %%
def seen_as(views, values):
    _, group = views.unique(dim=0, return_inverse=True)
    sums = torch.zeros(group.max() + 1, 3).double()
    sums.index_add_(0, group, values)
    return (sums / group.bincount()[:, None])[group]  # (images, classes)


bits = torch.arange(2**16)[:, None] >> torch.arange(16) & 1
world = bits.double().view(-1, 1, 4, 4)
torch.manual_seed(0)
layers = nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 3)
with torch.no_grad():
    gaps = 6 * nn.Sequential(nn.Flatten(), *layers).double()(world)
truth, views = gaps.softmax(1), {}
for factor in (1, 2, 4):
    views[factor] = F.avg_pool2d(world, factor).flatten(1)

# %%
table, taken = [], (truth * (1 - truth)).sum(1).mean()
for view in views.values():
    best = seen_as(view, truth)
    hard = (best * (1 - best)).sum(1).mean()
    soft = (truth - best).square().sum(1).mean()
    table.append((soft, best.max(1).values.mean()))
    print(f"{view.shape[1]:2} pixels: noise {hard:.3f} hard, ", end="")
    print(f"{soft:.3f} soft; best student {table[-1][1]:.1%}")
    torch.testing.assert_close(hard - soft, taken)
soft, best = torch.tensor(table).T
assert (soft.diff() > 0.01).all() and (best.diff() < -0.01).all()

# %% [markdown]
# ## Digits from four pixels
#
# Now with networks. The students are perceptrons that look at 8 x 8, 4 x 4
# or 2 x 2 pixels of 100 digits. The teachers are CNNs that learned from 600
# *other* digits. At each size:
#
# - **labels**: cross-entropy alone,
# - **whole**: the teacher learned whole images and is asked about them,
# - **wrong order**: the same teacher, asked about the *shrunken* image. The
#   thesis' code shrinks it before the teacher looks. A CNN that ends with a
#   pooling takes any size, so nothing warns.
# - **same view**: a teacher that *learned* from shrunken images.
#
# $T = 4$ and $w = 0.9$, neither tuned; 100 steps; four learning rates tried
# on the validation images with five seeds; ten other seeds for the test.
# Within a seed all arms share images, batches and, at one size, first
# weights.
#
# **The step.** Teacher and student read one tensor, `x`, and the student's
# first layer shrinks it. These images are not cropped, so the teacher is
# asked once about all of them; its answers are `v`. To have ten seeds at the
# price of one, `vmap` runs ten students side by side, each with weights and
# images of its own; no weight of one has a gradient from another.

# %% fig_alt="One handwritten digit at 8 x 8, 4 x 4 and 2 x 2 pixels: a clear figure, a blurred one, and four grey squares." tags=["photo"]
order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
theirs, ours = everything.take(order[:600]), everything.take(order[600:])
held_out, test = load("digits", "validation"), load("digits", "test")
pixels, labels, T = normalise(ours.images), ours.labels, 4.0

figure, row = plt.subplots(1, 3, figsize=(3.6, 1.4))
shown = everything.images[(everything.labels == 3).nonzero()[0]].float()
for axes, f in zip(row, (1, 2, 4), strict=True):
    axes.imshow(F.avg_pool2d(shown, f)[0, 0], cmap="gray", vmin=0, vmax=255)
    axes.set_title(f"{8 // f} x {8 // f}")
    axes.set_axis_off()
plt.show()


# %%
def lesson(z, y, v, w):
    z, y, v = z.flatten(0, -2), y.flatten(), v.flatten(0, -2)
    log_q, p = (z / T).log_softmax(1), (v / T).softmax(1)
    soft = F.kl_div(log_q, p, reduction="batchmean")
    return (1 - w) * F.cross_entropy(z, y) + w * T**2 * soft


def train(look, weights, x, y, v, w, batches, rate):
    optimizer = torch.optim.AdamW(weights, rate, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, len(batches), cycle_momentum=False
    )
    for batch in batches:
        z = look(x[batch])  # shrinks, then looks
        loss = lesson(z, y[batch], v[batch], w)  # v has seen x whole
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


# %%
def teacher_of(factor):
    torch.manual_seed(0)
    teacher = nn.Sequential(
        nn.AvgPool2d(factor),  # 1 for the whole image
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveMaxPool2d(2), nn.Flatten(), nn.Linear(128, 10)),
    )
    images, unused = normalise(theirs.images), torch.zeros(600, 10)
    lessons = images, theirs.labels, unused, 0.0
    batches = torch.randint(600, (200, 32))
    train(teacher, teacher.parameters(), *lessons, batches, 1e-2)
    return teacher.eval().requires_grad_(False)


def perceptron(factor, seed):
    torch.manual_seed(seed)
    count = (8 // factor) ** 2
    layers = nn.Linear(count, 64), nn.ReLU(), nn.Linear(64, 10)
    return nn.Sequential(nn.AvgPool2d(factor), nn.Flatten(), *layers)


# %%
def batches_of(seed, steps=100):
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(600, generator=generator)[:100]
    return few[torch.randint(100, (steps, 32), generator=generator)]


def students_of(factor, v, w, rate, seeds):
    students = [perceptron(factor, seed) for seed in seeds]
    weights, _ = stack_module_state(students)
    one = partial(functional_call, students[0])
    batches = torch.stack([batches_of(s) for s in seeds], 1)
    lessons = list(weights.values()), pixels, labels, v, w, batches, rate
    train(partial(vmap(one), weights), *lessons)
    return partial(vmap(one, in_dims=(0, None)), weights)


@torch.no_grad()
def percent_right(look, data):
    hits = look(normalise(data.images)).argmax(-1) == data.labels
    return 100 * hits.double().mean(-1)  # (seeds,), of a teacher ()


# %%
teachers, told, scores = {f: teacher_of(f) for f in (1, 2, 4)}, {}, {}
whole, rates = teachers[1](pixels), (1e-2, 3e-2, 1e-1, 3e-1)
for f, own in teachers.items():
    told["labels", f], told["whole", f] = (whole, 0.0), (whole, 0.9)
    if f > 1:
        told["wrong order", f] = teachers[1](F.avg_pool2d(pixels, f)), 0.9
        told["same view", f] = own(pixels), 0.9
for (arm, f), (v, w) in told.items():
    tried = {}
    for rate in rates:
        trial = students_of(f, v, w, rate, range(100, 105))
        tried[rate] = percent_right(trial, held_out).mean()
    best = max(rates, key=tried.get)
    right = percent_right(students_of(f, v, w, best, range(10)), test)
    print(f"{8 // f} x {8 // f}  {arm:12}", end="")
    print(f"{right.mean():.1f} ± {right.std():.1f} % (deviation)")
    scores[arm, f] = right.tolist()


# %%
def told_apart(what, ours, theirs):
    ahead = paired_difference(ours, theirs)
    print(f"{what}: {ahead}")
    return ahead.found * (1 if ahead.mean > 0 else -1)


for f, own in teachers.items():
    blind = percent_right(lambda x, f=f: teachers[1](F.avg_pool2d(x, f)), test)
    able = percent_right(own, test)
    print(f"teachers at {8 // f}: whole {blind:.1f} %, same view {able:.1f} %")
    assert f == 1 or blind < min(able - 20, *scores["labels", f])
for first, second, signs in (
    ("whole", "labels", {1: 1, 2: 1, 4: 0}),
    ("same view", "labels", {2: 1, 4: 1}),
    ("same view", "whole", {2: 0, 4: 1}),
):
    for f, sign in signs.items():
        what = f"{8 // f} x {8 // f}, {first} over {second}"
        assert told_apart(what, scores[first, f], scores[second, f]) == sign

# %% [markdown]
# ### How to read it
#
# **The wrong order** leaves no teacher worth the name, at both sizes. It never
# learned from shrunken images, and asked about them it is right less often
# than its own students. It has to see what it was *trained* on.
#
# **Prediction 1.** At 8 x 8 and 4 x 4 the whole-image teacher helps. At
# 2 x 2, where help is needed most, **no difference found**.
#
# **Prediction 2.** At 4 x 4 the teacher of the same view helps too, and
# between the two no difference was found. At 2 x 2 it is *ahead* of the one
# that sees everything, though it is right far less often.
#
# **What it does not show.** The arithmetic is of a right teacher, at $T = 1$,
# and of a student that judges each view by itself. These teachers err, their
# targets are softened, and a network carries over from view to view: the
# outcome agrees with the predictions and does not prove them. Part of every
# gain is 600 more labels. Of three earlier tries, with other teachers, steps
# and grids, two had this arm: at 2 x 2 the order was the same, at 4 x 4 the
# same view was once ahead. The gain at 8 x 8 was once not found. And a
# whole-image teacher may exist already; one of the student's view has to be
# trained.

# %% [markdown]
# ## Clothes at a half and a quarter
#
# The recorded runs: Fashion-MNIST, 3,000 images, the narrow ResNet-18 at 28,
# 14 and 7 pixels, on labels alone and with soft labels ($T = 4$, $w = 0.9$),
# each tuned on one grid, five seeds. The teacher, a ResNet-50, learned from
# the same 3,000 *whole* images: no label is added. The picture has mean and
# standard deviation; the line is the teacher. Soft labels are drawn where that
# teacher is better than its students.


# %%
def five(name):
    name = f"{name}-fashion_mnist"
    return [records.read(name, "laptop", seed) for seed in range(5)]


def percent(runs, score="accuracy"):
    return [100 * run["test"][score] for run in runs]


alone, soft = {}, {}
for side, kind in ((28, ""), (14, "_half"), (7, "_quarter")):
    alone[side] = five(f"scratch-resnet18{kind}")
    soft[side] = five(f"soft-resnet18{kind}_from_resnet50")
    assert {run["config"]["teacher_weight"] for run in soft[side]} == {0.9}
teacher = records.read("teacher-resnet50-fashion_mnist", "laptop", 0)
assert teacher["config"]["training_images"] == 3000
right = torch.tensor([percent(alone[side]) for side in alone]).mean(1)
taught = 100 * teacher["test"]["accuracy"]
print(f"teacher {taught:.1f} %, students on labels {right.numpy().round(1)}")
assert right[0] > taught > right[1] > right[2]

# %%
known, judged = records.read_all(), {}
print(f"{records.data_of(teacher)}, {records.budget_of(soft[28][0])}")
for side in work:
    pair = (arm[side][0]["recipe"] for arm in (soft, alone))
    judged[side] = verdicts.judge(known, *pair, "laptop")
    print(f"{side} pixels, soft over labels: {judged[side]}")
tested = [side for side in work if not judged[side].reason]
assert tested == [7] and judged[7].words == "here: no difference found"
for score in ("nll", "ece"):
    pair = percent(soft[7], score), percent(alone[7], score)
    assert told_apart(f"7 pixels, 100 x {score}", *pair) == 1
pair = percent(alone[14]), percent(alone[28])
assert told_apart("labels, 14 over 28 pixels", *pair) == -1

# %% fig_alt="Test accuracy on Fashion-MNIST against the multiply-adds of a prediction, on a logarithmic axis: for labels alone at 7, 14 and 28 pixels it rises with the pixels; soft labels, at 7 pixels, lie beside them. A dashed line is the teacher."
axes = plt.subplots(figsize=(3.6, 2.8))[1]
axes.axhline(taught, color=figures.OTHER, linestyle="--", label="teacher")
for name, arm, colour, aside, sides in (
    ("labels", alone, figures.STUDENT, 0.95, list(work)),
    ("soft labels", soft, figures.CORRECT, 1.05, tested),
):
    table = torch.tensor([percent(arm[side]) for side in sides])
    places = [aside * work[side] for side in sides]
    look = {"fmt": "o-", "color": colour, "capsize": 4, "label": name}
    axes.errorbar(places, table.mean(1), table.std(1), **look)
axes.set(xscale="log", xlabel="multiply-adds of a prediction")
ticks = [f"{work[s] / 1e6:.1f} M\n{s} x {s}" for s in work]
axes.set_xticks(list(work.values()), ticks)
axes.minorticks_off()
axes.set_ylabel("test accuracy (%)")
axes.legend(loc="lower right")
plt.show()


# %%
cohort = five("mutual-resnet18_half")
second = [100 * run["heads"]["student 1"]["accuracy"] for run in cohort]
for name, peer, sign in (
    ("first", percent(cohort), 0),
    ("second", second, -1),
):
    what = f"14 pixels, {name} peer over labels"
    assert told_apart(what, peer, percent(alone[14])) == sign

# %% [markdown]
# ### What was tested
#
# **Only at 7 pixels is there a test.** There the teacher is above every
# student on labels, and for what its soft labels do to accuracy, **no
# difference found** here. NLL and ECE are worse, as in
# [chapter 6](06_from_cnn_to_vit.ipynb#better-and-too-sure-of-itself).
#
# At 28 pixels this teacher is behind the students that see all, at 14 hardly
# ahead: **not tested** ([the rule](../labkd/verdicts.py)). What its mistakes
# do to a student that knows more says nothing of fewer pixels.
#
# **Peers at a half.** In
# [deep mutual learning](10_learning_from_each_other.ipynb) the teacher is a
# peer, with the same view and by design no stronger. For the first of two, no
# difference found from labels; the second ends a little behind them.
#
# **What it does not show.** This is one run of one teacher, trained for ten
# epochs, with $T$ and $w$ not tuned. A better one may help. Certain is the
# price: at 14 pixels a student of labels alone does about a quarter of the
# work, and is right less often.
#
# **Held to the library.** Ours is
# [`shrink`](../labkd/cross_quality.py#shrink) inside
# [`FewerPixels`](../labkd/cross_quality.py#FewerPixels). The cell is also the
# test that the wrong order fails: hooks note what each network was shown.

# %%
x, y = pixels[:64], labels[:64]
for f in (2, 4):
    student, seen = perceptron(f, seed=0), []
    library = cross_quality.FewerPixels(student[1:], f)
    torch.testing.assert_close(student[0](x), cross_quality.shrink(x, f))
    torch.testing.assert_close(student(x), library(x))

    for network in (teachers[1], library.student):
        network.register_forward_pre_hook(
            lambda module, shown, seen=seen: seen.append(shown[0])
        )
    v, z = teachers[1](x), library(x)
    settings = {"temperature": T, "soft_weight": 0.9}
    loss = soft_targets.distillation_loss(z, v, y, **settings)
    torch.testing.assert_close(lesson(z, y, v, 0.9), loss)
    assert seen[0] is x
    torch.testing.assert_close(seen[1], cross_quality.shrink(x, f))

# %% [markdown]
# ## Exercises
#
# **1. Narrow or near-sighted.** Halve the *width* of a convolution instead
# of the side of its image. What does each way save?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Both leave a quarter of the multiply-adds. Half the channels in and half out
# leave a quarter of the parameters and half of the activations; half the side
# leaves all parameters and a quarter of the activations.
#
# </details>
#
# **2. Shift, then shrink.** Shift an image by one pixel. Is the small image
# shifted too? Should one crop before shrinking or after?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Only a shift by a multiple of $f$ survives; others cut the blocks elsewhere.
# So crop first, for more different small images, and ask the teacher about
# the crop that was shrunken. `labkd` does.
#
# </details>
#
# **3. The other way.** Let the *teacher* see $s$ and the student the whole
# $x$. What does the best student say, and what is its squared error?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The target $\bar p(s)$ is a function of $x$, so it is the best reply: the
# student learns not to use what it sees. There is no noise; the error left,
# $E \lVert \pi(x) - \bar p(s) \rVert^2$, is the soft column of the small
# world. Only the labels' share of the loss can mend it.
#
# </details>
#
# **4. A biased teacher.** In the toy, the teacher is off by a fixed vector
# $b$ with $\lVert b \rVert^2 = 0.01$. From how many images on are hard labels
# better?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Soft labels have the error $0.08531 / n + 0.01$, hard ones $0.53406 / n$.
# Equal at $n = 0.44875 / 0.01 = 44.875$: from 45 on. Variance goes away with
# more images, a bias stays.
#
# </details>

# %% [markdown]
# ## References
#
# - Su and Maji, *Adapting Models to Signal Degradation using Distillation*
#   ([2017](../docs/references.md#su2017)).
# - Menon, Rawat, Reddi, Kim and Kumar, *A Statistical Perspective on
#   Distillation* ([2021](../docs/references.md#menon2021)): a right teacher
#   lowers the variance of the student's objective.
# - The code: [cross_quality.py](../labkd/cross_quality.py),
#   recipes.toml.
