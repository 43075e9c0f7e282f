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
#     title: Hard and soft labels
#     description: What a one-hot label throws away, what a teacher's
#       probabilities keep, and what that is worth to a student, from a
#       three-class toy to a teacher recorded on CIFAR-10.
# ---

# %% [markdown]
# # Hard and soft labels
#
# Show a trained network a photograph of a truck and it answers with ten
# numbers. Nearly all of the probability sits on *truck*, and usually we stop
# reading there. Read on. *Automobile* gets a little, *ship* less, and *frog*
# next to nothing. The network was never told that trucks look like cars; it
# found out. The label in the data set, "truck", does not contain that
# discovery. The ten numbers do.
#
# **Knowledge distillation** is the idea that a small network, the *student*,
# should learn from those ten numbers as well as from the label. Hinton,
# Vinyals and Dean ([2015](../docs/references.md#hinton2015), section 1) put
# the reason in one picture: a BMW is rarely mistaken for a garbage truck,
# but far more often than for a carrot.
#
# This chapter asks three things. What exactly does a one-hot label throw
# away? What is left in a real teacher's probabilities? And does a student
# learn better from them? Everything runs on a laptop, without a network, in
# under a minute.

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

from labkd import figures, records, soft_targets
from labkd.archives import CIFAR10_CLASSES
from labkd.data import load
from labkd.inference import paired_difference
from labkd.soft_targets import kl_divergence

# %config InlineBackend.figure_format = "retina"
figures.use_style()

# %% [markdown]
# ## Three classes, by hand
#
# Take three classes, *truck*, *car* and *frog*, and one photograph of a
# truck. The hard label is the one-hot vector $y = (1, 0, 0)$. A teacher says
# $p = (0.70, 0.25, 0.05)$. Two students, Ann and Bob, have these opinions:
#
# | | truck | car | frog |
# |---|---|---|---|
# | Ann | 0.60 | 0.20 | 0.20 |
# | Bob | 0.60 | 0.30 | 0.10 |
#
# Both give the truck 0.60. Bob has noticed that a truck is more like a car
# than like a frog; Ann has not. Who is doing better?
#
# The usual loss is the **cross-entropy** of the student $q$ with the target
# $y$,
#
# $$
# \operatorname{CE}(y, q) = -\sum_i y_i \log q_i = -\log q_{\text{truck}} .
# $$
#
# All terms but one are multiplied by zero. Ann and Bob both pay
# $-\log 0.60 = 0.5108$ nats, and the loss cannot tell them apart.
#
# The **Kullback-Leibler divergence** from the teacher's distribution looks
# at all three classes:
#
# $$
# \operatorname{KL}(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i} .
# $$
#
# For Ann: $0.70 \log\frac{0.70}{0.60} + 0.25 \log\frac{0.25}{0.20}
# + 0.05 \log\frac{0.05}{0.20} = 0.10791 + 0.05579 - 0.06931 = 0.09439$. For
# Bob, $0.10791 - 0.04558 - 0.03466 = 0.02767$. Bob is more than three times
# closer to the teacher. Only the soft label saw it.


# %%
def cross_entropy(p, q):
    return -torch.xlogy(p, q).sum(-1)  # 0 log 0 is 0


def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


y = torch.tensor([1.0, 0.0, 0.0])
p = torch.tensor([0.70, 0.25, 0.05])
students = {
    "Ann": torch.tensor([0.60, 0.20, 0.20]),
    "Bob": torch.tensor([0.60, 0.30, 0.10]),
}
for name, q in students.items():
    print(f"{name}: CE {cross_entropy(y, q):.4f}, KL {kl(p, q):.4f}")

# %% [markdown]
# ## Two losses, one family
#
# Are these two different kinds of loss? No. Split the logarithm in the
# divergence and the cross-entropy appears:
#
# $$
# \operatorname{CE}(p, q) = \underbrace{-\sum_i p_i \log p_i}_{H(p)}
#   + \operatorname{KL}(p \,\|\, q) .
# $$
#
# $H(p)$ is the **entropy** of the target. It has no student in it, so it
# moves no weight. And a one-hot target has entropy zero: there,
# cross-entropy *is* the divergence. Training on hard labels and training on
# soft labels minimise the same quantity. The only thing that changes is the
# target.
#
# So what does the target change? Write the student's probabilities as the
# softmax of its logits $z$, $\log q_i = z_i - \log \sum_j e^{z_j}$. Then
#
# $$
# \frac{\partial}{\partial z_i} \operatorname{CE}(p, q)
#   = -p_i + \sum_k p_k \, \frac{e^{z_i}}{\sum_j e^{z_j}}
#   = q_i - p_i ,
# $$
#
# because the $p_k$ sum to one. Student minus target: nothing else ever
# reaches the weights. With a hard label that is $q_i - y_i$, which pushes
# every wrong class down in proportion to what the student *already* gives
# it. With a soft label, each wrong class has a mark of its own to reach, and
# may even be pushed up.
#
# We do not ask you to believe the algebra. Automatic differentiation knows
# nothing of it, and agrees.

# %%
torch.manual_seed(0)
z = torch.randn(1000, 10, dtype=torch.float64, requires_grad=True)
q = z.softmax(-1)  # (batch, classes)
soft = (2 * torch.randn_like(z)).softmax(-1)
hard = F.one_hot(torch.randint(10, (1000,)), 10).double()

for target in (hard, soft):
    for loss in (cross_entropy, kl):
        (gradient,) = torch.autograd.grad(
            loss(target, q).sum(), z, retain_graph=True
        )
        torch.testing.assert_close(gradient, (q - target).detach())
torch.testing.assert_close(
    cross_entropy(soft, q), cross_entropy(soft, soft) + kl(soft, q)
)

# %% [markdown]
# Here are both losses, drawn for Ann. Teal bars are targets, orange bars are
# Ann; each arrow is the gradient of one logit, turned downhill. **Left**,
# the hard label pulls *truck* up and presses *car* and *frog* down equally
# hard, because Ann gives them the same. **Right**, the soft label asks for
# a little more truck, *more* car, and much less frog. Both losses are a
# divergence, both gradients are student minus target. Only one of the
# targets knows about cars.

# %% fig_alt="Two bar charts for three classes. Left, hard-label cross-entropy: arrows push truck up, car and frog down equally. Right, soft-label KL: arrows push truck and car up, frog down."
names = ["truck", "car", "frog"]
panels = {
    r"Hard label: $-\log q_{truck}$": y,
    r"Soft label: $\sum_i p_i\,\log\,(p_i / q_i)$": p,
}
figure, row = plt.subplots(1, 2, figsize=(6, 2.8), sharey=True)
for axes, (title, target) in zip(row, panels.items(), strict=True):
    figures.draw_pull(axes, target, students["Ann"], names)
    axes.set_title(title)
row[0].legend()
plt.show()

# %% [markdown]
# ## A real teacher
#
# Toys prove nothing about the world. So we trained a teacher: a ResNet-18,
# half as wide as usual, on CIFAR-10's 45,000 training images. Its record
# and its logits on the test images are part of `labkd`; the cell reads them,
# and prints what the run scored, on what machine, and the command that
# repeats it. The recipe has the settings.
#
# Logits become probabilities by [`soften`](../labkd/soft_targets.py#soften),
# the softmax with a temperature; at temperature 1 it is the ordinary one.

# %%
run = ("teacher-resnet18-cifar10", "laptop", 0)
record = records.read(*run)
for score, value in record["test"].items():
    print(f"{score:8}  {value:.4f}")
print(f"{record['seconds']:.0f} s on {record['device']}, {record['date']}")
print(record["command"])
source = records.data_of(record)
print(source)

path = records.path_of(*run).with_suffix(".logits.safetensors")
logits = load_file(path)["test"].float()  # (images, classes)
# CIFAR-10 has 1,000 test images a class; labkd keeps them sorted by class.
labels = torch.arange(10).repeat_interleave(1000)
classes = CIFAR10_CLASSES
probabilities = soft_targets.soften(logits, 1.0)

accuracy = (logits.argmax(1) == labels).double().mean().item()
assert abs(accuracy - record["test"]["accuracy"]) < 1e-3  # the same run

# %% [markdown]
# ### One truck
#
# Which truck shall we look at? A hand-picked one would show whatever we
# liked, so here is a rule: *of the test trucks that the teacher gets right,
# with "automobile" as its second choice, the one whose probability for
# "truck" is the median.* The cell also counts how many trucks that leaves.
#
# On the left the ten probabilities as they are: one bar. On the right the
# same ten on a logarithmic axis, and there is the teacher's opinion of
# trucks: compare *automobile* with *frog*. A hard label sets both to zero.

# %% fig_alt="A CIFAR-10 test image of a truck beside the recorded teacher's ten probabilities, on a linear and a logarithmic axis; truck is highlighted and automobile is well above frog." tags=["photo", "wide"]
car, frog, truck = (classes.index(c) for c in ("automobile", "frog", "truck"))
first, second = probabilities.topk(2).indices.unbind(1)
right = (labels == truck) & (first == truck)
eligible = (right & (second == car)).nonzero().flatten()
print(f"{len(eligible)} of {right.sum()} trucks got right have car second")
order = probabilities[eligible, truck].argsort()
chosen = eligible[order[len(order) // 2]].item()

figure, row = plt.subplots(1, 3, figsize=(9.5, 3), width_ratios=[1, 2, 2])
row[0].set_axis_off()
try:  # the picture needs the data set, the chapter does not
    image = load("cifar10", "test", download=False).images[chosen]
    row[0].imshow(image.permute(1, 2, 0))
    row[0].set_title(f"image {chosen}\n{source}\nKrizhevsky 2009", size=7)
except FileNotFoundError:
    row[0].text(0.5, 0.5, f"test image {chosen}\n(CIFAR-10 not at hand)")
for axes, log in ((row[1], False), (row[2], True)):
    bars = (axes, probabilities[chosen], classes, truck)
    figures.draw_probabilities(*bars, log=log)
plt.show()

# %% [markdown]
# One truck is an anecdote. Over all 1,000 test trucks, how often does
# *automobile* get more than *frog*? And what does the teacher say of every
# class, on average over its 1,000 test images? Each row of the table below
# is one such average, on a logarithmic scale. Look for the two blocks:
# vehicles spend their spare probability on vehicles, animals on animals, and
# *cat* and *dog* are each other's first alternative. Nobody labelled
# "vehicle" or "animal".

# %% fig_alt="Heat map of mean teacher probability, true class by row: the diagonal dominates, vehicles share probability with vehicles and animals with animals, and cat with dog most of all."
trucks = probabilities[labels == truck]
share = (trucks[:, car] > trucks[:, frog]).double().mean().item()
print(f"automobile above frog in {share:.1%} of the test trucks")

means = probabilities.view(10, 1000, 10).mean(1)  # (true class, classes)
figures.draw_class_table(plt.subplots(figsize=(5, 4.4))[1], means, classes)
plt.title(source)
plt.show()

spare = means.clone().fill_diagonal_(0)
kind = torch.tensor([0, 0, 1, 1, 1, 1, 1, 1, 0, 0])  # vehicles are 0
within = (spare * (kind[:, None] == kind)).sum() / spare.sum()
print(f"{within:.1%} of the spare probability stays within its own kind")
assert share > 0.9 and within > 2 / 3
assert spare[3].argmax() == 5 and spare[5].argmax() == 3  # cat and dog

# %% [markdown]
# ## How much is in a soft label?
#
# The entropy $H(p)$ measures how spread a label is, in nats: 0 for a one-hot
# label, $\log 10 \approx 2.303$ for the uniform one. The cell below draws it
# for all 10,000 test images.
#
# **What it means.** It is the part of the label that lies outside its
# largest class: near zero, the soft label *is* a hard label, and no loss can
# make anything else of it.
#
# **What it does not mean.** It is not a quantity of knowledge: a teacher
# that answers "uniform" to everything has the highest entropy there is, and
# teaches nothing. It is not the chance of an error, unless the teacher is
# calibrated, which is a question of its own (the record's ECE answers it).
# And it is not a property of the image: divide the logits by a *temperature*
# above 1, and the same teacher's labels spread. The second panel does so at
# temperature 4, with the ranking of the classes untouched.

# %% fig_alt="Histograms of the entropy of the teacher's labels over the test images: at temperature 1 piled up near zero, at temperature 4 spread over the whole range."
figure, row = plt.subplots(1, 2, figsize=(6, 2.6), sharex=True)
medians = []
for axes, temperature in zip(row, (1.0, 4.0), strict=True):
    softened = soft_targets.soften(logits, temperature)
    entropy = torch.special.entr(softened).sum(1)  # (images,), nats
    medians.append(entropy.median().item())
    axes.hist(entropy, bins=40, color=figures.CORRECT)
    axes.set(xlabel="entropy (nats)", title=f"T = {temperature:g}")
    wrong = softened.argmax(1) != labels
    sure, mistaken = entropy[~wrong].mean(), entropy[wrong].mean()
    print(
        f"T = {temperature:g}: median {medians[-1]:.3f} nats; "
        f"mean where right {sure:.3f}, where wrong {mistaken:.3f}"
    )
figure.suptitle(source)
plt.show()
assert medians[1] > 2 * medians[0]

# %% [markdown]
# ## Does a student learn more?
#
# Now the experiment, on scikit-learn's handwritten digits, small enough to
# repeat while you watch. The teacher is a little CNN, trained on all 1,200
# training images. The student is a smaller network, and poor: it gets **50
# images**. On the same 50 images, it learns from
#
# 1. the **hard labels**,
# 2. the teacher's **argmax**, a hard label too: the control that tells the
#    teacher's *answers* from its *probabilities*,
# 3. the teacher's **soft labels at temperature 1**,
# 4. the **soft labels at temperature 4**, for teacher and student alike.
#
# Every arm has the same budget and the same grid of learning rates, judged
# on the validation images. Within a seed, all arms start from the same
# weights and see the same batches. The test images are used once.
#
# In the code, an arm is a loss: a function of the student's logits $z$, the
# labels and the teacher's logits $v$. Two of them use
# [`kl_divergence`](../labkd/soft_targets.py#kl_divergence); the $T^2$ in the
# last one is explained in [chapter 2](02_temperature.ipynb). Everything else
# is shared.


# %%
torch.set_num_threads(1)  # quicker for networks this small


def to_pixels(split):
    return 2 * split.images.float() / 255 - 1, split.labels


def percent_right(model, images, labels):
    return 100 * (model(images).argmax(1) == labels).double().mean().item()


# %%
def train(model, images, targets, loss_of, *, steps, learning_rate, seed):
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, total_steps=steps
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,), generator=generator)
        student_logits = model(images[batch])  # (batch, classes)
        loss = loss_of(student_logits, *(t[batch] for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


# %%
images, truth = to_pixels(load("digits", "train"))  # (1200, 1, 8, 8)
held_out = to_pixels(load("digits", "validation"))
test = to_pixels(load("digits", "test"))
torch.manual_seed(0)
teacher = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
    *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
)
budget = {"steps": 400, "learning_rate": 3e-3, "seed": 0}
train(teacher, images, (truth,), F.cross_entropy, **budget)
with torch.no_grad():
    teacher_logits = teacher(images)  # (images, classes)
print(f"teacher: {percent_right(teacher, *test):.1f} % of the test images")

# %%
arms = {
    "hard labels": lambda z, labels, v: F.cross_entropy(z, labels),
    "argmax": lambda z, labels, v: F.cross_entropy(z, v.argmax(1)),
    "soft, T = 1": lambda z, labels, v: kl_divergence(z, v),
    "soft, T = 4": lambda z, labels, v: 4**2 * kl_divergence(z, v, 4.0),
}


def student_run(loss_of, learning_rate, seed):
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(len(images), generator=generator)[:50]
    torch.manual_seed(seed)
    layers = nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    student, targets = (
        nn.Sequential(*layers),
        (truth[few], teacher_logits[few]),
    )
    budget = {"steps": 150, "learning_rate": learning_rate, "seed": seed}
    train(student, images[few], targets, loss_of, **budget)
    return student


# %%
def validated(loss_of, learning_rate):
    runs = [student_run(loss_of, learning_rate, 100 + s) for s in range(3)]
    return sum(percent_right(run, *held_out) for run in runs)


learning_rates, scores = (3e-3, 1e-2, 3e-2, 1e-1), {}
for arm, loss_of in arms.items():
    rates = {rate: validated(loss_of, rate) for rate in learning_rates}
    best = max(rates, key=rates.get)
    runs = [student_run(loss_of, best, seed) for seed in range(10)]
    scores[arm] = [percent_right(run, *test) for run in runs]
    mean, spread = statistics.mean(scores[arm]), statistics.stdev(scores[arm])
    print(f"{arm:11} {mean:.1f} ± {spread:.1f} % (deviation), rate {best:g}")

# %% [markdown]
# Do not compare those means by eye. Each seed drew its own 50 images, and a
# lucky draw lifts all four arms. What counts is the **paired difference**
# within a seed, in points, with its 95 % interval (Student's $t$, nine
# degrees of freedom).

# %%
gains = {}
for arm in list(arms)[1:]:
    gains[arm] = paired_difference(scores[arm], scores["hard labels"])
    print(f"{arm:11}  {gains[arm]}")
warmer = paired_difference(scores["soft, T = 4"], scores["soft, T = 1"])
print(f"T = 4 over T = 1:  {warmer}")

best, control = gains["soft, T = 4"], gains["argmax"]
assert best.mean - best.half_width > max(0, control.mean)
assert warmer.found and warmer.mean > 0

# %% [markdown]
# ### How to read it
#
# Same images, same network, same number of steps, and the soft labels at
# temperature 4 win by a margin that the interval keeps well away from zero
# (the cell asserts it). The argmax, which holds the teacher's answers
# without their probabilities, does not explain it. And compare the two soft
# arms: at temperature 1 most of the extra is out of the loss's sight, as the
# histogram above led us to expect. **The knowledge is
# in the small probabilities, and temperature is what makes them count.**
# That is the next chapter.
#
# Be fair to the hard labels, though. This teacher saw 1,200 labels and the
# student 50: part of what soft labels carry here is simply *more labels*.
# How to tell the two apart is a question that this course comes back to. And
# fifty images is few: exercise 5 asks what is left of the gain with more.
#
# **Held to the library.** Our two-line `kl` should be the same function as
# the one we ship. It is, and so are the ends of
# [`distillation_loss`](../labkd/soft_targets.py#distillation_loss), which
# blends the hard and the soft term.

# %%
student_logits, teacher_logits = torch.randn(2, 64, 10, dtype=torch.float64)
labels = torch.randint(10, (64,))
by_hand = kl(teacher_logits.softmax(-1), student_logits.softmax(-1)).mean()
ours = soft_targets.kl_divergence(student_logits, teacher_logits)
torch.testing.assert_close(by_hand, ours)

pair = student_logits, teacher_logits, labels
only_hard = soft_targets.distillation_loss(*pair, soft_weight=0.0)
only_soft = soft_targets.distillation_loss(
    *pair, temperature=1.0, soft_weight=1.0
)
hard = cross_entropy(F.one_hot(labels, 10), student_logits.softmax(-1)).mean()
torch.testing.assert_close(only_hard, hard)
torch.testing.assert_close(only_soft, by_hand)

# %% [markdown]
# ## Exercises
#
# **1. Cleo.** A third student says $(0.60, 0.39, 0.01)$. Where does she
# stand between Ann and Bob, and which term decides?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $0.1079 + 0.25 \log \frac{0.25}{0.39} + 0.05 \log \frac{0.05}{0.01}
# = 0.1079 - 0.1112 + 0.0805 = 0.0772$: between them. The car brings her past
# Ann, the frog keeps her behind Bob. The divergence is hard on a student that
# denies what the teacher thinks possible.
#
# </details>
#
# **2. Never satisfied.** For which logits is the gradient zero with a hard
# label? And with a soft one?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $q = y$ needs a softmax of exactly 0 and 1, that is, infinite logits: with
# a hard label the weights are pushed outward for ever. With a soft label,
# $q = p$ at $z_i = \log p_i + c$ for any constant $c$: finite, and the
# gradient stops there.
#
# </details>
#
# **3. Label smoothing.** Mix the hard label with the uniform distribution,
# $p = (1 - \epsilon) y + \epsilon / C$. What is the gradient, and what does
# this soft label *not* contain?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $q_i - (1 - \epsilon) y_i - \epsilon / C$. All wrong classes have the same
# target, so it says nothing of cars and frogs: it is a soft label without
# dark knowledge. Whatever smoothing does to a student, similarity between
# classes is not what it teaches.
#
# </details>
#
# **4. Turn the knob.** Rerun the experiment with temperatures 2, 8 and 20.
# Write down what you expect first. Does the gain grow without end?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Add arms like the last one, with another number in place of 4 in both of
# its places. As $T$ grows, $T^2 \operatorname{KL}$ tends to a squared
# distance between logits of zero mean (Hinton et al., section 2.1), a limit
# that no longer depends on $T$. So expect the arms to become alike, and
# compare them by paired differences, not by means.
#
# </details>
#
# **5. Plenty.** Give the student 400 images instead of 50. What happens to
# the paired difference, and why?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Change `[:50]`. Four hundred hard labels already hold much of what the
# teacher knows, so there is less left for its probabilities to add. Print
# the interval before you believe the sign.
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 1 for the idea,
#   section 2, equation 1 for the softmax with a temperature, section 6 for
#   soft targets when data is short.
# - Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*
#   ([2009](../docs/references.md#krizhevsky2009)): CIFAR-10.
# - Alpaydin and Kaynak, *Optical Recognition of Handwritten Digits*
#   ([1998](../docs/references.md#alpaydin1998)): the digits that
#   scikit-learn ships.
# - The code: [soft_targets.py](../labkd/soft_targets.py),
#   [data.py](../labkd/data.py), [records.py](../labkd/records.py).
