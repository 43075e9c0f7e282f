# %% [markdown]
# # The gallery of mistakes
#
# Most of the distillation code in public is wrong somewhere, in one of a few
# ways. Hardly any of them raises an error. The loss falls, the student
# learns, and the harm, if there is any, is taken for the method's.
#
# Here they hang side by side, each with the right line above it, who was
# bitten (with the number of the thread in that project's list of issues), and
# a test that you can paste into your own project: it passes on the right form
# and fails on the wrong one. The wrong forms are functions of
# [mistakes.py](../labkd/mistakes.py#mean_over_classes). Beneath is what the
# mistake did, from recorded runs. Some wreck the student. Some do nothing that
# we could find, and we say so: a harmless mistake is still a mistake, since
# the next setting may not forgive it.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
import copy
import math
import warnings

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from labkd import figures, mistakes
from labkd.lab import damage
from labkd.lab.lessons import LESSONS
from labkd.mutual_learning import mutual_learning_loss
from labkd.soft_targets import distillation_loss
from labkd.virtual_teacher import virtual_targets, virtual_teacher_loss

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small
warnings.filterwarnings("ignore", "reduction: 'mean'")  # PyTorch knows, too

# %% [markdown]
# ## How each was measured
#
# A small perceptron with BatchNorm learns the digits by
# $(1 - w) \operatorname{CE} + w \, T^2 \operatorname{KL}$, with $T = 4$ and
# $w = 0.9$, from a larger one that saw all labels. It does so in one of two
# classrooms:
#
# - **few**: 200 images, all labels right;
# - **doubtful**: 1,200 images, two labels in five replaced by any digit. The
#   labels mislead, and what the teacher says is worth more.
#
# A wrong lesson differs from its right one in
# the mistake alone. Ten seeds, paired; the difference in test accuracy, in
# points, with its 95 % interval; at the right form's learning rate, as if
# somebody had tuned first and erred later, and, in the table below, at the
# mistake's own. Rates come from one grid on the validation images. With so
# many intervals some leave zero out by chance: look at sizes. (The second
# classroom was made after the first had forgiven nearly everything.)
#
# What it does to loss and gradient is measured on students a tenth of the
# way: ratios, wrong to right, and the angle between the two gradients. Adam
# forgives a ratio that is the same for the whole loss, and never an angle.


# %%
T, w, sums, CE = 4.0, 0.9, {"reduction": "batchmean"}, F.cross_entropy


def log_q(z):
    return F.log_softmax(z / T, dim=-1)


def p(v):
    return F.softmax(v / T, dim=-1)


def right(z, v):
    return T**2 * F.kl_div(log_q(z), p(v), reduction="batchmean")


def whole(z, v, y):
    return (1 - w) * CE(z, y) + w * right(z, v)


# %%
record = damage.read()


def show(test, right, forms):
    test(right)
    for name, form in forms.items():
        try:
            test(form)
        except AssertionError:
            loss, gradient, angle = damage.pulls(record, name)
            print(f"{name}, by {test.__name__}")
            print(f"   loss x {loss}, gradient x {gradient}, {angle}")
            for setting in ("few", "doubtful"):
                gap = damage.damage(record, name, setting)
                print(f"   {setting:8} {damage.points(gap)} (95 % interval)")
        else:
            raise AssertionError(f"{name} passes {test.__name__}")


# %%
def net(**norm):  # a student or a teacher to try the tests on
    hidden = nn.Linear(64, 32), nn.BatchNorm1d(32, **norm), nn.ReLU()
    return nn.Sequential(*hidden, nn.Dropout(0.3), nn.Linear(32, 10))


def fewer(x):  # 8 x 8 pixels as if they were 4 x 4
    small = F.avg_pool2d(x.view(-1, 1, 8, 8), 2)
    return F.interpolate(small, scale_factor=2).flatten(1)


def kl(log_q, p):
    return F.kl_div(log_q, p, reduction="batchmean")


def twice(v, T):
    return (v.softmax(1) / T).softmax(1)


# %% [markdown]
# ## Sums and means
#
# **Mean over classes.** `F.kl_div` averages over *all* axes unless told
# otherwise, so the divergence is divided by the number of classes: at ten
# classes the teacher has a tenth of its voice, at a thousand a thousandth.
# PyTorch warns. haitongli's repository, the official Tf-KD (#41), KD_Lib, and
# DeiT (#61), which divides by batch times classes.
#
# **No square.** Keras (#869, #870), IntelLabs' distiller (#122). The gradient
# of the divergence shrinks as $1/T^2$
# ([chapter 3](03_the_kl_loss.ipynb#why-t-squared)), so without the factor the
# temperature secretly sets the weight as well. torchdistill drops it when
# there are no labels in the loss: then it is a scale, which Adam forgives.
#
# **Mean times a hundred.** labml: weights of 100 and 0.5, which make up for
# the mean at one number of classes only
# ([chapter 8](08_large_cnn_to_small_cnn.ipynb#what-do-100-and-05-mean)).


# %%
def test_by_hand(soft):
    student, teacher = torch.zeros(1, 2), torch.tensor([[T * math.log(3), 0]])
    # q is even, p is 3 to 1: the sum of p log(p / q).
    kl = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert math.isclose(soft(student, teacher), T**2 * kl, rel_tol=1e-5)


soft_terms = {
    # right: T**2 * F.kl_div(log_q(z), p(v), reduction="batchmean")
    "mean over classes": lambda z, v: T**2 * F.kl_div(log_q(z), p(v)),
    "no square": lambda z, v: F.kl_div(log_q(z), p(v), **sums),
    "mean times hundred": lambda z, v: 100 * F.kl_div(log_q(z), p(v)),
}
show(test_by_hand, right, soft_terms)

# %% [markdown]
# ## What `F.kl_div` wants
#
# First the *student's log*-probabilities, then the teacher's probabilities.
#
# **Probabilities** as the input: ProDA (#20, #43). The "divergence" is
# negative, and its gradient too small.
#
# **A logarithm promised**: `log_target=True` for a target that is none. The
# number is large, since $e^p$ is never below 1.
#
# **A logarithm unannounced**: log-probabilities as the target, and nobody
# said so. The loss takes the logarithm of a negative number, so it is not a
# number, and you notice if you look at it. Its gradient *is* finite, and leads
# the student astray.
#
# **Swapped** arguments give the divergence the other way round, which is zero
# in the same place. So it takes the test by hand to find it.


# %%
def test_nothing_to_learn(soft):
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    assert abs(soft(logits, logits)) < 1e-6


forms = {
    # right: F.kl_div(log_q(z), p(v), reduction="batchmean")
    "probabilities": lambda z, v: T**2 * F.kl_div(p(z), p(v), **sums),
    "logarithm promised": lambda z, v: (
        T**2 * F.kl_div(log_q(z), p(v), log_target=True, **sums)
    ),
    "logarithm unannounced": lambda z, v: (
        T**2 * F.kl_div(log_q(z), log_q(v), **sums)
    ),
}
swapped = {"swapped": lambda z, v: T**2 * F.kl_div(log_q(v), p(z), **sums)}
show(test_nothing_to_learn, right, forms)
show(test_by_hand, right, swapped)
soft_terms |= forms | swapped

# %% [markdown]
# ## One softmax too many, and another distance
#
# **A second softmax** on the teacher takes its probabilities for logits, and
# the softmax of numbers between 0 and 1 is nearly even. The ViT-B/16 write-up
# divides the softmax output by $T$ and takes softmax again; the official
# Tf-KD and KD_Lib do it to the **virtual teacher**, where 0.9 becomes 0.108
# at $T = 10$ ([chapter 11](11_a_teacher_that_does_not_exist.ipynb)); here it
# is their $T = 20$ against the right form at $T = 1$.
#
# **Two temperatures**: the teacher at $T$, the student at 1 (Tf-KD #3). The
# student learns to be as even at 1 as the teacher is at $T$.
#
# All three come to rest in the wrong place, and there the gradient tells: at
# the teacher's own logits it has to be zero.
#
# **Squared error** of softmaxes for the divergence, KD_Lib's default, rests
# where it should. But it is a mean over classes again, and pulls another way.


# %%
def test_at_rest(soft):
    v = virtual_targets(torch.tensor([3]), 10).log()  # 0.9 for class 3
    z = v.clone().requires_grad_()
    assert torch.autograd.grad(soft(z, v), z)[0].abs().max() < 1e-6


forms = {
    # right: p(v), one softmax of the logits
    "second softmax": lambda z, v: T**2 * kl(log_q(z), twice(v, T)),
    "virtual, softened": lambda z, v: (
        20**2 * kl((z / 20).log_softmax(1), twice(v, 20))
    ),
    # right: log_q(z), at the temperature of p(v)
    "two temperatures": lambda z, v: T**2 * kl(z.log_softmax(1), p(v)),
}
error = {"squared error": lambda z, v: T**2 * F.mse_loss(p(z), p(v))}
show(test_at_rest, right, forms)
show(test_by_hand, right, error)
soft_terms |= forms | error

# %% [markdown]
# ## Weights
#
# **The weight reversed.** Called alpha, it belongs to the teacher in DeiT,
# vit-pytorch and haitongli's repository, and to the labels in torchdistill,
# Keras and the Lightning source. Carry 0.9 from one to the other, and the
# lesson is turned round. [Conventions](../labkd/conventions.py) translates.
#
# **A sum for a product.** The ViT-B/16 write-up has `T*T*2.0 + alpha` where
# `T*T*2.0*alpha` was meant: 32.7 for 22.4 at $\alpha = 0.7$. The mean over
# classes is in it too, and the result is *smaller* than ours.
#
# **Softmax before the labels.** `F.cross_entropy` takes logits. Of
# probabilities, its gradient fades where the student is sure and wrong.


# %%
def test_whole(loss):
    z, v, y = torch.zeros(1, 2), torch.tensor([[8.0, 0]]), torch.tensor([0])
    expected = distillation_loss(z, v, y, temperature=T, soft_weight=w)
    torch.testing.assert_close(loss(z, v, y), expected)
    z = torch.tensor([[0.0, 9]], requires_grad=True)  # sure, and wrong
    pull = torch.autograd.grad(loss(z, z.detach(), y), z)[0]
    assert pull[0, 0] < -0.9 * (1 - w)


losses = {  # right: (1 - w) * CE(z, y) + w * right(z, v)
    "weight reversed": lambda z, v, y: w * CE(z, y) + (1 - w) * right(z, v),
    "sum for product": lambda z, v, y: (
        F.kl_div(log_q(z), p(v)) * (T * T * 2.0 + w) + CE(z, y) * (1 - w)
    ),
    "softmax before labels": lambda z, v, y: (
        (1 - w) * CE(z.softmax(1), y) + w * right(z, v)
    ),
}
show(test_whole, whole, losses)

# %% [markdown]
# ## Who teaches, who learns
#
# **The student as its own teacher**: labml (#66), Keras (#257). A wrong name
# in one call; the soft term is zero, and what remains is a tenth of the
# cross-entropy.
#
# **The teacher trained too**: its parameters in the optimizer, its logits not
# detached (vit-pytorch #103). The loss and the student's gradient are exactly
# right, and yet the teacher comes to meet the student.
#
# **The teacher in training mode**, the same thread: dropout blurs what it
# says, and BatchNorm lets the answer to one image depend on the others
# ([chapter 4](04_the_teacher.ipynb#the-mean-of-a-batch-by-hand)).


# %%
def test_teacher(step):
    torch.manual_seed(0)
    x, (student, teacher, other) = torch.randn(16, 64), [net() for _ in "abc"]
    before = copy.deepcopy(teacher.state_dict())
    step(student.eval(), teacher, x).backward()
    assert all(weight.grad is None for weight in teacher.parameters())
    after = teacher.state_dict()
    assert all(before[name].equal(after[name]) for name in before)
    assert step(student, teacher, x) != step(student, other, x)


steps = {  # right: v = teacher.eval()(x).detach()
    "own teacher": lambda s, t, x: right(s(x), s(x).detach()),
    "teacher trained too": lambda s, t, x: right(s(x), t.eval()(x)),
    "teacher in training mode": lambda s, t, x: right(
        s(x), t.train()(x).detach()
    ),
}
right_step = lambda s, t, x: right(s(x), t.eval()(x).detach())  # noqa: E731
show(test_teacher, right_step, steps)

# %% [markdown]
# ## Answers to another question
#
# **Out of step**: the teacher's logits are cached in the order of one epoch
# and read in the order of the next, which was shuffled (haitongli's
# repository, #16 and #17, whose tables are older than the repair). Each image
# comes with the answer to another.
#
# **Another normalisation**: teacher and student were trained on pixels scaled
# differently, and one pipeline feeds both. Often it is ImageNet's mean and
# deviation, taken for CIFAR's. Here they are taken for the digits'.
#
# **The teacher sees fewer pixels**: distillistic shrinks the image before the
# *teacher*, too. The student is to see less; the teacher is there because it
# sees more ([chapter 12](12_fewer_pixels.ipynb)).

# %%
images, teacher = torch.rand(256, 64), net().eval().requires_grad_(False)
cache = teacher((images - 0.3) / 0.4)  # normalised as in its training


def test_answers(answers):
    batch = torch.randperm(256)[:64]
    expected = teacher((images[batch] - 0.3) / 0.4)
    torch.testing.assert_close(answers(batch), expected)


asked = {
    # right: cache[batch]
    "out of step": lambda batch: cache[:64],
    # right: teacher((images[batch] - 0.3) / 0.4)
    "other normalisation": lambda batch: teacher(
        (images[batch] - 0.449) / 0.226
    ),
    "teacher sees fewer": lambda b: teacher((fewer(images[b]) - 0.3) / 0.4),
}
show(test_answers, lambda batch: cache[batch], asked)

# %% [markdown]
# ## In the wrong mode
#
# **The student frozen**: `eval()` for the validation after an epoch, and no
# `train()` for the next. distillistic's mutual learning; KD_Lib from the
# second epoch on.
# [Chapter 10](10_learning_from_each_other.ipynb#is-it-unstable) has what it
# does at a large learning rate.
#
# **Batch statistics in evaluation**: labml's BatchNorm keeps no running
# statistics, so the prediction for an image depends on its neighbours. We ask
# in batches of seven, once **shuffled** and once **sorted** by class, the
# order in which a folder of images comes. Where all seven are one digit, the
# mean that is taken away *is* the digit.


# %%
def test_modes(two_epochs):
    (seen, model), x = ([], net()), torch.randn(8, 64)
    grad = torch.is_grad_enabled
    model.register_forward_hook(
        lambda m, *_: seen.append(m.training is grad())
    )
    two_epochs(model, x)
    assert all(seen)


def frozen(model, x):
    model.train()  # right: in the loop
    for _epoch in range(2):
        model(x)
        with torch.no_grad():
            model.eval()(x)


# %%
def right_epochs(model, x):
    for _epoch in range(2):
        model.train()(x)
        with torch.no_grad():
            model.eval()(x)


def test_alone(model):
    x = torch.randn(8, 64)
    torch.testing.assert_close(model.eval()(x)[:2], model(x[:2]))


# right: nn.BatchNorm1d(32)
lonely = net(track_running_stats=False)
norms = {f"batch statistics, {how}": lonely for how in ("shuffled", "sorted")}
show(test_modes, right_epochs, {"student frozen": frozen})
show(test_alone, net(), norms)

# %% [markdown]
# ## More than one
#
# **The mean of logits** for the mean of probabilities of an ensemble. It is
# the geometric mean in place of the arithmetic one: a member that is sure
# outshouts the rest. Where the members agree, the difference is small.
#
# **Peers attached**: in mutual learning the peer's answer is a target, and a
# target that is not detached pulls the peer too, toward the student
# ([chapter 10](10_learning_from_each_other.ipynb)).


# %%
def test_ensemble(soften):
    a, b = torch.tensor([[[T * math.log(9), 0.0]], [[0.0, 0.0]]])
    # The member that is sure says 0.9, the other one 0.5.
    torch.testing.assert_close(soften(a, b), torch.tensor([[0.7, 0.3]]))


def test_peers(loss):
    z = torch.randn(2, 16, 10, requires_grad=True)
    value = loss(z[0], z[1], torch.randint(10, (16,)))
    assert not torch.autograd.grad(value, z)[0][1].any()  # the peer's


mean = {"mean of logits": lambda a, b: p((a + b) / 2)}
show(test_ensemble, lambda a, b: (p(a) + p(b)) / 2, mean)
attached = {  # right: the same with peer.detach()
    "peers attached": lambda z, peer, y: (
        0.5 * CE(z, y) + 0.5 * kl(z.log_softmax(1), peer.softmax(1))
    )
}
show(test_peers, lambda a, b, y: mutual_learning_loss([a, b], y)[0], attached)

# %% [markdown]
# ## All of them, by damage
#
# The figure and the table have all of them, sorted by what they cost in the
# doubtful classroom at the right form's rate. Behind ± is half of the 95 %
# interval; a star marks one that excludes zero. *Labels alone* is no mistake,
# but a yardstick: a student without a teacher. The last column is for those
# who read probabilities: what the negative log-likelihood of the test images
# rises by, in nats.
#
# **What wrecks a student is seldom in the formula.** Of the mistakes that
# cost more than seven points, only two are in the loss: the logarithm that
# nobody announced, and the student as its own teacher. The others ask the
# wrong question, train who should rest, or judge in the wrong mode. Their
# loss and gradient are often *exactly right*, and no curve of the loss will
# show them. A test does.
#
# **The loss forgives.** A divergence ten times too small, a missing $T^2$, the
# weight reversed: where all labels are right we found no difference, since
# label and teacher mostly pull the same way. Where labels mislead, all three
# cost accuracy: now the weight counts. The cell prints which mistakes we found
# harmless: no interval below zero, in either classroom, at either rate. That
# is "no difference found", with these widths, on digits.
#
# **Harmless to accuracy is not harmless.** Two temperatures cost no accuracy
# that we could find, and yet the student's probabilities are worse in both
# classrooms: it was taught to be unsure at $T = 1$. Ask for the NLL.
#
# **What it does not show.** One network, one data set, small; another $T$ or
# $w$ moves the balance, and a hundred classes make the mean over classes ten
# times as wrong. The numbers rank these lessons, not the people who gave them.

# %% fig_alt="What each mistake does to the accuracy in the two classrooms, with intervals, the most harmful on top: three cost nearly everything, then seven cost several points, and most of the rest lie near zero." tags=["wide"]
wrong = damage.by_damage(record)
axes = plt.subplots(figsize=(3.6, 5.6))[1]
colours = {"few": figures.STUDENT, "doubtful": figures.CORRECT}
for setting, colour in colours.items():
    gaps = [damage.damage(record, name, setting) for name in wrong]
    means, widths = zip(*((g.mean, g.half_width) for g in gaps), strict=True)
    lines = {"fmt": "o", "ms": 4, "color": colour, "label": setting}
    axes.errorbar(means, range(len(wrong)), xerr=widths, **lines)
axes.set_yticks(range(len(wrong)), wrong)
axes.set_xscale("symlog", linthresh=2)
axes.set_xticks(ticks := [-80, -10, -2, 0, 2], ticks)
axes.axvline(0, color="grey", lw=0.8)
axes.set(xlabel="points of test accuracy", ylim=(len(wrong), -1))
axes.legend(loc="upper right")
plt.show()
damage.table(record)

# %%
gaps = {
    (name, setting, tuned): damage.damage(record, name, setting, tuned=tuned)
    for name in wrong
    for setting in ("few", "doubtful")
    for tuned in (False, True)
}
bad = {key for key, gap in gaps.items() if gap.found and gap.mean < 0}
harmless = [name for name in wrong if name not in {key[0] for key in bad}]
print("no harm found:", *harmless, sep="\n   ")
worst = {n for n in wrong if gaps[n, "doubtful", False].mean < -7}
in_the_loss = {"logarithm unannounced", "own teacher", "labels alone"}
assert worst & ({*soft_terms, *losses} | in_the_loss) == in_the_loss
for name in worst - in_the_loss - {"out of step", "teacher sees fewer"}:
    assert math.isclose(record["pulls"][name]["gradient"], 1, rel_tol=1e-6)
for name in ("mean over classes", "no square", "weight reversed"):
    assert (name, "few", False) not in bad and (name, "doubtful", False) in bad
for setting in ("few", "doubtful"):
    nll = damage.damage(record, "two temperatures", setting, score="nll")
    print(f"two temperatures, {setting}: NLL {nll}")
    assert nll.found and nll.mean > 0 and "two temperatures" in harmless

# %%
torch.manual_seed(0)
z, v = 3 * torch.randn(2, 64, 10)
y = torch.randint(10, (64,))
for name, soft in soft_terms.items():
    if name not in ("virtual, softened", "mean times hundred"):
        losses[name] = lambda z, v, y, soft=soft: (
            (1 - w) * CE(z, y) + w * soft(z, v)
        )
for name, loss in losses.items():
    library = LESSONS[name].loss(z, v, y, T, w)
    torch.testing.assert_close(loss(z, v, y), library, equal_nan=True)
hundred = 0.5 * CE(z, y) + soft_terms["mean times hundred"](z, v)
ours = mistakes.mean_times_hundred(z, v, y, T, w)
torch.testing.assert_close(hundred, ours)
virtual = virtual_targets(y, 10).log()
ours = 0.5 * CE(z, y) + 0.5 * soft_terms["virtual, softened"](z, virtual)
library = virtual_teacher_loss(z, y, temperature=20.0, smooth_teacher=True)
torch.testing.assert_close(ours, library)

# %% [markdown]
# ## Exercises
#
# **1. A test that is not enough.** `teacher trained too` passes every test of
# the loss. Why, and what does a test need to find it?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Value and gradient *for the student* are those of the right form; what is
# wrong is a second gradient, the teacher's. So a test needs the teacher itself
# and asks whether its weights have a gradient, as `test_teacher` does.
#
# </details>
#
# **2. For whom is it right?** At which number of classes is 100 times the mean
# as large as $T^2$ times the divergence, at labml's $T = 5$? What are $w$ and
# the scale there?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $100 / C = 25$ gives $C = 4$. With 0.5 on the labels the weights are 1 and
# 0.5, so the scale is 1.5 and $w = 2/3$.
#
# </details>
#
# **3. The whole folder at once.** A student with batch statistics is judged on
# all test images in one batch, sorted by class. What do you expect?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# No harm worth the name: all classes are in the batch, the order does not
# matter inside it, and mean and variance are close to the running ones. The
# mistake comes back when somebody asks about a single image.
#
# </details>
#
# **4. What Adam forgives.** Let there be no labels in the loss, $w = 1$. Which
# mistakes of the first family does Adam undo, and which of the second?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# All of the first: each multiplies the whole loss by a number, and Adam
# divides a gradient by its own size (but for the small constant in the
# denominator). None of the second: their gradients have another direction.
#
# </details>
#
# **5. Find one more.** Choose a repository that distils, and run these tests
# on its loss.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Write a function of student and teacher logits around its lines, and call
# `test_nothing_to_learn`, `test_at_rest` and `test_by_hand`. What fails the
# first comes to rest in the wrong place: look at arguments and softmaxes. What
# fails the last alone has another size, or is another distance. If you find
# something, tell its authors, with the test.
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean, *Distilling the Knowledge in a Neural Network*
#   ([2015](../docs/references.md#hinton2015)): section 2, the loss and its
#   $T^2$.
# - Zhang, Xiang, Hospedales and Lu, *Deep Mutual Learning*
#   ([2018](../docs/references.md#zhang2018mutual)).
# - Yuan, Tay, Li, Wang and Feng, *Revisiting Knowledge Distillation via Label
#   Smoothing Regularization* ([2020](../docs/references.md#yuan2020)).
# - Ioffe and Szegedy, *Batch Normalization*
#   ([2015](../docs/references.md#ioffe2015)): section 3.1, evaluation.
