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
#     title: The teacher
#     description: A residual network for small images, why the stem made for
#       photographs fails at 32 pixels, the training loop, what BatchNorm asks
#       of a teacher, and how far its probabilities can be believed.
# ---

# %% [markdown]
# # The teacher
#
# Everything a student learns by distillation passes through one network. If
# its answers are poor, or sure of the wrong things, no loss repairs them. So
# before there is a student there is a teacher, and this chapter builds one:
# a ResNet-18 for images of 32 pixels.
#
# Three mistakes are common here, and none of them raises an error. The
# network is taken from a library that made it for photographs, and sees the
# small image through a keyhole. The teacher is left in training mode, and
# its answer to a picture depends on the *other* pictures of the batch. And
# its probabilities are used without a look at whether they mean anything.
# We take them in that order.

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
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import resnet18

# %%
from labkd import calibration, figures, records, training
from labkd.archives import CIFAR10_CLASSES
from labkd.data import load
from labkd.inference import paired_difference
from labkd.lab.teachers import nobody
from labkd.pixels import Normalise
from labkd.resnet import ResNet
from labkd.views import Bank, apply_views, draw_views

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Where the pixels go
#
# A convolution with kernel $k$, stride $s$ and padding $m$ turns a side of
# $n$ pixels into
#
# $$
# \left\lfloor \frac{n + 2m - k}{s} \right\rfloor + 1 .
# $$
#
# The ResNet of He et al. ([2015](../docs/references.md#he2015), table 1) was
# made for photographs of 224 pixels. It opens with a 7 x 7 convolution of
# stride 2 ($m = 3$) and a 3 x 3 max-pool of stride 2 ($m = 1$). By hand, for
# an image of 32 pixels: $\lfloor (32 + 6 - 7) / 2 \rfloor + 1 = 16$, then
# $\lfloor (16 + 2 - 3) / 2 \rfloor + 1 = 8$. Each later stage halves again:
# 8, 4, 2, 1. Of 1,024 positions, 64 are left when the first block begins,
# and the last stage, a quarter of the network's work, looks at a single one.
#
# For CIFAR-10 the same paper (section 4.2) starts with a 3 x 3 convolution
# of stride 1 and no pool. [Our `ResNet`](../labkd/resnet.py#ResNet) does so:
# 32, 16, 8, 4. The cell counts, with hooks, what really arrives.
#
# It prints the price as well. The stem that keeps the pixels is not free:
# every later convolution runs at sixteen times as many positions. Whoever
# reports that it "is better" should say that it also computes more. A
# teacher is trained once and asked often, so we pay.


# %%
def sides(model):
    seen = []
    for stage in (model.layer1, model.layer2, model.layer3, model.layer4):
        stage.register_forward_hook(lambda m, i, o: seen.append(o.shape[-1]))
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval()(torch.zeros(1, 3, 32, 32))
    return seen, counter.get_total_flops()


photographs, photograph_cost = sides(resnet18(num_classes=10))
small_images, small_image_cost = sides(ResNet("resnet18"))
print(
    f"stem for photographs: {photographs}, stem for 32 pixels: {small_images}"
)
print(f"cost of one image: {small_image_cost / photograph_cost:.1f} to 1")
assert photographs == [8, 4, 2, 1] and small_images == [32, 16, 8, 4]

# %% [markdown]
# ## Why a block adds
#
# A residual block computes $x_{l+1} = x_l + F_l(x_l)$ (we leave out the
# last ReLU, as He et al. do in [2016](../docs/references.md#he2016), section
# 2). Put the blocks together and the sum telescopes,
#
# $$
# x_L = x_l + \sum_{i=l}^{L-1} F_i(x_i), \qquad
# \frac{\partial \mathcal L}{\partial x_l}
#   = \frac{\partial \mathcal L}{\partial x_L}
#     \Bigl(1 + \frac{\partial}{\partial x_l}
#     \sum_{i=l}^{L-1} F_i(x_i)\Bigr) .
# $$
#
# The 1 is the point: whatever the blocks do, the gradient of the last layer
# reaches the first one undiminished, plus something. Without the addition
# it is a product of $L$ Jacobians instead, and a product of small things
# vanishes. Twenty random layers show it; the cell also checks the equation
# itself against automatic differentiation. (The *something* can be large,
# as the second number says. Keeping it in bounds is BatchNorm's part.)


# %%
def through(x, residual):
    branches = 0.0
    for layer in layers:
        branch = torch.relu(layer(x))
        branches = branches + branch
        x = x + branch if residual else branch
    return x, branches


torch.manual_seed(0)
layers = [nn.Linear(32, 32).double() for _ in range(20)]
x, norms = torch.randn(8, 32, dtype=torch.float64, requires_grad=True), {}
for residual in (False, True):
    last, branches = through(x, residual)
    (gradient,) = torch.autograd.grad(last.sum(), x, retain_graph=True)
    norms[residual] = gradient.norm().item()
(rest,) = torch.autograd.grad(branches.sum(), x)
torch.testing.assert_close(gradient, torch.ones_like(x) + rest)
assert norms[False] < 1e-3 < 1 < norms[True]
print(f"gradient: plain {norms[False]:.1e}, residual {norms[True]:.0f}")

# %% [markdown]
# ## The mean of a batch, by hand
#
# After each convolution stands BatchNorm (Ioffe and Szegedy,
# [2015](../docs/references.md#ioffe2015), algorithm 1). Take one channel and
# a batch of three pictures: *truck* 1, *car* 2, *frog* 6. In training mode
# the channel is centred and scaled by this batch: mean
# $(1 + 2 + 6) / 3 = 3$, variance $(4 + 1 + 9) / 3 = 4.667$, so the truck
# becomes $(1 - 3) / \sqrt{4.667} = -0.926$.
#
# Now replace the frog by a second truck, 1. Mean $4/3$, variance $0.222$:
# the *same* truck becomes $(1 - 1.333) / 0.471 = -0.707$. The answer to a
# picture has changed because another picture left.
#
# For a teacher that is a disaster in slow motion. Its targets depend on the
# batch, so a cached logit can never be right; and in training mode every
# batch of the *student's* training shifts the teacher's running statistics,
# although no optimizer touches it. Hence the two lines that belong together:
# `teacher.eval()`, and `torch.no_grad()`. The first is not implied by the
# second.

# %%
norm = nn.BatchNorm1d(1, eps=1e-9)
with_frog = torch.tensor([[1.0], [2.0], [6.0]])
with_truck = torch.tensor([[1.0], [2.0], [1.0]])
with torch.no_grad():
    answers = [
        norm.train()(batch)[0].item() for batch in (with_frog, with_truck)
    ]
    moved = norm.running_mean.item()
    fixed = [norm.eval()(batch)[0].item() for batch in (with_frog, with_truck)]
print(
    f"train mode: {answers[0]:.3f} and {answers[1]:.3f}; eval: {fixed[0]:.3f}"
)
torch.testing.assert_close(
    torch.tensor(answers), torch.tensor([-0.926, -0.707]), atol=1e-3, rtol=0
)
assert fixed[0] == fixed[1]
assert moved != 0.0  # without a gradient, and without an optimizer

# %% [markdown]
# In eval mode BatchNorm is a fixed affine map, $\gamma (a - \mu) / \sigma +
# \beta$ with stored $\mu$ and $\sigma$. A convolution followed by an affine
# map is a convolution:
#
# $$
# W' = \frac{\gamma}{\sigma} \, W, \qquad
# b' = \beta - \frac{\gamma \mu}{\sigma} .
# $$
#
# So in a finished teacher the batch has disappeared, and BatchNorm with it
# if you like. We fold one pair and compare.

# %%
torch.manual_seed(0)
convolution = nn.Conv2d(3, 8, 3, padding=1, bias=False)
norm = nn.BatchNorm2d(8)
for parameter in (norm.weight, norm.bias, norm.running_mean):
    nn.init.normal_(parameter)
nn.init.uniform_(norm.running_var, 0.5, 2.0)
norm.eval()

sigma = (norm.running_var + norm.eps).sqrt()
scale = norm.weight / sigma  # (channels,)
folded = nn.Conv2d(3, 8, 3, padding=1)
with torch.no_grad():
    folded.weight.copy_(scale[:, None, None, None] * convolution.weight)
    folded.bias.copy_(norm.bias - scale * norm.running_mean)
    image = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(folded(image), norm(convolution(image)))

# %% [markdown]
# ## The loop
#
# Here is the whole of a training run, nothing hidden: images stay in memory
# as bytes; a batch is cropped at random after padding, a whole batch at
# once ([`draw_views`](../labkd/views.py#draw_views)); pixels are normalised
# with the statistics of the training images; then cross-entropy, gradient,
# step. SGD with momentum and weight decay is He et al.'s choice; Nesterov's
# form of it, and a rate that rises and falls linearly, are ours.


# %%
def optimizer_and_schedule(model, learning_rate, steps):
    optimizer = torch.optim.SGD(
        *(model.parameters(), learning_rate, 0.9),
        weight_decay=5e-4,
        nesterov=True,
    )
    return optimizer, torch.optim.lr_scheduler.OneCycleLR(
        *(optimizer, learning_rate, steps),
        pct_start=0.25,
        anneal_strategy="linear",
        cycle_momentum=False,
    )


# %%
def train(model, data, *, epochs, learning_rate, seed):
    steps = epochs * -(-len(data) // 20)
    tools = optimizer_and_schedule(model, learning_rate, steps)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        model.train()
        order = torch.randperm(len(data), generator=generator)
        for batch in order.split(20):
            step(model, data, batch, generator, *tools)


def step(model, data, batch, generator, optimizer, schedule):
    views = draw_views(len(batch), padding=2, generator=generator)
    crops = apply_views(data.images[batch], views, padding=2)
    logits = model(normalise(crops))  # (batch, classes)
    loss = F.cross_entropy(logits, data.labels[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


# %% [markdown]
# ## The two stems, measured
#
# On CIFAR-10 a run takes too long to watch. The digits do it
# while you wait: scikit-learn's, blown up from 8 to 16 pixels, 300 of them
# for training. Two networks, equal but for the stem. Each gets the same
# number of epochs and its own learning rate from one grid, judged on the
# validation images; five seeds, and the test images once a seed.


# %%
@torch.no_grad()
def percent_right(model, data):
    logits = model.eval()(normalise(data.images))
    return 100 * (logits.argmax(1) == data.labels).double().mean().item()


def enlarged(split, count=None):
    images = load("digits", split)
    few = torch.randperm(
        len(images), generator=torch.Generator().manual_seed(0)
    )
    images = images.take(few[:count])
    large = images.images.repeat_interleave(2, -1).repeat_interleave(2, -2)
    return type(images)(
        large, images.labels, images.class_names, images.source
    )


# %%
def network(stem, seed):
    torch.manual_seed(seed)
    model = ResNet("resnet18", width=4, in_channels=1)
    if stem == "for photographs":
        model.conv1 = nn.Conv2d(1, 4, 7, stride=2, padding=3, bias=False)
        model.relu = nn.Sequential(nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    return model


training_set, held_out = enlarged("train", 300), enlarged("validation")
test_set = enlarged("test")
normalise = Normalise.of(training_set.images)


# %%
def trained(stem, rate, seed):
    model = network(stem, seed)
    train(model, training_set, epochs=8, learning_rate=rate, seed=seed)
    return model


scores = {}
for stem in ("for photographs", "for small images"):
    tried = {r: trained(stem, r, seed=100) for r in (0.03, 0.1)}
    best = max(tried, key=lambda r: percent_right(tried[r], held_out))
    runs = [trained(stem, best, seed) for seed in range(5)]
    scores[stem] = [percent_right(run, test_set) for run in runs]
    mean, spread = (
        statistics.mean(scores[stem]),
        statistics.stdev(scores[stem]),
    )
    print(f"{stem}: {mean:.1f} ± {spread:.1f} % (deviation), rate {best:g}")
gain = paired_difference(scores["for small images"], scores["for photographs"])
print(f"difference in points: {gain}")
assert gain.found and gain.mean > 0

# %% [markdown]
# ### How to read it
#
# With the stem for photographs a 16-pixel image is down to a single position
# for the last two stages, and the network cannot say *where* a stroke is.
# The interval keeps the difference away from zero; the cell would fail
# otherwise. Part of it is bought with compute, as counted above. If your
# images are small and your network comes from a library, enlarge the image
# or change the stem: either costs compute.

# %% [markdown]
# ## The recorded teacher
#
# The same loop, on CIFAR-10, made the teacher of this course. Its record
# has every epoch. The picture shows the loss on the training batches (with
# random crops, and averaged while the network still changes) and on the
# validation images, which it never learns from.

# %% fig_alt="Two panels over the epochs of the recorded teacher: training and validation loss falling together, and validation accuracy rising, still so at the last epoch."
run = ("teacher-resnet18-cifar10", "laptop", 0)
record = records.read(*run)
epochs = [epoch["epoch"] for epoch in record["epochs"]]
losses = [epoch["loss"] for epoch in record["epochs"]]
held = [epoch["validation"] for epoch in record["epochs"]]

figure, row = plt.subplots(1, 2, figsize=(6, 2.6), sharex=True)
row[0].plot(epochs, losses, ":", color=figures.CORRECT, label="training")
nll, accuracy = ([scores[k] for scores in held] for k in ("nll", "accuracy"))
row[0].plot(epochs, nll, color=figures.CORRECT, label="validation")
row[0].set(xlabel="epoch", title="loss (nats)", ylim=(0, None))
row[0].legend()
row[1].plot(epochs, accuracy, color=figures.CORRECT)
row[1].set(xlabel="epoch", title="validation accuracy", ylim=(0, 1))
source = records.data_of(record)
figure.suptitle(source)
plt.show()
assert accuracy[-1] == max(accuracy)  # it could go on
print(f"{record['device']}, {record['seconds'] / 60:.0f} minutes:")
print(f"{record['test']['accuracy']:.2%} of the test images are right")

# %% [markdown]
# ## How far can it be believed?
#
# A student will be taught these *probabilities*, so ask of them what one
# asks of a weather forecast: of all the images on which the teacher says
# 70 %, is it right on seventy in a hundred? The expected calibration error
# (Guo et al., [2017](../docs/references.md#guo2017), section 2) puts the
# images into 15 bins by confidence and averages the gap between confidence
# and accuracy, weighted by how many images a bin holds. We count it
# ourselves, bin by bin, and draw the bins.

# %% fig_alt="Reliability diagram of the recorded teacher on the test images: accuracy in each confidence bin beside the diagonal, with the share of images in each bin below."
logits = load_file(records.path_of(*run).with_suffix(".logits.safetensors"))
probabilities = logits["test"].float().softmax(1)
labels = torch.arange(10).repeat_interleave(1000)  # sorted by class
confidence, predicted = probabilities.max(1)
right = predicted == labels

ece, figure, axes = 0.0, *plt.subplots(figsize=(3.4, 3.4))
for low in range(15):
    inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
    if inside.any():
        hits, said = right[inside].double().mean(), confidence[inside].mean()
        ece += (inside.sum() / 10_000 * (hits - said).abs()).item()
        axes.bar(low / 15, hits, 1 / 15, align="edge", color=figures.CORRECT)
        axes.plot(said, said, "o", color=figures.STUDENT, ms=3)
axes.plot([0, 1], [0, 1], color=figures.OTHER)
axes.set(xlabel="confidence", ylabel="share that is right", title=source)
plt.show()
print(f"ECE {ece:.4f}, in the record {record['test']['ece']:.4f}")
assert abs(ece - record["test"]["ece"]) < 2e-3

# %% [markdown]
# Bars are how often it is right, dots how sure it was; a bar below its dot
# is a boast. Calibration is not accuracy: a network that answers each class's
# frequency is perfectly calibrated, and useless. And it is not a guarantee
# for every class. Which ones does this teacher confuse?

# %%
accuracy = right.view(10, 1000).double().mean(1)
for rank in accuracy.argsort():
    wrong = predicted.view(10, 1000)[rank]
    wrong = wrong[wrong != rank]
    rival = wrong.mode().values
    print(
        f"{CIFAR10_CLASSES[rank]:10} {accuracy[rank]:.1%} right; taken most "
        f"often for {CIFAR10_CLASSES[rival]}"
    )
cat, dog = CIFAR10_CLASSES.index("cat"), CIFAR10_CLASSES.index("dog")
assert accuracy.argmin() == cat

# %% [markdown]
# **Held to the library.** The loop above and
# [`fit`](../labkd/training.py#fit), which makes the records, are the same
# loop: from the same seed they end with the same weights. And our count of
# the calibration error is that of
# [calibration.py](../labkd/calibration.py#expected_calibration_error).

# %%
ours, theirs = network("for small images", 0), network("for small images", 0)
train(ours, training_set, epochs=1, learning_rate=0.1, seed=3)
optimizer, schedule = optimizer_and_schedule(theirs, 0.1, steps=15)
epochs = training.fit(
    *(theirs, training_set, optimizer, schedule),
    normalise=normalise,
    objective=lambda z, teacher_logits, labels: F.cross_entropy(z, labels),
    teacher=nobody,
    generator=torch.Generator().manual_seed(3),
    epochs=range(1),
    batch_size=20,
    bank=Bank.every(len(training_set), padding=2),
)
assert len(list(epochs)) == 1
for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
    torch.testing.assert_close(a, b)
library = calibration.expected_calibration_error(probabilities, labels)
assert abs(library - ece) < 1e-6

# %% [markdown]
# ## Exercises
#
# **1. Other sides.** Your images have 96 pixels (STL-10). Which sides do the
# four stages see with either stem? Which would you take?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# For photographs: 48 after the convolution, 24 after the pool, then 24, 12,
# 6, 3. For small images: 96, 48, 24, 12, at fifteen times the cost. A stem
# between them, 3 x 3 of stride 2 without a pool, gives 48, 24, 12, 6: a
# sensible middle.
#
# </details>
#
# **2. Half a mistake.** Someone writes `with torch.no_grad():` around the
# teacher and forgets `eval()`. Which of its tensors change while the student
# trains? Name a test that would notice.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The running means, the running variances and the counters of every
# BatchNorm: buffers, not parameters, so a test that compares parameters sees
# nothing. Copy the whole `state_dict()` before training, and compare all of
# it after.
#
# </details>
#
# **3. Where the 1 goes.** Each later stage begins with a block whose
# shortcut is a strided 1 x 1 convolution $S$. What becomes of the 1 in the
# gradient?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# It becomes $S^\top$, a linear map that drops three pixels in four. There
# are three such blocks in a ResNet-18, so three such factors stand between
# the first stage and the loss, however deep the stages are.
#
# </details>
#
# **4. A fair fight.** Make the comparison of stems one of equal compute:
# give the network for photographs more width until both cost the same. What
# do you expect?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Cost grows with the square of the width, so four times the width would pay
# for sixteen times the positions. But 16 pixels cannot be halved so often: in
# the last stage it is one position for four. Count, and three times are
# enough: `width=12` in `network`. Expect a smaller difference, as width buys
# accuracy too, and print the interval. More channels at one position still
# cannot say where that position is.
#
# </details>
#
# **5. A boastful teacher.** Multiply all logits of the recorded teacher by
# 3. What happens to its accuracy, its calibration error and its soft labels?
# Undo it with a temperature.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The accuracy stays: the order of the logits does. Confidence rises towards
# 1, so the calibration error grows and the soft labels become hard ones.
# Temperature 3 divides it out again, exactly. The scale of the logits and
# the temperature are one knob.
#
# </details>

# %% [markdown]
# ## References
#
# - He, Zhang, Ren and Sun, *Deep Residual Learning for Image Recognition*
#   ([2015](../docs/references.md#he2015)): table 1 and section 4.2 for the
#   two stems; *Identity Mappings in Deep Residual Networks*
#   ([2016](../docs/references.md#he2016)): section 2, equations 4 and 5.
# - Ioffe and Szegedy, *Batch Normalization*
#   ([2015](../docs/references.md#ioffe2015)): algorithm 1.
# - Guo, Pleiss, Sun and Weinberger, *On Calibration of Modern Neural
#   Networks* ([2017](../docs/references.md#guo2017)): section 2.
# - The code: [resnet.py](../labkd/resnet.py),
#   [training.py](../labkd/training.py),
#   [calibration.py](../labkd/calibration.py).
