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
#     title: The distillation token
#     description: A teacher's decision as a second label, a token of its own
#       to learn it, two heads to combine, and what a soft loss is worth when
#       its weight is a thousand times too small.
# ---

# %% [markdown]
# # The distillation token
#
# So far the student has learned from a teacher's probabilities. Touvron et
# al. ([2021](../docs/references.md#touvron2021), section 4) propose two
# other things for a Vision Transformer. The first is to forget the
# probabilities: take the teacher's *decision*, its argmax, as a second
# label. The second is to give that label a place of its own: a second
# learned token beside the class token, with its own head, taught by the
# teacher alone.
#
# On ImageNet they report, for the smallest model, $72.2$ % without a teacher,
# $72.2$ % with soft labels, $74.3$ % with the decision and $74.5$ % with the
# token ([table 3](../docs/references.md#touvron2021)). Two questions follow.
# What can a second hard label teach that the first did not? And why did soft
# labels give nothing? This chapter takes the losses apart, then measures.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
import math
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from labkd import distillation_token, figures, records
from labkd.data import load
from labkd.inference import paired_difference
from labkd.pixels import Normalise
from labkd.soft_targets import kl_divergence
from labkd.vit import VisionTransformer, joint_log_probabilities

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Two labels, by hand
#
# A photograph is labelled *car*. The teacher decides for *truck*. The student
# says $q = (0.5, 0.3, 0.2)$ for truck, car and frog. **Hard distillation**
# (Touvron et al., equation 3) asks for both, half each:
#
# $$
# \mathcal L = \tfrac12 \operatorname{CE}(y, q)
#   + \tfrac12 \operatorname{CE}(y_t, q) , \qquad
#   y_t = \operatorname{argmax}_i v_i .
# $$
#
# Here $\tfrac12 (-\log 0.3) + \tfrac12 (-\log 0.5)
# = \tfrac12 (1.2040 + 0.6931) = 0.9486$. There is no temperature, and no
# weight to tune.
#
# What does it pull at? The cross-entropy is linear in its target, so the
# mean of two cross-entropies is one cross-entropy with the mean of the
# targets:
#
# $$
# -\sum_i \tfrac12 (y_i + y_{t,i}) \log q_i
#   = \operatorname{CE}(\bar y, q), \qquad
# \frac{\partial \mathcal L}{\partial z_i} = q_i - \bar y_i .
# $$
#
# Hence the gradient is $(0.5 - 0.5,\ 0.3 - 0.5,\ 0.2 - 0)
# = (0, -0.2, 0.2)$: truck may stay, car must rise, frog must fall. It is a
# soft label after all, with two classes in it.
#
# And where teacher and label agree, $\bar y = y$: loss and gradient are
# those of the label alone. **Hard distillation teaches only by
# disagreement.**


# %%
def half_each(first, labels, second, decisions):
    own = F.cross_entropy(first, labels)
    return (own + F.cross_entropy(second, decisions)) / 2


def hard_distillation(z, labels, v):
    return half_each(z, labels, z, v.argmax(1))


z = torch.tensor([[0.5, 0.3, 0.2]]).log().requires_grad_()
car, v = torch.tensor([1]), torch.tensor([[3.0, 2.0, 0.0]])
loss = hard_distillation(z, car, v)
(pull,) = torch.autograd.grad(loss, z)
print(f"loss {loss.item():.4f}, gradient {pull[0].numpy().round(4)}")
assert abs(loss.item() - 0.9486) < 5e-5
torch.testing.assert_close(pull, torch.tensor([[0.0, -0.2, 0.2]]))

# %%
torch.manual_seed(0)
z, v = torch.randn(2, 1000, 10, dtype=torch.float64)
labels = torch.where(torch.rand(1000) < 0.5, v.argmax(1), 3)
z.requires_grad_()
one_hot = F.one_hot(torch.stack([labels, v.argmax(1)]), 10)
mean_label = one_hot.double().mean(0)  # (batch, classes)

loss = hard_distillation(z, labels, v)
torch.testing.assert_close(loss, F.cross_entropy(z, mean_label))
(pull,) = torch.autograd.grad(loss, z)
torch.testing.assert_close(1000 * pull, (z.softmax(1) - mean_label).detach())

agree = labels == v.argmax(1)
(alone,) = torch.autograd.grad(F.cross_entropy(z, labels), z)
torch.testing.assert_close(pull[agree], alone[agree])
assert ((pull - alone)[~agree].norm(dim=1) > 0).all()
# Two labels that differ can never both be had: log 2 is the least loss.
least = torch.special.entr(mean_label).sum(1)
torch.testing.assert_close(least, math.log(2) * (~agree).double())

# %% [markdown]
# ## A token of its own
#
# Where they disagree, one head has to serve two masters. The remedy is a
# second token $t_{\text{distill}}$, another learned vector that enters beside
# the class token, passes through the same blocks, and is read by a head of
# its own:
#
# $$
# \mathcal L = \tfrac12 \operatorname{CE}(y, q_{\text{class}})
#   + \tfrac12 \operatorname{CE}(y_t, q_{\text{distill}}) .
# $$
#
# In [`VisionTransformer`](../labkd/vit.py#VisionTransformer) it is a switch,
# and in training the model then returns two tensors of logits. What does the
# teacher's half reach? The cell asks automatic differentiation: not the head
# of the class token, but everything below, *the class token too*. The
# patches attend to it in the first block, and the distillation token attends
# to the patches in the second. The paper's title has "distillation through
# attention" for that reason.


# %%
def transformer(seed, two_tokens):
    torch.manual_seed(seed)
    student = VisionTransformer(
        **{"image_size": 8, "patch_size": 2, "in_channels": 1},
        **{"width": 32, "depth": 2, "heads": 4, "mlp_ratio": 2.0},
        **{"num_classes": 10, "distillation_token": two_tokens},
    )
    # Few steps cannot grow these from a deviation of 0.02 to a token's size.
    with torch.no_grad():
        student.positions.mul_(50)
        if two_tokens:
            student.distillation_token.mul_(50)
    return student


student = transformer(0, two_tokens=True)
class_logits, token_logits = student(torch.randn(4, 1, 8, 8))
F.cross_entropy(token_logits, torch.arange(4)).backward()
assert student.head.weight.grad is None
assert student.class_token.grad.norm() > 0

# %% [markdown]
# ## Two heads, one answer
#
# At test time there is no teacher, and two answers. The paper (section 4)
# adds the two softmax outputs. The code published with it averages the
# *logits* instead, which is the normalised geometric mean of the two
# softmaxes. We follow the paper:
# [`joint_log_probabilities`](../labkd/vit.py#joint_log_probabilities) is the
# log of the mean of the softmaxes.
#
# Is that the same? By hand: the class head says $(0.90, 0.08, 0.02)$ for
# truck, car and frog, the token's head $(0.02, 0.38, 0.60)$. The mean is
# $(0.46, 0.23, 0.31)$: **truck**. The geometric mean, before it is
# normalised, is $(\sqrt{0.0180}, \sqrt{0.0304}, \sqrt{0.0120})
# \approx (0.13, 0.17, 0.11)$: **car**. One head's "hardly" is a veto when
# logits are averaged, and one opinion of two when probabilities are.

# %%
class_head = torch.tensor([[0.90, 0.08, 0.02]])
token_head = torch.tensor([[0.02, 0.38, 0.60]])
joint = joint_log_probabilities(class_head.log(), token_head.log())
torch.testing.assert_close(joint.exp(), (class_head + token_head) / 2)
averaged = (class_head.log() + token_head.log()) / 2
geometric = (class_head * token_head).sqrt()
torch.testing.assert_close(
    averaged.softmax(1), geometric / geometric.sum(1, keepdim=True)
)
assert (joint.argmax(1), averaged.argmax(1)) == (0, 1)  # truck, car
print(joint.exp(), averaged.softmax(1))

# %% [markdown]
# ## Four students
#
# The digits again. The teacher is a small CNN that learned from 600 of them.
# Each student is a transformer with patches of 2 x 2 pixels that gets 100
# *other* images, so that the teacher can be wrong about them. The arms:
#
# 1. **none**: cross-entropy with the labels,
# 2. **hard**: labels and decisions, half each, one head,
# 3. **token**: the labels for one head, the decisions for the other,
# 4. **control**: two tokens and two heads like arm 3, but *both* learn the
#    labels. If the token arm owes its gain to a second token rather than to
#    the teacher, this one has it too.
#
# Within a seed all arms share the images, the batches and the first weights.
# All have the same number of steps, and each has its own learning rate from
# one grid, judged on the validation images.


# %%
def train(model, pixels, targets, loss_of, *, rate, seed, steps):
    optimizer = torch.optim.AdamW(
        model.parameters(), rate, (0.9, 0.98), fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, pct_start=0.2, cycle_momentum=False
    )
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(steps):
        batch = torch.randint(len(pixels), (32,), generator=generator)
        outputs = model(pixels[batch])  # logits, of each head
        loss = loss_of(outputs, *(t[batch] for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


# %%
everything = load("digits", "train")
order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
theirs, ours = everything.take(order[:600]), everything.take(order[600:])
held_out, test = load("digits", "validation"), load("digits", "test")
normalise = Normalise.of(theirs.images)
pixels = normalise(ours.images)
torch.manual_seed(0)
teacher = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
    *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
)
lesson = {"targets": (theirs.labels,), "loss_of": F.cross_entropy}
lesson |= {"steps": 300, "rate": 3e-3, "seed": 0}
train(teacher, normalise(theirs.images), **lesson)
with torch.no_grad():
    teacher_logits = teacher.eval()(pixels)
differ = (teacher_logits.argmax(1) != ours.labels).double().mean().item()
print(f"decision and label differ on {differ:.1%} of the images")
assert 0 < differ < 0.1


# %%
@torch.no_grad()
def percent_right(model, data):
    predicted = model.eval()(normalise(data.images)).argmax(1)
    return 100 * (predicted == data.labels).double().mean().item()


def student_run(make, count, loss_of, rate, seed, steps=100):
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(600, generator=generator)[:count]
    student, targets = make(seed), (ours.labels[few], teacher_logits[few])
    how = {"rate": rate, "seed": seed, "steps": steps}
    train(student, pixels[few], targets, loss_of, **how)
    return student


def tuned_runs(run, rates, trials, seeds):
    right = dict.fromkeys(rates, 0.0)
    for rate, trial in product(rates, range(trials)):
        right[rate] += percent_right(run(rate, 100 + trial), held_out)
    return [run(max(right, key=right.get), seed) for seed in range(seeds)]


# %%
arms = {
    "none": lambda z, labels, v: F.cross_entropy(z, labels),
    "hard": hard_distillation,
    "token": lambda z, labels, v: half_each(z[0], labels, z[1], v.argmax(1)),
    "control": lambda z, labels, v: half_each(z[0], labels, z[1], labels),
}
print(f"teacher: {percent_right(teacher, test):.1f} % of the test images")
runs, scores = {}, {}
for arm, loss_of in arms.items():
    make = partial(transformer, two_tokens=arm in ("token", "control"))
    run = partial(student_run, make, 100, loss_of, steps=80)
    runs[arm] = tuned_runs(run, (5e-3, 1e-2), trials=1, seeds=5)
    scores[arm] = [percent_right(student, test) for student in runs[arm]]
    right = torch.tensor(scores[arm])
    print(f"{arm:8} {right.mean():.1f} ± {right.std():.1f} % (deviation)")
for pair in (("hard", "none"), ("token", "none"), ("token", "control")):
    ahead = paired_difference(*(scores[arm] for arm in pair))
    print(f"{pair[0]} over {pair[1]}: {ahead}")
    assert ahead.mean - ahead.half_width < 1

# %% [markdown]
# None of these intervals rules out a gain below one point (the cell asserts
# it): five small runs cannot show more. If one of them leaves zero out,
# remember that three were looked at, and that we tried other settings of this
# small transformer before these. And for **hard** the derivation gives a
# bound that no statistics can loosen: its loss is that of **none** but on the
# disagreements, and they are few. Note also *whose* mistake a disagreement
# is. On a clean digit it is nearly always the teacher's. On ImageNet, with
# crops that may cut the labelled thing away, it can be the label's, and that
# is the paper's reason for asking the teacher about the very crop.

# %% [markdown]
# ### What each head learned, and each token
#
# Has the token's head learned the teacher's manner? Then it should agree
# with the teacher more often than the class head does. The cell scores each
# head, and their mean, against the test labels and against the teacher's
# decisions.
#
# And are they two tokens still? With nearly the same lesson they might become
# one. Touvron et al. ([2021](../docs/references.md#touvron2021), section 4)
# report a cosine of 0.06 between the learned tokens before the first block,
# rising through the layers to 0.93 after the last: similar aims, not the
# same. With two class tokens, both taught the labels, they report 0.999.
#
# Ours begin nearly at a right angle, as random vectors do, and end closer, in
# every student of *both* arms (asserted). So on digits the rise says nothing
# about a teacher: two tokens in the same blocks, reading the same patches for
# nearly the same answer, grow alike.


# %%
@torch.no_grad()
def heads_of(student):
    tokens = student.eval().encode(normalise(test.images))
    first = student.head(tokens[:, 0])
    second = student.distillation_head(tokens[:, 1])
    return first, second, joint_log_probabilities(first, second)


with torch.no_grad():
    decided = teacher(normalise(test.images)).argmax(1)
goals, same = {"labels": test.labels, "teacher": decided}, {}
print("per cent agreement of class head, token's head and both with")
for arm, name in product(("token", "control"), goals):
    given = [torch.stack(heads_of(run)).argmax(-1) for run in runs[arm]]
    hits = torch.stack(given) == goals[name]  # (seeds, heads, images)
    same[arm, name] = 100 * hits.double().mean(-1)
    print(arm, name, same[arm, name].mean(0).numpy().round(1))
first, second, _ = same["token", "teacher"].T.tolist()
closer = paired_difference(second, first)
print(f"token's head over class head, with the teacher: {closer}")


# %% fig_alt="Cosine between the two tokens through depth, for the token arm and the control, five students each: near zero at the input, rising with depth."
@torch.no_grad()
def cosines(student):
    seen = []
    for block in student.blocks:
        block.register_forward_pre_hook(lambda m, i: seen.append(i[0]))
    seen.append(student.eval().encode(normalise(test.images)))
    first, second = torch.stack(seen)[:, :, :2].unbind(2)
    return F.cosine_similarity(first, second, dim=-1).mean(1)  # (depth,)


axes = plt.subplots(figsize=(4.4, 2.8))[1]
for arm, colour in (("token", figures.CORRECT), ("control", figures.STUDENT)):
    table = torch.stack([cosines(student) for student in runs[arm]])
    axes.plot(table.T, color=colour, linewidth=0.8, alpha=0.6)
    axes.plot(table.mean(0), color=colour, linewidth=2.5, label=arm)
    assert ((table[:, 0].abs() < 0.3) & (table[:, -1] > table[:, 0])).all()
axes.set_xticks(range(3), ["input", "block 1", "output"])
axes.set_ylabel("cosine of the two tokens")
axes.legend()
plt.show()

# %% [markdown]
# ## A thousand times too soft
#
# Why did soft labels give nothing on ImageNet? One suspect is visible in the
# code published with the paper. It divides the soft loss by batch *times
# classes*, where the KL divergence is a sum over classes and only the batch
# should be averaged. Weighed equally, label and teacher then stand at
#
# $$
# \operatorname{CE}(y, q) + r \, T^2 \operatorname{KL}(p \,\|\, q), \qquad
# r = \frac{1}{C} ,
# $$
#
# a thousandth on ImageNet. An author's answer
# ([issue 61](https://github.com/facebookresearch/deit/issues/61)): this
# keeps an older behaviour of PyTorch, and tests with the batch mean came out
# similar or slightly lower. We cannot repeat that here. But we can ask what
# an experiment at $r = 1/1000$ is able to see where soft labels *do* help.
#
# We know such a place: the [perceptron of chapter
# 1](01_hard_and_soft_labels.ipynb#does-a-student-learn-more), with 50 images
# each, and quick enough for ten seeds. Temperature 3. We divide the loss by
# $1 + r$, so that $r$ moves the balance and not the scale.


# %%
def perceptron(seed):
    torch.manual_seed(seed)
    layers = nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    return nn.Sequential(*layers)


def soft(z, labels, v, ratio):
    lesson = ratio * 3.0**2 * kl_divergence(z, v, temperature=3.0)
    return (F.cross_entropy(z, labels) + lesson) / (1 + ratio)


ratios, softened = (0.0, 1e-3, 0.1, 1.0, 10.0), {}
for ratio in ratios:
    run = partial(student_run, perceptron, 50, partial(soft, ratio=ratio))
    students = tuned_runs(run, (1e-2, 3e-2, 1e-1), trials=2, seeds=10)
    softened[ratio] = [percent_right(student, test) for student in students]
gains = {r: paired_difference(softened[r], softened[0.0]) for r in ratios[1:]}
for ratio, gain in gains.items():
    print(f"r = {ratio:<5g}  {gain}")


# %% fig_alt="Gain in test accuracy over labels alone, with 95 percent intervals, for four weights of the soft loss on a logarithmic axis: zero at a thousandth, clearly positive from a tenth on."
figure, axes = plt.subplots(figsize=(5, 2.8))
axes.axhline(0, color=figures.OTHER)
means = [gain.mean for gain in gains.values()]
widths = [gain.half_width for gain in gains.values()]
style = {"color": figures.CORRECT, "capsize": 4}
axes.errorbar(ratios[1:], means, widths, fmt="o", **style)
axes.set(xscale="log", xlabel="weight of the soft loss, $r$")
axes.set_xticks(ratios[1:], ["1/1000", "1/10", "1", "10"])
axes.minorticks_off()
axes.set_ylabel("points over labels alone")
plt.show()
assert not gains[1e-3].found
low = {ratio: gain.mean - gain.half_width for ratio, gain in gains.items()}
assert low[0.1] > 0 and low[1.0] > 0 and low[10.0] > 0
assert gains[1e-3].mean + gains[1e-3].half_width < low[10.0]

# %% [markdown]
# ### How to read it
#
# With the weights between a tenth and ten, soft labels help: three intervals
# leave zero out. At a thousandth there is **no difference found**, and its
# whole interval lies below that of $r = 10$. The knowledge in the labels was
# there; the loss could not hear it. So "soft does not help" did not survive
# here: it was a statement about a *weight*.
#
# Ten classes divide by ten, and at $r = 1/10$ the gain is there. That is why
# the mistake stays unnoticed on small problems.
#
# **What it does not show.** These are digits, a perceptron, 50 images and a
# teacher that saw other ones. Nothing here says that soft labels would have
# won on ImageNet; the author's tests say otherwise. It says that a null
# result should come with the effective weight beside it.

# %% [markdown]
# ## The same arms on CIFAR-10
#
# Digits are a rehearsal. To the recorded runs of
# [the last chapter](06_from_cnn_to_vit.ipynb#better) come three arms:
# **argmax**, which is our *hard*, the **token** and its **control**. All
# learn from the same 10,000 images for the same number of epochs, at a
# learning rate of their own from one grid; the seeds are paired. The **soft**
# arm is averaged over the batch alone, with $T = 3$ and $w = 0.9$, neither
# of them tuned. The picture has the gain over **scratch**, the labels alone:
# a dot a seed, and the mean with its 95 % interval.

# %% fig_alt="Gain in test accuracy over labels alone on CIFAR-10, for soft labels, argmax, token and control: a dot a seed, the mean and its 95 percent interval."
kept, right = {}, {}
for arm in ("control", "token", "argmax", "soft", "scratch"):
    taught = "" if arm in ("control", "scratch") else "_from_resnet18"
    name = f"{arm}-vit{taught}-cifar10"
    kept[arm] = [records.read(name, "laptop", seed) for seed in range(5)]
    right[arm] = [100 * record["test"]["accuracy"] for record in kept[arm]]

axes = plt.subplots(figsize=(5, 2.4))[1]
axes.axvline(0, color=figures.OTHER)
for place, arm in enumerate(list(right)[:-1]):
    dots = torch.tensor(right[arm]) - torch.tensor(right["scratch"])
    axes.plot(dots, [place] * 5, ".", color=figures.STUDENT)
    gain = paired_difference(right[arm], right["scratch"])
    look = {"fmt": "o", "capsize": 4, "color": figures.CORRECT}
    axes.errorbar(gain.mean, place + 0.2, xerr=gain.half_width, **look)
axes.set_yticks(range(4), list(right)[:-1])
axes.set_xlabel("points over scratch")
axes.set_title(records.data_of(kept["soft"][0]))
plt.show()

# %%
for arm, values in right.items():
    table = torch.tensor(values)
    print(f"{arm:8} {table.mean():.1f} ± {table.std():.1f} % (deviation)")
pairs = [(arm, "scratch") for arm in ("soft", "argmax", "token", "control")]
pairs += ("soft", "argmax"), ("argmax", "token"), ("token", "control")
for pair in pairs:
    ahead = paired_difference(*(right[arm] for arm in pair))
    print(f"{pair[0]} over {pair[1]}: {ahead}")
    is_control = pair == ("control", "scratch")
    assert not ahead.found if is_control else ahead.found and ahead.mean > 0
for arm, head in product(("token", "control"), ("class", "token")):
    alone = [100 * r["heads"][head]["accuracy"] for r in kept[arm]]
    gain = paired_difference(right[arm], alone)
    print(f"{arm}: both heads over the {head} head: {gain}")
    assert not gain.found

# %% [markdown]
# ## Why a separate token, and when
#
# First, what CIFAR-10 says: soft labels, then the argmax, then the token,
# then its control, and each step is found. What the token gains it owes to
# the teacher and not to the second token: for control over scratch, **no
# difference found**. But one head with both lessons does *better* than two
# heads with one each, and **no difference found** between the two heads
# together and either alone. (The cell asserts all this.) In the paper it is
# the other way round. Neither is a law: ours is a small student, with small
# crops and twenty epochs, at one setting.
#
# *Why not teach one token both labels?* People
# [ask](https://github.com/facebookresearch/deit/issues/174), and it works:
# that is arm 2. In [table 3](../docs/references.md#touvron2021) the token
# adds 0.2 points to the smallest model and 0.4 to the largest, less than the
# decision itself had brought. What it buys is that neither head must
# compromise where the two labels differ, and that two opinions are averaged.
# The price is one more token and one more head.
#
# *When is it used?* In training, with a teacher; at test time the token
# stays and the teacher goes. Both
# [pre-training and fine-tuning](https://github.com/facebookresearch/deit/issues/163)
# can have it; by an author's account pre-training alone gives very good
# results already. It can matter only where teacher and label disagree, as
# they do under strong crops
# ([chapter 6](06_from_cnn_to_vit.ipynb#a-crop-changes-the-label) says why):
# try it there, with arms 2 and 4 beside it. And where the network has no
# tokens, two heads on the same features are the same idea.
#
# **Held to the library.** Our losses are those of
# [distillation_token.py](../labkd/distillation_token.py).

# %%
z, second, v = torch.randn(3, 64, 10, dtype=torch.float64)
labels = torch.randint(10, (64,))
torch.testing.assert_close(
    hard_distillation(z, labels, v),
    distillation_token.hard_distillation_loss(z, v, labels),
)
torch.testing.assert_close(
    arms["token"]((z, second), labels, v),
    distillation_token.token_loss(z, second, v, labels),
)
student = runs["token"][0]
first, second, joint = heads_of(student)
mean = (first.softmax(1) + second.softmax(1)) / 2
torch.testing.assert_close(joint, mean.log())
with torch.no_grad():
    torch.testing.assert_close(student(normalise(test.images)), joint)

# %% [markdown]
# ## Exercises
#
# **1. Three labels.** Two teachers decide, and the label makes three, a third
# each. What is the gradient, and the least loss, when all three differ?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $q_i - \bar y_i$ with $\bar y = \tfrac13$ on three classes. The least loss
# is its entropy, $\log 3$. Linearity does not care how many targets are
# averaged.
#
# </details>
#
# **2. A sharper teacher.** Multiply the teacher's logits by 7. What happens
# to hard distillation, and to soft labels at $T = 3$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# To the first, nothing: the argmax stays. That is its charm, for a
# temperature cannot be set wrongly, and its poverty. The soft labels become
# those of temperature $3/7$: nearly hard.
#
# </details>
#
# **3. Two rules.** Show that the two rules of combination always choose the
# same class when there are only two classes.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Let the heads give the first class $a$ and $b$. The mean chooses it when
# $a + b > 1$. The geometric mean does when $ab > (1 - a)(1 - b)
# = 1 - a - b + ab$, which is $a + b > 1$ again. It takes three classes to
# disagree.
#
# </details>
#
# **4. Wrong labels.** Replace a third of the students' labels by random
# ones, and leave the teacher as it is. Write down what you expect of arms 1
# to 4, then run it.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Add a line after the teacher that overwrites `ours.labels` at random
# places. Now the disagreements are many, and mostly the label's mistake, so
# expect **hard** and **token** to leave **none** behind, and **control** to
# stay with **none**. Look at the two heads of the token arm apart: one of
# them has learned the noise.
#
# </details>
#
# **5. The soft token.** Teach the token's head the soft labels. Which line
# changes, and which weight do you give it?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# In `two_lessons`, replace the second cross-entropy by
# `9 * kl_divergence(token_logits, v, 3.0)`. Averaged over the batch alone,
# half each is a fair start: the sweep was flat from a tenth to ten.
#
# </details>

# %% [markdown]
# ## References
#
# - Touvron, Cord, Douze, Massa, Sablayrolles and Jégou, *Training
#   Data-Efficient Image Transformers and Distillation through Attention*
#   ([2021](../docs/references.md#touvron2021)): section 4 for hard
#   distillation (equation 3), the token and the joint classifiers; table 3
#   for the comparison.
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 2 for the soft loss.
# - The code: [distillation_token.py](../labkd/distillation_token.py),
#   [vit.py](../labkd/vit.py), [soft_targets.py](../labkd/soft_targets.py).
