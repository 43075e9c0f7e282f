# %% [markdown]
# # 13 · Features and relations
#
# > [!NOTE]
# > **Question.** A network computes much before it computes logits. Can a
# > student learn more from that than from soft labels?
# >
# > **Answer.** Here none of three methods was found to be ahead of soft labels
# > that were tuned with at most as many trials. Attention was behind them. For
# > hints and for relations no difference was found, which is not to say that
# > they are equal.
# >
# > **Evidence.** Ten paired seeds of a tiny student on fifty of scikit-learn's
# > digits, six trials for every method (twelve behind hints), a teacher well
# > above all students in the mean. Only large differences show in so few runs,
# > and it is no replication. On CIFAR-10 these three are still to be recorded.
# >
# > Before: chapters 3 and 5. To read: twelve minutes. To run: a minute.
#
# An image enters a network as pixels and leaves it as a few logits. On the way
# it becomes **feature maps**, one grid of numbers for each channel, then an
# **embedding**, one vector for the whole image. A teacher has much more of
# these than logits: the one for digits below has 512 numbers in its middle
# layer, and 10 logits.
#
# Three classic methods let a student look at them. They differ in what they
# demand: the numbers themselves, the places where they are large, or how the
# images of a batch lie to one another.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "labkd[lab] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import math
from contextlib import contextmanager
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from labkd import data, features, figures, pictures, records, verdicts
from labkd.inference import paired_difference
from labkd.lab.recipes import GRIDS, LOGITS, RECIPES
from labkd.shipped import pretrained
from labkd.soft_targets import distillation_loss
from labkd.vit import VisionTransformer

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

sizes = {"image_size": 32, "patch_size": 4, "in_channels": 3, "width": 64}
sizes |= {"num_classes": 10, "depth": 3, "heads": 4, "mlp_ratio": 2.0}


def forest(differences, title):
    _, axes = plt.subplots(figsize=(5, 1 + 0.75 * len(differences)))
    figures.draw_differences(axes, differences)
    axes.set_xlabel("points over tuned soft labels, ± 95 % interval")
    axes.set_title(title)


# %% [markdown]
# ## Three more places to compare
#
# Each method compares two networks at a place of its own, and each has to deal
# with a student that is built differently. A student with fewer channels
# cannot have its teacher's feature maps; so a hint needs a small layer in
# between, and attention looks only at *where* the maps are strong. A shorter
# embedding cannot be the teacher's either; but three images make a triangle in
# both, and triangles can be compared.

# %% tags=["hide-input"]
pictures.picture("features_and_relations")

# %% [markdown]
# ## Taking features from a network
#
# How do you get at what a network computes inside, without rewriting it? By a
# **forward hook**: a function that PyTorch calls after a module has run, with
# the module, its inputs and its output. The hook below keeps the output under
# the module's name. It returns nothing, for what a hook returns takes the
# output's place. And it is removed at the end: a forgotten hook runs in every
# later pass, and keeps that pass's output in memory.


# %%
@contextmanager
def capture(model, *names):
    parts = dict(model.named_modules())
    seen, handles = {}, []
    try:
        for name in names:

            def keep(module, inputs, output, name=name):
                seen[name] = output

            handles.append(parts[name].register_forward_hook(keep))
        yield seen
    finally:  # also after an error
        for handle in handles:
            handle.remove()


# %% [markdown]
# Two uses: the third stage of the ResNet-18 that comes with this course, and
# the third block of a Vision Transformer with a class token and a distillation
# token. (`print(model)` shows the names.) The CNN gives maps, 8 by 8 places.
# The Transformer gives a list of tokens, and two of them are no place in the
# image. So drop those two *first*, then lay the rest out as a grid. Keep the
# first 64 of the 66 tokens instead, and every patch stands at a wrong place,
# without any error.

# %%
resnet = pretrained("teacher-resnet18-cifar10")
vit = VisionTransformer(**sizes, distillation_token=True)
images = torch.randn(5, 3, 32, 32)
with torch.no_grad():
    with capture(resnet, "layer3") as seen:
        resnet(images)
    with capture(vit, "blocks.2") as tokens:
        vit(images)
patches = tokens["blocks.2"][:, 2:]  # without class and distillation token
grid = patches.transpose(1, 2).unflatten(2, (8, 8))
assert_close(grid, features.token_grid(tokens["blocks.2"], special_tokens=2))
shapes = {
    "ResNet-18, layer3": seen["layer3"],
    "ViT, blocks.2": tokens["blocks.2"],
    "ViT, as a grid": grid,
}
pd.DataFrame({"shape": {k: tuple(x.shape) for k, x in shapes.items()}})

# %% [markdown]
# ## Hints: the numbers themselves
#
# FitNets (Romero et al. [2015](../docs/references.md#romero2015)) take the
# teacher's maps from the middle of the network, the **hint** $u$, and ask the
# student's maps $h$ to equal them. The student is thinner, so a **regressor**
# $R$ stands on top of it, here a 1 by 1 convolution: at each place a linear
# map from the student's channels to the teacher's. It is trained along and
# thrown away. With $n$ numbers an image,
#
# $$
# \mathcal L_{\text{hint}} = \frac1n \, \lVert u - R(h) \rVert^2 .
# $$
#
# FitNets trains in **two stages**. First the lower half of the student learns
# from the hint alone, without a label. Then the whole student learns from soft
# labels, beginning from there. Many tutorials add the hint to the other losses
# from the start, which is another method.


# %%
def hint_loss(student_maps, teacher_maps, regressor):
    return F.mse_loss(regressor(student_maps), teacher_maps)


def train_on_hints(student, teacher, batches, layer, regressor, epochs, rate):
    device = next(student.parameters()).device
    parameters = [*student.parameters(), *regressor.parameters()]
    optimizer = torch.optim.AdamW(parameters, rate, fused=True)
    teacher.eval()
    student.train()
    for _ in range(epochs):
        for images, _ in batches:  # the labels are not used
            images = images.to(device)
            with torch.no_grad(), capture(teacher, layer) as theirs:
                teacher(images)
            with capture(student, layer) as ours:
                student(images)
            loss = hint_loss(ours[layer], theirs[layer], regressor)
            optimizer.zero_grad()
            loss.backward()  # layers behind the hint get no gradient
            optimizer.step()


# %% [markdown]
# ## Attention: the places
#
# Zagoruyko and Komodakis ([2017](../docs/references.md#zagoruyko2017)) ask for
# less. Square the numbers and add them up over the channels: one map is left,
# large where the network is active. Scaled to length one, it can be compared
# whatever the channels:
#
# $$
# Q = \sum_c A_c^2 , \qquad
# \mathcal L_{\text{attention}} = \frac1n \,
#   \Bigl\lVert \frac{Q_s}{\lVert Q_s \rVert}
#     - \frac{Q_t}{\lVert Q_t \rVert} \Bigr\rVert^2 ,
# $$
#
# with $n$ places and $s$, $t$ for student and teacher. The terms of several
# layers are added. This "attention" has nothing to do with that of a
# Transformer. The loss is a mean over places and small, so its weight in the
# authors' code is large: 1,000. (For our digits a small one will be chosen.)


# %%
def attention_map(maps):  # (batch, channels, rows, columns)
    energy = maps.square().sum(dim=1)
    return F.normalize(energy.flatten(1), dim=1)  # (batch, places)


def attention_loss(student_maps, teacher_maps):
    ours, theirs = attention_map(student_maps), attention_map(teacher_maps)
    return F.mse_loss(ours, theirs)


# %% [markdown]
# ## Relations: the shape of a batch
#
# Relational distillation (Park et al. [2019](../docs/references.md#park2019))
# compares images with one another, in each network by itself. Take the
# embeddings $x_i$ of a batch. Two images have a distance, in units of the mean
# distance $\mu$; three have an angle, by its cosine at $j$:
#
# $$
# d_{ij} = \frac{\lVert x_i - x_j \rVert}{\mu}, \qquad
# a_{ijk} = \Bigl\langle \frac{x_i - x_j}{\lVert x_i - x_j \rVert},
#   \frac{x_k - x_j}{\lVert x_k - x_j \rVert} \Bigr\rangle .
# $$
#
# The student's distances and angles are to equal the teacher's. Differences
# are measured by Huber's loss, a square that becomes a straight line beyond 1,
# and weighed by 25 and 50 as in the authors' code. There are $N^3$ angles, so
# memory grows with the cube of the batch.


# %%
def relations(x):  # (batch, width)
    steps = x[None] - x[:, None]  # row i minus row j, at [j, i]
    lengths = torch.linalg.vector_norm(steps, dim=2)
    mean = lengths.sum() / (len(x) * (len(x) - 1))
    # x / inf is 0: two equal images have no direction, and no NaN.
    safe = lengths.masked_fill(lengths == 0, math.inf)
    units = steps / safe[..., None]
    return lengths / mean, units @ units.transpose(1, 2)


def relational_loss(student_embeddings, teacher_embeddings):
    distances, angles = relations(student_embeddings)
    their_distances, their_angles = relations(teacher_embeddings)
    by_distance = F.huber_loss(distances, their_distances)
    return 25 * by_distance + 50 * F.huber_loss(angles, their_angles)


# %% [markdown]
# All three agree with [features.py](../labkd/features.py), which also checks
# its arguments and compares maps of different sizes.

# %%
ours, theirs = torch.randn(2, 6, 8, 4, 4)
regressor = features.Regressor(8, 8)
expected = features.hint_loss(regressor(ours), theirs)
assert_close(hint_loss(ours, theirs, regressor), expected)
expected = features.attention_transfer_loss(ours, theirs)
assert_close(attention_loss(ours, theirs), expected)
x, y = ours.flatten(1), theirs.flatten(1)[:, :50]
assert_close(relational_loss(x, y), features.relational_loss(x, y))

# %% [markdown]
# ## A trap: two equal images
#
# A distance is a square root, and the slope of a square root at 0 is infinite.
# Every image has distance 0 to itself, and so have two images with the same
# embedding. The chain rule multiplies that slope by a difference of 0: not a
# number, NaN, and one such gradient ruins all weights. PyTorch's norm takes
# the slope 0 there; a square root written by hand does not.


# %%
def by_root(x):
    return (x[None] - x[:, None]).square().sum(dim=2).sqrt()


def by_norm(x):
    return torch.linalg.vector_norm(x[None] - x[:, None], dim=2)


x = torch.tensor([[1.0, 2.0], [1.0, 2.0], [3.0, 0.0]], requires_grad=True)
rows = {}
for name, distances in {"square root": by_root, "norm": by_norm}.items():
    (gradient,) = torch.autograd.grad(distances(x).sum(), x)
    rows[name] = {"gradient, first image": str(gradient[0].numpy().round(2))}
pd.DataFrame(rows).T

# %% [markdown]
# ## Another trap: cached features
#
# Mirror an image, and here the teacher's ten probabilities barely change: a
# truck stays a truck. Its feature maps, here of `layer3` again, do change, so
# cached maps are wrong for the mirrored image. Mirroring the *maps* does not
# give those of the mirrored image either, for the filters themselves are not
# symmetric. The table has the cosine of what was kept with what the teacher
# computes for the mirrored image, the mean of 24 test images. So keep features
# for every view that is shown, or let the teacher run along.

# %% tags=["hide-input"]
sheet = torch.from_numpy(plt.imread(pictures.FOLDER / "thumbnails.png"))
photos = sheet[..., :3].unfold(0, 32, 32).unfold(1, 32, 32).flatten(0, 1)
normalised = (photos - resnet.mean) / resnet.deviation


def answers(images):
    with torch.no_grad(), capture(resnet, "layer3") as seen:
        probabilities = resnet(images).softmax(dim=1)
    return seen["layer3"], probabilities


def cosine(a, b):
    return F.cosine_similarity(a.flatten(1), b.flatten(1)).mean().item()


maps, probabilities = answers(normalised)
mirrored_maps, mirrored_probabilities = answers(normalised.flip(3))
cosines = {
    "cached probabilities": cosine(probabilities, mirrored_probabilities),
    "cached maps": cosine(maps, mirrored_maps),
    "cached maps, mirrored": cosine(maps.flip(3), mirrored_maps),
}
pd.Series(cosines, name="cosine").round(3).to_frame()

# %% [markdown]
# ## One comparison, tuned alike
#
# Do they help? Their rival is not a student on labels, but one on soft labels
# that were tuned with the same effort. Teacher and student are one small CNN
# for scikit-learn's digits, four times as wide for the teacher.


# %%
def stage(channels, width):
    convolution = nn.Conv2d(channels, width, 3, padding=1)
    return nn.Sequential(convolution, nn.ReLU())


class DigitNet(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = stage(1, width)
        self.middle = stage(width, 2 * width)
        self.last = stage(2 * width, 2 * width)
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.head = nn.Linear(8 * width, 10)

    def forward(self, images):  # (batch, 1, 8, 8)
        maps = F.max_pool2d(self.first(images), 2)
        maps = self.last(self.middle(maps))  # (batch, 2 * width, 4, 4)
        return self.head(self.pool(maps))


# %% tags=["setup"]
def split_of(name):
    split = data.load("digits", name)
    return split.images.float() / 127.5 - 1, split.labels


@torch.no_grad()
def percent_right(model, images, labels):
    right = model.eval()(images).argmax(dim=1) == labels
    return 100 * right.double().mean().item()


images, labels = split_of("train")  # (1200, 1, 8, 8)
validation, test = split_of("validation"), split_of("test")
PLACES = ("middle", "last", "pool", "head")


@torch.no_grad()
def ask(teacher, images):
    teacher.eval()
    with capture(teacher, *PLACES) as seen:
        teacher(images)
    return seen


def lesson_of(seed):
    torch.manual_seed(seed)
    few = torch.randperm(len(images))[:50]
    return (images[few], labels[few]), DigitNet(width=4)


# %% [markdown]
# The loop is that of chapter 1, with a hook on the student. Whatever a loss
# compares, logits included, is an output that was captured. A student's only
# batch is its fifty images, so the teacher, with a hook as well, was asked
# once. (Its answers have to be on the student's device.)


# %%
def train(student, batches, answers, loss_function, epochs, learning_rate):
    device = next(student.parameters()).device
    weights = student.parameters()
    optimizer = torch.optim.AdamW(weights, learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    student.train()
    for _ in range(epochs):
        for (images, labels), theirs in zip(batches, answers, strict=True):
            images, labels = images.to(device), labels.to(device)
            with capture(student, *PLACES) as ours:
                student(images)
            loss = loss_function(ours, theirs, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


# %% [markdown]
# Attention and relations take the place of soft labels beside the
# cross-entropy; hints come before soft labels. Each loss has settings of its
# own.


# %%
def on_labels(ours, theirs, labels):
    return F.cross_entropy(ours["head"], labels)


def on_soft_labels(ours, theirs, labels, temperature):
    settings = {"temperature": temperature, "soft_weight": 0.9}
    return distillation_loss(ours["head"], theirs["head"], labels, **settings)


def on_attention(ours, theirs, labels, weight):
    middle = attention_loss(ours["middle"], theirs["middle"])
    last = attention_loss(ours["last"], theirs["last"])
    return on_labels(ours, theirs, labels) + weight * (middle + last)


def on_relations(ours, theirs, labels, weight):
    between = relational_loss(ours["pool"], theirs["pool"])
    return on_labels(ours, theirs, labels) + weight * between


# %% [markdown]
# Every method has a hundred epochs and **six trials**: labels six learning
# rates; every other method three rates, each with two settings of its own.
# Hints spend the first ten or thirty epochs on the hint, with the maps of the
# middle layer, then go on at the same rate with the temperature that soft
# labels chose, so twelve trials stand behind hints. A trial is the mean of two
# seeds on the validation images, which scatters by points, so a choice is
# partly chance. The best then learns from ten new seeds. A seed gives fifty
# images and first weights, the same for all methods.
#
# (These settings were not chosen blindly: an earlier version of this page had
# shown test scores. It trained half as long, with every method at the rate of
# labels. Relations were ahead of soft labels there.)


# %%
def grid(**values):
    combinations = product(*values.values())
    return [dict(zip(values, each, strict=True)) for each in combinations]


rates = (0.01, 0.02, 0.05)
grids = {
    "labels": grid(rate=(0.005, 0.01, 0.02, 0.03, 0.05, 0.1)),
    "soft labels": grid(rate=rates, temperature=(2.0, 4.0)),
    "hints": grid(rate=rates, hint_epochs=(10, 30)),
    "attention": grid(rate=rates, weight=(0.1, 1000)),
    "relations": grid(rate=rates, weight=(0.03, 0.3)),
}

# %% tags=["hide-input"]
losses = {"labels": on_labels, "soft labels": on_soft_labels}
losses |= {"attention": on_attention, "relations": on_relations}


def taught(method, settings, seed):
    lesson, student = lesson_of(seed)
    settings, epochs = dict(settings), 100
    rate = settings.pop("rate")
    if method == "hints":
        first = settings.pop("hint_epochs")
        hints = "middle", features.Regressor(8, 32), first, rate
        train_on_hints(student, teacher, [lesson], *hints)
        epochs -= first
        method = "soft labels"
        settings = {"temperature": chosen[method]["temperature"]}

    def loss_function(ours, theirs, labels):
        return losses[method](ours, theirs, labels, **settings)

    answers = [ask(teacher, lesson[0])]
    train(student, [lesson], answers, loss_function, epochs, rate)
    return student


def score(method, settings):
    trials = [taught(method, settings, seed) for seed in (100, 101)]
    return sum(percent_right(student, *validation) for student in trials)


torch.manual_seed(0)
teacher = DigitNet(width=16)
batches = [(images[b], labels[b]) for b in torch.randperm(1200).split(60)]
train(teacher, batches, [None] * len(batches), on_labels, 10, 1e-2)
chosen, right = {}, {}
for method, settings in grids.items():
    chosen[method] = max(settings, key=partial(score, method))
    runs = [taught(method, chosen[method], s) for s in range(300, 310)]
    right[method] = [percent_right(student, *test) for student in runs]


# %% tags=["hide-input"]
def size(model):
    return f"{sum(p.numel() for p in model.parameters()):,}"


points = pd.DataFrame(right)
over = points.sub(points["soft labels"], axis=0).drop(columns="soft labels")
rows = {"teacher": {"parameters": size(teacher)}}
rows["teacher"]["right, %"] = f"{percent_right(teacher, *test):.1f}"
for method, percents in points.items():
    rows[method] = {
        "parameters": size(runs[0]),
        "chosen": ", ".join(str(value) for value in chosen[method].values()),
        "right, %": f"{percents.mean():.1f}",
        "± deviation": f"{percents.std():.1f}",
    }
    if method in over:
        ahead = paired_difference(percents, points["soft labels"])
        rows[method]["over soft labels, ± interval"] = ahead.short
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# *Chosen* are the learning rate and the method's own setting: temperature,
# epochs of the first stage, or weight. The large dots are means.
#
# **Nothing is found to be ahead of tuned soft labels.** They themselves are
# far ahead of labels and of attention. (For attention the validation images
# chose the weight 0.1, not the authors' 1,000. At 0.1 its term is almost
# nothing, so its row is nearly that of labels.) For hints and relations no
# difference is found, but their intervals are several points wide: hints may
# be a few points ahead, and relations a few behind.
#
# Six trials are few. With two values of a setting, either is an edge, so other
# grids may change any of these rows. So may the length of the training:
# relations had a lead in the earlier version, and do not have it here.

# %% fig_alt="A forest plot of four paired differences to tuned soft labels. Labels and attention lie about ten points left of zero, and their intervals exclude it. The intervals of hints and relations contain zero; the mean of hints is right of it, that of relations left." tags=["hide-input"]
forest(over.to_dict("list"), "scikit-learn's digits, 50 images")

# %% [markdown]
# ## On CIFAR-10
#
# Eight methods have a recipe with all training images: the three of this
# chapter, the three of [chapter 14](14_better_logits.ipynb), a student that
# teaches itself once (*born again*), and a network of middle size that learns
# from the teacher and then teaches (*assistant*). The teacher is the
# ResNet-18, the student labml's small CNN of [chapter
# 8](08_large_cnn_to_small_cnn.ipynb). The rival is soft labels, with
# temperature and weight chosen in six trials, at the rate that labels chose in
# six. So far two of the eight are recorded: standardised logits, which are
# behind soft labels by about a point, and the decoupled loss, for which no
# difference was found. The table has the trials that each gets, and the seeds
# that are there.

# %% tags=["hide-input"]
SIZE = "overnight"
pair = "small_cnn_from_resnet18-cifar10"
PLAIN = f"soft-{pair}"
methods = {"hints": f"fitnets-{pair}"}
for name in ("attention", "relations", *LOGITS):
    methods[name] = f"{name}-{pair}"
methods["born again"] = "born_again-small_cnn-cifar10"
methods["assistant"] = "assistant-small_cnn_from_resnet18_narrow-cifar10"
names = {"labels": "scratch-small_cnn-cifar10", "soft labels": PLAIN}
found, rows = records.read_all(), {}
for method, name in (names | methods).items():
    rates, *own = (len(getattr(RECIPES[name][SIZE], grid)) for grid in GRIDS)
    rows[method] = {
        "trials": rates + any(own) * math.prod(filter(None, own)),
        "seeds recorded": len(verdicts.runs_of(found, name, SIZE)),
    }
pd.DataFrame(rows).T

# %% fig_alt="A forest plot of paired differences to tuned soft labels on CIFAR-10. The interval of the decoupled loss contains zero. Standardised logits lie about a point left of it, and their interval excludes it." tags=["hide-input"]
if ahead := verdicts.gains(found, methods, PLAIN, SIZE):
    forest(ahead, "CIFAR-10, JPEG copy")

# %% [markdown]
# ## What is not shown
#
# - Large networks and many images, for which these methods were made. Fifty
#   digits and two tiny CNNs say how they are compared, not how they rank.
# - Attention or relations *beside* soft labels. The papers of both try some of
#   that, and each combination is one more weight to tune.
# - A better layer. Which layers are compared is a setting too, and was fixed
#   here beforehand.

# %% [markdown]
# ## Exercises
#
# **1. Who notices?** Permute the channels of the student's maps. Then multiply
# all of its features by three. Which of the three losses change?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Permuted: a hint notices, though its regressor can learn to undo it;
# attention adds up over channels and does not; distances and angles are those
# of the same vectors in another order, so relations do not. Three times as
# large: again only the hint notices. Attention scales its maps to length one,
# relations divide by the mean distance.
#
# </details>
#
# **2. A cube.** How much memory do the angles of one network take for batches
# of 64, 256 and 1,024, in float32?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $4 N^3$ bytes: 1 MB, 67 MB and 4.3 GB, and for the gradient more than once.
# So angles are computed for small batches or for a part of a large one.
#
# </details>
#
# **3. The wrong two.** A ViT with two extra tokens in front has 66 tokens for
# an 8 by 8 grid. Somebody keeps the first 64. Where does the upper left patch
# land, and which patches are lost?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# At the third place of the first row: all patches move on by two, and those
# at the end of a row to the beginning of the next. The first two places hold
# the class and the distillation token, and the last two patches of the image
# are lost. A position in student and teacher no longer means the same place.
#
# </details>

# %% [markdown]
# ## References
#
# - Romero et al. ([2015](../docs/references.md#romero2015)): FitNets, hints
#   in two stages.
# - Zagoruyko and Komodakis ([2017](../docs/references.md#zagoruyko2017)):
#   attention transfer.
# - Park et al. ([2019](../docs/references.md#park2019)): relational knowledge
#   distillation.
# - The code: [features.py](../labkd/features.py),
#   [verdicts.py](../labkd/verdicts.py).
# - Functions:
#   [`hint_loss`](../labkd/features.py#hint_loss),
#   [`attention_transfer_loss`](../labkd/features.py#attention_transfer_loss),
#   [`relational_loss`](../labkd/features.py#relational_loss).
