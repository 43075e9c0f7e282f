# %% [markdown]
# # 10 · Learning from each other
#
# > [!NOTE]
# > **Question.** Can students without a teacher learn from each other, and
# > is that unstable?
# >
# > **Answer.** Here they were not found to be right more often than students
# > alone, but on Fashion-MNIST, with half of the weight on the peer and twice
# > the learning rate, their confidence fitted better. There is no evidence of
# > instability. On digits, where a loop that validated with `eval()` never
# > called `train()` again, most runs with a peer failed at a large learning
# > rate, and students alone became worse.
# >
# > **Evidence.** Five paired seeds of each method on 3,000 images of
# > Fashion-MNIST, a narrow ResNet-18; six or twelve paired seeds on digits.
# > Five seeds reveal a difference in spread only if it is large.
# >
# > Before: chapters 1, 3 and 4. To read: ten minutes. To run: half a minute.
#
# Every student so far had a teacher that was trained before. **Deep mutual
# learning**, DML (Zhang, Xiang, Hospedales and Lu,
# [2018](../docs/references.md#zhang2018mutual)), has none. Some students, a
# *cohort*, start together from random weights. In each step each of them
# learns from the labels and from what the others believe at that moment.
#
# No peer is stronger by design, so the rule that [a teacher has to be
# better](08_large_cnn_to_small_cnn.ipynb#a-teacher-has-to-be-better) does not
# apply.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # for example in Colab
    address = "labkd[course] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import statistics

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from scipy.stats import f as fisher
from torch import nn
from torch.testing import assert_close

from labkd import figures, records
from labkd.data import load
from labkd.inference import paired_difference
from labkd.mutual_learning import mutual_learning_loss
from labkd.verdicts import verdict

# %config InlineBackend.figure_format = "retina"
figures.use_style()
plt.rcParams["font.size"] = 12
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Three students, by hand
#
# Ann, Bob and Cleo look at the same truck:
#
# | | truck | car | frog |
# |---|---|---|---|
# | Ann | 0.50 | 0.30 | 0.20 |
# | Bob | 0.70 | 0.20 | 0.10 |
# | Cleo | 0.50 | 0.40 | 0.10 |
#
# Student $k$ of $K$ has the probabilities $q^k$ and the loss
#
# $$
# \begin{aligned}
# \mathcal L_k &= (1 - w) \operatorname{CE}(y, q^k) \\
#   &\quad + \frac{w}{K - 1} \sum_{l \ne k}
#   \operatorname{KL}(q^l \,\|\, q^k) .
# \end{aligned}
# $$
#
# There is no temperature. Zhang et al. add both terms without a weight. Ours
# is half of that at $w = \frac12$, and a weight can be tried.
#
# For Ann the label costs $-\log 0.5 = 0.69315$. The divergence from Bob is
# $0.7 \log \frac{0.7}{0.5} + 0.2 \log \frac{0.2}{0.3} + 0.1 \log
# \frac{0.1}{0.2} = 0.08512$, the one from Cleo 0.04576. Their mean is
# 0.06544, and at $w = \frac12$ Ann's loss is
# $\frac12 (0.69315 + 0.06544) = 0.37929$.
#
# Each peer is **detached**: for Ann, Bob's belief is a target like any
# teacher's. Without `detach()` Ann's loss would also pull Bob towards Ann,
# though she may be the worse of the two (exercise 3).


# %%
def mutual_losses(logits, labels, weight=0.5):
    losses = []
    for k, own in enumerate(logits):
        log_q = F.log_softmax(own, dim=1)
        divergences = [
            F.kl_div(
                log_q,
                F.log_softmax(peer.detach(), dim=1),
                reduction="batchmean",
                log_target=True,
            )
            for other, peer in enumerate(logits)
            if other != k
        ]
        from_peers = torch.stack(divergences).mean()
        from_labels = F.cross_entropy(own, labels)
        losses.append((1 - weight) * from_labels + weight * from_peers)
    return losses


# %%
ann = torch.tensor([[0.50, 0.30, 0.20]]).log().requires_grad_()
bob = torch.tensor([[0.70, 0.20, 0.10]]).log()
cleo = torch.tensor([[0.50, 0.40, 0.10]]).log()
truck = torch.tensor([0])

loss = mutual_losses([ann, bob, cleo], truck)[0]
assert_close(loss, torch.tensor(0.37929), rtol=0, atol=6e-6)
library = mutual_learning_loss([ann, bob, cleo], truck)[0]
assert_close(loss, library)

# %% [markdown]
# ## The mean of the peers is the teacher
#
# What pulls at Ann? The gradient of each divergence with respect to her
# logits is student minus target
# ([chapter 1](01_hard_and_soft_labels.ipynb#two-losses-one-family)), and a
# mean of gradients is the gradient of the mean:
#
# $$
# \frac{\partial}{\partial z^k} \, \frac{1}{K - 1} \sum_{l \ne k}
#   \operatorname{KL}(q^l \,\|\, q^k) = q^k - \bar q , \qquad
#   \bar q = \frac{1}{K - 1} \sum_{l \ne k} q^l .
# $$
#
# For Ann $\bar q = (0.6, 0.3, 0.1)$, and the gradient is $(-0.1, 0, 0.1)$.
# So she has one teacher, her peers' mean. The paper's second form,
# **DML$_e$** (its section 3.3), says so openly: it takes
# $\operatorname{KL}(\bar q \,\|\, q^k)$, which has the same gradient.
#
# The two losses differ by the spread of the peers around their mean, a number
# without $q^k$ in it
# ([chapter 6](06_from_cnn_to_vit.ipynb#a-crop-changes-the-label) splits the
# same sum). So **DML and DML$_e$ train alike** if *probabilities*, not logits,
# are averaged. With two students they do not differ at all.

# %%
pulls = {}
for ensemble in (False, True):
    losses = mutual_learning_loss(
        [ann, bob, cleo], truck, weight=1.0, ensemble=ensemble
    )
    (pulls[ensemble],) = torch.autograd.grad(losses[0], ann)
assert_close(pulls[False], torch.tensor([[-0.1, 0.0, 0.1]]))
assert_close(pulls[True], pulls[False])

# %% [markdown]
# ## The loop, and a missing line
#
# All students answer first, then all take a step. The losses may be summed:
# peers are detached, so each student gets the gradient of its own loss alone.
# (Zhang et al. update the students in turn, so that the second already learns
# from the first one's new weights.)
#
# After each epoch the students are validated, in eval mode. The line
# `student.train()` at the start of the epoch puts them back. The loop of
# [distillistic](https://github.com/PiaCuk/distillistic), the code of a
# master's thesis (Cuk), has no such line in the versions of `dml.py` that we
# read (20db147, 0669d92, f08a057): students stay in eval mode once they have
# been validated. The thesis reports that mutual learning is unstable. With
# `restore=False` our loop makes the same mistake.


# %%
def train(students, batches, validate, weight, learning_rate, epochs, restore):
    device = next(students[0].parameters()).device
    weights = [p for student in students for p in student.parameters()]
    optimizer = torch.optim.AdamW(weights, learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        if restore or epoch == 0:
            for student in students:
                student.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            logits = [student(images) for student in students]
            loss = sum(mutual_losses(logits, labels, weight))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        for student in students:
            validate(student)  # calls eval()


# %% tags=["setup"]
def split_of(name):
    split = load("digits", name)
    return split.images.float() / 127.5 - 1, split.labels


@torch.no_grad()
def percent_right(model, images, labels):
    right = model.eval()(images).argmax(dim=1) == labels
    return 100 * right.double().mean().item()


images, labels = split_of("train")
order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
few = order[:200]
batches = list(zip(images[few].split(50), labels[few].split(50), strict=True))
validation, test = split_of("validation"), split_of("test")

# %% [markdown]
# The students have three hidden layers of 32 units, each with BatchNorm and
# dropout, and learn from 200 digits, in 20 epochs of four batches.


# %%
def new_student(seed):
    torch.manual_seed(seed)
    layers, inputs = [nn.Flatten()], 64
    for _ in range(3):
        layers += [nn.Linear(inputs, 32), nn.BatchNorm1d(32)]
        layers += [nn.ReLU(), nn.Dropout(0.1)]
        inputs = 32
    return nn.Sequential(*layers, nn.Linear(inputs, 10))


def validate(student):
    return percent_right(student, *validation)


def trained_pair(seed, batches, weight, learning_rate, restore):
    students = [new_student(seed), new_student(seed + 100)]
    train(students, batches, validate, weight, learning_rate, 20, restore)
    return students


# %% [markdown]
# Every run has two students. *Alone* means $w = 0$: they are neighbours, not
# peers. *DML* has $w = \frac12$. Both run with the line and without it, at a
# moderate learning rate with six seeds, and at a large one, where accuracies
# scatter, with twelve. Within a seed all start from the same weights; what
# counts is the first student's accuracy.

# %%
scores = {}
for rate, seeds in ((0.01, 6), (0.1, 12)):
    for arm, weight in (("alone", 0.0), ("DML", 0.5)):
        for restore in (True, False):
            name = f"{arm}, rate {rate:g}"
            if not restore:
                name += ", no train()"
            scores[name] = []
            for seed in range(seeds):
                first, _ = trained_pair(seed, batches, weight, rate, restore)
                scores[name].append(percent_right(first, *test))

# %% [markdown]
# ## What the missing line does
#
# We call a run failed if its first student ends with fewer than half of the
# digits right. With the line no run fails, at either rate. **Without it, at
# the large rate, most runs of DML fail.** Students alone seldom fail there,
# but they lose accuracy as well. So the mode, together with the rate, does the
# harm, and peers make it worse: there DML is far behind *alone*. (With six
# seeds, two kinds of processor gave different numbers of failures. So here are
# twelve.) At the moderate rate the missing line made no difference that we
# found, and the mistake goes unnoticed.
#
# Why? In eval mode dropout is off, and BatchNorm uses its stored mean and
# variance without updating them: it no longer adapts. Its scale and shift are
# fixed: what is trained is a network *without* normalisation. In train mode
# BatchNorm cancels the size of the weights (Ioffe and Szegedy,
# [2015](../docs/references.md#ioffe2015), section 3.3), so too large a step
# does little harm. In eval mode it does not, and outputs grow with every
# layer. A student that goes astray is then also a bad teacher of its peer.
# That is our explanation; no run here tests it.

# %% tags=["hide-input"]
size = sum(p.numel() for p in new_student(seed=0).parameters())
rows = {
    name: {
        "parameters": f"{size:,}",
        "test, %": f"{statistics.mean(right):.1f}",
        "± deviation": f"{statistics.stdev(right):.1f}",
        "worst seed, %": f"{min(right):.1f}",
        "failed": f"{sum(x < 50 for x in right)} of {len(right)}",
    }
    for name, right in scores.items()
}
pd.DataFrame(rows).T

# %% [markdown]
# What does the missing line cost, and do peers help? The paired differences
# say:

# %% tags=["hide-input"]
pairs = {
    f"{arm}, {rate}: without − with": (
        f"{arm}, {rate}, no train()",
        f"{arm}, {rate}",
    )
    for rate in ("rate 0.01", "rate 0.1")
    for arm in ("alone", "DML")
}
for setting in ("rate 0.01", "rate 0.1", "rate 0.1, no train()"):
    pairs[f"DML − alone, {setting}"] = f"DML, {setting}", f"alone, {setting}"


def difference_row(ours, theirs):
    found = paired_difference(ours, theirs)
    return {
        "points": f"{found.mean:+.1f}",
        "from": f"{found.low:+.1f}",
        "to": f"{found.high:+.1f}",
        "verdict": verdict(found).words,
    }


pd.DataFrame(
    {
        name: difference_row(scores[ours], scores[theirs])
        for name, (ours, theirs) in pairs.items()
    }
).T

# %% [markdown]
# ## On Fashion-MNIST
#
# The recorded runs are of a ResNet-18 an eighth as wide as usual, with 176,258
# parameters, on 3,000 images for eight epochs. **DML**: two students at
# $w = \frac12$. **Heavy**: two at $w = 0.8$. **Three**: three at
# $w = \frac12$. **DML$_e$**: three, each taught by its peers' mean
# probabilities. The optimizer is SGD with momentum; each chose its rate from
# 0.05, 0.1 and 0.2 on validation images. What counts is the first student of a
# cohort. It has the initial weights of **alone**, the same network without
# peers.
#
# At $w = \frac12$ the label term is halved. Under SGD the cohorts' rate of 0.2
# is then the same step from the labels as 0.1 is *alone*.

# %% tags=["hide-input"]
SIZE = "laptop"
cohorts = {
    "alone": "scratch-resnet18-fashion_mnist",
    "DML": "mutual-resnet18-fashion_mnist",
    "heavy": "mutual_heavy-resnet18-fashion_mnist",
    "three": "mutual_three-resnet18-fashion_mnist",
    "DML_e": "mutual_ensemble-resnet18-fashion_mnist",
}
runs = records.load_runs().query("size == @SIZE")
rows = {}
for arm, recipe in cohorts.items():
    found = runs[runs["recipe"] == recipe]
    config = records.read(recipe, SIZE, seed=0)["config"]
    mean = 100 * found["accuracy"].mean()
    spread = 100 * found["accuracy"].std()
    rows[arm] = {
        "students": config["cohort"],
        "rate": f"{config['learning_rate']:g}",
        "accuracy, ± deviation": f"{mean:.1f} ± {spread:.1f}",
        "ECE, %": f"{100 * found['ece'].mean():.1f}",
    }
# Fashion-MNIST, original images; five seeds.
pd.DataFrame(rows).T

# %% [markdown]
# **In accuracy no difference was found** for DML, with two students or three.
# With $w = 0.8$ every seed ends behind. Perhaps peers that know nothing yet
# count too much, or the rates are too small: labels have the rest of the
# weight, a fifth, and so a fifth of the step. *Three* and *DML$_e$* have the
# same gradient, rate and seeds. Floating-point rounding differs, and training
# magnifies it with every step. So what lies between these two rows is chance,
# and shows how much of it there is.
#
# **In calibration we found differences.** The expected calibration error (ECE)
# is the distance between how sure a network is and how often it is right
# ([chapter 11](11_a_teacher_that_does_not_exist.ipynb)). At $w = \frac12$ it
# is lower than alone. But *alone* has half the rate, and so, with SGD, half
# the weight decay a step: a possible cause. Zhang et al. argue that a student
# held to its peers cannot put everything on one class, as long as they differ,
# so that its answers keep more entropy. That fits the one seed whose logits
# are kept: *alone* is surer than it is right, *heavy* less sure. ECE has no
# sign, so between these two it shows no difference.

# %% fig_alt="Two forest plots for four forms of mutual learning against the student alone, on Fashion-MNIST. Above, accuracy: heavy is worse, the intervals of the others contain zero. Below, calibration error: DML, three and DML_e are lower." tags=["hide-input"]
figure, panels = plt.subplots(2, 1, figsize=(5, 7))
rows = {}
for axes, score in zip(panels, ("accuracy", "ECE"), strict=True):
    column = score.lower()
    table = 100 * runs.pivot(index="seed", columns="recipe", values=column)
    alone, gaps = table[cohorts["alone"]], {}
    for arm, recipe in list(cohorts.items())[1:]:
        gaps[f"{arm}\n− alone"] = table[recipe] - alone
        rows[f"{score}, {arm} − alone"] = difference_row(table[recipe], alone)
    figures.draw_differences(axes, gaps)
panels[0].set_xlabel("points of test accuracy, ± 95 % interval")
panels[1].set_xlabel("points of ECE (lower is better), ± 95 % interval")
plt.show()
pd.DataFrame(rows).T

# %% [markdown]
# ## Is it unstable?
#
# An unstable method would scatter more from seed to seed. So we compare
# variances: that of the accuracy over seeds, divided by that of *alone*. The
# 95 % interval of such a ratio comes from the F distribution. It takes scores
# as normal, which is only roughly true, and samples as independent, while
# these are paired by seed.
#
# **No evidence of instability.** In the recorded runs every interval contains
# 1, and on the digits, in train mode, no run failed. But with five seeds the
# interval reaches a factor of more than nine to either side of the ratio. So
# instability is not ruled out, and what happened in the thesis, with other
# networks and data, these runs cannot say.


# %%
def variance_ratio(ours, theirs):
    degrees = len(ours) - 1, len(theirs) - 1
    ratio = statistics.variance(ours) / statistics.variance(theirs)
    low = ratio / fisher(*degrees).ppf(0.975)
    high = ratio / fisher(*degrees).ppf(0.025)
    return ratio, low, high


# %% tags=["hide-input"]
accuracy = {
    arm: runs[runs["recipe"] == recipe]["accuracy"].tolist()
    for arm, recipe in cohorts.items()
}
rows = {}
for arm in list(cohorts)[1:]:
    ratio, low, high = variance_ratio(accuracy[arm], accuracy["alone"])
    rows[f"variance, {arm} / alone"] = {
        "ratio": f"{ratio:.1f}",
        "from": f"{low:.2f}",
        "to": f"{high:.1f}",
    }
pd.DataFrame(rows).T

# %% [markdown]
# ## What it costs
#
# A cohort of $K$ trains $K$ networks, with $K$ times the work and memory, to
# keep one. With equal work its rival is one network trained $K$ times as
# long, and that run we do not have. A second rival is the *ensemble* of
# students trained apart: it is usually better than each of them, but needs
# all of them in use. What mutual learning hands over is a single network.
#
# This is no replication. Zhang et al. report that students of a cohort become
# better than students alone, on CIFAR-100 among others, with larger networks
# and longer training. Nor is it shown whether the gain in calibration would
# outlast temperature scaling
# ([chapter 11](11_a_teacher_that_does_not_exist.ipynb)), which costs next to
# nothing.

# %% [markdown]
# ## Exercises
#
# **1. Twins.** Two students have the same initial weights, see the same
# batches, step at once and have no dropout. What do they teach each other?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Nothing. $q^1 = q^2$ in the first step, so the divergence and its gradient
# are zero, the steps are equal, and so on for ever. All that students have to
# exchange comes from having been different.
#
# </details>
#
# **2. Where does it end?** Two students can fit anything, and $w < 1$. At
# which probabilities do all gradients on a training image vanish?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $q^1 = (1 - w) y + w q^2$, and the same with 1 and 2 exchanged. Subtract:
# $(1 + w)(q^1 - q^2) = 0$, so they agree, and then $(1 - w)(q - y) = 0$: at
# the label. The peers' lesson fades as they learn. A teacher with fixed soft
# labels never lets go.
#
# </details>
#
# **3. Without detach.** Sum Ann's and Bob's losses without `detach()`. What
# does Ann's term do to Bob? The derivative of
# $\operatorname{KL}(q^l \,\|\, q^k)$ with respect to $z^l_j$ is
# $q^l_j (r_j - \operatorname{KL})$ with $r_j = \log (q^l_j / q^k_j)$.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# For Bob $r = (0.33647, -0.40547, -0.69315)$, and the gradient is
# $(0.17595, -0.09812, -0.07783)$. Descent pulls his *truck* down: he knows
# most and is talked out of it.
#
# </details>
#
# **4. A test for a missing line.** Which assertion in `train` would have
# caught the frozen students? Write one that does not look at `training`.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# `assert student.training` before the forward pass is the short one. The
# other looks at what the mode does: keep a clone of a `running_mean` from
# before the step, and assert that the step has moved it.
#
# </details>

# %% [markdown]
# ## References
#
# - Zhang, Xiang, Hospedales and Lu, *Deep Mutual Learning*
#   ([2018](../docs/references.md#zhang2018mutual)): the loss, section 3.3 for
#   larger cohorts and DML$_e$, and the argument from entropy.
# - Ioffe and Szegedy, *Batch Normalization*
#   ([2015](../docs/references.md#ioffe2015)): section 3.1 for training and
#   inference, 3.3 for large learning rates.
# - Guo et al. ([2017](../docs/references.md#guo2017)): calibration. The ECE
#   is of Naeini, Cooper and Hauskrecht
#   ([2015](../docs/references.md#naeini2015)).
# - The code: [mutual_learning.py](../labkd/mutual_learning.py),
#   [calibration.py](../labkd/calibration.py).
# - Functions:
#   [`mutual_learning_loss`](../labkd/mutual_learning.py#mutual_learning_loss).
