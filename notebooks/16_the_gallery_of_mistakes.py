# %% [markdown]
# # 16 · The gallery of mistakes
#
# > [!NOTE]
# > **Question.** My distillation code raises no error, and its loss falls. Is
# > it right?
# >
# > **Answer.** A falling loss does not say so. Of the 28 mistakes that we
# > trained, 21 cost accuracy in some setting, eleven of them less than three
# > points; in 13 of the 28 even the value of the loss looks right. Of the
# > seven that cost most, five are not in its formula: the teacher is asked
# > about the wrong images, knows nothing or is trained along, or the student's
# > answers depend on the batch. A test of a few lines finds each mistake.
# >
# > **Evidence.** 28 of the 29 mistakes were trained (all but the last): ten
# > paired seeds in two classrooms, on scikit-learn's digits, with a teacher
# > better than every student that learns from labels alone. 23 of the 29 cards
# > link public code with the mistake, or a thread about it.
# >
# > Before: chapters 1 to 3; each card names the others. To read: twenty
# > minutes, or one card. To run: a quarter of a minute.
#
# Most wrong losses still fall and most students still learn, so the harm, if
# there is any, is taken for the method's. Here the mistakes hang side by side,
# the most harmful first, as measured where labels are doubtful. Look for your
# symptom, paste the test, and go on.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "labkd[lab] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from labkd import figures
from labkd.figures import Html
from labkd.lab import damage
from labkd.lab.perceptrons import Perceptrons
from labkd.soft_targets import soften

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small
record = damage.read()


def show(*names):
    pictures = [damage.picture_of(record, name) for name in names]
    if len(names) > 1:
        pairs = zip(names, pictures, strict=True)
        pictures = [f"<p>{name}:</p>{picture}" for name, picture in pairs]
    return Html("".join(pictures))


# %% [markdown]
# ## By what you see
#
# - **Loss is not a number**: [a logarithm that nobody
#   announced](#a-logarithm-that-nobody-announced).
# - **Loss is negative**: [probabilities for
#   log-probabilities](#probabilities-for-log-probabilities).
# - **Loss is too large**: [answers out of step](#answers-out-of-step),
#   [another normalisation](#another-normalisation), [a logarithm
#   promised](#a-logarithm-promised), [two temperatures](#two-temperatures),
#   [a doubled loss taken for a gain](#a-doubled-loss-taken-for-a-gain).
# - **Loss is too small**: [the student as its own
#   teacher](#the-student-as-its-own-teacher), [a divergence known by its
#   name](#a-divergence-known-by-its-name), [the weight
#   reversed](#the-weight-reversed), [squared error of
#   probabilities](#squared-error-of-probabilities), [T squared
#   forgotten](#t-squared-forgotten), [a mean over the
#   classes](#a-mean-over-the-classes), [the virtual teacher
#   softened](#the-virtual-teacher-softened), [a sum for a
#   product](#a-sum-for-a-product).
# - **Changes with T or the classes**: [T squared
#   forgotten](#t-squared-forgotten), [a mean over the
#   classes](#a-mean-over-the-classes), [a hundred times the
#   mean](#a-hundred-times-the-mean), [squared error of
#   probabilities](#squared-error-of-probabilities), [a sum for a
#   product](#a-sum-for-a-product).
# - **Too unsure**: [a second softmax](#a-second-softmax), [the virtual
#   teacher softened](#the-virtual-teacher-softened), [two
#   temperatures](#two-temperatures), [probabilities for temperature
#   scaling](#probabilities-for-temperature-scaling).
# - **Validation depends on the batch**: [batch statistics at
#   evaluation](#batch-statistics-at-evaluation).
# - **No gain**: [a logarithm that nobody
#   announced](#a-logarithm-that-nobody-announced), [answers out of
#   step](#answers-out-of-step), [batch statistics at
#   evaluation](#batch-statistics-at-evaluation), [a new head that was never
#   trained](#a-new-head-that-was-never-trained), [the teacher trained
#   too](#the-teacher-trained-too), [the student as its own
#   teacher](#the-student-as-its-own-teacher), [a divergence known by its
#   name](#a-divergence-known-by-its-name), [the weight
#   reversed](#the-weight-reversed), [another
#   normalisation](#another-normalisation), [a second
#   softmax](#a-second-softmax), [probabilities for
#   log-probabilities](#probabilities-for-log-probabilities).
# - **Gain goes once the rate is tuned**: [a doubled loss taken for a
#   gain](#a-doubled-loss-taken-for-a-gain).
# - **Loss looks right, but accuracy is low**: [batch statistics at
#   evaluation](#batch-statistics-at-evaluation), [a new head that was never
#   trained](#a-new-head-that-was-never-trained), [a teacher that sees fewer
#   pixels](#a-teacher-that-sees-fewer-pixels), [the teacher trained
#   too](#the-teacher-trained-too).
# - **Loss looks right, at most seven points are lost**: [the mean of
#   means](#the-mean-of-means), [a second softmax](#a-second-softmax), [the
#   student called unwrapped](#the-student-called-unwrapped), [a hundred
#   times the mean](#a-hundred-times-the-mean), [peers not
#   detached](#peers-not-detached), [softmax before
#   cross-entropy](#softmax-before-cross-entropy), [the teacher in training
#   mode](#the-teacher-in-training-mode), [a student left in evaluation
#   mode](#a-student-left-in-evaluation-mode), [arguments
#   swapped](#arguments-swapped).

# %% [markdown]
# ## How each was measured
#
# A small perceptron with BatchNorm learns the digits from a larger one that
# saw all labels, by
#
# $$
# \mathcal{L} = (1 - w) \operatorname{CE}(y, q^{T=1})
#   + w \, T^2 \operatorname{KL}(p \,\|\, q), \qquad T = 4, \; w = 0.9 ,
# $$
#
# where $p$ and $q$ are the teacher's and the student's probabilities at $T$,
# and $y$ is the label. It does so in one of two classrooms:
#
# - **few**: 200 images, all labels right;
# - **doubtful**: 1,200 images, two labels in five replaced by any digit. The
#   labels mislead, so what the teacher says is worth more.
#
# The wrong run differs from the right one in the mistake alone. Both have the
# right one's learning rate, as if somebody had tuned first and erred later;
# a mistake is called harmless only if no harm is found at its own best rate
# either. Rates were chosen on validation images, accuracies are on test
# images. The table has the networks, the students at their own best rates.


# %% tags=["hide-input"]
def count(width):
    network = Perceptrons([0], inputs=64, width=width, dropout=0.0)
    return f"{sum(p.numel() for p in network.parameters()):,}"


right = f"{record['teacher']:.1f}"
rows = {"teacher": {"parameters": count(256), "few": right, "doubtful": right}}
lessons = {"student, this loss": "hinton"}
lessons["student, labels alone"] = "labels alone"
for name, lesson in lessons.items():
    row = rows[name] = {"parameters": count(32)}
    for setting in damage.SETTINGS:
        best = damage.chosen(record["lessons"][lesson][setting])
        row[setting] = f"{sum(best['test']) / len(best['test']):.1f}"
pd.DataFrame(rows).T.rename_axis(columns="% right")

# %% [markdown]
# ## All of them, by damage
#
# Each dot is the mean difference in test accuracy, wrong minus right, with
# its 95 % interval over ten seeds. *Labels alone* is no mistake but a
# yardstick: a student without a teacher, here at the right loss's rate too, so
# that it loses more than in the table. With so many intervals, a few exclude
# zero by chance: look at sizes.
#
# **What wrecks a student is seldom in the loss.** Of the mistakes that cost
# more than seven points where labels are doubtful, only two are in its
# formula: the logarithm that nobody announced, and the student as its own
# teacher. In some of the others loss and gradient are *exactly right*:
# checking the formula finds nothing.
#
# **The loss forgives, as long as the labels are right.** A divergence ten
# times too small, a missing $T^2$, the weight reversed: with few but right
# labels no difference was found, perhaps because label and teacher mostly pull
# the same way. Where labels mislead, all three cost accuracy.

# %% fig_alt="Difference in test accuracy, wrong minus right, for each mistake in both classrooms, the most harmful on top: four cost most of what the student knows, several cost five to twenty points, most lie near zero." tags=["hide-input"]
wrong = damage.by_damage(record)
figure, axes = plt.subplots(figsize=(4.6, 6.4))
colours = {"few": figures.STUDENT, "doubtful": figures.CORRECT}
for setting, colour in colours.items():
    gaps = [damage.damage(record, name, setting) for name in wrong]
    axes.errorbar(
        [gap.mean for gap in gaps],
        range(len(wrong)),
        xerr=[gap.half_width for gap in gaps],
        fmt="o",
        ms=4,
        color=colour,
        label=setting,
    )
axes.set_yticks(range(len(wrong)), wrong)
axes.set_ylim(len(wrong), -1)
axes.set_xscale("symlog", linthresh=2)
axes.set_xticks([-80, -10, -2, 0, 2], [-80, -10, -2, 0, 2])
axes.axvline(0, color=figures.OTHER)
axes.set_xlabel("points of test accuracy")
axes.legend(loc="lower left")
plt.show()

# %% [markdown]
# ## How to read a card
#
# **Symptoms.** Those of loss and accuracy, and *no gain*, follow from the
# records. Loss and gradient are measured once, on students after a tenth of
# the training. A loss *looks right* if it is between 0.7 and 1.3 times the
# right one's; beyond that it is *too small* or *too large*. *No gain*: in one
# classroom or both, not found to be better than labels alone. *Accuracy is
# low*: by more than seven points.
#
# **Code.** The lines marked *wrong* are what people write, those marked
# *right* replace them; the rest is common to both.
#
# **Picture.** Grey is right, orange is wrong. First the loss, then the
# gradient with respect to the student's logits: how many times the right
# one's length (a longer arrow is cut off), and the angle between them. Then
# the accuracy, wrong minus right, in points: the vertical line is zero, an
# arrow lies beyond the picture. An optimizer that divides by the gradient's
# size, as Adam does, makes up for a length that is wrong for the whole loss. A
# wrong direction it does not correct.
#
# **Test.** It stands alone after `import torch`. Give your function the name
# and the arguments that ours has, and paste the test below it: it passes on
# the right lines and fails on the wrong ones. In a hurry, run
# `test_equals_have_nothing_to_teach` and `test_by_hand` on your soft term
# *without* its $T^2$: together they fail on every wrong `soft_term` of logits
# here.


# %% [markdown]
# ## They wreck the student

# %% [markdown] tags=["card"]
# ### A logarithm that nobody announced
#
# *Symptoms: loss is not a number, no gain, accuracy is low*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     log_p = F.log_softmax(teacher_logits / T, dim=1)
#     return F.kl_div(log_q, log_p, reduction="batchmean")  # wrong
#     return F.kl_div(log_q, log_p, reduction="batchmean",  # right
#                     log_target=True)  # right
# ```
#
# `F.kl_div` takes the logarithm of its target, here of a negative number. The
# loss is not a number, yet its gradient is finite: it drives all probabilities
# but one to zero. What is in logarithms, and why, is asked often ([vit-pytorch
# 289](https://github.com/lucidrains/vit-pytorch/issues/289)).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_equals_have_nothing_to_teach():
#     logits = torch.tensor([[2.0, 0.0, -1.0]])
#     assert abs(soft_term(logits, logits, T=4.0)) < 1e-6
# ```
#
# </details>

# %% tags=["hide-input"]
show("logarithm unannounced")

# %% [markdown] tags=["card"]
# ### Answers out of step
#
# *Symptoms: loss is too large, no gain, accuracy is low*
#
# ```python
# def lessons(loader, cache):  # the teacher's logits, image by image
#     for i, (images, index) in enumerate(loader):
#         start = i * len(images)  # wrong
#         teacher_logits = cache[start : start + len(images)]  # wrong
#         teacher_logits = cache[index]  # right
#         yield images, teacher_logits
# ```
#
# The cache is read in the order in which it was filled, and the loader
# shuffles anew: each image comes with the answer to another. haitongli
# ([issue 16](https://github.com/haitongli/knowledge-distillation-pytorch/issues/16),
# [its repair](https://github.com/haitongli/knowledge-distillation-pytorch/pull/17)),
# whose tables are older than the repair.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_each_image_comes_with_its_own_answer():
#     images = torch.arange(128.0)[:, None]
#     cache = 2 * images  # what a teacher says of each
#     backwards = torch.arange(127, -1, -1)
#     loader = [(images[index], index) for index in backwards.split(64)]
#     for some, teacher_logits in lessons(loader, cache):
#         assert torch.equal(teacher_logits, 2 * some)
# ```
#
# </details>

# %% tags=["hide-input"]
show("out of step")

# %% [markdown] tags=["card"]
# ### Batch statistics at evaluation
#
# *Symptoms: loss looks right, no gain, accuracy is low, validation depends on
# the batch*
#
# ```python
# def block(width):
#     return torch.nn.Sequential(
#         torch.nn.Linear(4, width),
#         torch.nn.BatchNorm1d(width, track_running_stats=False),  # wrong
#         torch.nn.BatchNorm1d(width),  # right
#         torch.nn.ReLU(),
#     )
# ```
#
# [labml's](https://github.com/labmlai/annotated_deep_learning_paper_implementations/tree/master/labml_nn/distillation)
# networks keep no running statistics, so the answer to an image depends on its
# neighbours. In batches of seven *sorted* by class, as a folder has them,
# nearly all show one digit, and subtracting the mean removes the digit;
# *shuffled* it costs less.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_an_image_alone_gets_the_answer_it_gets_in_company():
#     torch.manual_seed(0)
#     model, images = block(8).eval(), torch.randn(6, 4)
#     torch.testing.assert_close(model(images)[:2], model(images[:2]))
# ```
#
# </details>

# %% tags=["hide-input"]
show("batch statistics, sorted", "batch statistics, shuffled")

# %% [markdown] tags=["card"]
# ### A new head that was never trained
#
# *Symptoms: loss looks right, no gain, accuracy is low*
#
# ```python
# def teacher_for(features, images, labels):
#     width, classes = features(images).shape[1], int(labels.max()) + 1
#     head = torch.nn.Linear(width, classes)  # as it was drawn
#     teacher = torch.nn.Sequential(features.eval(), head)
#     return teacher  # wrong
#     optimizer = torch.optim.Adam(head.parameters(), lr=0.1)  # right
#     for _ in range(100):  # right
#         z = teacher(images)  # right
#         loss = torch.nn.functional.cross_entropy(z, labels)  # right
#         optimizer.zero_grad()  # right
#         loss.backward()  # right
#         optimizer.step()  # right
#     return teacher  # right
# ```
#
# Pretrained features, a fresh last layer for your classes, and straight to
# distillation: the teacher guesses. With `ignore_mismatched_sizes=True`
# nothing complains. The first version of Hugging Face's guide
# ([25619](https://github.com/huggingface/transformers/pull/25619)) did so, and
# reported a small gain; with a teacher tuned on the data, a larger one.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_teacher_knows_more_than_chance():
#     torch.manual_seed(0)
#     images = torch.randn(300, 5)
#     labels = images[:, :3].argmax(dim=1)
#     teacher = teacher_for(torch.nn.Identity(), images, labels)
#     right = teacher(images).argmax(dim=1) == labels
#     assert right.float().mean() > 0.7  # chance is 1/3
# ```
#
# </details>

# %% tags=["hide-input"]
show("new head")

# %% [markdown] tags=["card"]
# ### A teacher that sees fewer pixels
#
# *Symptoms: loss looks right, accuracy is low*
#
# ```python
# import torch.nn.functional as F
#
# def both(student, teacher, images):
#     small = F.avg_pool2d(images, 2)
#     return student(small), teacher(small)  # wrong
#     return student(small), teacher(images)  # right
# ```
#
# The student is to see less, and the teacher is there because it sees more
# ([chapter 12](12_fewer_pixels.ipynb)).
# [distillistic](https://github.com/PiaCuk/distillistic) shrinks the image
# before the *teacher*, too. (Whether any gain is left was not tested: no
# student of small images learned from labels alone.)
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_teacher_sees_the_whole_image():
#     images, same = torch.randn(2, 3, 8, 8), torch.nn.Identity()
#     assert torch.equal(both(same, same, images)[1], images)
# ```
#
# </details>

# %% tags=["hide-input"]
show("teacher sees fewer")

# %% [markdown] tags=["card"]
# ### The teacher trained too
#
# *Symptoms: loss looks right, no gain, accuracy is low*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student, teacher, images, T=4.0):
#     teacher_logits = teacher(images)  # wrong
#     teacher_logits = teacher(images).detach()  # right
#     log_q = F.log_softmax(student(images) / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     return T**2 * F.kl_div(log_q, p, reduction="batchmean")
# ```
#
# Its weights are in the optimizer as well, say by `model.parameters()` of a
# module that holds both. The student's gradient is exactly right, and yet the
# teacher comes to meet the student. [vit-pytorch
# 103](https://github.com/lucidrains/vit-pytorch/issues/103).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_teacher_gets_no_gradient():
#     student, teacher = torch.nn.Linear(4, 3), torch.nn.Linear(4, 3)
#     soft_term(student, teacher, torch.randn(8, 4)).backward()
#     for weight in teacher.parameters():
#         assert weight.grad is None
# ```
#
# </details>

# %% tags=["hide-input"]
show("teacher trained too")

# %% [markdown] tags=["card"]
# ### The student as its own teacher
#
# *Symptoms: loss is too small, no gain, accuracy is low*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student, teacher, images, T=4.0):
#     student_logits = student(images)
#     with torch.no_grad():
#         teacher_logits = student(images)  # wrong
#         teacher_logits = teacher(images)  # right
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     return T**2 * F.kl_div(log_q, p, reduction="batchmean")
# ```
#
# One wrong name in one call, and what remains is a tenth of the cross-entropy.
# AdamW divides the tenth away, so it loses what *labels alone* lose. [labml
# 66](https://github.com/labmlai/annotated_deep_learning_paper_implementations/issues/66),
# [Keras' example 257](https://github.com/keras-team/keras-io/issues/257): the
# figures published there are older than the repair.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_another_teacher_gives_another_loss():
#     torch.manual_seed(0)
#     student, teacher, other = (torch.nn.Linear(4, 3) for _ in range(3))
#     images = torch.randn(8, 4)
#     one = soft_term(student, teacher, images)
#     assert one != soft_term(student, other, images)
# ```
#
# </details>

# %% tags=["hide-input"]
show("own teacher")

# %% [markdown]
# ## They cost accuracy

# %% [markdown] tags=["card"]
# ### A divergence known by its name
#
# *Symptoms: loss is too small, no gain*
#
# ```python
# def distil(loss_fn, student_logits, teacher_logits, T):
#     z, v = student_logits / T, teacher_logits / T
#     if "kl" in getattr(loss_fn, "__name__", "").lower():  # wrong
#         return T**2 * loss_fn(v.softmax(1), z.softmax(1))  # wrong
#     return loss_fn(v, z)  # wrong
#     return T**2 * loss_fn(v.softmax(1), z.softmax(1))  # right
# ```
#
# Keras softens only for a loss *function* with "kl" in its name. An instance
# of `KLDivergence` has no `__name__`, so it is given raw logits, which it
# clips to 0 .. 1, and $T^2$ is missing
# ([source](https://github.com/keras-team/keras/blob/master/keras/src/distillation/distillation_loss.py)).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_only_differences_of_logits_count():
#     class Divergence:
#         def __call__(self, p, q):
#             return (p * (p / q).log()).sum(dim=1).mean()
#
#     z = torch.tensor([[2.0, 1.0, 0.5]])
#     v = torch.tensor([[3.0, 1.0, 0.5]])
#     before = distil(Divergence(), z, v, T=3.0)
#     after = distil(Divergence(), z + 5, v + 5, T=3.0)
#     torch.testing.assert_close(before, after)
# ```
#
# </details>

# %% tags=["hide-input"]
show("raw logits")

# %% [markdown] tags=["card"]
# ### The weight reversed
#
# *Symptoms: loss is too small, no gain*
#
# ```python
# import torch.nn.functional as F
#
# def loss(student_logits, teacher_logits, labels, T=4.0, alpha=0.9):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     soft = T**2 * F.kl_div(log_q, p, reduction="batchmean")
#     hard = F.cross_entropy(student_logits, labels)
#     return alpha * hard + (1 - alpha) * soft  # wrong
#     return (1 - alpha) * hard + alpha * soft  # right
# ```
#
# `alpha` is the teacher's in DeiT, vit-pytorch and haitongli's code, the
# labels' in torchdistill and Keras. Between two versions of Hugging Face's
# guide ([25619](https://github.com/huggingface/transformers/pull/25619))
# `lambda` changed sides. [Conventions](../labkd/conventions.py#OneWeight)
# translates.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_with_all_weight_on_the_teacher_no_label_is_read():
#     z, v = torch.tensor([[1.0, 0.0]]), torch.tensor([[3.0, 0.0]])
#     one = loss(z, v, torch.tensor([0]), alpha=1.0)
#     other = loss(z, v, torch.tensor([1]), alpha=1.0)
#     torch.testing.assert_close(one, other)
# ```
#
# </details>

# %% tags=["hide-input"]
show("weight reversed")

# %% [markdown] tags=["card"]
# ### Another normalisation
#
# *Symptoms: loss is too large, no gain*
#
# ```python
# def ask(teacher, images, mean, std):  # of the teacher's training
#     x = (images - 0.449) / 0.226  # wrong
#     x = (images - mean) / std  # right
#     return teacher(x)
# ```
#
# Teacher and student were trained on pixels scaled differently, and one
# pipeline feeds both; or ImageNet's mean and deviation are taken for CIFAR's.
# Here ImageNet's `0.449` and `0.226` (means over its
# colours) were taken for the digits.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_teacher_sees_pixels_scaled_as_in_its_training():
#     torch.manual_seed(0)
#     images = torch.rand(1000, 4)
#     same = torch.nn.Identity()
#     x = ask(same, images, images.mean(), images.std())
#     assert abs(x.mean()) < 0.01 and abs(x.std() - 1) < 0.01
# ```
#
# </details>

# %% tags=["hide-input"]
show("other normalisation")

# %% [markdown] tags=["card"]
# ### Squared error of probabilities
#
# *Symptoms: loss is too small, changes with T or the classes*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     return F.mse_loss(log_q.exp(), p)  # wrong
#     return F.kl_div(log_q, p, reduction="batchmean")  # right
# ```
#
# KD_Lib's default ([source](https://github.com/SforAiDl/KD_Lib)). Its
# minimum is in the right place, but it is a mean over the classes, and its
# gradient has the wrong length and direction.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_by_hand():
#     # q is (1/2, 1/2), p is (3/4, 1/4).
#     student_logits = torch.zeros(1, 2)
#     teacher_logits = 4.0 * torch.tensor([[3.0, 1.0]]).log()
#     found = soft_term(student_logits, teacher_logits, T=4.0)
#     kl = torch.tensor(0.1308)  # 3/4 log 3/2 + 1/4 log 1/2
#     torch.testing.assert_close(found, kl, atol=1e-4, rtol=0)
# ```
#
# </details>

# %% tags=["hide-input"]
show("squared error")

# %% [markdown] tags=["card"]
# ### T squared forgotten
#
# *Symptoms: loss is too small, changes with T or the classes*
#
# ```python
# import torch.nn.functional as F
#
# def soft_loss(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     kl = F.kl_div(log_q, p, reduction="batchmean")
#     return kl  # wrong
#     return T**2 * kl  # right
# ```
#
# The divergence's gradient shrinks as $1/T^2$ ([chapter
# 3](03_the_kl_loss.ipynb)), so the temperature sets the weight as well. Keras'
# example ([869](https://github.com/keras-team/keras-io/issues/869),
# [870](https://github.com/keras-team/keras-io/pull/870)), [distiller
# 122](https://github.com/IntelLabs/distiller/issues/122). torchdistill drops
# it where no label is in the loss. Chapter 3, like *few*, has right labels and
# found no difference.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_gradient_keeps_its_length():
#     z = torch.zeros(1, 3, requires_grad=True)
#     teacher_logits = torch.tensor([[3.0, 1.0, 0.0]])
#     lengths = []
#     for T in (1.0, 20.0):
#         loss = soft_loss(z, teacher_logits, T)
#         (gradient,) = torch.autograd.grad(loss, z)
#         lengths.append(gradient.norm())
#     assert lengths[1] > lengths[0] / 5
# ```
#
# </details>

# %% tags=["hide-input"]
show("no square")

# %% [markdown] tags=["card"]
# ### The mean of means
#
# *Symptoms: loss looks right*
#
# ```python
# def whole_loss(microbatches):  # of losses, one an image
#     means = [losses.mean() for losses in microbatches]  # wrong
#     return sum(means) / len(means)  # wrong
#     count = sum(len(losses) for losses in microbatches)  # right
#     return sum(losses.sum() for losses in microbatches) / count  # right
# ```
#
# Gradients are summed over small batches, and the last one is smaller: each of
# its images counts for more. We cut 64 images into 60 and 4, and the four
# weigh as much as the sixty. For sequences of unequal length it is worse
# ([transformers
# 24725](https://github.com/huggingface/transformers/issues/24725)).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_every_image_counts_alike():
#     losses = [torch.tensor([1.0]), torch.tensor([2.0, 3.0, 4.0])]
#     assert abs(whole_loss(losses) - 2.5) < 1e-6  # not 2
# ```
#
# </details>

# %% tags=["hide-input"]
show("mean of means")

# %% [markdown] tags=["card"]
# ### A second softmax
#
# *Symptoms: loss looks right, no gain, too unsure*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits, dim=1)  # wrong
#     p = F.softmax(p / T, dim=1)  # wrong
#     p = F.softmax(teacher_logits / T, dim=1)  # right
#     return F.kl_div(log_q, p, reduction="batchmean")
# ```
#
# The teacher's probabilities are taken for logits. They differ by at most 1,
# so the target is nearly even, whatever the teacher knows. The prose of the
# ViT-B/16 to ResNet-34 write-up does it, [taken apart
# below](#one-write-up-taken-apart).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_equals_have_nothing_to_teach():
#     logits = torch.tensor([[2.0, 0.0, -1.0]])
#     assert abs(soft_term(logits, logits, T=4.0)) < 1e-6
# ```
#
# </details>

# %% tags=["hide-input"]
show("second softmax")

# %% [markdown] tags=["card"]
# ### The student called unwrapped
#
# *Symptoms: loss looks right*
#
# ```python
# def student_logits(ddp_student, images):
#     return ddp_student.module(images)  # wrong
#     return ddp_student(images)  # right
# ```
#
# `DistributedDataParallel` averages gradients only if its own `forward` is
# called. Past it, each process trains alone. We simulate what the first of two
# is left with: half of the images, in half-batches. [trl
# 5282](https://github.com/huggingface/trl/issues/5282).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_wrapper_is_called():
#     class Wrapper(torch.nn.Module):  # stands for DDP
#         def __init__(self, module):
#             super().__init__()
#             self.module, self.calls = module, 0
#
#         def forward(self, x):
#             self.calls += 1
#             return self.module(x)
#
#     wrapper = Wrapper(torch.nn.Identity())
#     student_logits(wrapper, torch.zeros(1, 3))
#     assert wrapper.calls == 1
# ```
#
# </details>

# %% tags=["hide-input"]
show("student unwrapped")

# %% [markdown] tags=["card"]
# ### A mean over the classes
#
# *Symptoms: loss is too small, changes with T or the classes*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     return F.kl_div(log_q, p)  # wrong
#     return F.kl_div(log_q, p, reduction="batchmean")  # right
# ```
#
# Unless told otherwise, `F.kl_div` averages over *all* axes. At ten classes
# the teacher weighs a tenth of what you set, at a thousand a thousandth.
# [haitongli
# 48](https://github.com/haitongli/knowledge-distillation-pytorch/issues/48),
# [Tf-KD
# 41](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/41),
# [DeiT 61](https://github.com/facebookresearch/deit/issues/61),
# [KD_Lib](https://github.com/SforAiDl/KD_Lib). [Chapter
# 3](03_the_kl_loss.ipynb), like *few*, has right labels and found no
# difference.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_a_class_that_nobody_believes_in_changes_nothing():
#     student_logits = torch.tensor([[1.0, 0.0]])
#     teacher_logits = torch.tensor([[3.0, 0.0]])
#     nobody = torch.tensor([[-1000.0]])
#     before = soft_term(student_logits, teacher_logits, T=4.0)
#     after = soft_term(
#         torch.cat([student_logits, nobody], dim=1),
#         torch.cat([teacher_logits, nobody], dim=1),
#         T=4.0,
#     )
#     torch.testing.assert_close(before, after)
# ```
#
# </details>

# %% tags=["hide-input"]
show("mean over classes")

# %% [markdown] tags=["card"]
# ### A logarithm promised
#
# *Symptoms: loss is too large*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     return F.kl_div(log_q, p, reduction="batchmean",  # wrong
#                     log_target=True)  # wrong
#     return F.kl_div(log_q, p, reduction="batchmean")  # right
# ```
#
# The reverse: `log_target=True` for a target that is none. Its exponential
# lies between 1 and $e$ for every class, so all classes count nearly alike,
# and the loss never comes near zero.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_equals_have_nothing_to_teach():
#     logits = torch.tensor([[2.0, 0.0, -1.0]])
#     assert abs(soft_term(logits, logits, T=4.0)) < 1e-6
# ```
#
# </details>

# %% tags=["hide-input"]
show("logarithm promised")

# %% [markdown] tags=["card"]
# ### A hundred times the mean
#
# *Symptoms: loss looks right, changes with T or the classes*
#
# ```python
# import torch.nn.functional as F
#
# def loss(student_logits, teacher_logits, labels, T=5.0, w=0.9):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     hard = F.cross_entropy(student_logits, labels)
#     kl = F.kl_div(log_q, p)  # wrong
#     return 0.5 * hard + 100 * kl  # wrong
#     kl = F.kl_div(log_q, p, reduction="batchmean")  # right
#     return (1 - w) * hard + w * T**2 * kl  # right
# ```
#
# labml weighs by 100 and 0.5, which repairs the mean at one number of classes
# only
# ([source](https://github.com/labmlai/annotated_deep_learning_paper_implementations/tree/master/labml_nn/distillation)).
# At ten classes and $T = 5$ it is $0.9$ times our loss with $w = 4/9$.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_a_class_that_nobody_believes_in_changes_nothing():
#     student_logits = torch.tensor([[1.0, 0.0]])
#     teacher_logits = torch.tensor([[3.0, 0.0]])
#     nobody, labels = torch.tensor([[-1000.0]]), torch.tensor([0])
#     before = loss(student_logits, teacher_logits, labels)
#     after = loss(
#         torch.cat([student_logits, nobody], dim=1),
#         torch.cat([teacher_logits, nobody], dim=1),
#         labels,
#     )
#     torch.testing.assert_close(before, after)
# ```
#
# </details>

# %% tags=["hide-input"]
show("mean times hundred")

# %% [markdown] tags=["card"]
# ### The virtual teacher softened
#
# *Symptoms: loss is too small, too unsure*
#
# ```python
# import torch.nn.functional as F
#
# def virtual_targets(labels, num_classes, T):
#     p = torch.ones(len(labels), num_classes, device=labels.device)
#     p *= 0.1 / (num_classes - 1)
#     p[torch.arange(len(labels)), labels] = 0.9
#     return F.softmax(p / T, dim=1)  # wrong
#     return p  # right
# ```
#
# Here the teacher exists on paper only ([chapter
# 11](11_a_teacher_that_does_not_exist.ipynb)). Its paper wants it softened,
# but these are probabilities already: of ten classes at $T = 10$, $0.9$
# becomes $0.108$. The official
# [Tf-KD](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation)
# and [KD_Lib](https://github.com/SforAiDl/KD_Lib). Measured: wrong, their
# $T = 20$; right, $T = 1$, not softened.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_the_virtual_teacher_is_sure():
#     p = virtual_targets(torch.tensor([3]), num_classes=10, T=10.0)
#     assert abs(p[0, 3] - 0.9) < 1e-6
# ```
#
# </details>

# %% tags=["hide-input"]
show("virtual, softened")

# %% [markdown] tags=["card"]
# ### A sum for a product
#
# *Symptoms: loss is too small, changes with T or the classes*
#
# ```python
# import torch.nn.functional as F
#
# def loss(student_logits, teacher_logits, labels, T, alpha):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     hard = F.cross_entropy(student_logits, labels)
#     kd = F.kl_div(log_q, p)  # wrong
#     kd = F.kl_div(log_q, p, reduction="batchmean")  # right
#     return kd * (T * T * 2.0 + alpha) + hard * (1 - alpha)  # wrong
#     return kd * (T * T * alpha) + hard * (1 - alpha)  # right
# ```
#
# `alpha` no longer sets the balance. The mean over the classes is in it too,
# and the two pull opposite ways. Both stand in the ViT-B/16 to ResNet-34
# write-up, [taken apart below](#one-write-up-taken-apart).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_without_weight_the_teacher_is_not_heard():
#     z, labels = torch.tensor([[1.0, 0.0]]), torch.tensor([0])
#     one = loss(z, torch.tensor([[3.0, 0.0]]), labels, T=4.0, alpha=0.0)
#     other = loss(z, torch.tensor([[0.0, 3.0]]), labels, T=4.0, alpha=0.0)
#     torch.testing.assert_close(one, other)
# ```
#
# </details>

# %% tags=["hide-input"]
show("sum for product")

# %% [markdown] tags=["card"]
# ### Probabilities for log-probabilities
#
# *Symptoms: loss is negative, no gain*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.softmax(student_logits / T, dim=1)  # wrong
#     log_q = F.log_softmax(student_logits / T, dim=1)  # right
#     p = F.softmax(teacher_logits / T, dim=1)
#     return F.kl_div(log_q, p, reduction="batchmean")
# ```
#
# A divergence is never negative; this is, and it falls while the student
# trains. ProDA ([20](https://github.com/microsoft/ProDA/issues/20),
# [43](https://github.com/microsoft/ProDA/issues/43)).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_equals_have_nothing_to_teach():
#     logits = torch.tensor([[2.0, 0.0, -1.0]])
#     assert abs(soft_term(logits, logits, T=4.0)) < 1e-6
# ```
#
# </details>

# %% tags=["hide-input"]
show("probabilities")

# %% [markdown]
# ## No harm to the accuracy found here

# %% [markdown] tags=["card"]
# ### Peers not detached
#
# *Symptoms: loss looks right*
#
# ```python
# import torch.nn.functional as F
#
# def loss(logits, peer_logits, labels):
#     p = peer_logits.softmax(dim=1)  # wrong
#     p = peer_logits.detach().softmax(dim=1)  # right
#     log_q = F.log_softmax(logits, dim=1)
#     kl = F.kl_div(log_q, p, reduction="batchmean")
#     return 0.5 * F.cross_entropy(logits, labels) + 0.5 * kl
# ```
#
# In mutual learning ([chapter 10](10_learning_from_each_other.ipynb)) a peer's
# answer is a target. Not detached, the loss pulls the peer as well, toward the
# student.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_a_loss_moves_one_student_only():
#     torch.manual_seed(0)
#     logits = torch.randn(8, 3, requires_grad=True)
#     peer_logits = torch.randn(8, 3, requires_grad=True)
#     labels = torch.zeros(8, dtype=torch.int64)
#     loss(logits, peer_logits, labels).backward()
#     assert peer_logits.grad is None
# ```
#
# </details>

# %% tags=["hide-input"]
show("peers attached")

# %% [markdown] tags=["card"]
# ### Two temperatures
#
# *Symptoms: loss is too large, too unsure*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits, dim=1)  # wrong
#     log_q = F.log_softmax(student_logits / T, dim=1)  # right
#     p = F.softmax(teacher_logits / T, dim=1)
#     return F.kl_div(log_q, p, reduction="batchmean")
# ```
#
# The student learns to be as unsure at $T = 1$ as the teacher is at $T$. No
# loss of accuracy was found here, but the probabilities became worse: the
# negative log-likelihood on test images rose in both classrooms. [Tf-KD
# 3](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/3).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_equals_have_nothing_to_teach():
#     logits = torch.tensor([[2.0, 0.0, -1.0]])
#     assert abs(soft_term(logits, logits, T=4.0)) < 1e-6
# ```
#
# </details>

# %% tags=["hide-input"]
show("two temperatures")

# %% [markdown] tags=["card"]
# ### Softmax before cross-entropy
#
# *Symptoms: loss looks right*
#
# ```python
# import torch.nn.functional as F
#
# def hard_term(student_logits, labels):
#     q = F.softmax(student_logits, dim=1)  # wrong
#     return F.cross_entropy(q, labels)  # wrong
#     return F.cross_entropy(student_logits, labels)  # right
# ```
#
# `F.cross_entropy` takes logits. Of probabilities, its gradient fades just
# where the student is sure and wrong. In a loss whose labels weigh a tenth it
# hardly shows; alone it does ([asked in temperature_scaling
# 30](https://github.com/gpleiss/temperature_scaling/issues/30)).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_who_is_sure_and_wrong_is_pulled_hard():
#     z = torch.tensor([[0.0, 9.0]], requires_grad=True)
#     loss = hard_term(z, torch.tensor([0]))
#     (gradient,) = torch.autograd.grad(loss, z)
#     assert gradient[0, 0] < -0.99
# ```
#
# </details>

# %% tags=["hide-input"]
show("softmax before labels")

# %% [markdown] tags=["card"]
# ### The teacher in training mode
#
# *Symptoms: loss looks right*
#
# ```python
# @torch.no_grad()
# def ask(teacher, images):
#     teacher.train()  # wrong
#     teacher.eval()  # right
#     return teacher(images)
# ```
#
# Often simply nobody says `eval()`. Dropout blurs the answers, BatchNorm lets
# the answer to one image depend on the others ([chapter
# 4](04_the_teacher.ipynb)), and its statistics move. [vit-pytorch
# 103](https://github.com/lucidrains/vit-pytorch/issues/103).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_asked_twice_it_says_the_same():
#     torch.manual_seed(0)
#     teacher = torch.nn.Sequential(
#         torch.nn.Linear(8, 16), torch.nn.Dropout(0.5)
#     )
#     images = torch.randn(4, 8)
#     once = ask(teacher, images)
#     torch.testing.assert_close(once, ask(teacher, images))
# ```
#
# </details>

# %% tags=["hide-input"]
show("teacher in training mode")

# %% [markdown] tags=["card"]
# ### A student left in evaluation mode
#
# *Symptoms: loss looks right*
#
# ```python
# def fit(student, batches, validate, epochs=2):
#     student.train()  # wrong
#     for _ in range(epochs):
#         student.train()  # right
#         for images in batches:
#             student(images)  # loss, backward and step follow
#         validate(student)  # calls student.eval()
# ```
#
# From the second epoch on dropout is off and BatchNorm's statistics stand
# still. Mutual learning in
# [distillistic](https://github.com/PiaCuk/distillistic), and
# [KD_Lib](https://github.com/SforAiDl/KD_Lib). [Chapter
# 10](10_learning_from_each_other.ipynb) shows what it does at a large learning
# rate.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_every_epoch_trains_in_training_mode():
#     class Watched(torch.nn.Module):
#         def forward(self, x):
#             modes.append(self.training)
#             return x
#
#     def validate(model):
#         model.eval()
#
#     modes = []
#     fit(Watched(), [torch.zeros(1)], validate)
#     assert all(modes)
# ```
#
# </details>

# %% tags=["hide-input"]
show("student frozen")

# %% [markdown] tags=["card"]
# ### Arguments swapped
#
# *Symptoms: loss looks right*
#
# ```python
# import torch.nn.functional as F
#
# def soft_term(student_logits, teacher_logits, T):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     log_p = F.log_softmax(teacher_logits / T, dim=1)
#     return F.kl_div(log_p, log_q.exp(), reduction="batchmean")  # wrong
#     return F.kl_div(log_q, log_p.exp(), reduction="batchmean")  # right
# ```
#
# This is the divergence the other way round. It is zero in the same place, so
# only a value worked out by hand finds it. (Some choose it on purpose.) In
# [chapter 3](03_the_kl_loss.ipynb) it cost accuracy: there the student has
# fifty images and no BatchNorm. Which of these matters was not tested.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_by_hand():
#     # q is (1/2, 1/2), p is (3/4, 1/4).
#     student_logits = torch.zeros(1, 2)
#     teacher_logits = 4.0 * torch.tensor([[3.0, 1.0]]).log()
#     found = soft_term(student_logits, teacher_logits, T=4.0)
#     kl = torch.tensor(0.1308)  # 3/4 log 3/2 + 1/4 log 1/2
#     torch.testing.assert_close(found, kl, atol=1e-4, rtol=0)
# ```
#
# </details>

# %% tags=["hide-input"]
show("swapped")

# %% [markdown] tags=["card"]
# ### A doubled loss taken for a gain
#
# *Symptoms: loss is too large, gain goes once the rate is tuned*
#
# ```python
# import torch.nn.functional as F
#
# def loss(student_logits, teacher_logits, labels, T=4.0, w=0.5):
#     log_q = F.log_softmax(student_logits / T, dim=1)
#     p = F.softmax(teacher_logits / T, dim=1)
#     soft = T**2 * F.kl_div(log_q, p, reduction="batchmean")
#     hard = F.cross_entropy(student_logits, labels)
#     return hard + soft  # wrong
#     return (1 - w) * hard + w * soft  # right
# ```
#
# At $w = \frac12$ this is twice the loss: with plain SGD, twice the learning
# rate. What looks like the teacher's gain may be that: compare with twice the
# cross-entropy ([a7b23
# 1](https://github.com/a7b23/Distilling-the-knowledge-in-neural-network/issues/1)).
# This is an argument, not a record: we measured twice the loss of $w = 0.9$
# under AdamW, which divides the factor away.
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_a_teacher_who_repeats_the_label_adds_nothing():
#     z = torch.zeros(1, 3, requires_grad=True)
#     labels, sure = torch.tensor([0]), torch.tensor([[99.0, 0.0, 0.0]])
#     (ours,) = torch.autograd.grad(loss(z, sure, labels, T=1.0), z)
#     plain = torch.nn.functional.cross_entropy(z, labels)
#     (expected,) = torch.autograd.grad(plain, z)
#     torch.testing.assert_close(ours, expected)
# ```
#
# </details>

# %% tags=["hide-input"]
show("loss doubled")


# %% tags=["setup"]
def flattened():  # what the next card does to a sure network
    torch.manual_seed(0)
    logits = (5 * torch.randn(1000, 10)).requires_grad_()
    labels = logits.softmax(1).multinomial(1).flatten()
    right = F.cross_entropy(logits, labels)
    wrong = F.cross_entropy(logits.softmax(1), labels)
    (ours,) = torch.autograd.grad(wrong, logits)
    (theirs,) = torch.autograd.grad(right, logits)
    angle = F.cosine_similarity(ours.flatten(), theirs.flatten(), 0).acos()
    return {
        "loss": (wrong / right).item(),
        "gradient": (ours.norm() / theirs.norm()).item(),
        "angle": angle.rad2deg().item(),
    }


# %% [markdown] tags=["card"]
# ### Probabilities for temperature scaling
#
# *Symptoms: too unsure*
#
# ```python
# def scaled(logits, T):
#     p = logits.softmax(dim=1)  # wrong
#     return (p / T).softmax(dim=1)  # wrong
#     return (logits / T).softmax(dim=1)  # right
# ```
#
# Calibration by a temperature (chapter 11) divides *logits*. Given
# probabilities, even $T = 1$ flattens the answers: of ten classes none gets
# more than $e / (e + 9)$, about 0.23. For a network that is right more often
# the best $T$ is then below 1. The accuracy stays: the order of the classes
# does. Asked in [calibration-framework
# 32](https://github.com/EFS-OpenSource/calibration-framework/issues/32).
#
# <details markdown="1">
# <summary>Test</summary>
#
# ```python
# def test_at_temperature_one_nothing_changes():
#     logits = torch.tensor([[2.0, 0.0, -1.0]])
#     p = logits.softmax(dim=1)
#     torch.testing.assert_close(scaled(logits, T=1.0), p)
# ```
#
# </details>


# %% tags=["hide-input"]
damage.picture(flattened(), {})

# %% [markdown]
# ## One write-up, taken apart
#
# Mistakes come in company. A write-up that we cannot link distils a ViT-B/16
# with ImageNet's weights, of which only the last layer is trained on CIFAR-10,
# into a ResNet-34. Its loss line is
#
# ```python
# kd*(T*T*2.0+alpha)+loss2*(1-alpha)
# ```
#
# with `loss2` the cross-entropy and `alpha` our $w$. In this line and the code
# around it four things are wrong:
#
# 1. **A sum for a product.** `T*T*2.0*alpha` must have been meant:
# $16 \cdot 2 \cdot 0.7 = 22.4$ at $T = 4$ and $w = 0.7$. Written is 32.7, and
# from $w = 0$ to 1 it moves only from 32 to 33. (The `2.0` doubles Hinton's
# $w \, T^2$.)
# 2. **A mean over the classes** in `kd`.
# 3. **A softmax without `dim`.** PyTorch guesses, with a warning: right for
#    (batch, classes); with three axes it takes the *first*, and probabilities
#    sum to one over the batch.
# 4. **An undefined name.** It alone of the four stops the code, so nobody
#    trains with it unnoticed.
#
# A fifth is in the head: `Linear(512, 10)` has the width of the *student*; the
# ViT's features have 768 numbers. That is an error at the first image, so
# nobody misses it either.


# %%
def soft_terms(z, v, T=4.0, w=0.7):
    log_q, p = (z / T).log_softmax(1), (v / T).softmax(1)
    kl = F.kl_div(log_q, p, reduction="batchmean")
    mean = F.kl_div(log_q, p, reduction="mean")
    twice = (v.softmax(1) / T).softmax(1)
    flat = F.kl_div(log_q, twice, reduction="batchmean")
    return {
        "ours": w * T**2 * kl,
        "as meant": T * T * 2.0 * w * kl,
        "sum for product": (T * T * 2.0 + w) * kl,
        "mean over classes": T * T * 2.0 * w * mean,
        "as written": (T * T * 2.0 + w) * mean,
        "second softmax": w * T**2 * flat,
    }


# %% [markdown]
# The table has each form's gradient beside ours, on random logits of a
# teacher and a student half-way to it. Sum and mean are mistakes of **size**:
# they pull opposite ways, and what is written comes out at about a third of
# ours.
#
# The sixth is in the write-up's prose, a mistake of **direction**. It divides
# the *softmax output* by $T$ and takes the softmax again. Let the teacher say
# $(0.90, 0.09, 0.01)$ to truck, car and frog. Dividing the logits by 4 gives
# $(0.53, 0.30, 0.17)$, dividing the probabilities $(0.38, 0.31, 0.31)$. A
# surer teacher is no cure: of ten classes none can get more than $e^{1/T} /
# (e^{1/T} + 9)$, about an eighth. Such a target teaches doubt.

# %% tags=["hide-input"]
torch.manual_seed(0)
v = 3 * torch.randn(1000, 10, dtype=torch.float64)
z = (v / 2 + torch.randn_like(v)).requires_grad_()
pulls = {
    name: torch.autograd.grad(term, z, retain_graph=True)[0].flatten()
    for name, term in soft_terms(z, v).items()
}
rows = {}
for name, pull in pulls.items():
    cosine = F.cosine_similarity(pull, pulls["ours"], dim=0).clamp(max=1)
    rows[name] = {
        "length, ours = 1": f"{pull.norm() / pulls['ours'].norm():.2f}",
        "angle": f"{cosine.acos().rad2deg():.0f}°",
    }
said = torch.tensor([0.90, 0.09, 0.01])
assert_close(
    soften(said.log(), 4.0),
    torch.tensor([0.53, 0.30, 0.17]),
    atol=5e-3,
    rtol=0,
)
assert_close(
    soften(said, 4.0), torch.tensor([0.38, 0.31, 0.31]), atol=5e-3, rtol=0
)
pd.DataFrame(rows).T

# %% [markdown]
# ## What this does not show
#
# One small network, one small data set. Another $T$ or $w$ moves the balance,
# and a hundred classes make the mean over classes ten times as wrong.
# *No harm found* means: none that these intervals show. A harmless mistake is
# still a mistake, since the next setting may not forgive it. And accuracy is
# not everything: two temperatures cost none that we could find, and made the
# probabilities worse in both classrooms.
#
# All tests pass, and still no gain? Then it may be no mistake:
# [chapter 15](15_when_it_pays.ipynb) says when distillation pays.
#
# Wrong forms as functions, for your own experiments, are in
# [mistakes.py](../labkd/mistakes.py#mean_over_classes).

# %% [markdown]
# ## Exercises
#
# **1. A test that is not enough.** *The teacher trained too* passes every test
# of the loss. Why, and what does a test need to find it?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Value and gradient *for the student* are those of the right form; what is
# wrong is a second gradient, the teacher's. So a test needs the teacher itself
# and asks whether its weights have a gradient, as the card's does.
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
# **3. What Adam forgives.** Let there be no labels in the loss, $w = 1$. Does
# Adam undo the mean over the classes, the missing $T^2$, the hundred times the
# mean? And probabilities for log-probabilities, the two logarithms, the
# swapped arguments?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The first three, yes: each multiplies the whole loss by a number, and Adam
# divides a gradient by its own size (but for the small constant in the
# denominator). The last four, no: their gradients have another direction.
#
# </details>
#
# **4. Find one more.** Choose a repository that distils, and run the tests of
# these cards on its soft term. What does it tell you if it fails
# `test_equals_have_nothing_to_teach`, and what if it fails `test_by_hand`
# alone?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# What fails the first comes to rest in the wrong place: look at arguments,
# temperatures and softmaxes. One loss fails it and is right: the cross-entropy
# with the teacher's probabilities, which is the KL divergence plus their
# entropy. What fails only the second has another size, or is another distance.
# If you find something, tell its authors, with the test.
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
# - Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural Networks*
#   ([2017](../docs/references.md#guo2017)): temperature scaling.
