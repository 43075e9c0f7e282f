# %% [markdown]
# # Learning from each other
#
# Every student so far had a teacher that was trained before, and was better.
# **Deep mutual learning**, DML (Zhang, Xiang, Hospedales and Lu,
# [2018](../docs/references.md#zhang2018mutual)), has neither. Some students
# start together from random weights. In each step each of them learns from
# the label and from what the others believe at that moment.
#
# Can the ignorant teach the ignorant? And is it *stable*? The master's
# thesis behind the code
# [distillistic](https://github.com/PiaCuk/distillistic) says that it is not.
# But its loop calls `eval()` to validate, and never `train()` again. We take
# the loss apart, then repeat the experiment with that line and without.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import torch
from safetensors.torch import load_file
from scipy.special import fdtri
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from labkd import figures, mutual_learning, records
from labkd.calibration import expected_calibration_error
from labkd.data import load
from labkd.inference import paired_difference
from labkd.pixels import Normalise

# %config InlineBackend.figure_format = "retina"
figures.use_style()
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
# \mathcal L_k = (1 - w) \operatorname{CE}(y, q^k)
#   + \frac{w}{K - 1} \sum_{l \ne k} \operatorname{KL}(q^l \,\|\, q^k) .
# $$
#
# For Ann the label costs $-\log 0.5 = 0.69315$. Bob is
# $0.7 \log \frac{0.7}{0.5} + 0.2 \log \frac{0.2}{0.3} + 0.1 \log
# \frac{0.1}{0.2} = 0.08512$ away, Cleo $0.4 \log \frac{0.4}{0.3} + 0.1 \log
# \frac{0.1}{0.2} = 0.04576$. Their mean is 0.06544, and with $w = \frac12$
# Ann's loss is $\frac12 (0.69315 + 0.06544) = 0.37929$.
#
# In the code a peer is *detached*: for Ann, Bob's belief is a target like any
# teacher's. Zhang et al. add the two terms with equal weights; $w = \frac12$
# is half of that.


# %%
def kl(p, log_q):
    return (torch.xlogy(p, p) - p * log_q).sum(-1)


def label_loss(log_q, labels):
    return -log_q.gather(-1, labels[..., None]).squeeze(-1)


def mutual_losses(logits, labels, w=0.5, ensemble=False):
    log_q, losses = [z.log_softmax(-1) for z in logits], []
    for k, own in enumerate(log_q):
        others = log_q[:k] + log_q[k + 1 :]
        peers = [other.detach().exp() for other in others]
        if ensemble:
            peers = [sum(peers) / len(peers)]
        lesson = sum(kl(p, own) for p in peers) / len(peers)
        losses.append((1 - w) * label_loss(own, labels) + w * lesson)
    return torch.stack(losses)  # (students, ..., batch)


# %%
rows = ((0.5, 0.3, 0.2), (0.7, 0.2, 0.1), (0.5, 0.4, 0.1))
ann, bob, cleo = (torch.tensor([row]).log().requires_grad_() for row in rows)
truck = torch.tensor([0])
loss = mutual_losses([ann, bob, cleo], truck)[0]
print(f"Ann's loss: {loss.item():.5f}")
assert abs(loss.item() - 0.37929) < 6e-6
lessons = [kl(q.softmax(1), ann.log_softmax(1)) for q in (bob, cleo)]
by_hand = torch.tensor([[0.08512], [0.04576]])
torch.testing.assert_close(torch.stack(lessons), by_hand, rtol=0, atol=6e-6)
one_voice = mutual_losses([ann, bob, cleo], truck, 1.0, ensemble=True)[0]
assert abs(one_voice - 0.04008) < 6e-6
assert abs(sum(lessons) / 2 - one_voice - 0.02536) < 6e-6

# %% [markdown]
# ## The peers' mean is the teacher
#
# What pulls at Ann? The gradient of each divergence is student minus target
# ([chapter 1](01_hard_and_soft_labels.ipynb#two-losses-one-family)), and a
# mean of gradients is the gradient of the mean:
#
# $$
# \frac{\partial}{\partial z^k} \, \frac{1}{K - 1} \sum_{l \ne k}
#   \operatorname{KL}(q^l \,\|\, q^k) = q^k - \bar q , \qquad
#   \bar q = \frac{1}{K - 1} \sum_{l \ne k} q^l .
# $$
#
# For Ann $\bar q = (0.6, 0.3, 0.1)$, the pull is $(-0.1, 0, 0.1)$. She has
# one teacher, her peers' mean. The paper's other form, **DML$_e$**, says so
# openly: it takes $\operatorname{KL}(\bar q \,\|\, q^k)$, here 0.04008, and
# that has the same gradient. How far apart are the two losses? By the
# decomposition of
# [chapter 6](06_from_cnn_to_vit.ipynb#a-crop-changes-the-label)
#
# $$
# \begin{aligned}
# \frac{1}{K - 1} \sum_{l \ne k} \operatorname{KL}(q^l \,\|\, q^k)
#   &= J + \operatorname{KL}(\bar q \,\|\, q^k) , \\
# J = \frac{1}{K - 1} \sum_{l \ne k} \operatorname{KL}(q^l \,\|\, \bar q)
#   &= H(\bar q) - \frac{1}{K - 1} \sum_{l \ne k} H(q^l) \ge 0 .
# \end{aligned}
# $$
#
# $J$ is the peers' spread, a Jensen-Shannon divergence. There is no $q^k$ in
# it: 0.02536 here, whatever Ann says. So **DML and DML$_e$ are one method**
# with two readings on the meter, provided that *probabilities* are averaged.
# With two students $J = 0$, and not even the readings differ.

# %%
loss = mutual_losses([ann, bob, cleo], truck, w=1.0)[0]
(pull,) = torch.autograd.grad(loss, ann)
torch.testing.assert_close(pull, torch.tensor([[-0.1, 0.0, 0.1]]))
torch.manual_seed(0)
labels = torch.randint(10, (64,))
for students in (2, 3, 5):
    logits = 2 * torch.randn(students, 64, 10, dtype=torch.float64)
    q = logits.requires_grad_().softmax(-1).detach()
    mean = (q.sum(0) - q) / (students - 1)  # of the peers of each
    readings = []
    for ensemble in (False, True):
        losses = mutual_losses(logits.unbind(), labels, 1.0, ensemble)
        (pull,) = torch.autograd.grad(losses.sum(), logits)
        assert (pull - (q - mean)).abs().max() < 1e-6
        readings.append(losses.detach())
    entropy = torch.special.entr(q).sum(-1)  # (students, batch)
    theirs = (entropy.sum(0) - entropy) / (students - 1)
    J = torch.special.entr(mean).sum(-1) - theirs
    torch.testing.assert_close(readings[0] - readings[1], J)
    assert (J > 0).all() if students > 2 else J.abs().max() < 1e-9

# %% [markdown]
# ## A gradient through the target
#
# Now forget `detach()`, and sum the losses for one `backward()`: a mistake
# that raises no error.
# Ann's loss then also moves *Bob*. How? With $r_j = \log (q^l_j / q^k_j)$ the
# divergence is $\sum_j q^l_j r_j$, and by
# $\partial q_i / \partial z_j = q_i ([i = j] - q_j)$
#
# $$
# \frac{\partial}{\partial z^l_j} \operatorname{KL}(q^l \,\|\, q^k)
#   = q^l_j \, \bigl( r_j - \operatorname{KL}(q^l \,\|\, q^k) \bigr) .
# $$
#
# For Bob $r = (0.33647, -0.40547, -0.69315)$, and the gradient is
# $(0.17595, -0.09812, -0.07783)$: descent pulls his *truck* down. He is the
# one who knows most, and he is being talked out of it.
#
# That is no accident of these numbers. Up to a constant $r$ is the gap
# between the two students' logits, so along the straight line from Bob to
# Ann the loss falls at the rate
#
# $$
# \sum_j q^l_j (r_j - \operatorname{KL}) \, r_j
#   = \operatorname{Var}_{q^l}(r) \ge 0 ,
# $$
#
# zero when they agree, and only then. **The peer is pulled toward the
# student**, who may be the worse of the two, on top of being pulled there by
# its own loss. Nothing in this term knows the label.

# %%
distance = kl(bob.softmax(1), ann.log_softmax(1))
extra, _ = torch.autograd.grad(distance, (bob, ann))
by_hand = torch.tensor([[0.17595, -0.09812, -0.07783]])
torch.testing.assert_close(extra, by_hand, rtol=0, atol=6e-6)

student, peer = torch.randn(2, 1000, 10, dtype=torch.float64)
peer.requires_grad_()
distance = kl(peer.softmax(1), student.log_softmax(1))
(extra,) = torch.autograd.grad(distance.sum(), peer)
p = peer.softmax(1).detach()
r = p.log() - student.log_softmax(1)
away = r - (p * r).sum(1, keepdim=True)  # from its mean under p
assert (extra - p * away).abs().max() < 1e-6
slope = (extra * (peer - student).detach()).sum(1)
torch.testing.assert_close(slope, (p * away**2).sum(1))
assert (slope > 0).all()

# %% [markdown]
# ## The whole step
#
# Below is the training loop, nothing left out. To have sixteen seeds in
# seconds, `vmap` runs all networks side by side: their weights lie in one
# tensor, and nothing passes between them but what the loss passes.
#
# The network has three hidden layers, each with BatchNorm and dropout, and
# gets 200 of the digits. The arms, two students a seed in each:
#
# 1. **alone**: $w = 0$. They are neighbours, not peers.
# 2. **DML**: $w = \frac12$.
# 3. **KD**: each has a wider teacher that saw *the same 200 images*; $T = 4$,
#    $w = 0.9$.
#
# Three more leave out `train()` where it was left out. In the versions of
# distillistic's loop that we read, students stay in eval mode once the first
# **epoch** is validated, here after six batches. Harsher is: after the first
# **batch**. And to see whether peers have to do with it at all, students
# **alone** make the mistake too.
#
# Within a seed first weights and batches are shared, the steps are as many,
# and each arm takes its learning rate from one grid by the validation images.
#
# **What would "unstable" be?** Three measures, for every rate of the grid:
# the *spread*, the variance of test accuracy over seeds, as a ratio to that
# of *alone* with its 95 % interval; the *rise*, how far the label's loss on a
# batch climbs above its lowest so far; and *failed* runs, with fewer than
# half of the test images right.


# %%
def network(seed, width=32):
    torch.manual_seed(seed)
    layers, inputs = [], 64
    for _ in range(3):
        layers += nn.Linear(inputs, width), nn.BatchNorm1d(width)
        layers += nn.ReLU(), nn.Dropout(0.1)
        inputs = width
    return nn.Sequential(*layers, nn.Linear(width, 10))


whole, held_out, test = (
    load("digits", split) for split in ("train", "validation", "test")
)
normalise = Normalise.of(whole.images)
generator = torch.Generator().manual_seed(0)
few = whole.take(torch.randperm(1200, generator=generator)[:200])
questions = {"training": few, "validation": held_out, "test": test}
for name, data in questions.items():
    questions[name] = normalise(data.images).flatten(1)


# %%
def side_by_side(networks):
    weights = stack_module_state(networks)  # parameters, buffers
    forward = partial(functional_call, networks[0])
    run = vmap(lambda w, x: forward(w, (x,)), randomness="different")
    return weights[0].values(), lambda x: run(weights, x).unflatten(0, (-1, 2))


def optimizer_and_schedule(parameters, rate):
    optimizer = torch.optim.AdamW(parameters, rate, fused=True)
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, 100, pct_start=0.1, cycle_momentum=False
    )


def update(loss, optimizer, schedule):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


# %%
def train(networks, lesson, rate, frozen=None):
    model = networks[0].train()
    parameters, run = side_by_side(networks)
    tools = optimizer_and_schedule(parameters, rate)
    torch.manual_seed(0)
    losses, batches = [], torch.randint(200, (100, len(networks) // 2, 32))
    for step, batch in enumerate(batches):
        if step == frozen:
            model.eval()  # and nobody calls train() again
        x = questions["training"][batch].repeat_interleave(2, 0)
        z = run(x).unbind(1)  # two of (seeds, batch, classes)
        update(lesson(z, batch).mean(-1).sum(), *tools)
        log_q = z[0].detach().log_softmax(-1)
        losses.append(label_loss(log_q, few.labels[batch]).mean(-1))
    model.eval()
    answers = {"loss": torch.stack(losses)}  # (steps, seeds)
    for name, x in questions.items():
        z = run(x.expand(len(networks), -1, -1))
        answers[name] = z.detach().softmax(-1)
    return answers


# %%
def peers(z, batch, w=0.5):
    return mutual_losses(z, few.labels[batch], w)


def neighbours(z, batch):
    return peers(z, batch, w=0.0)


def from_teacher(z, batch, T=4.0, w=0.9):
    log_q = (torch.stack(z) / T).log_softmax(-1)
    soft = kl((v[batch] / T).softmax(-1), log_q)
    return (1 - w) * neighbours(z, batch) + w * T**2 * soft


wide = [network(seed, width=128) for seed in (100, 101)]
v = train(wide, neighbours, 1e-2)["training"][0, 0].log()  # the teacher's
arms = {"alone": (neighbours, None), "DML": (peers, None)}
arms |= {"KD": (from_teacher, None), "DML, batch": (peers, 1)}
arms |= {"DML, epoch": (peers, 6), "alone, epoch": (neighbours, 6)}


# %%
def percent_right(q, data):
    return 100 * (q.argmax(-1) == data.labels).double().mean(-1)


rates, kept, right, best = (0.01, 0.03, 0.1), {}, {}, {}
for arm, (lesson, frozen) in arms.items():
    held = {}
    for rate in rates:
        pairs = [network(s + 100 * k) for s in range(16) for k in range(2)]
        run = kept[arm, rate] = train(pairs, lesson, rate, frozen)
        right[arm, rate] = percent_right(run["test"][:, 0], test)
        held[rate] = percent_right(run["validation"], held_out).mean()
    best[arm] = max(rates, key=held.get)
    chosen = right[arm, best[arm]]
    print(f"{arm:12} rate {best[arm]:<4g}", end="  ")
    print(f"{chosen.mean():.1f} ± {chosen.std():.1f} % (deviation)")
    if arm == "DML":  # KD has a teacher no better than its students
        first = right["alone", best["alone"]].tolist()
        print(f"   over alone: {paired_difference(chosen.tolist(), first)}")

# %% [markdown]
# ## Is it unstable?
#
# The interval of a ratio of two variances comes from the F distribution, here
# with 15 degrees of freedom on either side. It takes scores as normal and
# arms as independent, both only roughly true. And of so many intervals one
# or another leaves 1 out by chance; look at the sizes.
#
# **In train mode nothing is unstable** (asserted below the figure). At every
# rate the interval of DML's variance over alone's holds 1, no run fails, and
# on average the loss rises less. **In eval mode, at the largest rate**, every
# frozen arm spreads more than *alone*, its interval leaves 1 out, and runs
# fail. Students without peers fail too, if fewer of them. So what breaks a
# run is the mode, together with the rate. Peers, who calmed it in train mode,
# here make it worse.
#
# Why? In eval mode dropout is off, and BatchNorm uses its stored mean and
# variance and never updates them: a fixed affine map
# ([chapter 4](04_the_teacher.ipynb#the-mean-of-a-batch-by-hand)). What is
# trained is a network *without* normalisation. In train mode a layer whose
# weights have grown tenfold answers as before, and its gradient is a tenth
# (Ioffe and Szegedy, [2015](../docs/references.md#ioffe2015), section 3.3):
# too large a step corrects itself. Frozen, tenfold weights are a tenfold
# answer, layer upon layer.
#
# At the two smaller rates no frozen run fails: a missing line stays unnoticed
# until somebody gives all methods one rate and blames the method.
#
# **What it does not show**: what happened in the thesis, with its networks
# and its data. And this is a toy, chosen after a look at other depths, widths
# and seeds.


# %%
def spread_ratio(ours, theirs):
    degrees = len(ours) - 1, len(theirs) - 1
    ratio = (torch.tensor(ours).var() / torch.tensor(theirs).var()).item()
    low, high = (fdtri(*degrees, tail) for tail in (0.975, 0.025))
    return ratio, ratio / low, ratio / high


rise, failed, ratios = {}, {}, {}
for key in kept:
    loss, scores = kept[key]["loss"], right[key]
    rise[key] = (loss - loss.cummin(0).values).amax(0)  # (seeds,)
    failed[key] = (scores < 50).sum().item()
    theirs = right["alone", key[1]].tolist()
    ratios[key] = spread_ratio(scores.tolist(), theirs)
    print(f"{key[0]:12} {key[1]:<4g} {scores.mean():5.1f} ±", end=" ")
    print(f"{scores.std():4.1f} dev., {failed[key]:2} failed, rise", end=" ")
    print(f"{rise[key].mean():.1f}, variance x {ratios[key][0]:.1f}", end=" ")
    print("({:.1f} to {:.1f})".format(*ratios[key][1:]))
assert failed["alone, epoch", 0.1] < failed["DML, epoch", 0.1]

# %% fig_alt="Test accuracy of sixteen seeds at three learning rates. In train mode, students alone and in mutual learning lie close together at every rate. In eval mode they do so at the lower rates, and scatter at the largest, some down to chance."
axes = plt.subplots(figsize=(4.6, 3))[1]
looks = {"alone": ("#212529", "o"), "DML": (figures.CORRECT, "o")}
looks |= {"DML, batch": ("#862e9c", "^"), "DML, epoch": (figures.STUDENT, "v")}
looks |= {"alone, epoch": ("#868e96", "v")}
for arm, group in product(looks, range(3)):
    across = [group + 0.16 * list(looks).index(arm) - 0.32] * 16
    label, (colour, mark) = None if group else arm, looks[arm]
    style = {"color": colour, "markersize": 3, "label": label}
    axes.plot(across, right[arm, rates[group]], mark, **style)
axes.set_xticks(range(3), [f"{rate:g}" for rate in rates])
axes.set(xlabel="largest learning rate", ylabel="test accuracy in %")
axes.legend(loc="lower left")
plt.show()
for arm, rate in kept:
    fails = bool(arms[arm][1]) and rate == 0.1
    assert (failed[arm, rate] > 0) == fails
    assert ratios[arm, rate][1] > 1 or not fails
for rate in rates:
    assert ratios["DML", rate][1] < 1 < ratios["DML", rate][2]
    assert rise["DML", rate].mean() < rise["alone", rate].mean()

# %% [markdown]
# ## Why ignorant students can teach at all
#
# Zhang et al. argue: every student has the labels, so all soon agree on the
# first class. They started elsewhere, so they differ in the others, and
# *that* is what there is to exchange. Whoever is held to the peers cannot put
# everything on one class; the entropy stays higher, and such solutions, they
# argue, generalise better.
#
# The first half holds (the cells assert it). Trained apart, two students
# agree on nearly every first class of the training images and on far fewer
# second ones; trained together, on many more. At every rate mutual learning
# leaves a higher entropy. The second half does not follow: in the accuracy of
# one student, DML beside alone, **no difference found**. And kept in doubt by
# dropout and by each other, the students are *less* sure than they are right,
# and their ECE is worse.
#
# Would a gain be that of an **ensemble**? Compare like with like: two students
# of a cohort, by the mean of their probabilities, with two independent ones.
# Here too **no difference found**. What DML hands over is *one* network of
# the same size; a committee costs two at test time, however it was trained.


# %%
def agreement(run, place):
    named = run["training"].topk(2).indices[..., place]
    return 100 * (named[:, 0] == named[:, 1]).double().mean(-1)  # (seeds,)


def entropy(run):
    return torch.special.entr(run["test"][:, 0]).sum(-1).mean(-1)


def ece(run):
    measure = partial(expected_calibration_error, labels=test.labels)
    return [100 * measure(q) for q in run["test"][:, 0]]


def doubt(run):
    sure = 100 * run["test"][:, 0].amax(-1).mean(-1)
    return percent_right(run["test"][:, 0], test) - sure


# %%
def compare(name, measure, rate=None):
    runs = (kept[arm, rate or best[arm]] for arm in ("DML", "alone"))
    dml, alone = (torch.as_tensor(measure(run)) for run in runs)
    gap = paired_difference(dml.tolist(), alone.tolist())
    print(f"{name:22} DML {dml.mean():.2f}, alone {alone.mean():.2f}", end="")
    print(f", 95 % interval {gap.low:+.2f} to {gap.high:+.2f}")
    return gap.found * gap.mean, dml.mean(), alone.mean()


_, *first = compare("same first class", partial(agreement, place=0))
apart, *second = compare("same second class", partial(agreement, place=1))
assert min(first) > 95 and apart > 20 and second[1] < 50
for rate in rates:
    assert compare(f"entropy at {rate:g}", entropy, rate)[0] > 0
assert compare("ECE", ece)[0] > 0
assert min(compare("accuracy - confidence", doubt)[:2]) > 0
one = compare("one student", lambda x: percent_right(x["test"][:, 0], test))
two = compare("two together", lambda x: percent_right(x["test"].mean(1), test))
assert one[0] == two[0] == 0  # no difference found

# %% [markdown]
# ## The same question on Fashion-MNIST
#
# Recorded runs of a narrow ResNet-18 on 3,000 images. **DML** has two
# students and $w = \frac12$, **heavy** $w = 0.8$, **three** three students;
# **DML$_e$** is the other reading of the same method, with three. By design
# nobody here knows more than the student, and none of these arms needs a
# stronger teacher. (A ResNet-50 was recorded as one, and is no better than its
# students: *not tested*, as [Results](../docs/results.md) has it.) Five paired
# seeds. What counts of a cohort is the first student: it has the
# initial weights of **scratch**, over which the picture shows the gains. For
# the ECE, less is better.

# %%
recipes = {"scratch": "scratch-resnet18", "DML": "mutual-resnet18"}
recipes |= {"heavy": "mutual_heavy-resnet18"}
recipes |= {"three": "mutual_three-resnet18"}
recipes |= {"DML_e": "mutual_ensemble-resnet18"}
scores, rates = {}, {}
for arm, name in recipes.items():
    name = f"{name}-fashion_mnist"
    runs = [records.read(name, "laptop", seed) for seed in range(5)]
    for score in ("accuracy", "ece"):
        values = [100 * run["test"][score] for run in runs]
        scores[arm, score] = torch.tensor(values)
    accuracy, ece = scores[arm, "accuracy"], scores[arm, "ece"]
    base = scores["scratch", "accuracy"].tolist()
    ratio, low, high = spread_ratio(accuracy.tolist(), base)
    rates[arm] = runs[0]["config"]["learning_rate"]
    print(f"{arm:9} {accuracy.mean():.1f} %, ", end="")
    print(f"deviation {accuracy.std():.1f}, ", end="")
    print(f"ECE {ece.mean():.1f}, variance x {ratio:.1f}", end=" ")
    print(f"({low:.1f} to {high:.1f})")
    assert low < 1 < high and high / ratio > 9  # none is found larger

# %% fig_alt="Differences to labels alone on Fashion-MNIST, for four forms of mutual learning: seeds, mean, interval. Left, accuracy: heavy is worse, the others contain zero. Right, ECE: cohorts of weight one half are better."
lower = {(arm, "ece") for arm in ("DML", "three", "DML_e")}
lower |= {("heavy", "accuracy")}
row = plt.subplots(1, 2, figsize=(4.6, 2.6), sharey=True)[1]
shown = list(recipes)[:0:-1]
for axes, score in zip(row, ("accuracy", "ece"), strict=True):
    axes.axvline(0, color=figures.OTHER)
    for place, arm in enumerate(shown):
        dots = scores[arm, score] - scores["scratch", score]
        gain = paired_difference(dots.tolist(), [0.0] * 5)
        axes.plot(dots, [place] * 5, ".", color=figures.STUDENT)
        look = {"fmt": "o", "capsize": 4, "color": figures.CORRECT}
        axes.errorbar(gain.mean, place + 0.2, xerr=gain.half_width, **look)
        print(f"{arm} over scratch, {score}: {gain}")
        assert gain.found == ((arm, score) in lower)
        assert gain.mean < 0 or not gain.found
        assert arm != "heavy" or score == "ece" or (dots < 0).all()
    axes.set(yticks=range(4), yticklabels=shown)
    axes.set_xlabel("points of " + score.replace("ece", "ECE"))
plt.show()

# %%
pair = (scores[arm, "accuracy"].tolist() for arm in ("DML_e", "three"))
print(f"DML_e over three: {paired_difference(*pair)}")
assert rates["DML_e"] == rates["three"]
path = records.path_of("scratch-resnet18-fashion_mnist", "laptop", 0)
kept_logits = load_file(path.with_suffix(".logits.safetensors"))["test"]
sure = 100 * kept_logits.float().softmax(1).amax(1).mean()
print(f"scratch, first run: sure to {sure:.1f} %", end=", ")
print(f"right in {scores['scratch', 'accuracy'][0]:.1f} %")
assert sure > scores["scratch", "accuracy"][0]
one, two, three = (
    records.read(f"{name}-resnet18-fashion_mnist", "laptop", 0)["parameters"]
    for name in ("scratch", "mutual", "mutual_three")
)
assert (two, three) == (2 * one, 3 * one)

# %% [markdown]
# In accuracy **no difference found** for DML, with two students or three. In
# calibration there is one: at $w = \frac12$ its ECE is lower than scratch's.
# The entropy that cost calibration on the digits pays here, where scratch is
# surer than it is right (asserted of its first run).
#
# **Two variations.** A third student changes nothing that five seeds can
# find. At $w = 0.8$ every seed ends behind. **three** and **DML$_e$** have the
# same gradient, and the grid chose the same rate for both: what separates
# their seeds is rounding, made large by some hundred steps.
#
# Is the spread of any arm larger? The intervals of the variances over
# scratch's hold 1, but five seeds allow a factor of more than nine to either
# side: that shows no instability, and rules none out.
#
# **What it costs.** A cohort of $K$ trains $K$ networks, with $K$ times the
# compute and the memory, to keep one. At equal compute its rival is scratch
# trained $K$ times as long, which this table does not have.
#
# **Held to the library.** Our losses are those of
# [`mutual_learning_loss`](../labkd/mutual_learning.py#mutual_learning_loss),
# which averages over the batch. Their gradients are too.

# %%
logits = torch.randn(3, 64, 10, dtype=torch.float64, requires_grad=True)
for ensemble in (False, True):
    settings = {"w": 0.3, "ensemble": ensemble}
    ours = mutual_losses(logits.unbind(), labels, **settings).mean(-1)
    library = mutual_learning.mutual_learning_loss(
        logits.unbind(), labels, weight=0.3, ensemble=ensemble
    )
    theirs = torch.stack(library)
    torch.testing.assert_close(ours, theirs)
    pulls = [torch.autograd.grad(x.sum(), logits)[0] for x in (ours, theirs)]
    torch.testing.assert_close(*pulls)

# %% [markdown]
# ## Exercises
#
# **1. Twins.** Two students have the same initial weights, see the same
# batches and have no dropout. What do they teach each other?
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
# which probabilities do all pulls on a training image vanish?
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
# **3. One voice, wrongly.** Average the peers' *logits* instead. What is
# Ann's pull, and is it still that of DML?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The softmax of mean logits is the normalised geometric mean,
# $(\sqrt{0.35}, \sqrt{0.08}, \sqrt{0.01}) / 0.97 \approx (0.61, 0.29, 0.10)$.
# The pull is about $(-0.11, 0.01, 0.10)$: now the car falls too.
#
# </details>
#
# **4. A test for a missing line.** Which assertion in `train` would have
# caught the frozen students? Write one that does not look at `training`.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# `assert model.training` before the forward pass is the short one. The other
# looks at what the mode does: keep a clone of a `running_mean` from before
# the step, and assert that the step has moved it.
#
# </details>

# %% [markdown]
# ## References
#
# - Zhang, Xiang, Hospedales and Lu, *Deep Mutual Learning*
#   ([2018](../docs/references.md#zhang2018mutual)): the loss, the extension
#   to larger cohorts with DML$_e$, and the argument from entropy.
# - Ioffe and Szegedy, *Batch Normalization*
#   ([2015](../docs/references.md#ioffe2015)): section 3.1 for training and
#   inference, 3.3 for large learning rates.
# - Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
#   Networks* ([2017](../docs/references.md#guo2017)): section 2 for the ECE.
# - The code: [mutual_learning.py](../labkd/mutual_learning.py),
#   [calibration.py](../labkd/calibration.py).
