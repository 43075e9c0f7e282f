# %% [markdown]
# # 3 · The KL loss
#
# > [!NOTE]
# > **Question.** What is the loss of distillation, and how does one get it
# > right in PyTorch?
# >
# > **Answer.** A weighted sum: the cross-entropy with the label, and $T^2$
# > times the divergence from the teacher's softened probabilities to the
# > student's. `F.kl_div` wants the student's *log*-probabilities first, and
# > `reduction="batchmean"`. Of four common mistakes two cost accuracy here,
# > and two only shifted the weight.
# >
# > **Evidence.** The gradient, derived by hand and checked by automatic
# > differentiation; four mistakes and twenty paired seeds on scikit-learn's
# > digits, with a teacher better than every student.
# >
# > Before: chapters [1](01_hard_and_soft_labels.ipynb) and
# > [2](02_temperature.ipynb). To read: twelve minutes. To run: under a minute.
#
# The loss of distillation is a few lines, and public code gets them wrong in
# many ways. None of these raises an error: the student trains, the curve
# falls. So we begin with the whole loss, and then take it apart.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # for example in Colab
    address = "labkd[course] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

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
from labkd.inference import paired_difference
from labkd.soft_targets import distillation_loss, kl_divergence

# %config InlineBackend.figure_format = "retina"
figures.use_style()
plt.rcParams["font.size"] = 12
torch.set_num_threads(1)  # quicker for networks this small

# A teacher recorded on CIFAR-10, and what it says of the test images.
run = ("teacher-resnet18-cifar10", "laptop", 0)
source = records.data_of(records.read(*run))
path = records.path_of(*run).with_suffix(".logits.safetensors")
recorded_logits = load_file(path)["test"].double()[::10]  # (images, classes)
# CIFAR-10 has 1,000 test images of each class; labkd keeps them sorted.
recorded_labels = torch.arange(10).repeat_interleave(100)

# %% [markdown]
# ## The whole loss
#
# An image goes through both networks. The teacher's logits $v$ and the
# student's $z$ are divided by the temperature $T$; their softmax gives $p$
# and $q$. With the label $y$ and a weight $w$ for what the teacher says, the
# loss is (Hinton, Vinyals and Dean
# [2015](../docs/references.md#hinton2015), section 2)
#
# $$
# \mathcal{L} = \underbrace{w \, T^2 \operatorname{KL}(p \,\|\, q)}
#   _{\text{soft term}}
#   + \underbrace{(1 - w) \operatorname{CE}(y, q^{T=1})}_{\text{hard term}} .
# $$
#
# The hard term has the student's softmax without a temperature, $q^{T=1}$: a
# label has none, and $T = 1$ is how the student is used later. The soft term
# needs the same $T$ on both sides. With $T$ on the teacher's side alone, the
# student would learn $v / T$ instead of $v$.

# %% tags=["hide-input"]
pictures.picture("teacher_and_student")

# %% [markdown]
# In code it is five lines, and they are the ones to copy. The check holds
# them against the loss that `labkd` ships
# ([soft_targets.py](../labkd/soft_targets.py)).
#
# **Mind the letter.** Elsewhere the weight is called alpha, and it weighs the
# *soft* term in DeiT's code and in vit-pytorch, but the *hard* one in
# torchdistill and in Keras' example. And any loss
# $a \operatorname{CE} + b \operatorname{KL}$, whose KL has no $T^2$ in it, is
# ours with $w = b / (a \, T^2 + b)$, times the constant $a + b / T^2$. Which
# $w$ is best, validation decides, as for $T$; the
# [results](../docs/results.md) have four weights on CIFAR-10. For a given
# teacher, more labels ask for a smaller one: [chapter
# 15](15_when_it_pays.ipynb#the-weight-that-is-right) derives that from bias
# and variance.


# %%
def whole_loss(
    student_logits, teacher_logits, labels, temperature=4.0, soft_weight=0.9
):
    log_q = F.log_softmax(student_logits / temperature, dim=1)
    p = F.softmax(teacher_logits / temperature, dim=1)
    soft = temperature**2 * F.kl_div(log_q, p, reduction="batchmean")
    hard = F.cross_entropy(student_logits, labels)
    return soft_weight * soft + (1 - soft_weight) * hard


z, v = 3 * torch.randn(2, 64, 10, dtype=torch.float64)
labels = torch.randint(10, (64,))
torch.testing.assert_close(
    whole_loss(z, v, labels),
    distillation_loss(z, v, labels, temperature=4.0, soft_weight=0.9),
)

# %% [markdown]
# ## KL or cross-entropy?
#
# Hinton, Vinyals and Dean write the soft term as a cross-entropy with the
# teacher's probabilities. [Chapter
# 1](01_hard_and_soft_labels.ipynb#two-losses-one-family) showed that the two
# differ by $H(p)$, which does not contain the student. So choose either: the
# gradient is the same.
#
# Only the divergence tells how far the student is. Its least is zero, the
# cross-entropy's $H(p)$. And the divergence of one image can be read: no
# softened probability differs by more than $\sqrt{\operatorname{KL} / 2}$
# (Pinsker's inequality, [Cover and Thomas](../docs/references.md#cover2006),
# section 11.6). People ask whether a value such as 4e-5 is normal ([DeiT,
# issue 134](https://github.com/facebookresearch/deit/issues/134)). That code
# divides by the number of classes, too: multiply by it first. A mean over the
# batch that is still tiny early on is suspect: is the student compared with
# itself by mistake (exercise 2)?

# %% [markdown]
# ## Why T squared
#
# With a temperature, $\log q_i = z_i / T - \log \sum_j e^{z_j / T}$. The
# chain rule gives chapter 1's *student minus target*, and a factor:
#
# $$
# \frac{\partial}{\partial z_i} \operatorname{KL}(p \,\|\, q)
#   = \frac{1}{T} \, (q_i - p_i) .
# $$
#
# That is one $1 / T$. The other hides in $q_i - p_i$. If $T$ is large against
# the logits, then $e^{x / T} \approx 1 + x / T$. For logits of zero mean
# (the softmax does not notice a shift) this makes
# $q_i \approx \frac1C (1 + z_i / T)$, likewise $p_i$, and
#
# $$
# \frac{\partial}{\partial z_i} \operatorname{KL}(p \,\|\, q)
#   \approx \frac{1}{C \, T^2} \, (z_i - v_i)
# $$
#
# (Hinton et al. [2015](../docs/references.md#hinton2015), section 2.1,
# equations 2 to 4). So the soft term is multiplied by $T^2$: where $T$ is
# large, its gradient then keeps its size when $T$ changes, and with it the
# balance of the two terms.
#
# The formula says one more thing. With $T^2$, the gradient at high
# temperature is that of $\frac{1}{2C} \sum_i (z_i - v_i)^2$: a hot student
# learns to **match logits**, and beyond some point a higher $T$ changes
# nothing.

# %%
z.requires_grad_()
for T in (1.0, 4.0, 20.0):
    p, q = (v / T).softmax(1), (z / T).softmax(1).detach()
    kl = kl_divergence(z, v, T) * len(z)  # summed over the images
    (gradient,) = torch.autograd.grad(kl, z)
    torch.testing.assert_close(gradient, (q - p) / T)

T = 1000.0
centred = (z - v) - (z - v).mean(1, keepdim=True)
hot = T**2 * kl_divergence(z, v, T) * len(z)
(gradient,) = torch.autograd.grad(hot, z)
torch.testing.assert_close(gradient, centred / 10, rtol=0, atol=0.01)

# %% tags=["setup"]
torch.manual_seed(0)
half_way = recorded_logits / 2 + torch.randn_like(recorded_logits)
temperatures = [1, 1.5, 2, 3, 4, 6, 8, 12, 16, 20]
lengths = {}
for T in temperatures:
    p, q = (recorded_logits / T).softmax(1), (half_way / T).softmax(1)
    lengths[T] = ((q - p) / T).norm(dim=1).mean().item()
one_hot = F.one_hot(recorded_labels, 10)
hard_length = (half_way.softmax(1) - one_hot).norm(dim=1).mean().item()

# %% [markdown]
# Does it hold at the temperatures that people use? Roughly. The figure shows
# the length of the gradient for the recorded teacher of [chapter
# 1](01_hard_and_soft_labels.ipynb), and for a student that is half way there:
# half of the teacher's logits, with noise. Without the factor the gradient
# falls by a factor of hundreds. With $T^2$ it stays within a factor of three
# of the hard term's, but is not constant: from $T = 1$ to 4 it grows, for
# there the approximation is rough and $T^2$ corrects too much; from 4 on it
# falls slowly.

# %% fig_alt="Length of the gradient against temperature on logarithmic axes. The KL alone falls steeply; T squared times KL stays near the level of the cross-entropy." tags=["hide-input"]
figure, axes = plt.subplots(figsize=(4.6, 3.6))
scaled = [T**2 * length for T, length in lengths.items()]
axes.axhline(hard_length, color="black", linestyle="--", label="cross-entropy")
axes.loglog(temperatures, scaled, "o-", color=figures.CORRECT, label="T² KL")
axes.loglog(
    temperatures, lengths.values(), "s-", color=figures.STUDENT, label="KL"
)
axes.set_xticks([1, 2, 4, 8, 20], ["1", "2", "4", "8", "20"])
axes.set(xlabel="temperature T", ylabel="length of the gradient")
axes.set_title(source, size=11)
axes.legend()
plt.show()

# %% [markdown]
# ## Why log_softmax here and softmax there?
#
# `F.kl_div` computes, for each image and class,
#
# $$
# p_i \, (\log p_i - \log q_i) .
# $$
#
# The student appears only as $\log q_i$, so it is given as a logarithm. And
# the logarithm must not be taken of a softmax. Where a class is far behind,
# the softmax underflows to 0 in float32, its logarithm is minus infinity, and
# the gradient is NaN: one such batch spoils all weights. `log_softmax`
# computes $z_i / T - \log \sum_j e^{z_j / T}$ directly and never meets a zero.
#
# The teacher appears as the factor $p_i$. A factor may be zero: the term is
# then zero, and `F.kl_div` treats it so. With `log_target=True` the teacher
# may come as a logarithm too. That is a little more exact, and what `labkd`
# does.
#
# | argument | give it |
# |---|---|
# | `input`, first | the *student's log*-probabilities |
# | `target`, second | the *teacher's* probabilities |
# | `log_target` | `True` if the target is a logarithm; `False` by default |
# | `reduction` | `"batchmean"`; the default is `"mean"` |

# %%
z = torch.tensor([[0.0, -200.0]], requires_grad=True)
p = torch.tensor([[0.9, 0.1]])
logarithms = {
    "log(softmax)": F.softmax(z, dim=1).log(),
    "log_softmax": F.log_softmax(z, dim=1),
}
rows = {}
for name, log_q in logarithms.items():
    loss = F.kl_div(log_q, p, reduction="batchmean")
    (gradient,) = torch.autograd.grad(loss, z)
    rows[name] = {"loss": f"{loss:.2f}", "gradient": gradient[0].tolist()}
pd.DataFrame(rows).T

# %% [markdown]
# ## Four mistakes that raise no error
#
# All four are common in public code;
# [chapter 16](16_the_gallery_of_mistakes.ipynb) says where, and has many more.
#
# - **Probabilities** where the logarithm belongs. The "divergence" is
#   negative, which none can be. The student is only in $-\sum_i p_i q_i$,
#   which is smallest when $q$ is a hard label on the teacher's most probable
#   class.
# - **Swapped** arguments, with the logarithm still on the first. This is
#   $\operatorname{KL}(q \,\|\, p)$, a proper divergence in the wrong
#   direction. Without $T^2$ its gradient is
#   $q_i \, (\log \frac{q_i}{p_i} - \operatorname{KL}(q \,\|\, p)) / T$.
#   Because of the factor $q_i$, a class to which the student gives next to
#   nothing keeps next to nothing, whatever the teacher thinks of it.
# - **Mean**, the default. It divides by the number of classes too, here by
#   ten, on ImageNet by a thousand.
# - **No square.** The factor $T^2$ is missing, here 16.


# %%
def soft_term(student_logits, teacher_logits, form, T=4.0):
    log_q = F.log_softmax(student_logits / T, dim=1)
    log_p = F.log_softmax(teacher_logits / T, dim=1)
    q, p = log_q.exp(), log_p.exp()
    if form == "probabilities":
        return T**2 * F.kl_div(q, p, reduction="batchmean")
    if form == "swapped":
        return T**2 * F.kl_div(log_p, q, reduction="batchmean")
    if form == "mean":
        return T**2 * F.kl_div(log_q, p)
    if form == "no square":
        return F.kl_div(log_q, p, reduction="batchmean")
    return T**2 * F.kl_div(log_q, p, reduction="batchmean")


forms = ["right", "probabilities", "swapped", "mean", "no square"]


# %% [markdown]
# How does one find such a mistake? Most values look plausible; the gradient
# tells. For $N$ images it must be $T (q - p) / N$, and this short test, worth
# copying, asks just that. It takes the soft term alone, a function of the
# student's and the teacher's logits, and its temperature. The table has the
# value of each form for the student half way, the length of its gradient
# against the right one, and the angle between the two.


# %%
def gradient_is_right(loss_function, T=4.0):
    z, v = torch.randn(2, 64, 10, dtype=torch.float64)
    (gradient,) = torch.autograd.grad(loss_function(z.requires_grad_(), v), z)
    q, p = (z.detach() / T).softmax(1), (v / T).softmax(1)
    return torch.allclose(gradient, T * (q - p) / len(z))


assert gradient_is_right(partial(soft_term, form="right"))
assert not gradient_is_right(partial(soft_term, form="no square"))

# %% tags=["hide-input"]
z = half_way.clone().requires_grad_()
rows, pulls = {}, {}
for form in forms:
    value = soft_term(z, recorded_logits, form)
    pulls[form] = torch.autograd.grad(value, z)[0].flatten()
    ours, right = pulls[form], pulls["right"]
    cosine = torch.cosine_similarity(ours, right, dim=0).clamp(-1, 1)
    rows[form] = {
        "value": f"{value.item():.2f}",
        "length": f"{(ours.norm() / right.norm()).item():.2f}",
        "angle": f"{cosine.acos().rad2deg().item():.0f}°",
        "test": "passes"
        if gradient_is_right(partial(soft_term, form=form))
        else "fails",
    }
pd.DataFrame(rows).T


# %% tags=["setup"]
# The networks, the loop and the experiment of chapter 1, unchanged.
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


def draw(seed, images, labels):
    """Fifty images for a student, and the others."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(images), generator=generator)
    few, rest = order[:50], order[50:]
    return (images[few], labels[few]), (images[rest], labels[rest])


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


def split_of(name):
    split = data.load("digits", name)
    return split.images.float() / 127.5 - 1, split.labels


@torch.no_grad()
def percent_right(model, images, labels):
    model.eval()
    right = model(images).argmax(dim=1) == labels
    return 100 * right.double().mean().item()


def hard_loss(student_logits, teacher_logits, labels):
    return F.cross_entropy(student_logits, labels)


images, labels = split_of("train")  # (1200, 1, 8, 8)
test = split_of("test")
torch.manual_seed(0)
batches = DataLoader(TensorDataset(images, labels), 64, shuffle=True)
teacher = new_teacher()
train(teacher, batches, hard_loss, epochs=20, learning_rate=3e-3)

# %% [markdown]
# ## Does it matter for the accuracy?
#
# We train chapter 1's students again, with the whole loss at $T = 4$ and
# $w = 0.9$: the right form, the four mistakes, and the labels alone. Each
# chooses among four learning rates, as before, and twenty seeds follow. The
# loop is the same; it is folded above.


# %%
def loss_with(student_logits, teacher_logits, labels, form):
    soft = soft_term(student_logits, teacher_logits, form)
    hard = F.cross_entropy(student_logits, labels)
    return 0.9 * soft + 0.1 * hard


arms = {form: partial(loss_with, form=form) for form in forms}
arms["labels"] = hard_loss

rates, scores = {}, {}
for arm, loss_function in arms.items():
    asked = None if arm == "labels" else teacher
    rates[arm] = best_rate(loss_function, asked, images, labels)
    scores[arm] = []
    for seed in range(20):
        lesson, _ = draw(seed, images, labels)
        student = taught(loss_function, asked, lesson, rates[arm], seed)
        scores[arm].append(percent_right(student, *test))

# %% [markdown]
# The scores on the test images, with the deviation over the seeds. Each row
# has the learning rate that was chosen.


# %% tags=["hide-input"]
def parameters_of(network):
    return f"{sum(p.numel() for p in network.parameters()):,}"


rows = {
    "teacher": {
        "parameters": parameters_of(teacher),
        "accuracy, %": f"{percent_right(teacher, *test):.1f}",
    }
}
for arm, percents in scores.items():
    rows[arm] = {
        "parameters": parameters_of(student),
        "accuracy, %": f"{statistics.mean(percents):.1f}",
        "± deviation": f"{statistics.stdev(percents):.1f}",
        "best seed, %": f"{max(percents):.1f}",
        "learning rate": f"{rates[arm]:g}",
    }
# Of the 497 test images, most by other writers; twenty seeds.
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# The dots are paired differences to the right form, with 95 % intervals.
#
# **Two of the mistakes cost accuracy.** With probabilities for logarithms the
# student loses most of what the teacher gives; with swapped arguments it
# loses a part.
#
# **For the other two no difference was found**, and one can see why. Both
# multiply the soft term by a constant $c$. Then the loss is the right one
# with another weight, $w' = c \, w / (1 - w + c \, w)$, and another scale.
# Here $w'$ is still 0.36 without the square and 0.47 with the mean. The scale
# does not matter to AdamW, which divides each gradient by its own running
# size; in SGD it is a smaller learning rate, and we let each form choose its
# own.
#
# They are not harmless. With a thousand classes the mean leaves next to
# nothing of $w$ (exercise 3). With SGD, a learning rate copied from a correct
# program is too small here. And if the factor is wrong, $T$ and $w$ no longer
# mean what others mean by them: no setting can be carried over.
#
# As in chapter 1, there is one teacher here and small images: what these
# mistakes cost elsewhere, the intervals do not say.

# %% fig_alt="Four intervals and a fifth, in points of accuracy below the right form: probabilities and labels far to the left, swapped less far, mean and no square at zero." tags=["hide-input"]
gains = {
    f"{arm} − right": paired_difference(scores[arm], scores["right"])
    for arm in [*forms[1:], "labels"]
}
figure, axes = plt.subplots(figsize=(4.8, 3))
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
# ## Exercises
#
# **1. The other loss.** `F.cross_entropy` takes probabilities as its target.
# Use `F.cross_entropy(student_logits / T, p)` for the divergence. What
# changes in the value, and what in the gradient?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The value grows by $H(p)$, the entropy of the teacher's softened labels. The
# gradient is the same, so that with the factor $T^2$ the test passes. Note
# that `F.cross_entropy` takes logits: it has the `log_softmax` inside.
#
# </details>
#
# **2. Talking to itself.** After a refactoring, a public tutorial compared a
# network [with
# itself](https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/66).
# Let the loss compare the student's logits with themselves. What is the value?
# Does the test notice?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The value is zero and so is the gradient: a curve that looks like perfect
# agreement from the first step on. If the mistake is inside the loss function,
# the test fails, because it asks for $T (q - p) / N$, which is not zero. If
# the training loop passes the student's logits twice to a right function, the
# test notices nothing: it calls the function with logits of its own. There the
# value gives it away: look at it in the first step.
#
# </details>
#
# **3. A thousand classes.** What becomes of $w = 0.9$ under the mean with
# 1,000 classes? Which of our students will it resemble?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# With $c = 1/1000$ it is $0.0009 / 0.1009$, about 0.009: labels with a trace
# of teacher. To see it on the digits, divide the right form by 1,000. Train
# long, and the trace grows: once the fifty labels are learned, their gradient
# is gone.
#
# </details>
#
# **4. Squared error.** Some code compares the probabilities by
# $\sum_i (q_i - p_i)^2$. Find the gradient at $T = 1$. Which of the four
# mistakes does it remind you of?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $2 \, q_i \bigl( (q_i - p_i) - \sum_k q_k (q_k - p_k) \bigr)$. Again a factor
# $q_i$, as with swapped arguments and with probabilities for logarithms: a
# class to which the student gives next to nothing keeps it. And this gradient
# is short: at $T = 4$ less than half as long as the right one, without the
# factor $T^2$ on either.
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean
#   ([2015](../docs/references.md#hinton2015)): section 2 for the two terms
#   and $T^2$, section 2.1 for the limit of high temperatures.
# - Kullback and Leibler ([1951](../docs/references.md#kullback1951)): the
#   divergence. Cover and Thomas ([2006](../docs/references.md#cover2006)),
#   section 11.6: Pinsker's inequality.
# - Gu et al. ([2024](../docs/references.md#gu2024)) use the other direction
#   on purpose, for a language model that needs one good answer.
# - The code: [`kl_divergence`](../labkd/soft_targets.py#kl_divergence).
