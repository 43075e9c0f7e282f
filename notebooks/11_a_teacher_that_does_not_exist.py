# %% [markdown]
# # A teacher that does not exist
#
# A teacher does two things to a student. It says which classes look alike,
# and it keeps the student from being certain. Yuan et al.
# ([2020](../docs/references.md#yuan2020)) suspect that the second does much
# of the work. So they send the teacher away and write its answer down by
# hand: sure of the label, impartial about all the rest. They call this
# *teacher-free* distillation, Tf-KD.
#
# A [master's thesis](https://github.com/PiaCuk/distillistic) (Čuk) reports
# that the published form makes students under-confident, and that a better
# calibrated signal, without its second softmax, makes better students. What
# is this teacher? What does that softmax do? What is left of it after the
# temperature scaling of [chapter 2](02_temperature.ipynb)? And do calibrated
# teachers make calibrated students?

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
import math
import statistics
from itertools import product

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.optimize import minimize_scalar
from torch import nn

from labkd import calibration, figures, records, virtual_teacher
from labkd.data import load
from labkd.inference import paired_difference
from labkd.pixels import Normalise
from labkd.soft_targets import distillation_loss, kl_divergence

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Written by hand
#
# The **virtual teacher** gives the label the probability $a$ and shares out
# the rest evenly (Yuan et al., section 5):
#
# $$
# p_i = a \text{ for the label}, \qquad
# p_i = \frac{1 - a}{C - 1} \text{ otherwise.}
# $$
#
# Shown a truck, with $a = 0.9$, it says $p = (0.9, 0.05, 0.05)$ for truck,
# car and frog. It always does. It never looks at the picture, so it cannot
# know that *this* truck resembles a car.
#
# The student says $q = (0.5, 0.3, 0.2)$. Half the loss is the label's,
# $\operatorname{CE}(y, q) = -\log 0.5 = 0.69315$. The other half is
# $\operatorname{KL}(p \,\|\, q) = 0.9 \log\frac{0.9}{0.5}
# + 0.05 \log\frac{0.05}{0.3} + 0.05 \log\frac{0.05}{0.2}
# = 0.52901 - 0.08959 - 0.06931 = 0.37011$. Together, $0.53163$.
#
# Each half pulls at $z$ with student minus target
# ([chapter 1](01_hard_and_soft_labels.ipynb#two-losses-one-family)), so both
# together pull towards the mean of the two targets, $(38, 1, 1) / 40$. The
# gradient is $(-18, 11, 7) / 40$.


# %%
def virtual(labels, C, a=0.9):
    p = torch.full((len(labels), C), (1 - a) / (C - 1))
    return p.scatter(1, labels[:, None], a)  # (batch, classes)


def virtual_loss(z, labels, T=1.0, w=0.5, second_softmax=False):
    p = virtual(labels, z.shape[1]).to(z)
    if second_softmax:  # as if p were logits
        p = (p / T).softmax(1)
    kl = F.kl_div((z / T).log_softmax(1), p, reduction="batchmean")
    return (1 - w) * F.cross_entropy(z, labels) + w * T**2 * kl


z = torch.tensor([[0.5, 0.3, 0.2]]).log().requires_grad_()
truck = torch.tensor([0])
loss = virtual_loss(z, truck)
(pull,) = torch.autograd.grad(loss, z)
assert abs(loss.item() - 0.53163) < 5e-6
torch.testing.assert_close(40 * pull, torch.tensor([[-18.0, 11.0, 7.0]]))

# %% [markdown]
# ## Label smoothing by another name
#
# For any number of classes, with $u_i = 1 / C$, the virtual teacher is a
# mixture of the label and the uniform distribution:
#
# $$
# p = (1 - \delta) \, y + \delta u , \qquad
#   \delta = (1 - a) \, \frac{C}{C - 1} .
# $$
#
# (A wrong class gets $\delta / C = (1 - a) / (C - 1)$, as it should.) The
# gradient of the whole loss at $T = 1$ is $q$ minus the mean target
#
# $$
# (1 - w) \, y + w \, p = (1 - \varepsilon) \, y + \varepsilon u ,
# $$
#
# $$
# \varepsilon = w \, \delta = w (1 - a) \, \frac{C}{C - 1} .
# $$
#
# That is **label smoothing** with $\varepsilon$, an argument of PyTorch's
# own `cross_entropy`. The losses differ by a constant, $w H(p)$, the
# gradients not at all. The student cannot tell which it was.
#
# At other temperatures it can. The second pull becomes
# $w T (q^T - p)$, measured on *softened* probabilities $q^T$, while the
# label's is measured on $q$. Label smoothing aims at one target whatever the
# student says. Here, what would have to be the target, $q$ minus the
# gradient, moves with the student: the cell shows two students with the same
# label and different ones.

# %%
torch.manual_seed(0)
labels = torch.randint(10, (1000,))
z = (3 * torch.randn(1000, 10, dtype=torch.float64)).requires_grad_()
for w in (0.1, 0.5, 1.0):
    eps = w * (1 - 0.9) * 10 / 9
    smoothed = F.cross_entropy(z, labels, label_smoothing=eps)
    losses = virtual_loss(z, labels, w=w), smoothed
    pulls = [torch.autograd.grad(len(z) * x, z)[0] for x in losses]
    torch.testing.assert_close(*pulls, rtol=0, atol=1e-6)

two, same = z[:2], labels[[0, 0]]
for T, moves in ((1.0, False), (4.0, True)):
    (pull,) = torch.autograd.grad(2 * virtual_loss(two, same, T), two)
    target = two.softmax(1) - pull
    gap = (target[0] - target[1]).abs().max().item()
    assert (gap > 0.1) if moves else (gap < 1e-6)

# %% [markdown]
# ## The second softmax
#
# Yuan et al. want their teacher soft, at $T = 20$. A real teacher has logits
# to divide. This one has only probabilities, and the published form divides
# *those* and takes a second softmax. With ten classes, 0.9 becomes
#
# $$
# \frac{e^{0.9 / T}}{e^{0.9 / T} + 9 \, e^{0.1 / (9 T)}} .
# $$
#
# That is 0.21277 at $T = 1$, 0.10829 at $T = 10$ and 0.10407 at $T = 20$.
# A tenth would be uniform. What is such a teacher worth? Ask where its loss
# is least. The student's softened probability must equal the target $t$ of
# the label, so the best gap between the label's logit and the others is
#
# $$
# g = T \log \frac{t \, (C - 1)}{1 - t} .
# $$
#
# | form | best gap, $w = 1$ |
# |---|---|
# | $T = 1$ | $\log 81 = 4.394$ |
# | $T = 20$, $p$ as it is | $20 \log 81 \approx 88$ |
# | $T = 20$, second softmax | $(0.9 - 0.1 / 9) = 8/9$ |
#
# In the last row the two divisions cancel, and the student's logits are asked
# to *be* the probabilities, numbers between 0 and 1. That is the
# [hot limit](02_temperature.ipynb#very-hot-matching-logits), a squared
# distance, whose gradient is $(z_i - p_i) / C$ up to the means: a **decay of
# the logits**, a pull towards uniform with a faint memory of the label. The
# middle row fails the other way: no student should want to be sure to one
# part in $e^{88}$. So: **one softmax, and $T = 1$**, as in the thesis.
#
# Code and paper differ further. The paper softens the student too; the
# authors' code for CIFAR-100 does not, and has no $T^2$ ([issue
# 3](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/3)):
# label smoothing again, with a target that is nearly uniform. By "published
# form" we mean the thesis's: both softened, times $T^2$.

# %%
for T, by_hand in ((1, 0.21277), (10, 0.10829), (20, 0.10407)):
    p = (virtual(truck, 10).double() / T).softmax(1)
    assert abs(p[0, 0].item() - by_hand) < 6e-6


def best_gap(*form):
    def loss(gap):
        z = gap * torch.eye(10, dtype=torch.float64)[:1]
        return virtual_loss(z, truck, *form).item()

    return minimize_scalar(loss, bounds=(0, 200), options={"xatol": 1e-9}).x


log_81, best_q = math.log(81), {}
rows = (1.0, False, log_81), (20.0, False, 20 * log_81), (20.0, True, 8 / 9)
for T, second, by_hand in rows:
    alone, half = (best_gap(T, w, second) for w in (1.0, 0.5))
    q = best_q[T, second] = 1 / (1 + 9 * math.exp(-half))
    print(f"gap {alone:.3f}; at w = 1/2 {half:.3f}, there q = {q:.3f}")
    assert abs(alone - by_hand) < 1e-3 * by_hand

# %% [markdown]
# ## Four students
#
# The digits again: perceptrons with 100 labelled images each. The arms:
# **labels** alone, **virtual** ($T = 1$), **softened** (the published form,
# $T = 20$), both with $w = 1/2$, and **soft**, a real teacher at $T = 4$
# with $w = 0.9$: a small CNN that has seen 200 *other* images. What does the
# theory predict?
#
# 1. On images they have learned, **virtual** and **softened** stop at the
#    $q$ printed above. So **softened** will be under-confident, with the
#    larger ECE.
# 2. A scale is what temperature scaling repairs. After it, the differences
#    in ECE should be gone.
# 3. Neither virtual teacher knows anything about the images. What they give
#    to accuracy is regularisation, and should be alike in both.


# %%
def train(model, pixels, targets, loss_of, *, rate, seed, steps=100):
    optimizer = torch.optim.AdamW(
        model.parameters(), rate, (0.9, 0.98), fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, steps, pct_start=0.2, cycle_momentum=False
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(pixels), (32,), generator=generator)
        z = model(pixels[batch])  # (batch, classes)
        loss = loss_of(z, *(t[batch] for t in targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


# %%
everything = load("digits", "train")
order = torch.randperm(1200, generator=torch.Generator().manual_seed(0))
theirs, ours = everything.take(order[:200]), everything.take(order[600:])
held_out, test = load("digits", "validation"), load("digits", "test")
normalise = Normalise.of(theirs.images)
torch.manual_seed(0)
teacher = nn.Sequential(
    *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU()),
    *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU()),
    *(nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32 * 4 * 4, 10)),
)
lesson = {"targets": (theirs.labels,), "loss_of": F.cross_entropy}
lesson |= {"steps": 300, "rate": 3e-3, "seed": 0}
train(teacher, normalise(theirs.images), **lesson)


@torch.no_grad()
def logits_of(model, data):
    return model(normalise(data.images))


# %%
pixels, teacher_logits = normalise(ours.images), logits_of(teacher, ours)


def student_run(loss_of, rate, seed):
    generator = torch.Generator().manual_seed(seed)
    few = torch.randperm(600, generator=generator)[:100]
    torch.manual_seed(seed)
    layers = nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)
    student, targets = nn.Sequential(*layers), (ours.labels, teacher_logits)
    targets = [target[few] for target in targets]
    train(student, pixels[few], targets, loss_of, rate=rate, seed=seed)
    return student


def best_rate(losses):
    right = dict.fromkeys((3e-3, 1e-2, 3e-2), 0)
    for loss_of, rate, trial in product(losses, right, range(2)):
        z = logits_of(student_run(loss_of, rate, 100 + trial), held_out)
        right[rate] += (z.argmax(1) == held_out.labels).sum().item()
    return max(right, key=right.get)


# %%
def judge(z, y):
    p = z.softmax(1)
    others = p.scatter(1, y[:, None], 0.0)  # all but the label
    others = others / others.sum(1, keepdim=True)
    known = math.log(9) - torch.special.entr(others).sum(1).mean().item()
    scores = {
        "accuracy": (z.argmax(1) == y).double().mean().item(),
        "ECE": calibration.expected_calibration_error(p, y),
        "NLL": calibration.negative_log_likelihood(z, y),
        "entropy": torch.special.entr(p).sum(1).mean().item(),
        "others": known,  # used further down
    }
    return {name: 100 * score for name, score in scores.items()}


def fitted(model):
    z = logits_of(model, held_out)
    return calibration.fit_temperature(z, held_out.labels)


# %%
answers, judged, held = {}, {}, {}  # by arm, and whether scaled


def evaluate(arm, loss_of, rate):
    runs = [student_run(loss_of, rate, seed) for seed in range(10)]
    heats = torch.tensor([fitted(student) for student in runs])
    told = (judge(logits_of(r, held_out), held_out.labels) for r in runs)
    held[arm] = [one["accuracy"] for one in told]
    z = torch.stack([logits_of(student, test) for student in runs])
    for scaled, divided in (False, z), (True, z / heats[:, None, None]):
        answers[arm, scaled] = divided  # (seeds, images, classes)
        judged[arm, scaled] = [judge(one, test.labels) for one in divided]
    return heats.mean().item()


def gain(ours, theirs, score, scaled=False):
    pair = (judged[arm, scaled] for arm in (ours, theirs))
    return paired_difference(*([run[score] for run in side] for side in pair))


# %%
arms = {
    "labels": lambda z, y, v: F.cross_entropy(z, y),
    "virtual": lambda z, y, v: virtual_loss(z, y),
    "softened": lambda z, y, v: virtual_loss(z, y, 20.0, 0.5, True),
    "soft": lambda z, y, v: distillation_loss(z, v, y, temperature=4.0),
}
heats, columns = {}, ("accuracy", "ECE", "NLL", "entropy", "others")
print("100x ± dev. T" + "".join(f"{name:>13}" for name in columns))
for arm, loss_of in arms.items():
    heats[arm] = evaluate(arm, loss_of, best_rate([loss_of]))
    for scaled in (False, True):
        line = f"{arm:8}{heats[arm] if scaled else 1:5.2f}"
        for name in columns:
            values = [run[name] for run in judged[arm, scaled]]
            mean, spread = statistics.mean(values), statistics.stdev(values)
            line += f"{mean:6.1f} ±{spread:5.1f}"
        print(line)
known = judge(logits_of(teacher, held_out), held_out.labels)["accuracy"]
print(f"validation: teacher {known:.0f}, labels {max(held['labels']):.0f}")
assert known < max(held["labels"])  # so soft is not tested


# %%
def show(values):
    return f"{statistics.mean(values):.1f} ± {statistics.stdev(values):.1f}"


pairs = [("virtual", "labels"), ("softened", "labels")]
pairs += [("softened", "virtual")]
scores = {False: columns[:4], True: ("ECE", "NLL", "others")}
signs = dict.fromkeys(pairs, "")
for scaled, pair in product(scores, pairs):
    print(f"{pair[0]} over {pair[1]}{', scaled' * scaled}:")
    for score in scores[scaled]:
        more = gain(*pair, score, scaled)
        print(f"    {score} {more}")
        sign = "+" if more.mean > 0 else "-"
        signs[pair] += sign if more.found else "0"
# accuracy, ECE, NLL and entropy; then, scaled, ECE, NLL and others
assert signs["virtual", "labels"] == "++-+" + "0--"
assert signs["softened", "labels"] == "++++" + "0--"
assert signs["softened", "virtual"][:6] == "0+++" + "00"
assert heats["softened"] < heats["virtual"] < 1 < heats["soft"]

# %% fig_alt="Reliability diagrams of the four arms on the digits, ten students each. As trained, the softened arm lies far above the diagonal, the virtual arm above it, labels and soft below it. After temperature scaling the four curves lie close together, a little below the diagonal."
palette = ("black", figures.CORRECT, figures.STUDENT, "#7048e8")
COLOURS = dict(zip(arms, palette, strict=True))


def draw(axes, arm, z, labels):
    curve = calibration.reliability_curve(z.softmax(1), labels)
    figures.draw_reliability(axes, curve, arm, colour=COLOURS[arm])


figure, row = plt.subplots(2, 1, figsize=(3.2, 6.4))
for axes, scaled in zip(row, scores, strict=True):
    for arm in arms:
        z, labels = answers[arm, scaled].flatten(0, 1), test.labels.repeat(10)
        draw(axes, arm, z, labels)
        right = (z.argmax(1) == labels).float().mean()
        assert not scaled or z.softmax(1).amax(1).mean() > right
    axes.set_title("at its own T" if scaled else "as trained")
row[0].legend(loc="lower right")
plt.show()

# %% [markdown]
# ### How to read it
#
# All three predictions hold, and the cell before the figure asserts them.
# **Softened** lies far above the diagonal: its students are right much more
# often than they say. Its fitted temperature is the lowest, so a repair
# *multiplies* its logits. **Virtual** too is under-confident, with a larger
# ECE than labels and yet a smaller NLL. After scaling, for the ECE of each
# pair printed, **no difference found**.
#
# Both virtual teachers make the student more accurate than labels alone do,
# and at its own $T$ its NLL is better too. Between the two, **no difference
# found** there. As far as accuracy, ECE and NLL can tell, the second softmax
# only shrinks the logits, and one number undoes that.
#
# The *real* teacher is **not tested**: it has seen only 200 images, and on the
# validation images some students on labels are right more often
# ([the rule](../labkd/verdicts.py)). A virtual teacher knows nothing that its
# student does not; by design it need not be stronger.
#
# **What it does not show.** These are 100 images and a perceptron, where any
# regularisation is welcome. And in the lower panel all arms are still too
# sure: the temperature was fitted on images of other writers than those of
# the test, and what differs there no single number can repair.

# %% [markdown]
# ## Does calibration rub off?
#
# The thesis draws a lesson: a teacher should be calibrated. Try it on the
# real one, which we chose because it boasts. We divide its logits by its own
# fitted temperature (**calibrated**), leave them (**as it is**), or
# **double** them. Its answers stay the same, and so does its accuracy. The
# students get no labels ($w = 1$) and no temperature ($T = 1$), and one
# learning rate, the best for all three together.
#
# What should happen? The pull is $q - p$. On images that a student cannot
# tell apart it comes to rest at the *mean* of the teacher's answers. So it
# copies the confidence, boast and all. And it brings a boast of its own: what
# it says of new images was never corrected by anyone. We expect the students'
# ECE to follow the teacher's, and to stay above it where the teacher's is
# small.
#
# Both are found (asserted), of one teacher, which is too weak to say whether
# it helps. The calibrated teacher's students have a smaller
# ECE and NLL than those of the teacher as it is, and of the doubled one; for
# accuracy, calibrated against as it is, **no difference found**. But their
# ECE is larger than that of their teacher. **A calibrated teacher makes a
# better calibrated student, not a calibrated one.** Scale the student itself,
# at the end.

# %%
of_teacher, own = logits_of(teacher, test), fitted(teacher)
divisors = {"calibrated": own, "as it is": 1.0, "doubled": 0.5}
taught = {
    name: lambda z, y, v, t=t: kl_divergence(z, v / t, temperature=1.0)
    for name, t in divisors.items()
}
rate = best_rate(list(taught.values()))
boasts, errors = {}, {}
for name, loss_of in taught.items():
    boasts[name] = judge(of_teacher / divisors[name], test.labels)["ECE"]
    evaluate(name, loss_of, rate)
    errors[name] = [run["ECE"] for run in judged[name, False]]
    its = show(errors[name])
    print(f"{name}: ECE {boasts[name]:.1f}, students {its} (deviation)")
assert own > 1 and not gain("as it is", "calibrated", "accuracy").found
for ours, score in product(("as it is", "doubled"), scores[False][:3]):
    more = gain(ours, "calibrated", score)
    print(f"{score}, {ours} over calibrated: {more}")
    assert (more.found and more.mean > 0) or score == "accuracy"

# %% fig_alt="ECE of ten students, a dot each, beside the ECE of their teacher, a bar, for the teacher calibrated, as it is and doubled: both rise from left to right; the students of the calibrated teacher lie above its bar."
axes = plt.subplots(figsize=(3.3, 2.8))[1]
for place, name in enumerate(taught):
    bar = axes.bar(place, boasts[name], 0.6, color=figures.OTHER)
    dots = axes.plot([place] * 10, errors[name], ".", color=figures.STUDENT)
axes.legend([bar, *dots], ["teacher", "its students"], loc="upper left")
axes.set_xticks(range(3), list(taught))
axes.set(ylabel="100 x ECE", ylim=(0, 15))
plt.show()
above = paired_difference(errors["calibrated"], [boasts["calibrated"]] * 10)
print(f"ECE, students of the calibrated teacher over it: {above}")
assert above.found and above.mean > 0

# %% [markdown]
# ## The same question on clothes
#
# The recorded runs: a narrow ResNet-18 on 3,000
# images of Fashion-MNIST, five paired seeds, each arm with its own learning
# rate from one grid. The diagrams show the first seed, whose logits were kept;
# the labels are known, for the images are sorted by class. (Two real teachers
# were recorded too, and are no better than their students: *not tested*, as
# [Results](../docs/results.md) has it.)
#
# **Softened** students are under-confident: ECE and NLL are worse than those
# of labels and of **virtual** (found), while for accuracy, against either,
# **no difference found**. **Virtual** against labels: **no difference found**
# in accuracy, ECE or NLL. So the thesis is right about calibration: without
# the second softmax it is better, on digits and on clothes. That it makes
# *better students*, we did not find. Nor, on clothes, that it beats labels
# alone.
#
# Scaling brings every ECE down (first seed). But the NLL of **softened** ends
# highest of all, so here not everything was a matter of scale.

# %%
names = {
    "labels": "scratch-resnet18-fashion_mnist",
    "virtual": "virtual-resnet18-fashion_mnist",
    "softened": "virtual_softened-resnet18-fashion_mnist",
}
kept = {}
for arm, name in names.items():
    runs = [records.read(name, "laptop", n) for n in range(5)]
    for score in ("accuracy", "ece", "nll"):
        values = [100 * run["test"][score] for run in runs]
        print(f"{arm}: 100 x {score} {show(values)} (deviation)")
        kept[arm, score] = values
print(f"{records.data_of(runs[0])}, {records.budget_of(runs[0])}")

# %%
signs = dict.fromkeys(pairs, "")
for pair, score in product(pairs, ("accuracy", "ece", "nll")):
    more = paired_difference(*(kept[arm, score] for arm in pair))
    print(f"100 x {score}, {pair[0]} over {pair[1]}: {more}")
    sign = "+" if more.mean > 0 else "-"
    signs[pair] += sign if more.found else "0"
assert signs["virtual", "labels"] == "000"
assert signs["softened", "labels"] == "0++"
assert signs["softened", "virtual"] == "0++"

# %% fig_alt="Reliability diagrams on Fashion-MNIST, first seed. As trained, the softened arm lies far above the diagonal, virtual and labels near it. At their own temperatures all three lie close to the diagonal."
labels, nll = torch.arange(10).repeat_interleave(1000), {}
figure, row = plt.subplots(2, 1, figsize=(3.2, 6.4))
for arm, name in names.items():
    path = records.path_of(name, "laptop", 0)
    both = load_file(path.with_suffix(".logits.safetensors"))
    of_held_out = torch.arange(10).repeat_interleave(600)
    heat = calibration.fit_temperature(both["validation"], of_held_out)
    z, ece = both["test"].double(), []
    for axes, t in zip(row, (1.0, heat), strict=True):
        draw(axes, arm, z / t, labels)
        axes.set_title("as trained" if t == 1 else "at its own T")
        scored = judge(z / t, labels)
        ece, nll[arm] = [*ece, scored["ECE"]], scored["NLL"]
        print(f"{arm}, T = {t:.2f}: ECE {ece[-1]:.1f}, NLL {nll[arm]:.1f}")
    assert abs(scored["accuracy"] - kept[arm, "accuracy"][0]) < 0.02
    assert ece[1] < ece[0] and (heat < 1 or arm != "softened")
row[0].legend(loc="lower right")
plt.show()
assert max(nll, key=nll.get) == "softened"

# %% [markdown]
# ## Is label smoothing free?
#
# It costs no teacher and no time. But it has a price in what the student
# *says*: it is told, image after image, that all wrong classes are equally
# wrong. Müller, Kornblith and Hinton
# ([2019](../docs/references.md#muller2019)) find that networks trained so are
# well calibrated and good classifiers, and bad teachers: the resemblances
# between classes have gone from their logits.
#
# The column *others* of the digits looks for that. It takes the label out,
# normalises what is left, and gives its distance from uniform in nats, each
# student at its own temperature, so that a scale cannot be the reason. For
# **virtual** as for **softened** it is smaller than for labels (found). If
# the network is to be used, that may not matter. If it is to teach, do not
# smooth it.
#
# People ask whether such methods beat a *properly tuned* baseline ([issue
# 20](https://github.com/yuanli2333/Teacher-free-Knowledge-Distillation/issues/20)).
# With few images, ours did; on clothes, no difference found. A virtual
# teacher is worth the price of a line of code: try it, as you would try any
# regularisation, at $T = 1$.
#
# **Held to the library.** Our two forms are those of
# [`virtual_teacher_loss`](../labkd/virtual_teacher.py#virtual_teacher_loss).

# %%
z, labels = torch.randn(64, 10, dtype=torch.float64), torch.randint(10, (64,))
p = virtual_teacher.virtual_targets(labels, 10)
torch.testing.assert_close(virtual(labels, 10), p)
for w, (T, second) in product((0.5, 0.9), ((1.0, False), (20.0, True))):
    theirs = virtual_teacher.virtual_teacher_loss(
        *(z, labels), temperature=T, weight=w, smooth_teacher=second
    )
    torch.testing.assert_close(virtual_loss(z, labels, T, w, second), theirs)

# %% [markdown]
# ## Exercises
#
# **1. The usual tenth.** Many recipes smooth with $\varepsilon = 0.1$. Which
# $a$ is that for ten classes and $w = 1$? And for a thousand?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $a = 1 - \varepsilon (C - 1) / C$: $0.91$ and $0.9001$.
#
# </details>
#
# **2. The humblest teacher.** What do both forms become at $a = 1 / C$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $p = u$, and a softmax of equal numbers is $u$ again. At $T = 1$ that is
# label smoothing with $\varepsilon = w$. At $T = 20$ the second term becomes
# nearly the squared length of the logits (less their mean), times
# $w / (2 C)$: a decay of the logits, with no memory of the label.
#
# </details>
#
# **3. Softened properly.** A distribution has logits: $\log p$. Soften with
# $\operatorname{softmax}(\log p / T)$. What is the best gap at $w = 1$ and
# $T = 20$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Both divisions cancel, so $z = \log p$ up to a constant, and the gap is
# $\log 81$ as at $T = 1$. A temperature that treats both sides alike moves no
# optimum; it changes which errors are dear.
#
# </details>
#
# **4. A better teacher.** Let the real teacher see 600 images. Predict the
# row **soft**, then run.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Write `order[:600]`. What it knows of new images is now worth more, so
# expect accuracy above that of labels. Its fitted temperature tells you what
# to expect of the students' ECE.
#
# </details>
#
# **5. A smooth teacher.** Train the real teacher with `label_smoothing=0.1`.
# Are its students worse?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Put `partial(F.cross_entropy, label_smoothing=0.1)` into `lesson`. First
# compare *others* of both teachers at their own temperatures, then the
# students by a paired difference. One teacher is an anecdote: train five.
#
# </details>

# %% [markdown]
# ## References
#
# - Yuan, Tay, Li, Wang and Feng, *Revisiting Knowledge Distillation via Label
#   Smoothing Regularization* ([2020](../docs/references.md#yuan2020)):
#   section 5 for the virtual teacher.
# - Müller, Kornblith and Hinton, *When Does Label Smoothing Help?*
#   ([2019](../docs/references.md#muller2019)).
# - Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
#   Networks* ([2017](../docs/references.md#guo2017)): section 4.2.
# - The code: [virtual_teacher.py](../labkd/virtual_teacher.py),
#   [calibration.py](../labkd/calibration.py).
