# %% [markdown]
# # 9 · From ViT to CNN
#
# > [!NOTE]
# > **Question.** Can a Vision Transformer teach a CNN, and does the student
# > take over its mistakes?
# >
# > **Answer.** It could. On digits a student that learned from a transformer's
# > answers about 600 images was far better than one that had labels of fifty
# > of them, and no difference was found to one that had the labels of all. On
# > CIFAR-10 a transformer that had seen all images lifted a CNN that got a
# > tenth of them; an earlier one was too weak to test a gain. And beyond
# > chance students agreed more with their own teacher than the students of the
# > other one did, in the mean of both teachers.
# >
# > **Evidence.** Six paired seeds on digits, with three teachers of each kind,
# > all better than students on fifty labels. On CIFAR-10 (JPEG copy) five
# > paired seeds with 10,000 images, and eight with 4,500.
# >
# > Before: chapters 5 and 8. To read: ten minutes. To run: half a minute.
#
# [Chapter 6](06_from_cnn_to_vit.ipynb) had a convolutional network (CNN)
# teach a Vision Transformer (ViT). The other direction has a practical
# reason: the large pretrained networks are often transformers, and what has
# to run on a small device is often a CNN.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # for example in Colab
    address = "labkd[course] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import statistics

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torchvision import models

from labkd import figures, inference, records, verdicts
from labkd.data import load
from labkd.soft_targets import kl_divergence
from labkd.vit import VisionTransformer

# %config InlineBackend.figure_format = "retina"
figures.use_style()
plt.rcParams["font.size"] = 12
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## A linear probe
#
# A good transformer need not be trained from the start. Take one that was
# trained on many photographs, freeze it, and train one linear layer on its
# *features*, the vector $h(x)$ that it makes of an image (Alain and Bengio,
# [2017](../docs/references.md#alain2017), section 3):
#
# $$
# z = W h(x) + b .
# $$
#
# That is a **linear probe**. Freezing takes two things. No parameter of the
# features may get a gradient. And the features must stay in eval mode while
# the probe is trained, or dropout would still drop and BatchNorm would still
# move its buffers. (`no_grad` would stop it too, and saves memory.)


# %%
class LinearProbe(nn.Module):
    def __init__(self, features, width, num_classes):
        super().__init__()
        self.features = features.requires_grad_(False).eval()
        self.head = nn.Linear(width, num_classes)

    def train(self, mode=True):
        super().train(mode)
        self.features.eval()
        return self

    def forward(self, images):
        images = F.interpolate(images, size=224, mode="bilinear")
        with torch.no_grad():
            seen = self.features(images)  # (batch, width)
        return self.head(seen)


# %% [markdown]
# The features of torchvision's ViT-B/16 are 768 numbers an image, so
# $768 \cdot 10 + 10 = 7690$ parameters learn. The cell builds it on PyTorch's
# `meta` device, which has shapes but no numbers.

# %%
with torch.device("meta"):
    vit = models.vit_b_16()
    vit.heads = nn.Identity()  # the features are what its head was given
    probe = LinearProbe(vit, width=768, num_classes=10)
learned = sum(p.numel() for p in probe.parameters() if p.requires_grad)
assert learned == 7690
logits = probe(torch.empty(2, 3, 32, 32, device="meta"))
assert logits.shape == (2, 10)

# %% tags=["hide-input"]
frozen = sum(p.numel() for p in probe.features.parameters())
pd.DataFrame(
    {"parameters": {"frozen": f"{frozen:,}", "learned": f"{learned:,}"}}
)

# %% [markdown]
# With an internet connection the trained features are two lines away
# ([linear_probe.py](../labkd/linear_probe.py)). Give them pixels normalised as
# in *their* training: `models.ViT_B_16_Weights.IMAGENET1K_V1.transforms()`
# has the numbers.
#
# ```python
# from labkd.linear_probe import imagenet_vit, probe_of
#
# teacher = probe_of(imagenet_vit(), num_classes=10)
# ```
#
# Train it with the loop for labels of
# [chapter 6](06_from_cnn_to_vit.ipynb#loop-one-learn-from-the-labels).
#
# What makes it a good teacher? It brings what its features learned from other
# images. It is cheap to train. And its answers stay soft unless its $D$
# features separate the classes, as they do for *any* labels of almost any
# $D + 1$ images. What it cannot do is tell apart two images that its frozen
# features make alike.
#
# This course needs no download, and no record with ImageNet's weights has
# been made. A well-known write-up trains such a probe, ViT-B/16 on CIFAR-10,
# to teach a ResNet-34; what goes wrong in its loss is a case for
# [the gallery](16_the_gallery_of_mistakes.ipynb).

# %% [markdown]
# ## A competent transformer
#
# On scikit-learn's digits we can train one. The images are divided as in
# [chapter 8](08_large_cnn_to_small_cnn.ipynb#the-transfer-set): the teachers
# learn from 600 labelled images, and the students have 600 others, of which
# only fifty are labelled. (Scores differ from those there, as networks and
# schedule do.) The ViT has patches of 4 by 4 pixels, four to an image, and
# 18,218 parameters. Beside it stands a CNN of 3,818 parameters as a second
# teacher, trained in the same way.


# %%
def small_vit(seed):
    torch.manual_seed(seed)
    network = VisionTransformer(
        image_size=8,
        patch_size=4,
        in_channels=1,
        num_classes=10,
        width=32,
        depth=2,
        heads=4,
        mlp_ratio=2.0,
    )
    # Positions start with a deviation of 1, not 0.02: steps are few.
    network.positions.data.mul_(50)
    return network


# %%
def small_cnn(channels, seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(channels, 2 * channels, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(2 * channels * 4 * 4, 10),
    )


# %% [markdown]
# One loop trains all, teachers and students. Without a teacher it learns from
# labels. With one it learns from the teacher's answers alone, at $T = 4$. The
# teacher is asked in eval mode, without gradients, and about the very images
# that the student is shown.


# %%
@torch.no_grad()
def answers(teacher, images):
    return teacher.eval()(images)


# %%
def train(model, images, labels, teacher, learning_rate, seed, steps=100):
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, steps, pct_start=0.2, cycle_momentum=False
    )
    generator = torch.Generator().manual_seed(seed)
    model.train()
    for _ in range(steps):
        batch = torch.randint(len(images), (50,), generator=generator)
        shown = images[batch].to(device)
        logits = model(shown)
        if teacher is None:
            loss = F.cross_entropy(logits, labels[batch].to(device))
        else:
            loss = 16 * kl_divergence(logits, answers(teacher, shown), 4.0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


# %% tags=["setup"]
@torch.no_grad()
def classes_of(model, images):
    return model.eval()(images).argmax(dim=1)


def percent_right(model, images, labels):
    right = classes_of(model, images) == labels
    return 100 * right.double().mean().item()


def interval_table(differences):
    rows = {}
    for name, values in differences.items():
        found = inference.paired_difference(values, np.zeros(len(values)))
        ends = {"mean": found.mean, "from": found.low, "to": found.high}
        rows[name.replace("\n", " ")] = ends
    return pd.DataFrame(rows).T.round(1)


def split_of(name):
    split = load("digits", name)
    return split.images.float() / 127.5 - 1, split.labels


images, labels = split_of("train")
validation, test = split_of("validation"), split_of("test")
order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
theirs = images[order[:600]], labels[order[:600]]  # of the teachers
pool = images[order[600:]], labels[order[600:]]  # of the students

# %% [markdown]
# There are three teachers of each kind, and each of them has two of the six
# students, so that *kinds* of teacher are compared and not two networks.

# %%
teachers = {
    "ViT": [
        train(small_vit(seed), *theirs, None, 1e-2, seed, steps=160)
        for seed in range(3)
    ],
    "CNN": [
        train(small_cnn(8, seed), *theirs, None, 1e-2, seed, steps=160)
        for seed in range(3)
    ],
}

# %% [markdown]
# The student is a CNN of 1,626 parameters. Four arms share a seed's initial
# weights: fifty labels, the ViT's answers for the 600 images, the CNN's, and
# last all 600 labels, which no student of a teacher was told. All have 100
# steps. Each takes the better of two learning rates on the validation images,
# by the mean of two other seeds.


# %%
def taught(arm, teachers, pool, learning_rate, seed):
    images, labels = pool
    teacher = None
    if arm in teachers:
        teacher = teachers[arm][seed % 3]
    elif arm == "labels":
        generator = torch.Generator().manual_seed(seed)
        few = torch.randperm(len(images), generator=generator)[:50]
        images, labels = images[few], labels[few]
    student = small_cnn(4, seed)
    return train(student, images, labels, teacher, learning_rate, seed)


# %%
students = {}
for arm in ("labels", "ViT", "CNN", "600 labels"):
    means = {}
    for rate in (1e-2, 3e-2):
        trials = [
            taught(arm, teachers, pool, rate, seed) for seed in (100, 101)
        ]
        right = [percent_right(student, *validation) for student in trials]
        means[rate] = statistics.mean(right)
    rate = max(means, key=means.get)
    students[arm] = [
        taught(arm, teachers, pool, rate, seed) for seed in range(6)
    ]

# %% tags=["hide-input"]
networks = {
    "teacher, ViT": teachers["ViT"],
    "teacher, CNN": teachers["CNN"],
    "student, labels": students["labels"],
    "student of the ViT": students["ViT"],
    "student of the CNN": students["CNN"],
    "student, 600 labels": students["600 labels"],
}
scores, rows = {}, {}
for name, group in networks.items():
    held = [percent_right(network, *validation) for network in group]
    scores[name] = [percent_right(network, *test) for network in group]
    mean = statistics.mean(scores[name])
    rows[name] = {
        "validation, %": f"{statistics.mean(held):.1f}",
        "worst": f"{min(held):.1f}",
        "best": f"{max(held):.1f}",
        "test, ± deviation": f"{mean:.1f} ± "
        f"{statistics.stdev(scores[name]):.1f}",
    }
pd.DataFrame(rows).T

# %% [markdown]
# Both kinds of teacher pass [the rule about
# teachers](08_large_cnn_to_small_cnn.ipynb#a-teacher-has-to-be-better): each
# of them is above every student on fifty labels. And **students of both kinds
# are far above those on labels of fifty images**.
#
# Against students with all 600 labels neither kind passes that rule. So these
# rows say nothing about distillation; they show what 600 labels teach. No
# difference was found, and the intervals leave room for about three points in
# favour of the labels and two in favour of a teacher.
#
# Between the two kinds no difference was found either: the interval ends at
# zero, with the ViT's students ahead. (Two students share a teacher, so six
# pairs are not quite independent, and true 95 % intervals would be wider than
# these.)

# %% fig_alt="A forest plot in points of test accuracy on the digits. The students of the ViT and of the CNN are far ahead of the students on labels. The ViT's students against the CNN's: the interval ends at zero. Both intervals against students with all 600 labels contain zero." tags=["hide-input"]
gains = {
    "ViT's student\n− labels": ("student of the ViT", "student, labels"),
    "CNN's student\n− labels": ("student of the CNN", "student, labels"),
    "ViT's student\n− CNN's": ("student of the ViT", "student of the CNN"),
    "ViT's student\n− 600 labels": (
        "student of the ViT",
        "student, 600 labels",
    ),
    "CNN's student\n− 600 labels": (
        "student of the CNN",
        "student, 600 labels",
    ),
}
gains = {
    name: np.subtract(scores[ours], scores[theirs])
    for name, (ours, theirs) in gains.items()
}
figure, axes = plt.subplots(figsize=(5, 4.6))
figures.draw_differences(axes, gains)
axes.set_xlabel("points of test accuracy, ± 95 % interval")
axes.set_title("digits, six seeds")
plt.show()
interval_table(gains)

# %% [markdown]
# ## The teacher's mistakes
#
# Accuracy says how many images a network gets wrong, not which. Do student
# and teacher err on the *same* ones? Two networks that are often right agree
# often for that reason alone, so the agreement of chance has to be taken off.
# That is **Cohen's kappa**: with $o$ the observed agreement and $e$ that of
# chance,
#
# $$
# \kappa = \frac{o - e}{1 - e} .
# $$
#
# Geirhos et al. ([2020](../docs/references.md#geirhos2020)) apply it to two
# classes, *right* and *wrong*, and call it **error consistency**. With
# accuracies $a$ and $b$, two networks that err independently are both right
# or both wrong on a share $e = a b + (1 - a)(1 - b)$ of the images.
#
# By hand, with 100 images: right on 90 and on 80, two independent networks
# coincide on $72 + 2 = 74$. Let ours coincide on 82. Then
# $\kappa = (82 - 74) / (100 - 74) = 4/13$. 0 is chance; 1 means: wrong on the
# same images. Where accuracies differ $\kappa$ stays below 1: here they can
# coincide on 90 at most, so it ends at $8/13$.


# %%
def error_consistency(first, second, labels):
    first, second = first == labels, second == labels
    a, b = first.double().mean(), second.double().mean()
    observed = (first == second).double().mean()
    chance = a * b + (1 - a) * (1 - b)
    return ((observed - chance) / (1 - chance)).item()


one, two = torch.ones(2, 100)
one[90:] = 0  # right on 90
two[76:90] = two[94:] = 0  # right on 80, and like the other on 82
kappa = error_consistency(one, two, torch.ones(100))
assert abs(kappa - 4 / 13) < 1e-6
library = inference.cohen_kappa(one == 1, two == 1, num_classes=2)
assert abs(kappa - library) < 1e-6

# %% [markdown]
# Each student is compared with both teachers of its seed: its own, and the
# other one, which it has never met. If a student takes over its teacher's
# mistakes, it is more consistent with its teacher than the other student is.
#
# **A teacher's own student is more consistent with it than the other student
# is, in the mean of both teachers.** One row alone does not show it: a student
# that errs less agrees more with *any* teacher, and the upper end of $\kappa$
# moves with the accuracies. In the mean that nearly cancels. (The last row has
# the three teachers in place of the six students. With the ViT alone the
# difference is clear, with the CNN none was found.)
#
# The tables have $100 \, \kappa$ on the test images, the second one the means
# behind the first. With students on fifty labels $\kappa$ is low, in part
# because they err more than any teacher; with taught ones it is high. But it
# is with students on all 600 labels, too, whom nobody taught: hard images are
# hard for everyone. (Nor does $\kappa$ ask *which* wrong class two networks
# took.)

# %% fig_alt="Paired differences of error consistency on the digits. With the ViT its own student is clearly more consistent than the CNN's. With the CNN the interval contains zero. The mean of both lies right of zero." tags=["hide-input"]
images, labels = test
decided = {
    name: [classes_of(network, images) for network in group]
    for name, group in networks.items()
}


def kappas(decided, student, teacher, labels):
    """100 times the error consistency, for each seed of the student."""
    asked = decided[teacher]
    return [
        100 * error_consistency(answer, asked[seed % len(asked)], labels)
        for seed, answer in enumerate(decided[student])
    ]


def draw_kappas(axes, decided, labels):
    own = {}
    for kind, other in (("CNN", "ViT"), ("ViT", "CNN")):
        teacher = f"teacher, {kind}"
        mine = kappas(decided, f"student of the {kind}", teacher, labels)
        yours = kappas(decided, f"student of the {other}", teacher, labels)
        name = f"with the {kind}:\nits student\n− the {other}'s"
        own[name] = np.subtract(mine, yours)
    own["mean of both"] = sum(own.values()) / 2
    figures.draw_differences(axes, own)
    axes.set_xlabel("100 κ, ± 95 % interval")
    return own


figure, axes = plt.subplots(figsize=(5, 3.8))
own = draw_kappas(axes, decided, labels)
axes.set_title("digits, six seeds")
plt.show()
own["mean, by teacher"] = own["mean of both"].reshape(2, 3).mean(axis=0)
interval_table(own)


# %% tags=["hide-input"]
def mean_kappas(decided, labels):
    """100 times the error consistency, mean over the seeds."""
    rows = {
        student: {
            teacher: statistics.mean(kappas(decided, student, teacher, labels))
            for teacher in ("teacher, ViT", "teacher, CNN")
        }
        for student in list(decided)[2:]
    }
    return pd.DataFrame(rows).T.round(0).astype(int)


mean_kappas(decided, labels)

# %% [markdown]
# ## On CIFAR-10
#
# In the recorded runs the student is a ResNet-18 an eighth as wide as usual
# (176,402 parameters) and gets 10,000 images. The **ViT**, with patches of 8
# by 8 pixels and 558,474 parameters, has seen all 45,000 training images. The
# **CNN**, a ResNet-50 as narrow as the student (375,762), has seen the
# student's 10,000 alone. So the teachers differ in kind, size, images seen and
# accuracy, and a difference between their students cannot be put down to one
# of these. All else is paired: seeds, images, budget and grid, $T = 4$ and
# $w = 0.9$.
#
# **What our ViT can teach is not tested.** On the validation images it is
# above the mean of the students on labels by less than a point, and below the
# best of them, so it fails [the rule about
# teachers](08_large_cnn_to_small_cnn.ipynb#a-teacher-has-to-be-better). Its
# student came out behind, and by the rule nothing follows from that. The
# ResNet-50 passes, and its student is ahead.


# %% tags=["hide-input"]
def recorded(found, recipes, size):
    rows = {}
    for name, recipe in recipes.items():
        arms = verdicts.runs_of(found, recipe, size)
        arms = arms[:1] if name.startswith("teacher") else arms
        held = [100 * r["epochs"][-1]["validation"]["accuracy"] for r in arms]
        right = [100 * run["test"]["accuracy"] for run in arms]
        spread = f" ± {statistics.stdev(right):.1f}" if right[1:] else ""
        rows[name] = {
            "test, ± deviation": f"{statistics.mean(right):.1f}{spread}",
            "over labels, ± interval": "",
            "validation, %": f"{statistics.mean(held):.1f}",
            "best": f"{max(held):.1f}",
        }
        if name.startswith("student of"):
            labels = recipes["student, labels"]
            judged = verdicts.judge(found, recipe, labels, size)
            rows[name]["over labels, ± interval"] = judged.difference.short
    return pd.DataFrame(rows).T.fillna("")


found = records.read_all()
SIZE = "laptop"
recipes = {
    "teacher, ViT": "teacher-vit-cifar10",
    "teacher, CNN": "teacher-resnet50-cifar10",
    "student, labels": "scratch-resnet18-cifar10",
    "student of the ViT": "soft-resnet18_from_vit-cifar10",
    "student of the CNN": "soft-resnet18_from_resnet50-cifar10",
}
recorded(found, recipes, SIZE)

# %% [markdown]
# Whose mistakes do they make? **Here too a teacher's own student is more
# consistent with it, in the mean of both teachers**, and with either alone.
# Part of that is moving away: with the CNN, the ViT's student is less
# consistent than students on labels are. (The rule about teachers is about
# gains. Whose mistakes are taken over can be asked of a weak teacher as well;
# but one teacher of each kind says nothing of CNNs and transformers in
# general.) The tables have $100 \, \kappa$ on the test images again: the
# differences, then the means.

# %% fig_alt="Paired differences of error consistency on CIFAR-10. With the CNN its own student is more consistent than the ViT's, with the ViT its own student is more consistent than the CNN's, and so is the mean of both." tags=["hide-input"]
labels = torch.arange(10).repeat_interleave(1000)  # 1,000 images a class
decided = {}
for name, recipe in recipes.items():
    arms = verdicts.runs_of(found, recipe, SIZE)
    paths = [records.path_of(recipe, SIZE, run["seed"]) for run in arms]
    decided[name] = [
        load_file(path.with_suffix(".predictions.safetensors"))["test"]
        for path in paths
    ]
figure, axes = plt.subplots(figsize=(5, 3.8))
own = draw_kappas(axes, decided, labels)
axes.set_title("CIFAR-10 (JPEG copy), five seeds")
plt.show()
interval_table(own)

# %% tags=["hide-input"]
mean_kappas(decided, labels)

# %% [markdown]
# ### A better teacher, and fewer labels
#
# **A better transformer did teach.** It is that of [chapter
# 6](06_from_cnn_to_vit.ipynb#the-recorded-runs), with patches of 4 by 4, which
# learned from all 45,000 training images, their labels and a ResNet-18. Its
# student is the same narrow ResNet-18, which now gets a tenth of the images,
# 4,500, for forty epochs in place of six; that the teacher had ten times as
# many is what *pretrained* means here. Soft labels are ahead of labels in
# every pair, in the mean by over two points.
#
# Labels had six trials of the learning rate, soft labels six more, of $T$ and
# $w$ at the best rate, $T = 8$ and $w = 0.5$, each as long as a run. Three
# pairs were planned. Their interval was five points wide to either side, so
# five more were added; the interval of these alone lies above zero, too.
#
# What is due to the transformer, and what to the 40,500 other labels behind
# it, no arm tells; and its own teacher was a CNN.

# %% tags=["hide-input"]
recorded(
    found,
    {
        "teacher, better ViT": "soft-vit_from_resnet18-cifar10",
        "student, labels": "scratch-resnet18_4500-cifar10",
        "student of the better ViT": "soft-resnet18_4500_from_vit-cifar10",
    },
    "overnight",
)

# %% [markdown]
# ### What this does not show
#
# That a student takes over mistakes *because* its teacher is of one kind.
# Three teachers of each kind are few, and one kind may give softer labels at
# $T = 4$ than the other (exercise 3). That pretrained features would do as
# well: no probe was trained here. Nor that softness matters: no student here
# learned from the teacher's decisions alone (in [chapter
# 8](08_large_cnn_to_small_cnn.ipynb#the-transfer-set) no difference from soft
# labels was found).

# %% [markdown]
# ## Exercises
#
# **1. Another probe.** ViT-L/16 is 1,024 wide, CIFAR-100 has a hundred
# classes. How many parameters does the probe train, and how many images can
# it fit whatever their labels?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $1024 \cdot 100 + 100 = 102{,}500$, and $1025$ images in general position:
# the second depends on the width alone.
#
# </details>
#
# **2. Below chance.** Two networks are right on 90 images of 100 each and
# never wrong on the same. What is $\kappa$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# They coincide on 80, and chance would give $81 + 1 = 82$: $\kappa =
# -2 / 18 = -1/9$. Such a pair is worth averaging: where one errs, the other
# knows.
#
# </details>
#
# **3. Equally spread.** Suppose that at $T = 4$ one kind of teacher gives
# softer labels than the other. How do you rule out that this is why their
# students differ?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Multiply one teacher's logits by a constant until the mean entropies at
# $T = 4$ agree. Its decisions, and so its mistakes, stay. Train the students
# again. What still differs is not due to the mean spread.
#
# </details>

# %% [markdown]
# ## References
#
# - Alain and Bengio, *Understanding Intermediate Layers Using Linear
#   Classifier Probes* ([2017](../docs/references.md#alain2017)): section 3.
# - Geirhos, Meding and Wichmann, *Beyond Accuracy*
#   ([2020](../docs/references.md#geirhos2020)): error consistency.
# - Dosovitskiy et al., *An Image is Worth 16x16 Words*
#   ([2021](../docs/references.md#dosovitskiy2021)): ViT-B/16.
# - Krizhevsky ([2009](../docs/references.md#krizhevsky2009)): CIFAR-10.
# - The code: [linear_probe.py](../labkd/linear_probe.py),
#   [inference.py](../labkd/inference.py), [vit.py](../labkd/vit.py).
# - Functions: [`cohen_kappa`](../labkd/inference.py#cohen_kappa).
