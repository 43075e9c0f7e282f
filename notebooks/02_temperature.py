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
#     title: Temperature
#     description: What dividing the logits by T does to probabilities, to
#       entropy and to the gradient, from nearly zero to infinity; which T to
#       choose; and why calibration's temperature is another thing.
# ---

# %% [markdown]
# # Temperature
#
# [Chapter 1](01_hard_and_soft_labels.ipynb) ended with a trick. What a
# teacher knows about trucks and cars sits in its small probabilities, and a
# student took little notice of them, until we divided all logits by 4.
# What does that division do? And why 4?
#
# The number we divide by is the **temperature** $T$. This chapter follows it
# from nearly zero to infinity: first what it does to the probabilities and
# to their entropy, then to the loss. At the hot end the loss turns into
# something simple, which tells us what to expect of an experiment, and we
# run it. Last comes the same formula in another trade, calibration, and the
# small print.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
import statistics

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torch.autograd import grad

from labkd import calibration, figures, records
from labkd.archives import CIFAR10_CLASSES as classes
from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import distillation_loss, kl_divergence, soften

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Three logits, by hand
#
# The softmax with a temperature is equation 1 of Hinton, Vinyals and Dean
# ([2015](../docs/references.md#hinton2015)):
#
# $$
# p_i = \frac{e^{v_i / T}}{\sum_j e^{v_j / T}} .
# $$
#
# Shown a truck, a teacher has the logits 4, 2 and 0 for *truck*, *car* and
# *frog*. At temperature 2, the sum is
# $e^{4/2} + e^{2/2} + e^{0/2} = 7.389 + 2.718 + 1 = 11.107$, and each
# probability a part of it:
#
# | T | truck | car | frog | truck : car |
# |---|---|---|---|---|
# | 1 | 0.8668 | 0.1173 | 0.0159 | 7.3891 |
# | 2 | 0.6652 | 0.2447 | 0.0900 | 2.7183 |
# | 4 | 0.5065 | 0.3072 | 0.1863 | 1.6487 |
#
# The last column is the key to the others. In a ratio the sum cancels:
#
# $$
# \frac{p_i}{p_j} = e^{(v_i - v_j) / T} .
# $$
#
# Only differences between logits count, and the temperature divides them.
# The order of the classes never changes. Doubling the temperature takes the
# square root of all odds.


# %%
def softmax(v, T):
    powers = ((v - v.max(-1, keepdim=True).values) / T).exp()
    return powers / powers.sum(-1, keepdim=True)


v = torch.tensor([4.0, 2.0, 0.0])
found = torch.stack([softmax(v, T) for T in (1, 2, 4)])
odds = found[:, :1] / found[:, 1:2]
by_hand = torch.tensor(
    [
        [0.8668, 0.1173, 0.0159, 7.3891],
        [0.6652, 0.2447, 0.0900, 2.7183],
        [0.5065, 0.3072, 0.1863, 1.6487],
    ]
)
table = torch.cat([found, odds], dim=1)
torch.testing.assert_close(table, by_hand, rtol=0, atol=6e-5)
torch.testing.assert_close(odds[1:], odds[:-1].sqrt())

# %% [markdown]
# ### Both ends
#
# Subtract the largest logit first, as `softmax` does; no ratio changes.
# Every exponent is now zero or negative.
#
# - $T \to 0$: the negative ones fall without end, their powers go to 0. The
#   largest class keeps everything: the **argmax**. Classes that tie share.
# - $T \to \infty$: all exponents go to 0, all powers to 1. Every class gets
#   the same: **uniform**.
#
# Neither end is of use as it stands. The cold one is a hard label, the hot
# one says nothing. Yet close to the hot end the *differences* live on, and
# we shall see that they can be recovered.

# %%
one_hot, uniform = torch.eye(3)[0], torch.full((3,), 1 / 3)
torch.testing.assert_close(softmax(v, 1e-3), one_hot)
torch.testing.assert_close(softmax(v, 1e6), uniform)
tied = softmax(torch.tensor([4.0, 4.0, 0.0]), 1e-3)
torch.testing.assert_close(tied, torch.tensor([0.5, 0.5, 0.0]))
torch.testing.assert_close(softmax(v + 7, 2), softmax(v, 2))

# %% [markdown]
# ## Heating only adds entropy
#
# In between, does the entropy $H$ rise all the way? Let $Z$ be the sum under
# the fraction, so that $\log p_i = v_i / T - \log Z$, and
# $\langle v \rangle = \sum_i p_i v_i$ the mean logit. Then
#
# $$
# H = -\sum_i p_i \log p_i = \log Z - \frac{\langle v \rangle}{T} .
# $$
#
# Two derivatives are needed, $\frac{d}{dT} \log Z = -\langle v \rangle / T^2$
# and $\frac{d}{dT} p_i = -p_i (v_i - \langle v \rangle) / T^2$. Multiply the
# second by $v_i$, add up, and a variance appears:
# $\frac{d}{dT} \langle v \rangle = -\operatorname{Var}_p(v) / T^2$. Then
#
# $$
# \frac{dH}{dT} = -\frac{\langle v \rangle}{T^2}
#   + \frac{\langle v \rangle}{T^2} - \frac1T \frac{d \langle v \rangle}{dT}
#   = \frac{\operatorname{Var}_p(v)}{T^3} \ge 0 ,
# $$
#
# and zero only if all logits are equal. Without ties, entropy climbs from 0
# to $\log C$ and never turns back.

# %%
torch.manual_seed(0)
v = 4 * torch.randn(1000, 10, dtype=torch.float64)  # (images, classes)
for T in (0.5, 1.0, 4.0, 20.0):
    T = torch.tensor(T, dtype=torch.float64, requires_grad=True)
    p = softmax(v, T)
    (slope,) = grad(torch.special.entr(p).sum(), T)  # of all images together
    mean = (p * v).sum(1, keepdim=True)
    variance = (p * (v - mean) ** 2).sum(1)
    torch.testing.assert_close(slope, (variance / T**3).sum())

# %% [markdown]
# ## One truck at every temperature
#
# Back to the ResNet-18 that was recorded on CIFAR-10, and to chapter 1's
# truck, chosen by the same rule: *of the test trucks that the teacher gets
# right, with "automobile" second, the one whose probability for "truck" is
# the median.*
#
# The figure shows it at three temperatures. On the web page a slider below
# it has all those in between; the arrow keys move it too. (In Jupyter, edit
# the temperatures and run the cell again.)
#
# Heat slowly from 1. The other vehicles come up first, the animals much
# later. Then even they catch up. Between a bar that hides everything and ten
# bars that say nothing lies the range worth using.

# %%
run = ("teacher-resnet18-cifar10", "laptop", 0)
path = records.path_of(*run).with_suffix(".logits.safetensors")
kept = {split: v.double() for split, v in load_file(path).items()}
v, labels = kept["test"], torch.arange(10).repeat_interleave(1000)

p = soften(v, 1.0)  # (images, classes)
car, truck = classes.index("automobile"), classes.index("truck")
first, second = p.topk(2).indices.unbind(1)
rule = (labels == truck) & (first == truck) & (second == car)
eligible = rule.nonzero().flatten()
order = p[eligible, truck].argsort()
chosen = eligible[order[len(order) // 2]].item()
source = records.data_of(records.read(*run))
print(f"test image {chosen} of {source}")

at_2 = soften(v[chosen], 2.0)
vehicle = torch.tensor([1, 1, 0, 0, 0, 0, 0, 0, 1, 1]).bool()
assert at_2[vehicle].min() > 5 * at_2[~vehicle].max()

# %% fig_alt="Bars of the teacher's ten probabilities for one truck at temperatures 1, 4 and 20: a single bar for truck, then truck with the other vehicles behind it, then ten bars of nearly one length." tags=["wide"]
figure, row = plt.subplots(1, 3, figsize=(7, 2.8))
for axes, T in zip(row, (1.0, 4.0, 20.0), strict=True):
    p = soften(v[chosen], T)
    figures.draw_probabilities(axes, p, classes, truck)
    axes.set_title(f"T = {T:g}: {torch.special.entr(p).sum():.3f} nats")
for axes in row[1:]:
    axes.set_yticklabels([])
figure.suptitle(source)
plt.show()
figures.temperature_slider(v[chosen], classes, truck)

# %% [markdown]
# ## Why small probabilities vanish
#
# Why can a loss not use what it is given at temperature 1? Let a student
# start from "no idea", all classes alike. Let $s$ be the
# teacher's *spare* probability, all that is not on its first class, and
# $\hat p_i = p_i / s$ its opinion of the others, which adds up to one. Put
# $p_i = s \hat p_i$ into the divergence, and it falls into two:
#
# $$
# \operatorname{KL}(p \,\|\, \tfrac1C) =
#   \operatorname{KL}\bigl((1 - s, s) \,\|\, (\tfrac1C, \tfrac{C-1}C)\bigr)
#   + s \operatorname{KL}(\hat p \,\|\, \tfrac{1}{C - 1}) .
# $$
#
# First, how sure the teacher is; then, its ranking of the others, and *all*
# of that is multiplied by $s$. (Zhao et al.,
# [2022](../docs/references.md#zhao2022), split the loss in this way around
# the *true* class.) A student that has learned the first term and nothing
# else gives $s / (C - 1)$ to each of the others. The gradient that is left
# for them is $s \, (\frac{1}{C - 1} - \hat p_i) / T$: again a factor $s$.
#
# A good teacher is sure, so at temperature 1 its $s$ is small. The right
# panel shows the share of the second term; the line is the median test
# image, the band holds the middle four fifths. The median share is below a
# twentieth at temperature 1 and above a fifth at 4: the same logits, and the
# loss attends to another part of them.


# %%
def split(p):
    top = p.argmax(1, keepdim=True)
    s = 1 - p.gather(1, top)  # (images, 1)
    others = (p / s).scatter(1, top, 0.0)  # 0 for the first class
    sure = torch.xlogy(1 - s, 10 * (1 - s)) + torch.xlogy(s, s * 10 / 9)
    rest = s * torch.xlogy(others, 9 * others).sum(1, keepdim=True)
    return s, others, sure, rest


T = 2.0
p = soften(v, T)
s, others, sure, rest = split(p)
whole = kl_divergence(torch.zeros_like(v), v, T)  # q = 1 / C
torch.testing.assert_close((sure + rest).mean(), whole)

q = torch.where(others > 0, s / 9, 1 - s)  # knows s, and no more
z = (T * q.log()).requires_grad_()
(pull,) = grad(len(v) * kl_divergence(z, v, T), z)
torch.testing.assert_close(pull, s * (others > 0) * (1 / 9 - others) / T)

# %% fig_alt="Against temperature on a log axis: left, the entropy of the teacher's labels rises from nearly zero to log 10; right, the share of the KL that belongs to the other classes rises from almost nothing to nearly a half. Medians with bands from the 10th to the 90th percentile."
temperatures = [0.5, 0.7, 1, 1.4, 2, 2.8, 4, 5.7, 8, 11, 16, 20]
levels, bands = torch.tensor([0.1, 0.5, 0.9]).double(), []
for T in temperatures:
    p = soften(v, T)
    _, _, sure, rest = split(p)
    entropy, share = torch.special.entr(p).sum(1), rest / (sure + rest)
    bands.append(torch.stack([entropy, share[:, 0]]).quantile(levels, dim=1))
figure, row = plt.subplots(1, 2, figsize=(6, 2.6))
titles = "entropy (nats)", "share of the others"
for axes, title, i in zip(row, titles, (0, 1), strict=True):
    low, median, high = torch.stack(bands, 2)[:, i]  # (temperatures,)
    axes.fill_between(temperatures, low, high, color=figures.OTHER, alpha=0.4)
    axes.semilogx(temperatures, median, color=figures.CORRECT)
    axes.set_xticks([0.5, 1, 2, 4, 8, 20], [0.5, 1, 2, 4, 8, 20])
    axes.set(xlabel="T", title=title)
figure.suptitle(source)
plt.show()
at_1, at_4 = median[temperatures.index(1)], median[temperatures.index(4)]
print(f"median share at T = 1: {at_1:.3f}, at T = 4: {at_4:.3f}")
assert at_1 < 1 / 20 and at_4 > 1 / 5

# %% [markdown]
# ## Very hot: matching logits
#
# With the student's logits divided by $T$ too, chapter 1's gradient, student
# minus target, gets a factor $1 / T$ (Hinton et al., equation 2). If $T$ is
# large against the logits, $e^x \approx 1 + x$ (equation 3):
#
# $$
# \frac{\partial \operatorname{KL}}{\partial z_i} = \frac{q_i - p_i}{T}
# \approx \frac1T \left( \frac{1 + z_i / T}{C + \sum_j z_j / T}
#   - \frac{1 + v_i / T}{C + \sum_j v_j / T} \right) .
# $$
#
# Let the logits of each image have zero mean; the softmax does not notice,
# and both sums vanish. What is left is $(z_i - v_i) / (C T^2)$ (equation 4).
# So **multiply the loss by $T^2$**, or it fades as the temperature grows.
# Then its gradient tends to
#
# $$
# \frac{z_i - v_i}{C}
#   = \frac{\partial}{\partial z_i} \frac{1}{2C} \sum_j (z_j - v_j)^2 .
# $$
#
# The hot limit is not "uniform, nothing to learn". It is a squared distance
# between logits, in which all classes count alike. What the approximation
# leaves out is smaller by a factor of order $1 / T$; so, then, should be the
# error. The cell checks it on the recorded teacher, with logits of a student
# that knows nothing: the error falls beside the grey line, $1 / T$, and at
# temperature 4 it is still above a quarter. *Hot* means hot against the
# spread of the logits.

# %% fig_alt="The relative error of the logit-matching gradient against temperature, both axes logarithmic: flat near one at T below 4, then falling parallel to a line of 1 / T."
v_0 = v[::10] - v[::10].mean(1, keepdim=True)
z = torch.randn_like(v_0)
z = (z - z.mean(1, keepdim=True)).requires_grad_()
limit = ((z - v_0) / 10).detach()
errors = {}
for T in (1, 2, 4, 8, 20, 50, 100, 200):
    loss = len(z) * T**2 * kl_divergence(z, v_0, T)
    (gradient,) = grad(loss, z)
    error = (gradient - limit).norm(dim=1) / limit.norm(dim=1)
    errors[T] = error.median().item()
figure, axes = plt.subplots(figsize=(4, 2.6))
axes.loglog(errors.keys(), errors.values(), "o-", color=figures.CORRECT)
axes.loglog([2, 200], [1, 0.01], color=figures.OTHER)
axes.set(xlabel="T", ylabel="relative error", title=source)
plt.show()
assert errors[4] > 0.25 and 0.48 < errors[200] / errors[100] < 0.52
shifted = kl_divergence(z + 7, v_0 - 3, 4.0)  # means do not matter
torch.testing.assert_close(shifted, kl_divergence(z, v_0, 4.0))

# %% [markdown]
# ## Which temperature?
#
# Theory gives two predictions. A cold label hides the other classes, so
# somewhat warmer should teach more. And since there is a limit, **large
# temperatures should become alike**: past some point the knob does nothing.
#
# We test both with chapter 1's digits: a CNN taught by 1,200 images, a
# student that gets 50 of them without labels, and the divergence times $T^2$.
# The arms are five temperatures and the limit itself, the squared distance.
# Within a seed all start from the same weights and see the same batches;
# each has its learning rate from one grid, judged on the validation images;
# the test images are used once.


# %%
def train(model, images, targets, loss_of, *, steps, learning_rate, seed):
    optimizer = torch.optim.AdamW(
        model.parameters(), learning_rate, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,), generator=generator)
        loss = loss_of(model(images[batch]), targets[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def percent_right(model, split):
    predicted = model(split.images.float() / 127.5 - 1).argmax(1)
    return 100 * (predicted == split.labels).double().mean().item()


# %%
digits, held_out, test = (
    load("digits", split) for split in ("train", "validation", "test")
)
images = digits.images.float() / 127.5 - 1  # (1200, 1, 8, 8)
torch.manual_seed(0)
teacher = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
    *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
)
budget = {"steps": 400, "learning_rate": 3e-3, "seed": 0}
train(teacher, images, digits.labels, F.cross_entropy, **budget)
with torch.no_grad():
    teacher_logits = teacher(images)  # (images, classes)
print(f"teacher: {percent_right(teacher, test):.1f} % of the test images")
for name, logits in (("digits", teacher_logits), ("CIFAR-10", v)):
    print(f"spread of its logits on {name}: {logits.std(1).mean():.1f}")


# %%
def matching(z, v):
    z, v = (x - x.mean(1, keepdim=True) for x in (z, v))
    return (z - v).square().sum(1).mean() / (2 * z.shape[1])


def softly(T):
    return lambda z, v: T**2 * kl_divergence(z, v, T)


def student_run(loss_of, learning_rate, seed):
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(len(images), generator=generator)[:50]
    torch.manual_seed(seed)
    layers = nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    student, data = nn.Sequential(*layers), (images[few], teacher_logits[few])
    budget = {"steps": 150, "learning_rate": learning_rate, "seed": seed}
    train(student, *data, loss_of, **budget)
    return student


# %%
arms = {f"T = {T}": softly(T) for T in (1, 2, 4, 8, 20)}
arms["limit"] = matching
scores, answers = {}, {}
for arm, loss_of in arms.items():
    rates = {}
    for rate in (1e-2, 3e-2, 1e-1, 3e-1):
        runs = [student_run(loss_of, rate, 100 + seed) for seed in range(3)]
        rates[rate] = sum(percent_right(run, held_out) for run in runs)
    best = max(rates, key=rates.get)
    runs = [student_run(loss_of, best, seed) for seed in range(10)]
    scores[arm] = [percent_right(run, test) for run in runs]
    inputs = test.images.float() / 127.5 - 1
    answers[arm] = torch.stack([run(inputs).argmax(1) for run in runs])
    mean, spread = statistics.mean(scores[arm]), statistics.stdev(scores[arm])
    print(f"{arm:6} {mean:.1f} ± {spread:.1f} % (deviation), rate {best:g}")

# %% [markdown]
# ### How to read it
#
# Both predictions hold. Temperature 8 teaches more than 1, by a margin that
# its interval keeps from zero. Whatever still separates 20 from 8, or the
# limit from 20, is smaller than that: the intervals say so. And the students
# themselves converge: from 1 to 4 to 20, more and more of their answers are
# those of the limit.
#
# **Which temperature, then?** Large enough that the other classes count, no
# larger than the point where arms become alike; between 2 and 8 is a usual
# start, and validation decides. Do not carry a number over from another
# teacher: the cell printed how different the spread of two teachers is.
#
# **What it does not mean.** That hotter never hurts. In the limit a very
# negative logit counts as much as any other, and training hardly constrains
# those. Hinton et al. (section 2.1) expect intermediate temperatures to be
# best when a student is too small to follow everything.

# %% fig_alt="Points of test accuracy gained over T = 1 with 95 % intervals: small at T = 2, then about the same large gain at T = 4, 8, 20 and in the limit."
gains, same = {}, {}
figure, axes = plt.subplots(figsize=(4.5, 2.6))
for arm in arms:
    same[arm] = (answers[arm] == answers["limit"]).double().mean().item()
    print(f"{arm:6}  {same[arm]:.1%} of its answers are the limit's")
for arm in list(arms)[1:]:
    gains[arm] = paired_difference(scores[arm], scores["T = 1"])
    print(f"{arm:6} over T = 1: {gains[arm]}")
    reach = gains[arm].mean, gains[arm].half_width
    axes.errorbar(arm, *reach, fmt="o", capsize=4, color=figures.CORRECT)
axes.axhline(0, color=figures.OTHER)
axes.set_ylabel("points over T = 1")
plt.show()
for ours, theirs in (("T = 20", "T = 8"), ("limit", "T = 20")):
    more = paired_difference(scores[ours], scores[theirs])
    print(f"{ours:6} over {theirs}: {more}")
    assert abs(more.mean) + more.half_width < gains["T = 8"].mean
assert gains["T = 8"].found and gains["T = 8"].mean > 0
assert same["T = 20"] > same["T = 4"] > same["T = 1"]

# %% [markdown]
# ## Calibration: the same formula, another trade
#
# A classifier is **calibrated** if, of the images to which it gives 80 %, it
# gets 80 % right. One temperature repairs much of what is wrong there (Guo
# et al., [2017](../docs/references.md#guo2017), section 4.2): choose the $T$
# that makes held-out labels likeliest. An image of class $y$ costs
# $\log Z - v_y / T$, with the derivative
#
# $$
# \frac{d}{dT} \Bigl( \log Z - \frac{v_y}{T} \Bigr)
#   = \frac{v_y - \langle v \rangle}{T^2} .
# $$
#
# At the best temperature these add up to zero: over the held-out images, the
# logit of the true class is on average the one that the softmax expects. We
# fit on the validation logits and look at the test logits. In the figure a
# calibrated classifier lies on the diagonal, a too modest one above it; the
# larger a dot, the more images are in its bin.
#
# The fitted $T$ is above 1: the teacher was too sure. NLL and ECE both
# improve on images that had no part in the fit. Accuracy cannot change,
# since the order of the classes does not.
#
# At 4 the same teacher is far *too modest*, and warm labels teach more all
# the same. No contradiction. Calibration asks what is **true** of the image,
# and its $T$ stays with the model in use. Distillation's $T$ is part of a
# loss. It divides both sides, decides which differences count, and is gone
# when training is over.

# %% fig_alt="Reliability diagram of the recorded teacher at three temperatures: at 1 and at the fitted temperature close to the diagonal, at 4 far above it."
validation = kept["validation"], torch.arange(10).repeat_interleave(500)
fitted = calibration.fit_temperature(*validation)
expected = (soften(validation[0], fitted) * validation[0]).sum(1)
of_label = validation[0].gather(1, validation[1][:, None])
torch.testing.assert_close(expected.mean(), of_label.mean(), rtol=1e-4, atol=0)

figure, axes = plt.subplots(figsize=(3.3, 3.3))
colours, nll, ece = ("black", figures.CORRECT, figures.STUDENT), [], []
for T, colour in zip((1.0, fitted, 4.0), colours, strict=True):
    p = soften(v, T)
    nll.append(calibration.negative_log_likelihood(v / T, labels))
    ece.append(calibration.expected_calibration_error(p, labels))
    print(f"T = {T:.3f}: test NLL {nll[-1]:.4f}, ECE {ece[-1]:.4f}")
    curve = calibration.reliability_curve(p, labels)
    figures.draw_reliability(axes, curve, f"T = {T:.2f}", colour=colour)
axes.legend(loc="lower right")
axes.set_title(source)
plt.show()
assert nll[1] < nll[0] < nll[2] and ece[1] < ece[0] < ece[2]
assert 1 < fitted < 2

# %% [markdown]
# ## Small print
#
# **Must $T$ be the same for teacher and student?** In the soft term, yes.
# The loss is zero where the divided logits agree, up to a constant. With
# equal temperatures the student ends with the teacher's own logits. With 4
# for the teacher and 1 for the student it ends with a quarter of them, and in
# use it is as modest as the orange curve above.
#
# **And the hard term?** At 1: the label has no temperature, and 1 is where
# the student is used.
# [`distillation_loss`](../labkd/soft_targets.py#distillation_loss) does so.
#
# **Why `log_softmax`, not `log(softmax)`?** Far from the largest logit the
# power underflows to 0 in float32, its logarithm is $-\infty$, and the
# gradient NaN: one such batch spoils the weights. `log_softmax` computes
# $v_i / T - \log Z$ and never takes the logarithm of a zero. The teacher may
# come as `softmax`, since $p_i$ is only a factor, and a factor may be 0.
# `F.kl_div` expects just that: log-probabilities first, probabilities
# second, unless `log_target=True`.
#
# The cell asserts all this and holds our `softmax` to the library.

# %%
z = (v / 4).requires_grad_()  # a quarter of the teacher's logits
apart = F.kl_div(z.log_softmax(1), soften(v, 4.0), reduction="batchmean")
assert grad(apart, z)[0].abs().max() < 1e-12  # nothing left to learn
torch.testing.assert_close(z.softmax(1), soften(v, 4.0))

x = (v[chosen].float() / 0.1).requires_grad_()
naive, stable = x.softmax(0).log(), x.log_softmax(0)
assert naive.min() == -torch.inf and grad(naive.sum(), x)[0].isnan().any()
assert stable.isfinite().all() and grad(stable.sum(), x)[0].isfinite().all()

z, T, w = torch.randn_like(v), 4.0, 0.9
p, q = softmax(v, T), softmax(z, T)
torch.testing.assert_close(p, soften(v, T))
kl = (p * (p / q).log()).sum(1).mean()
torch.testing.assert_close(kl, kl_divergence(z, v, T))
by_hand = (1 - w) * F.cross_entropy(z, labels) + w * T**2 * kl
ours = distillation_loss(z, v, labels, temperature=T, soft_weight=w)
torch.testing.assert_close(by_hand, ours)

# %% [markdown]
# ## Exercises
#
# **1. Twice as likely.** At which temperature does the toy teacher call the
# truck exactly twice as likely as the car? And the frog?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $e^{2 / T} = 2$ at $T = 2 / \log 2 = 2.885$. The gap to the frog is twice
# as large, so its odds are $2^2$: truck 4, car 2, frog 1.
#
# </details>
#
# **2. Louder.** A second teacher's logits are three times the first one's.
# At which temperature does it give the labels that the first gives at 4? Are
# the losses alike?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# At 12, for only $v / T$ counts: "temperature 4" says little without the
# spread of the logits. With a student three times as loud too, the
# divergences at 12 and at 4 are equal, but the factor $T^2$ is nine times as
# large.
#
# </details>
#
# **3. The last of the entropy.** Near the hot end, how far is $H$ from
# $\log C$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Integrate $dH/dT$ from $T$ to $\infty$. There $p$ is nearly uniform, and
# the variance nearly the plain one of the logits:
# $\log C - H \approx \operatorname{Var}(v) / (2 T^2)$. Check it in
# float64 at temperature 100.
#
# </details>
#
# **4. One-sided.** In the experiment, soften the teacher at 4, leave the
# student at 1, and drop $T^2$. Predict accuracy and calibration, then run.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Write the arm with `F.kl_div` as in the last cell. Its optimum is a quarter
# of the teacher's logits, in the same order, so theory has nothing against
# its accuracy. Its probabilities in use are too modest: `fit_temperature` on
# its validation logits should find a $T$ well below 1.
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 2, equation 1 for the
#   softmax with a temperature; section 2.1, equations 2 to 4 for the limit.
# - Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
#   Networks* ([2017](../docs/references.md#guo2017)): section 4.2.
# - Zhao, Cui, Song, Qiu and Liang, *Decoupled Knowledge Distillation*
#   ([2022](../docs/references.md#zhao2022)): section 3.
# - The code: [soft_targets.py](../labkd/soft_targets.py),
#   [calibration.py](../labkd/calibration.py).
