# %% [markdown]
# # 6 · From CNN to ViT
#
# > [!NOTE]
# > **Question.** Can a ResNet-18 teach a Vision Transformer what the labels
# > alone do not?
# >
# > **Answer.** Here it could, by little. With soft labels the student was
# > right more often at the end and ahead on the way, but it stayed far behind
# > its teacher and was too sure of its answers.
# >
# > **Evidence.** Paired seeds on 45,000 images of CIFAR-10 (JPEG copy), and
# > five on 10,000; the teacher, a half-wide ResNet-18, is better than every
# > student.
# >
# > Before: chapters 1, 3 and 5. To read: twelve minutes. To run: half a
# > minute offline, some minutes on a GPU.
#
# A convolutional network is built to look at neighbouring pixels together. A
# Vision Transformer (ViT) is not told that neighbours belong together. Perhaps
# a convolutional teacher can pass this on.
#
# The program comes first, to be copied; recorded runs follow. With a GPU it
# trains on CIFAR-10, without one on a few of scikit-learn's digits.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # for example in Colab
    address = "labkd[course] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset
from torchvision import transforms
from torchvision.models import resnet18

from labkd import costs, figures, pretrained, records, soft_targets
from labkd.data import load
from labkd.inference import area_under_curve, crossing, paired_difference
from labkd.pictures import picture
from labkd.vit import VisionTransformer

# %config InlineBackend.figure_format = "retina"
figures.use_style()
plt.rcParams["font.size"] = 12

# %% [markdown]
# ## The images
#
# CIFAR-10 has 50,000 training images and 10,000 test images of 32 by 32
# pixels in ten classes. `load` fetches it: within seconds from a mirror where
# the package `datasets` is installed, as it is in Colab, else by torchvision,
# whose server [can be slow](https://github.com/pytorch/vision/issues/9536).
# Whenever a training image is shown it is moved by up to four pixels and,
# half of the time, mirrored: a *crop*.

# %%
plain = transforms.ConvertImageDtype(torch.float32)  # bytes to 0 .. 1
shifted = transforms.Compose(
    [
        transforms.RandomCrop(32, padding=4),
        transforms.RandomHorizontalFlip(),
        plain,
    ]
)

# %% [markdown]
# The last tenth of each class is kept for *validation*, to watch progress and
# choose settings. The teacher that comes with the course has not seen these
# images either. The test images stay untouched until the end.


# %%
class Shown(Dataset):
    def __init__(self, split, transform):
        self.split, self.transform = load("cifar10", split), transform

    def __len__(self):
        return len(self.split)

    def __getitem__(self, index):
        image, label = self.split.images[index], self.split.labels[index]
        return self.transform(image), label


# %% tags=["setup"]
def digits():
    images, labels = load_digits(return_X_y=True)
    labels = torch.tensor(labels)
    pixels = torch.tensor(images).float().view(-1, 1, 8, 8) / 16
    pixels = F.interpolate(pixels, size=32).expand(-1, 3, -1, -1)
    # A mirrored digit is no digit: these are moved, once for their one epoch.
    move = transforms.RandomCrop(32, padding=4)
    moved = torch.stack([move(image) for image in pixels[:128]])
    held_out = TensorDataset(pixels[128:160], labels[128:160])
    return TensorDataset(moved, labels[:128]), held_out


# %% [markdown]
# Without a GPU, digits are enlarged to 32 pixels. Networks and loops are the
# same.

# %%
full = torch.cuda.is_available()  # True: CIFAR-10 on a CPU too, for hours
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
if full:
    training, watched = Shown("train", shifted), Shown("validation", plain)
    test = Shown("test", plain)
    workers, epochs = 2, 20  # on Windows and macOS no workers: 0
else:
    training, watched = digits()
    workers, epochs = 0, 1
batches = DataLoader(training, 128, shuffle=True, num_workers=workers)
validation = DataLoader(watched, 500, num_workers=workers)

# %% [markdown]
# ## The teacher
#
# torchvision's ResNet-18 is made for photographs of 224 pixels. Its first
# layers shrink an image to a quarter of its side before any block has seen
# it. Of 32 pixels that would leave eight, so two lines change
# ([chapter 4](04_the_teacher.ipynb)).


# %%
def new_teacher():
    network = resnet18(num_classes=10)
    network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
    network.maxpool = nn.Identity()
    return normalised(network, [0.491, 0.482, 0.447], [0.247, 0.243, 0.262])


# %% [markdown]
# The loader gives pixels between 0 and 1. Each network begins by subtracting
# a mean and dividing by a deviation of its own, so both can be shown the same
# tensor.


# %%
def normalised(network, mean, deviation):
    return nn.Sequential(transforms.Normalize(mean, deviation), network)


def shipped_teacher():
    network = pretrained("teacher-resnet18-cifar10")
    mean = network.mean.flatten().tolist()
    deviation = network.deviation.flatten().tolist()
    return normalised(network, mean, deviation)


# %% tags=["hide-input"]
record = records.read("teacher-resnet18-cifar10", "overnight", seed=0)
about = {
    "parameters": f"{record['parameters']:,}",
    "trained on": records.budget_of(record),
    "data": records.data_of(record),
    "test accuracy": f"{record['test']['accuracy']:.1%}",
}
pd.Series(about, name="shipped teacher, half-wide ResNet-18").to_frame()

# %% [markdown]
# ## The student
#
# A small ViT ([chapter 5](05_a_vision_transformer.ipynb)). The image is cut
# into 64 patches of 4 by 4 pixels. Each becomes a *token*, a vector of 128
# numbers, and in four blocks attention lets the tokens exchange what they
# found.


# %%
def new_student():
    network = VisionTransformer(
        image_size=32,
        patch_size=4,
        in_channels=3,
        num_classes=10,
        width=128,
        depth=4,
        heads=4,
        mlp_ratio=2.0,
    )
    return normalised(network, [0.491, 0.482, 0.447], [0.247, 0.243, 0.262])


# %% [markdown]
# ## Loop one: learn from the labels
#
# The usual loop. Its loss $-\log q_y$ looks at one of the student's ten
# probabilities $q$, that of the correct class $y$. The learning rate rises
# and then falls to zero.


# %%
def train_on_labels(model, batches, validation, epochs, learning_rate, device):
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, epochs * len(batches), cycle_momentum=False
    )
    curve = []
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        curve.append(accuracy(model, validation, device))
    return curve


# %% [markdown]
# After each epoch it counts the validation images that are right.


# %%
@torch.no_grad()
def accuracy(model, batches, device):
    model.eval()
    right = total = 0
    for images, labels in batches:
        predicted = model(images.to(device)).argmax(dim=1).cpu()
        right += (predicted == labels).sum().item()
        total += len(labels)
    return right / total


# %% [markdown]
# ## The loss that compares two answers
#
# The loss of the second loop has two terms. The *hard* one is that of loop
# one. The *soft* one compares all ten probabilities of the teacher, $p$, with
# the student's, both softened by the temperature $T$. The factor $T^2$ roughly
# keeps the balance when $T$ is changed ([chapter 3](03_the_kl_loss.ipynb)):
#
# $$
# \mathcal{L} = (1 - w) \, (-\log q_y)
#   + w \, T^2 \operatorname{KL}\bigl(p^{(T)} \,\|\, q^{(T)}\bigr) .
# $$
#
# $T = 2$ and $w = 0.9$ are those of the recorded runs. The cell compares it
# with labkd's [own](../labkd/soft_targets.py#distillation_loss).


# %%
def distillation_loss(
    student_logits, teacher_logits, labels, temperature=2.0, soft_weight=0.9
):
    log_q = F.log_softmax(student_logits / temperature, dim=1)
    log_p = F.log_softmax(teacher_logits / temperature, dim=1)
    soft = F.kl_div(log_q, log_p, reduction="batchmean", log_target=True)
    hard = F.cross_entropy(student_logits, labels)
    return (1 - soft_weight) * hard + soft_weight * temperature**2 * soft


z, v = torch.randn(2, 64, 10)  # logits of student and teacher
y = torch.randint(10, (64,))
expected = soft_targets.distillation_loss(z, v, y, temperature=2.0)
torch.testing.assert_close(distillation_loss(z, v, y), expected)

# %% [markdown]
# ## A crop changes the label
#
# A photograph has a truck on the left and a car on the right. Of the left
# crop a teacher says *truck* 0.70, *car* 0.25, *frog* 0.05; of the right one
# 0.20, 0.70, 0.10. The hard label of both is "truck". The soft label belongs
# to the crop.
#
# Suppose teacher and student each get their own random crop. Over the epochs
# each crop of the student is then paired with both answers. For $K$ answers
# $p_k$ (here two) with mean $\bar p$, write
# $\log \frac{p_k}{q} = \log \frac{p_k}{\bar p} + \log \frac{\bar p}{q}$ and
# average:
#
# $$
# \begin{aligned}
# \frac1K \sum_k \operatorname{KL}(p_k \,\|\, q)
#   &= J + \operatorname{KL}(\bar p \,\|\, q) , \\
# J &= \frac1K \sum_k \operatorname{KL}(p_k \,\|\, \bar p) .
# \end{aligned}
# $$
#
# **The best reply to several answers is their mean**, here
# $(0.450, 0.475, 0.075)$: a near tie for either crop. The rest, $J = 0.1333$,
# no student can remove. So both must look at the same crop; Beyer et al.
# ([2022](../docs/references.md#beyer2022), section 3.1) call such a teacher
# *consistent*.

# %% tags=["hide-input"]
picture("crop_and_label")


# %%
def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(-1)


crops = torch.tensor([[0.70, 0.25, 0.05], [0.20, 0.70, 0.10]])
J = kl(crops, crops.mean(0)).mean()
assert abs(J - 0.1333) < 6e-5
q = torch.randn(3).softmax(0)  # any student
torch.testing.assert_close(kl(crops, q).mean(), J + kl(crops.mean(0), q))

# %% [markdown]
# ## Loop two: learn from the teacher
#
# Three things are new. The teacher is in evaluation mode. It looks at
# `images`, the crops that the student is shown, without gradients. And the
# loss compares both answers. The optimizer gets the student's parameters
# alone.


# %%
def train_on_soft_labels(
    model, teacher, batches, validation, epochs, learning_rate, device
):
    optimizer = torch.optim.AdamW(model.parameters(), learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, epochs * len(batches), cycle_momentum=False
    )
    teacher.eval()
    curve = []
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            with torch.no_grad():
                teacher_logits = teacher(images)
            loss = distillation_loss(model(images), teacher_logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        curve.append(accuracy(model, validation, device))
    return curve


# %% [markdown]
# ## Run both
#
# On CIFAR-10 the shipped teacher is used. With `own_teacher = True` loop one
# trains a ResNet-18 of full width first. For digits it does so anyway, since
# the shipped teacher knows none.

# %%
own_teacher = not full
if own_teacher:
    torch.manual_seed(0)
    teacher = new_teacher().to(device)
    train_on_labels(teacher, batches, validation, epochs, 1e-3, device)
else:
    teacher = shipped_teacher().to(device)

# %% [markdown]
# Both students start from one seed: they have the same initial values and
# see the same crops in the same order. Only the loss differs. The learning
# rate $10^{-3}$ is a usual one, tuned for neither.

# %%
torch.manual_seed(1)
by_labels = new_student().to(device)
labels_curve = train_on_labels(
    by_labels, batches, validation, epochs, 1e-3, device
)

torch.manual_seed(1)
by_teacher = new_student().to(device)
soft_curve = train_on_soft_labels(
    by_teacher, teacher, batches, validation, epochs, 1e-3, device
)

# %% [markdown]
# On CIFAR-10 the table has the test accuracy too. One epoch on a few digits
# has none worth telling. On a T4 both students should take less than ten
# minutes without the download (reckoned, not timed).
#
# **As one file to download**, with the Transformer written out and without
# labkd: [cnn_to_vit.py](../docs/snippets/cnn_to_vit.py).

# %%
networks = {
    "teacher": teacher,
    "student, labels": by_labels,
    "student, soft labels": by_teacher,
}
rows = {}
for name, network in networks.items():
    parameters = sum(p.numel() for p in network.parameters())
    rows[name] = {"parameters": f"{parameters:,}"}
    if full:
        right = accuracy(network, DataLoader(test, 500), device)
        rows[name]["test accuracy"] = f"{right:.1%}"
pd.DataFrame(rows).T

# %% tags=["setup"]
if full:
    own = pd.DataFrame({"labels": labels_curve, "soft labels": soft_curve})
    own["teacher"] = accuracy(teacher, validation, device)
    own.plot(xlabel="epoch", ylabel="validation accuracy")
    plt.show()
SIZE, SMALLER = "overnight", "laptop"
TEACHER = "teacher-resnet18-cifar10"
LABELS, SOFT = "scratch-vit-cifar10", "soft-vit_from_resnet18-cifar10"
runs = records.load_runs()
paid = costs.read(SIZE)["models"]


def accuracies(recipe, size=SIZE):
    """Per cent of the test images, by seed."""
    found = runs[(runs["recipe"] == recipe) & (runs["size"] == size)]
    return 100 * found.set_index("seed")["accuracy"]


def validation_curves(recipe, seeds):
    """The validation accuracy after each epoch, a curve for each seed."""
    curves = records.curves(recipe, SIZE).groupby("seed")["accuracy"]
    return [curves.get_group(seed).tolist() for seed in seeds]


# %% [markdown]
# ## The recorded runs
#
# Another seed can move the accuracy by as much as a method promises. So each
# student is trained from several seeds, and runs of one seed form a pair.
# There are five pairs.
#
# Networks, losses and the shipped teacher are the program's. The learning rate
# is not; weight decay is 0.05, and gradients are clipped at norm 1. All saw
# the 45,000 training images in a **JPEG copy** of CIFAR-10, the students one
# crop of each an epoch, fixed beforehand and alike in every run. The
# validation images chose the settings, in trials of five epochs: for labels
# one of three learning rates, $2 \cdot 10^{-3}$; for soft labels, at this
# rate, one of six pairs, $T = 2$ and $w = 0.9$. The rate is tuned for labels
# alone, and $T$ and $w$ for being good early.

# %% tags=["hide-input"]
rows = {}
for name, recipe, model in (
    ("teacher, half-wide ResNet-18", TEACHER, "teacher"),
    ("ViT, labels", LABELS, "student"),
    ("ViT, soft labels", SOFT, "student"),
):
    found = accuracies(recipe)
    spread = f" ± {found.std():.1f}" if len(found) > 1 else ""
    rows[name] = {
        "parameters": f"{paid[model]['parameters']:,}",
        "seeds": len(found),
        "test accuracy, %, ± deviation": f"{found.mean():.1f}{spread}",
    }
pd.DataFrame(rows).T

# %% [markdown]
# ## The curves
#
# A line is the mean of the seeds; its band reaches from worst to best. The
# training losses of the two loops are different sums, so the upper panel has
# the cross-entropy of the validation images, which means the same for both.
#
# In accuracy soft labels draw ahead, and both students stay far below the
# teacher. In cross-entropy, where lower is better, soft labels are *worse*
# all along.

# %% fig_alt="Two panels over twenty epochs. Above, validation cross-entropy: soft labels stay higher than labels. Below, validation accuracy: both students rise together, soft labels stay slightly higher, and the dotted line of the teacher is far above both." tags=["hide-input"]
figure, panels = plt.subplots(2, 1, figsize=(5, 5.4), sharex=True)
for recipe, name, colour in (
    (LABELS, "labels", "#212529"),
    (SOFT, "soft labels", figures.STUDENT),
):
    run = records.curves(recipe, SIZE)
    figures.draw_curves(panels[0], run, "nll", name, colour=colour)
    figures.draw_curves(panels[1], run, "accuracy", name, colour=colour)
level = records.curves(TEACHER, SIZE)["accuracy"].iloc[-1]
panels[1].axhline(level, color=figures.CORRECT, ls=":", label="teacher")
panels[1].legend(loc="lower right")
panels[0].set(ylabel="cross-entropy", title="CIFAR-10, JPEG copy")
panels[1].set(ylabel="accuracy", xlabel="epoch", xticks=[1, 5, 10, 15, 20])
plt.show()

# %% [markdown]
# ## Sooner?
#
# The essay *From ResNet-18 to ViT on CIFAR-10* says that a ViT with soft
# labels "converges more quickly". We measure *sooner* in two ways: by the
# epoch at which a curve [crosses](../labkd/inference.py#crossing) a level,
# interpolated between epochs, and by the *area*, the mean accuracy over the
# run. *From* and *to* are the ends of the 95 % interval of the paired
# difference.
#
# **Sooner, by little.** The area is larger with soft labels. To each level
# they needed fewer epochs in the mean, by less than one; where the interval
# holds zero, no difference is found. And a curve that ends higher reaches late
# levels earlier for that reason alone.

# %% tags=["hide-input"]
seeds = sorted(set(accuracies(LABELS).index) & set(accuracies(SOFT).index))
labels, soft = (validation_curves(r, seeds) for r in (LABELS, SOFT))
measured = {}
for share in (0.7, 0.8, 0.9):
    levels = [share * curve[-1] for curve in labels]
    measured[f"epochs to {share} × labels' last accuracy"] = [
        [crossing(*each) for each in zip(side, levels, strict=True)]
        for side in (labels, soft)
    ]
areas = [[100 * area_under_curve(c) for c in s] for s in (labels, soft)]
measured["area, %"] = areas
rows = {}
for name, (theirs, ours) in measured.items():
    found = paired_difference(ours, theirs)
    means = pd.DataFrame({"labels": theirs, "soft labels": ours}).mean()
    ends = {"difference": found.mean, "from": found.low, "to": found.high}
    rows[name] = dict(means) | ends
pd.DataFrame(rows).T.round(2)

# %% [markdown]
# ## Better?
#
# **Better, by little.** Soft labels end above labels: the first row, with its
# 95 % interval.
#
# Is it softness? Two controls have all images, and three pairs each. In
# **permuted** runs, as in [chapter 1](01_hard_and_soft_labels.ipynb), the
# teacher is as sure of every image, but its wrong classes are shuffled. In
# **hard** runs ([chapter 7](07_the_distillation_token.ipynb)) the teacher's
# decision, its most probable class, is a second hard label, with the best of
# six weights. Both means lie between labels and soft labels, and in three
# pairs no difference from either was found. So the question stays open. (In
# the smaller runs of chapter 7 soft labels are ahead of the decision, but with
# more weight on the teacher.)
#
# The other rows are of **smaller runs** with five seeds: 10,000 of the images,
# patches of 8 by 8, twenty epochs, a teacher trained for seven, and $T = 3$
# and $w = 0.9$ not tuned.
#
# Their teacher saw 45,000 labels, the student 10,000. Is the gain just those
# extra labels? A second teacher, **10k**, was trained on the student's own
# 10,000 images; it too is over twenty points better than every student. Its
# soft labels helped as well, and between the two teachers no difference was
# found.
#
# And half the training did not suffice: soft labels for ten epochs, with a
# schedule that ends there, stayed below labels for twenty.

# %% fig_alt="A forest plot of paired differences in test accuracy. With 45,000 images, right of zero: soft labels over labels. Soft labels over permuted ones and over the teacher's decisions, and both of these over labels, hold zero. With 10,000, right of zero: soft labels over labels, and soft labels of the 10k teacher over labels. The two teachers differ by about nothing. Left of zero: soft labels with half the epochs against labels." tags=["hide-input"]
labels, soft = (accuracies(r, SMALLER) for r in (LABELS, SOFT))
soft_10k = accuracies("soft-vit_from_resnet18_10k-cifar10", SMALLER)
half = accuracies("soft-vit_half_epochs_from_resnet18-cifar10", SMALLER)
alone, taught = accuracies(LABELS), accuracies(SOFT)
permuted = accuracies("permuted-vit_from_resnet18-cifar10")
hard = accuracies("argmax-vit_from_resnet18-cifar10")
gains = {
    "soft − labels,\n45,000 images": taught - alone,
    "soft − permuted,\n45,000 images": (taught - permuted).dropna(),
    "permuted − labels,\n45,000 images": (permuted - alone).dropna(),
    "soft − hard,\n45,000 images": (taught - hard).dropna(),
    "hard − labels,\n45,000 images": (hard - alone).dropna(),
    "soft − labels": soft - labels,
    "soft, 10k − labels": soft_10k - labels,
    "soft − soft, 10k": soft - soft_10k,
    "soft, half the\nepochs − labels": half - labels,
}
figure, axes = plt.subplots(figsize=(5, 7.4))
figures.draw_differences(axes, gains)
axes.set(xmargin=0.15, xlabel="points of test accuracy, ± 95 % interval")
plt.show()
rows = {}
for name, gain in gains.items():
    found = paired_difference(gain, 0 * gain)
    rows[name.replace("\n", " ")] = [len(gain), found.short]
pd.DataFrame(rows, index=["pairs", "difference, points"]).T

# %% [markdown]
# ## Better, and too sure of itself
#
# How can better answers come with a worse cross-entropy? Suppose a student
# cannot tell three trucks from a car, and the teacher is sure of each:
# $(0.998, 0.001, 0.001)$ and $(0.001, 0.998, 0.001)$. At $T = 2$ these become
# $(0.940, 0.030, 0.030)$ and $(0.030, 0.940, 0.030)$. The best reply is the
# mean, $(0.713, 0.257, 0.030)$, but at temperature 2. At temperature 1 the
# student then says $(0.883, 0.115, 0.002)$, and only three of four are
# trucks. **Averaging softened answers, then sharpening, gives $0.883$, not
# $0.749$.** The example leaves out the hard term, and no record shows that
# this is the cause.
#
# *ECE*, the expected calibration error, says how far confidence is from the
# share of right answers. Both students are surer than they are right, the
# taught one by more. In smaller runs of ten epochs $T = 3$ did more harm and
# $T = 1$ none, and in accuracy no difference between these two was found.

# %% tags=["hide-input"]
rows = {"labels": (LABELS, SIZE), "T = 2": (SOFT, SIZE)}
for name, recipe in (
    ("labels", "scratch-vit_half_epochs-cifar10"),
    ("T = 3", "soft_t3-vit_half_epochs_from_resnet18-cifar10"),
    ("T = 1", "soft_t1-vit_half_epochs_from_resnet18-cifar10"),
):
    rows[f"{name}, smaller"] = recipe, SMALLER
groups = runs.groupby(["recipe", "size"])[["accuracy", "nll", "ece"]]
scores = groups.mean().assign(seeds=groups.size())
shown = scores.loc[list(rows.values())].set_axis(list(rows))
shown["accuracy"] *= 100
shown.columns = ["accuracy, %", "cross-entropy", "ECE", "seeds"]
shown.round({"accuracy, %": 1, "cross-entropy": 2, "ECE": 3})

# %% [markdown]
# ## What it costs, what it buys
#
# **Dearer in training.** The teacher has to be trained and to answer for
# every crop. In multiply-adds, a backward pass counted as two forward passes,
# that is several times the work of training the student, though several
# students can share the answers ([views.py](../labkd/views.py)).
#
# **Cheaper in use.** The student is smaller on every line, measured on one
# processor thread. In time it gains less than in multiply-adds. What one buys
# is a better small network, not the large one made small.

# %% tags=["hide-input"]
rows = {}
for name, cost in paid.items():
    alone, batch = cost["batches"]["1"], cost["batches"]["128"]
    rows[name] = {
        "parameters, millions": cost["parameters"] / 1e6,
        "multiply-adds an image, millions": cost["multiply_adds"] / 1e6,
        "one image alone, ms": alone["milliseconds"],
        "one image among 128, ms": batch["milliseconds"],
        "memory for 128 images, MB": batch["peak_bytes"] / 1e6,
    }
table = pd.DataFrame(rows)
table["ratio"] = table["teacher"] / table["student"]
table.round(1)

# %% tags=["hide-input"]
epochs_of_student = records.read(SOFT, SIZE, seed=0)["config"]["epochs"]
adds = {name: cost["multiply_adds"] for name, cost in paid.items()}
work = {  # for each training image
    "training the teacher": 3 * record["config"]["epochs"] * adds["teacher"],
    "asking the teacher": epochs_of_student * adds["teacher"],
    "training the student": 3 * epochs_of_student * adds["student"],
}
work = pd.Series(work, name="in trainings of the student")
(work / work["training the student"]).round(1).to_frame()

# %% [markdown]
# ## What is not shown
#
# - Other networks, data and budgets. On ImageNet Touvron et al.
#   ([2021](../docs/references.md#touvron2021), table 3) gained nothing from
#   soft labels for their smallest model, but two points from hard
#   distillation.
# - Good students. For a ViT of 3.2 million parameters with patches of 4 by 4,
#   all images and 200 epochs Hassani et al.
#   ([2021](../docs/references.md#hassani2021)) report above 90 %.

# %% [markdown]
# ## Exercises
#
# **1. Really faster?** Can soft labels reach in 15 epochs what labels reach
# in 20? Which run answers, and what do you compare?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# `python -m labkd run soft-vit_from_resnet18-cifar10 --set epochs=15`, for
# each seed: a schedule that *ends* at 15. Compare its test accuracy with
# that of the labels at 20, by a paired difference. An interval that contains
# zero does not show that they are equal, so say beforehand how much less you
# would accept.
#
# </details>
#
# **2. One answer an image.** Let the teacher answer for the uncropped image
# and the student see crops. Is $J$ left over? What does the student learn
# instead?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# There is one answer an image now, so nothing is averaged, and a student that
# knows its images can reach zero: by giving every crop the same answer. It
# learns to ignore the crop. Beyer et al. (section 3.1) compare this *fixed
# teacher* with the consistent one.
#
# </details>
#
# **3. At temperature 1.** Repeat the example of the three trucks and the car
# with $T = 1$ in the loss. Is the student still too sure?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# No. The mean is $0.75 \cdot 0.998 + 0.25 \cdot 0.001 = 0.749$ for truck, and
# nothing is sharpened afterwards. A higher temperature buys attention to the
# small probabilities ([chapter 2](02_temperature.ipynb)); here it pays in
# calibration, which can be mended after training.
#
# </details>
#
# **4. The rival.** Name two other ways to spend what the teacher costs, and
# say how to test them.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Give the student more epochs, or more width. By the table above everything
# together costs $5.4 + 1.2 + 1.0$ trainings of the student of 20 epochs each,
# so it could train for about 152: `--set epochs=150` on `scratch-vit-cifar10`
# at size `overnight`. Fix budget and grid first, pair the
# seeds, report the interval. Soft labels are cheaper where one teacher serves
# many students. Whether few labels make them worth more is a question of
# [chapter 15](15_when_it_pays.ipynb).
#
# </details>

# %% [markdown]
# ## References
#
# - Hinton, Vinyals and Dean ([2015](../docs/references.md#hinton2015)),
#   section 2: the loss.
# - Touvron et al. ([2021](../docs/references.md#touvron2021)), section 5.2:
#   a CNN teaches a ViT on ImageNet.
# - Beyer et al. ([2022](../docs/references.md#beyer2022)), section 3.1: one
#   crop for both.
# - Guo et al. ([2017](../docs/references.md#guo2017)): calibration, and the
#   temperature fitted after training in section 4.2.
# - The code: [vit.py](../labkd/vit.py),
#   [shipped.py](../labkd/shipped.py),
#   [inference.py](../labkd/inference.py), [costs.py](../labkd/costs.py).
