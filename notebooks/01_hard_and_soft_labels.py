# %% [markdown]
# # 1 · Hard and soft labels
#
# > [!NOTE]
# > **Question.** What does a large network's answer tell a small one that
# > the label does not?
# >
# > **Answer.** Which wrong classes are near. A student that learned from the
# > teacher's probabilities was right more often than one that learned from
# > the labels of the same images. With the probabilities of the wrong
# > classes shuffled or made equal, most of the gain was lost.
# >
# > **Evidence.** Twenty paired seeds on scikit-learn's digits, fifty images
# > for each student, three controls, a teacher better than every student.
# >
# > Before: cross-entropy and a training loop in PyTorch. To read: twelve
# > minutes. To run: half a minute.
#
# Show a trained network the photograph of a truck, and it answers with ten
# probabilities, one for each class it knows. We usually keep the largest and
# throw nine away. **Knowledge distillation** keeps them all: a small network,
# the *student*, learns from the probabilities of a large one, the *teacher*.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # for example in Colab
    address = "labkd[course] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import json
import statistics
from functools import partial

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from labkd import data, figures, pictures, records
from labkd.controls import (
    mean_entropy,
    permute_wrong_classes,
    smoothed_logits,
)
from labkd.inference import paired_difference
from labkd.resnet import ResNet
from labkd.soft_targets import kl_divergence, soften

# %config InlineBackend.figure_format = "retina"
figures.use_style()
plt.rcParams["font.size"] = 12
torch.set_num_threads(1)  # quicker for networks this small

run = ("teacher-resnet18-cifar10", "laptop", 0)
record = records.read(*run)
path = records.path_of(*run).with_suffix(".logits.safetensors")
cifar_logits = load_file(path)["test"].float()  # (images, classes)
# CIFAR-10 has 1,000 test images of each class; labkd keeps them sorted.
cifar_labels = torch.arange(10).repeat_interleave(1000)
probabilities = cifar_logits.softmax(dim=1)
classes = list(data.CIFAR10_CLASSES)
truck = classes.index("truck")
# The thumbnails that come with labkd, and the truck that gets the least.
about = json.loads((pictures.FOLDER / "thumbnails.json").read_text())
confidence = {
    place: probabilities[image["test_index"], truck].item()
    for place, image in enumerate(about["images"])
    if image["label"] == "truck"
}
place = min(confidence, key=confidence.get)
index = about["images"][place]["test_index"]
top, left = (32 * n for n in divmod(place, about["columns"]))
sheet = plt.imread(pictures.FOLDER / "thumbnails.png")
photograph = sheet[top : top + 32, left : left + 32]
answers = {
    f"this photograph (test image {index})": probabilities[index],
    "mean of 1,000 trucks": probabilities[cifar_labels == truck].mean(0),
}

# %% [markdown]
# ## Why make a network smaller?
#
# A network is trained once and used for years. Its size costs time, memory and
# energy with every answer. Yet large networks are usually more accurate than
# small ones, and the average of several, an *ensemble*, than each of its
# members.
#
# **Compression** wants both, accurate and small. Buciluă, Caruana and
# Niculescu-Mizil ([2006](../docs/references.md#bucila2006)) let an ensemble
# label artificial examples and trained one small network on them. Hinton,
# Vinyals and Dean ([2015](../docs/references.md#hinton2015), section 4, table
# 1) report that ten networks for speech together got 2.2 points more sound
# frames right than one, and that a single network, taught by the ten, kept
# 1.9.

# %% [markdown]
# ## One photograph, ten numbers
#
# The label of this photograph is "truck": 1 for truck and 0 for the nine other
# classes. That is a **hard label**, also called *one-hot*. The bars show what
# a teacher answers instead, a **soft label**, with the correct class
# highlighted. The teacher nearly takes this truck for an automobile; a frog
# it does not consider.
#
# We chose a photograph of which the teacher is unsure. Usually one class has
# nearly all the probability, so the lower panel averages over all 1,000 test
# trucks. Behind *truck* comes *automobile*, then the two other vehicles, and
# every animal has less than every vehicle. Nobody told this network so. A BMW
# is rarely mistaken for a garbage truck, but far more often than for a carrot
# ([Hinton et al. 2015](../docs/references.md#hinton2015), section 1).

# %% fig_alt="The photograph of a truck, with bars for the teacher's ten probabilities: truck, highlighted, has about half, automobile nearly the other half, all else almost nothing. Below, the mean over 1,000 trucks: truck far ahead, then automobile, ship and airplane, then the animals." tags=["hide-input", "photo"]
figure, rows = plt.subplots(2, 1, figsize=(4.6, 5.8), sharex=True)
for axes, (title, answer) in zip(rows, answers.items(), strict=True):
    colours = [figures.OTHER] * 10
    colours[truck] = figures.CORRECT
    bars = axes.barh(classes, answer, color=colours)
    numbers = [f"{p:.3f}" if p >= 0.0005 else "" for p in answer]
    axes.bar_label(bars, numbers, padding=3, fontsize=11)
    axes.get_yticklabels()[truck].set(color=figures.CORRECT, weight="bold")
    axes.set_title(title, size=12)
    axes.invert_yaxis()
rows[1].set(xlabel="probability", xlim=(0, 1.05))
inset = rows[0].inset_axes((0.5, 0.26, 0.48, 0.5))
inset.imshow(photograph, interpolation="bicubic")
inset.set_title("label: truck", size=11)
inset.set_axis_off()
plt.show()

# %% [markdown]
# The teacher is a residual network, recorded on CIFAR-10
# ([Krizhevsky 2009](../docs/references.md#krizhevsky2009)); a tenth of the
# 50,000 training images was kept from it.
# [Chapter 4](04_the_teacher.ipynb) builds it.

# %% tags=["hide-input"]
resnet18 = ResNet(num_classes=10, width=record["config"]["width"])
parameters = sum(p.numel() for p in resnet18.parameters())
pd.Series(
    {
        "network": "ResNet-18, half as wide as usual",
        "parameters": f"{parameters:,}",
        "trained on": records.budget_of(record),
        "test accuracy": f"{record['test']['accuracy']:.1%}",
        "data": records.data_of(record),
    },
    name="the teacher",
).to_frame()

# %% [markdown]
# ## Three classes, by hand
#
# Keep three classes, *truck*, *car* and *frog*. The hard label is
# $y = (1, 0, 0)$. A teacher says $p = (0.70, 0.25, 0.05)$, and two students
# have these opinions:
#
# | | truck | car | frog |
# |---|---|---|---|
# | Ann | 0.60 | 0.20 | 0.20 |
# | Bob | 0.60 | 0.30 | 0.10 |
#
# Both give the truck 0.60. Bob has noticed that a truck is more like a car
# than like a frog; Ann has not. Does the loss see it?
#
# The usual loss is the **cross-entropy** of the student $q$ with the label,
#
# $$
# \operatorname{CE}(y, q) = -\sum_i y_i \log q_i = -\log q_{\text{truck}} .
# $$
#
# Ann and Bob both pay $-\log 0.60 = 0.5108$: the loss cannot tell them apart.
# The **Kullback-Leibler divergence** from the teacher's distribution compares
# all three:
#
# $$
# \operatorname{KL}(p \,\|\, q) = \sum_i p_i \log \frac{p_i}{q_i} .
# $$
#
# Ann pays $0.10791 + 0.05579 - 0.06931 = 0.09439$, and Bob
# $0.10791 - 0.04558 - 0.03466 = 0.02767$. By this measure Bob is more than
# three times closer to the teacher. Both losses are in *nats*, the unit of the
# natural logarithm.


# %%
def cross_entropy(p, q):
    return -torch.xlogy(p, q).sum(dim=-1)  # xlogy: 0 log 0 is 0


def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=-1)


hard_label = torch.tensor([1.0, 0.0, 0.0])
soft_label = torch.tensor([0.70, 0.25, 0.05])
opinions = {
    "Ann": torch.tensor([0.60, 0.20, 0.20]),
    "Bob": torch.tensor([0.60, 0.30, 0.10]),
}
table = pd.DataFrame(index=opinions)
for name, q in opinions.items():
    table.loc[name, "CE, hard label"] = cross_entropy(hard_label, q).item()
    table.loc[name, "KL, soft label"] = kl(soft_label, q).item()
table.round(4)

# %% [markdown]
# ## Two losses, one family
#
# Split the logarithm in the divergence, and the cross-entropy appears:
#
# $$
# \operatorname{CE}(p, q) = \underbrace{-\sum_i p_i \log p_i}_{H(p)}
#   + \operatorname{KL}(p \,\|\, q) .
# $$
#
# $H(p)$ is the **entropy** of the label. It does not contain the student, so
# it has no gradient. A one-hot label has entropy zero: for it, cross-entropy
# *is* the divergence. Training on hard and on soft labels minimises the same
# thing; only the target differs.
#
# Let $q$ be the softmax of the student's logits $z$, that is
# $\log q_i = z_i - \log \sum_j e^{z_j}$. Then
#
# $$
# \frac{\partial}{\partial z_i} \operatorname{CE}(p, q)
#   = -p_i + \sum_k p_k \, \frac{e^{z_i}}{\sum_j e^{z_j}}
#   = q_i - p_i ,
# $$
#
# because the $p_k$ add up to one. The loss passes back only *student minus
# target*. The cell checks it with automatic differentiation.

# %%
torch.manual_seed(0)
z = torch.randn(1000, 10, dtype=torch.float64, requires_grad=True)
q = z.softmax(dim=1)  # (images, classes)
soft = (2 * torch.randn_like(z)).softmax(dim=1)
hard = F.one_hot(torch.randint(10, (1000,)), 10).double()

for p in (hard, soft):
    for loss in (cross_entropy, kl):
        total = loss(p, q).sum()
        (gradient,) = torch.autograd.grad(total, z, retain_graph=True)
        torch.testing.assert_close(gradient, (q - p).detach())
torch.testing.assert_close(
    cross_entropy(soft, q), cross_entropy(soft, soft) + kl(soft, q)
)

# %% [markdown]
# The figure shows both losses at work on Ann. Each arrow is one part of the
# gradient, turned downhill: from the student's bar to the target's. **Above**,
# the hard label pulls *truck* up and pushes *car* and *frog* down equally
# hard, because Ann gives them the same. **Below**, the soft label asks for
# more truck, a little *more* car, and much less frog.

# %% fig_alt="Two bar charts for truck, car and frog, one below the other. With the hard label, arrows push truck up and car and frog down equally. With the soft label, arrows push truck and car up and frog down." tags=["hide-input"]
names = ["truck", "car", "frog"]
panels = {
    r"cross-entropy, hard label: $-\log\,q_{truck}$": hard_label,
    r"KL, soft label: $\sum_i p_i\,\log\,(p_i / q_i)$": soft_label,
}
figure, rows = plt.subplots(2, 1, figsize=(4.6, 4.6), sharex=True)
for axes, (title, target) in zip(rows, panels.items(), strict=True):
    figures.draw_pull(axes, target, opinions["Ann"], names)
    axes.set_title(title, size=12)
rows[0].legend()
plt.show()

# %% [markdown]
# ## How much is in a soft label?
#
# Entropy measures how *undecided* a label is: 0 for a hard label,
# $\log 10 = 2.303$ for ten equal probabilities. Its exponential $e^H$ is
# easier to read: a label with entropy $H$ is as undecided as one that is
# spread evenly over $e^H$ classes.
#
# Entropy is not the chance of an error, and **not an amount of knowledge**.
# Shuffle the probabilities of the wrong classes among themselves: the entropy
# stays the same, and what the label said about cars and frogs is gone.
#
# The teacher above is so sure that a typical label of it is almost a hard
# label. The usual remedy is to divide the logits by a number before the
# softmax, the **temperature** $T$. The order of the classes does not change,
# and the small probabilities become large enough to matter. Here $T$ is 4, for
# teacher and student; [chapter 2](02_temperature.ipynb) tries others.

# %%
medians = pd.DataFrame()  # over 10,000 test images
for temperature in (1.0, 4.0):
    soft = soften(cifar_logits, temperature)  # softmax(logits / T)
    entropy = torch.special.entr(soft).sum(dim=1).median()
    largest = soft.amax(dim=1).median()
    medians.loc[f"T = {temperature:g}", "largest p"] = largest.item()
    medians.loc[f"T = {temperature:g}", "H"] = entropy.item()
    medians.loc[f"T = {temperature:g}", "classes, e^H"] = entropy.exp().item()
medians.round(2)

# %% [markdown]
# The value of a hard label's loss has only the right class's $q$ in it; a soft
# label's, softened at $T = 4$, has all ten. The bars belong to another truck,
# the last photograph below. They are answers of the teacher in the first table
# and of a student from [chapter 6](06_from_cnn_to_vit.ipynb) that it taught.

# %% tags=["hide-input"]
pictures.picture("one_loss_two_labels")

# %% [markdown]
# On the web page you can turn the temperature for 24 photographs. The teacher
# there is the same network, trained anew for more epochs.
#
# <!-- widget: soft labels -->

# %% [markdown]
# ## A large network and a small one
#
# Now we test it, on scikit-learn's handwritten digits
# ([Alpaydin and Kaynak 1998](../docs/references.md#alpaydin1998)), 8 x 8
# pixels each. The teacher is a convolutional network and learns from all
# 1,200 training images. The student has one hidden layer and gets only fifty
# of them: so few that a difference can be measured in half a minute.


# %%
def new_teacher():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 4 * 4, 10),
    )


def new_student(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )


# %% [markdown]
# ## Two losses, one loop
#
# `F.kl_div` wants the logarithm of the student's probabilities first and the
# teacher's probabilities second; the factor $T^2$ roughly keeps the size of
# the gradient when $T$ changes. [Chapter 3](03_the_kl_loss.ipynb) derives
# both. The last line checks the loss against `labkd`'s.


# %%
def hard_loss(student_logits, teacher_logits, labels):
    return F.cross_entropy(student_logits, labels)


def soft_loss(student_logits, teacher_logits, labels, temperature=4.0):
    log_q = F.log_softmax(student_logits / temperature, dim=1)
    p = F.softmax(teacher_logits / temperature, dim=1)
    return temperature**2 * F.kl_div(log_q, p, reduction="batchmean")


z, v = torch.randn(2, 64, 10)
torch.testing.assert_close(soft_loss(z, v, None), 16 * kl_divergence(z, v, 4))

# %% [markdown]
# This is distillation. The loop is the ordinary one with three additions: the
# teacher is in `eval` mode, it sees the same images as the student, and no
# gradient is kept for it. Without a teacher the same loop learns from labels.


# %%
def train(
    student, batches, loss_function, teacher=None, *, epochs, learning_rate
):
    device = next(student.parameters()).device
    optimizer = torch.optim.AdamW(student.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    if teacher is not None:
        teacher.eval()
    for _ in range(epochs):
        student.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            teacher_logits = None
            if teacher is not None:
                with torch.no_grad():
                    teacher_logits = teacher(images)
            student_logits = student(images)
            loss = loss_function(student_logits, teacher_logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


# %% tags=["setup"]
def split_of(name):
    split = data.load("digits", name)
    return split.images.float() / 127.5 - 1, split.labels


@torch.no_grad()
def percent_right(model, images, labels):
    model.eval()
    right = model(images).argmax(dim=1) == labels
    return 100 * right.double().mean().item()


images, labels = split_of("train")  # (1200, 1, 8, 8)
validation, test = split_of("validation"), split_of("test")

# %% [markdown]
# The teacher learns from all labels, in batches of 64. Then come two students
# with the same initial weights and the same fifty images. One learns from the
# fifty labels, the other from what the teacher answers alone. The table has
# the percentage right of 100 validation images.


# %%
def draw(seed, images, labels):
    """Fifty images for a student, and the others."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    few, rest = order[:50], order[50:]
    return (images[few], labels[few]), (images[rest], labels[rest])


torch.manual_seed(0)
batches = DataLoader(TensorDataset(images, labels), 64, shuffle=True)
teacher = new_teacher()
train(teacher, batches, hard_loss, epochs=20, learning_rate=3e-3)

lesson, _ = draw(0, images, labels)
by_labels, by_teacher = new_student(seed=0), new_student(seed=0)
train(by_labels, [lesson], hard_loss, epochs=100, learning_rate=1e-2)
train(by_teacher, [lesson], soft_loss, teacher, epochs=100, learning_rate=1e-2)

# %% tags=["hide-input"]
networks = {
    "teacher, 1,200 labels": teacher,
    "student, 50 labels": by_labels,
    "student, 50 answers": by_teacher,
}
rows = {}
for name, network in networks.items():
    parameters = sum(p.numel() for p in network.parameters())
    right = f"{percent_right(network, *validation):.0f} %"
    rows[name] = {"parameters": f"{parameters:,}", "validation": right}
pd.DataFrame(rows).T

# %% [markdown]
# On the web page three other networks answer while you draw: smaller, trained
# for longer, the teacher on shifted digits.
#
# <!-- widget: draw a seven -->

# %% [markdown]
# ## Does a student learn more?
#
# One run is an anecdote. And if the taught student is better, is it because
# its labels say which classes are near, or only because they are soft? Three
# controls decide it:
#
# - **Wrong classes permuted.** The teacher's logits, with those of the wrong
#   classes shuffled within each image, once and for all. The label of every
#   image is exactly as soft as before. What it says about nearness is false,
#   which may do harm.
# - **Wrong classes evened.** The teacher's probability of the correct class,
#   the rest spread evenly over the wrong ones. Such a label says how sure the
#   teacher is of this image, and nothing about nearness.
# - **Label smoothing.** A part of a hard label's 1 is spread evenly over all
#   classes, as much as gives the teacher's mean entropy at $T = 4$: one label
#   for all images of a class.
#
# All take the teacher's place in the same loss
# ([controls.py](../labkd/controls.py)). Four times the logarithm of `evened`
# gives logits whose softmax at $T = 4$ is `evened`.


# %%
def permuted_loss(student_logits, teacher_logits, labels):
    # The fifty images keep their order, so one seed fixes every shuffle.
    generator = torch.Generator().manual_seed(0)
    permuted = permute_wrong_classes(
        teacher_logits, labels, generator=generator
    )
    return soft_loss(student_logits, permuted, labels)


def evened_loss(student_logits, teacher_logits, labels):
    p = F.softmax(teacher_logits / 4.0, dim=1)
    sure = p.gather(1, labels[:, None])  # of the correct class, (images, 1)
    evened = ((1 - sure) / 9).repeat(1, 10).scatter(1, labels[:, None], sure)
    return soft_loss(student_logits, 4.0 * evened.log(), labels)


def smoothed_loss(student_logits, teacher_logits, labels, smoothed):
    return soft_loss(student_logits, smoothed[labels], labels)


# %% tags=["setup"]
with torch.no_grad():
    entropy = mean_entropy(teacher(images), temperature=4.0)
# Row c holds the logits that stand for the smoothed label of class c.
smoothed = smoothed_logits(
    torch.arange(10), 10, entropy=entropy, temperature=4.0
)
arms = {
    "labels": hard_loss,
    "soft labels": soft_loss,
    "permuted": permuted_loss,
    "evened": evened_loss,
    "label smoothing": partial(smoothed_loss, smoothed=smoothed),
}

# %% [markdown]
# Every seed draws its own fifty images and its own initial weights. The five
# students of a seed share both, and have the same number of steps. Each kind
# of label chooses among the same four learning rates: the one whose students,
# in the mean of five seeds, are right most often on the 1,150 training images
# that they were not given. This uses more than fifty labels, for all kinds
# alike.


# %%
def taught(loss_function, teacher, lesson, learning_rate, seed):
    student = new_student(seed)
    train(
        student,
        [lesson],
        loss_function,
        teacher,
        epochs=100,
        learning_rate=learning_rate,
    )
    return student


# %%
def best_rate(loss_function, teacher, images, labels):
    means = {}
    for rate in (3e-3, 1e-2, 3e-2, 1e-1):
        scores = []
        for seed in range(100, 105):
            lesson, rest = draw(seed, images, labels)
            student = taught(loss_function, teacher, lesson, rate, seed)
            scores.append(percent_right(student, *rest))
        means[rate] = statistics.mean(scores)
    return max(means, key=means.get)


# %% [markdown]
# Then come twenty other seeds. Only here are the test images used.

# %%
rates, scores = {}, {}
for arm, loss_function in arms.items():
    rates[arm] = best_rate(loss_function, teacher, images, labels)
    scores[arm] = []
    for seed in range(20):
        lesson, _ = draw(seed, images, labels)
        student = taught(loss_function, teacher, lesson, rates[arm], seed)
        scores[arm].append(percent_right(student, *test))

# %% tags=["hide-input"]
rows = {"teacher": {"accuracy, %": f"{percent_right(teacher, *test):.1f}"}}
for arm, percents in scores.items():
    rows[arm] = {
        "accuracy, %": f"{statistics.mean(percents):.1f}",
        "± deviation": f"{statistics.stdev(percents):.1f}",
        "best seed, %": f"{max(percents):.1f}",
        "learning rate": f"{rates[arm]:g}",
    }
# Of the 497 test images, most by other writers; twenty seeds.
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# Do not compare these means by eye: a lucky draw of fifty images lifts all
# students of its seed. What counts is the **paired difference** within a seed.
# Of twenty such differences we give the mean and, from their standard
# deviation $s$, its 95 % interval: the mean $\pm\, 2.09 \, s / \sqrt{20}$
# ([Student 1908](../docs/references.md#student1908)). An interval that
# contains zero means that no difference was found.

# %%
compared = [
    ("soft labels", "labels"),
    ("permuted", "labels"),
    ("evened", "labels"),
    ("label smoothing", "labels"),
    ("soft labels", "permuted"),
    ("soft labels", "evened"),
]
gains = {}
for ours, theirs in compared:
    difference = paired_difference(scores[ours], scores[theirs])
    gains[f"{ours} − {theirs}"] = difference

# %% [markdown]
# **The soft labels win, and not because they are soft.** No gain was found for
# any control. Even at the upper ends of their intervals, shuffled and smoothed
# labels give less than a third of the mean gain, evened ones less than half,
# so how sure the teacher is may still help a little. What helps most is to
# know *which* wrong classes are near.

# %% fig_alt="Six intervals in points of accuracy. Soft labels minus labels, minus permuted and minus evened lie far to the right of zero; permuted, evened and label smoothing minus labels lie near it." tags=["hide-input"]
figure, axes = plt.subplots(figsize=(4.8, 2.8))
axes.axvline(0, color=figures.OTHER)
for name, gain in gains.items():
    reach = {"xerr": gain.half_width, "fmt": "o", "capsize": 4}
    axes.errorbar(gain.mean, name, color=figures.CORRECT, **reach)
axes.invert_yaxis()
axes.set_xlabel("points of accuracy")
plt.show()
pd.DataFrame(
    {
        name: {"points": gain.mean, "from": gain.low, "to": gain.high}
        for name, gain in gains.items()
    }
).T.round(1)

# %% [markdown]
# ### What this does not show
#
# The teacher saw 1,200 labels and the student fifty. Part of what its answers
# carry is simply what it learned from other images, and a student with more
# images of its own needs less of that (exercise 4 and
# [chapter 15](15_when_it_pays.ipynb)). There is one teacher here, so the
# intervals speak of students and of draws of images, not of other teachers.
# And these are digits: [chapter 6](06_from_cnn_to_vit.ipynb) asks the
# question on photographs.

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
# a hard label the logits are pushed outward for ever. With a soft label,
# $q = p$ at $z_i = \log p_i + c$ for any constant $c$: finite, and the
# gradient stops there.
#
# </details>
#
# **3. A fresh shuffle.** Suppose that the control shuffled the wrong classes
# anew each time it is asked. Which label would the student then learn, on
# average? How does it differ from label smoothing?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The gradient $q - p$ is linear in $p$, so on average the student is pulled
# towards the mean of the shuffled labels. There each wrong class has the same
# probability, $(1 - p_y) / (C - 1)$. That is our evened label: label
# smoothing with a strength of its own for every image.
#
# </details>
#
# **4. Plenty.** Give the student 400 images instead of fifty. What happens to
# the paired difference, and why?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Change both fifties in `draw`: with `[:50]` alone, images of the lesson would
# choose the learning rate, too. It shrinks: four hundred hard labels already
# hold much of what the teacher knows, so there is less left for its
# probabilities to add.
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 1 for the idea,
#   section 2, equation 1 for the softmax with a temperature, section 6 for
#   soft targets when data is short.
# - Buciluă, Caruana and Niculescu-Mizil, *Model Compression*
#   ([2006](../docs/references.md#bucila2006)).
# - Krizhevsky, *Learning Multiple Layers of Features from Tiny Images*
#   ([2009](../docs/references.md#krizhevsky2009)): CIFAR-10.
# - The code: [`soften`](../labkd/soft_targets.py#soften),
#   [controls.py](../labkd/controls.py), [data.py](../labkd/data.py).
