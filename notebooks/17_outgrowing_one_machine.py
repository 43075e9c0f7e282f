# %% [markdown]
# # 17 · Outgrowing one machine
#
# > [!NOTE]
# > **Question.** The teacher is large and the runs are long. What has to be
# > paid only once?
# >
# > **Answer.** The teacher. Its answers, kept by image and view, serve every
# > student. Three of ten probabilities taught less than all ten, much less
# > where the rest was left out, a little less where it was spread evenly; for
# > the teacher's decision alone no difference was found, though it may cost
# > over two points. Labels taught less than the decision. What is left, the
# > student, can be shared between processes and stays the same training, but
# > for rounding and for what mixes the images of a batch.
# >
# > **Evidence.** Twelve paired seeds on 200 of scikit-learn's digits, a
# > teacher well above all students in the mean; a recorded test of fifty steps
# > in two processes. Nothing was run on several GPUs, nothing with a thousand
# > classes.
# >
# > Before: chapters 3 and 6. To read: twelve minutes. To run: under a minute.
#
# So far a teacher answered in every step of every run. With a large one that
# is most of the work, and it says the same every time: a teacher in eval mode
# is a function of the image it is shown. So ask it once, keep the answers, and
# look them up. This chapter says what that saves, what has to be kept, what it
# costs to keep less, and last how to spread what remains over processes.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "labkd[lab] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

from labkd import costs, data, figures, records, views
from labkd.inference import paired_difference
from labkd.lab import scale

# %config InlineBackend.figure_format = "retina"
figures.use_style()
plt.rcParams["font.size"] = 12
torch.set_num_threads(1)  # quicker for networks this small


def split_of(name):
    split = data.load("digits", name)
    return split.images, split.labels


def to_pixels(images):
    return images.float() / 127.5 - 1


@torch.no_grad()
def percent_right(model, images, labels):
    model.eval()
    right = model(to_pixels(images)).argmax(dim=1) == labels
    return 100 * right.double().mean().item()


images, labels = split_of("train")  # (1200, 1, 8, 8), uint8
validation, test = split_of("validation"), split_of("test")
torch.manual_seed(0)
teacher = nn.Sequential(
    nn.Conv2d(1, 32, 3, padding=1),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Flatten(),
    nn.Linear(32 * 4 * 4, 10),
)
optimizer = torch.optim.AdamW(teacher.parameters(), 1e-2, fused=True)
for _ in range(8):
    batches = DataLoader(TensorDataset(images, labels), 100, shuffle=True)
    for shown, truth in batches:
        shifted = views.draw_views(
            len(shown), padding=1, generator=torch.default_generator
        )
        shifted[:, 2] = 0  # digits are never mirrored
        shown = views.apply_views(shown, shifted, padding=1)
        loss = F.cross_entropy(teacher(to_pixels(shown)), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
teacher = teacher.eval()

# %% [markdown]
# ## What the teacher costs
#
# Count multiply-adds. Let an image cost the student $a$ and the teacher $b$,
# forward. A backward pass is worth about two forward ones, so a student learns
# at $3a + b$ an image, and the teacher's share is
#
# $$
# \frac{b}{3a + b} .
# $$
#
# The table has the pair of [chapter 6](06_from_cnn_to_vit.ipynb) and DeiT's on
# ImageNet: DeiT-S with 4.6 billion multiply-adds and its teacher RegNetY-16GF
# with 16 billion (Liu et al. [2021](../docs/references.md#liu2021), table 1).
# Asked once about every image and epoch, the teacher costs as much as in *one*
# live run. The saving begins with the second student: another seed, another
# learning rate, another method.

# %% tags=["hide-input"]
models = costs.read("overnight")["models"]
pairs = {
    "half-wide ResNet-18 and small ViT": (
        models["student"]["multiply_adds"],
        models["teacher"]["multiply_adds"],
    ),
    "RegNetY-16GF and DeiT-S": (4.6e9, 16.0e9),
}
rows = {}
for name, (a, b) in pairs.items():
    ten_live, ten_once = 10 * (3 * a + b), 10 * 3 * a + b
    rows[name] = {
        "teacher's share of a run": f"{b / (3 * a + b):.0%}",
        "ten students, teacher live": "100 %",
        "ten students, teacher asked once": f"{ten_once / ten_live:.0%}",
    }
pd.DataFrame(rows)

# %% [markdown]
# ## Asked once
#
# There is one condition. The answer must belong to what the student sees, and
# a student sees *crops*. With one answer an image, the crop of a truck's wheel
# is paired with what the teacher said of the whole truck. So fix beforehand
# which crops will be shown. A **bank** draws $K$ views of each image, the same
# for all students: one for each epoch, and with more epochs than views it
# begins again. The teacher is asked $K$ times an image, and its logits are
# kept by image and view.
#
# The images are shuffled, so their *index* has to travel with them. Answers
# kept in the order in which a shuffled loader gave them are out of step in the
# next epoch, without any error.


# %%
@torch.no_grad()
def ask_once(teacher, images, bank, padding):
    teacher.eval()
    table = []
    for view in bank.unbind(1):  # (images, 3): top, left, mirrored
        shown = views.apply_views(images, view, padding=padding)
        table.append(teacher(to_pixels(shown)).half())
    return torch.stack(table, dim=1)  # (images, views, classes)


bank = views.Bank.drawn(len(images), count=30, padding=1).views
bank[..., 2] = 0  # digits are never mirrored
table = ask_once(teacher, images, bank, padding=1)

index, epoch = torch.randperm(len(images))[:50], 3
shown = views.apply_views(images[index], bank[index, epoch], padding=1)
with torch.no_grad():
    live = teacher(to_pixels(shown))
assert_close(table[index, epoch].float(), live, atol=1e-2, rtol=1e-3)

# %% [markdown]
# The loop now has a table where it had a teacher. The batch is drawn as
# indices, and images, views and answers are all looked up by them. The last
# lines above asked the teacher live about one batch of crops: the
# table holds the same answers, to half precision. So a student that looks
# them up takes the steps that it would take with a live teacher, but for that
# rounding.
# The ready version, [views.py](../labkd/views.py), stores the table with
# digests of the teacher's weights, the images and the views, and refuses it
# when one of them has changed. For the recorded runs it is one command,
# `python -m labkd targets soft-vit_from_resnet18-cifar10`, and the runs after
# it look the answers up.


# %%
def train(student, few, targets, loss_function, learning_rate, epochs=90):
    """Learns the images `few` from targets kept by image and view."""
    device = next(student.parameters()).device
    optimizer = torch.optim.AdamW(
        student.parameters(), learning_rate, fused=True
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    student.train()
    for epoch in range(epochs):
        for index in few[torch.randperm(len(few))].split(50):
            place = index, epoch % bank.shape[1]  # of answer and view
            shown = views.apply_views(images[index], bank[place], padding=1)
            student_logits = student(to_pixels(shown).to(device))
            loss = loss_function(student_logits, targets[place].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()


# %% [markdown]
# ## A few of a thousand
#
# How large is the table? Ten classes in half precision are 20 bytes a view,
# and for the 45,000 training images of CIFAR-10 and twenty epochs 18 MB, views
# apart. For ImageNet's 1.28 million images, 300 epochs and a thousand classes
# it is most of a terabyte. So keep the $k$ largest probabilities, each with
# the index of its class:
#
# $$
# \text{bytes} = \text{views} \times
#   \bigl(9 + k \, (2 + 2)\bigr) ,
# $$
#
# two bytes for an index, two for a half float, and nine that say which crop it
# was, if crops are resized too (four coordinates of two bytes, mirrored or
# not). Where all are kept, no index is needed, and a probability takes two
# bytes. Shen and Xing ([2022](../docs/references.md#shen2022)) store crops
# with compressed soft labels; Wu et al.
# ([2022](../docs/references.md#wu2022)) the $k$ largest with a seed that draws
# the crop again.

# %% tags=["hide-input"]
shown = 1_281_167 * 300
rows = {"all 1,000": shown * (9 + 1000 * 2)}
rows |= {f"k = {k}": shown * (9 + k * 4) for k in (100, 10, 5)}
gigabytes = {name: f"{size / 1e9:,.0f}" for name, size in rows.items()}
pd.Series(gigabytes, name="ImageNet, 300 epochs, GB").to_frame()

# %% [markdown]
# What becomes of the rest? Let $S$ be the sum of those that are kept. Either
# **renormalise**: $\tilde p_i = p_i / S$, and zero for the others. Or spread
# what is left **evenly** over them, $(1 - S) / (C - k)$ each. Renormalised
# targets call the others impossible, evenly spread ones call them alike. How
# far from the teacher is either? For the renormalised ones
#
# $$
# \operatorname{KL}(\tilde p \,\|\, p)
#   = \sum_{i \le k} \frac{p_i}{S} \log \frac{p_i / S}{p_i} = -\log S .
# $$


# %%
def top_k(p, k, even):
    largest, index = p.topk(k, dim=-1)
    kept = largest.sum(dim=-1, keepdim=True)  # S
    if not even:
        return torch.zeros_like(p).scatter(-1, index, largest / kept)
    rest = (1 - kept) / (p.shape[-1] - k)
    return rest.expand_as(p).scatter(-1, index, largest)


def kl(p, q):
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(dim=1)


path = records.path_of("teacher-resnet18-cifar10", "laptop", 0)
v = load_file(path.with_suffix(".logits.safetensors"))["test"].double()
p = F.softmax(v / 4, dim=1)
kept = p.topk(3, dim=1)[0].sum(dim=1)
assert_close(kl(top_k(p, 3, even=False), p), -kept.log())

# %% [markdown]
# The figure asks the recorded ResNet-18 about CIFAR-10's test images. At
# $T = 4$ the rest is large and nearly even, and spread evenly the targets are
# many times closer to the teacher's at every $k$. At $T = 1$ the
# renormalised ones are closer while up to three are kept, the even ones when
# five or more are; with four they are about the same.

# %% fig_alt="Divergence of the kept targets from the teacher's, on a logarithmic axis, against the number of probabilities kept of ten. At temperature 4 the curve for the rest spread evenly lies far below the one for renormalised targets throughout. At temperature 1 both fall steeply and cross at about four." tags=["hide-input"]
figure, axes = plt.subplots(figsize=(5, 3.8))
for temperature, colour in ((1, figures.CORRECT), (4, figures.STUDENT)):
    p = F.softmax(v / temperature, dim=1)
    for even, name, dashes in (
        (False, "renormalised", "-"),
        (True, "evenly", ":"),
    ):
        off = [kl(top_k(p, k, even), p).mean() for k in range(1, 9)]
        label = f"T = {temperature}, {name}"
        axes.semilogy(range(1, 9), off, dashes, color=colour, label=label)
axes.set(xlabel="probabilities kept of ten", ylabel="KL in nats")
run = records.read("teacher-resnet18-cifar10", "laptop", seed=0)
name = f"ResNet-18, {100 * run['test']['accuracy']:.1f} % right"
axes.set_title(f"{name}; CIFAR-10, JPEG copy", fontsize=12)
axes.legend(fontsize=10)
plt.show()

# %% [markdown]
# ## What came out
#
# Does it matter for the student? Perceptrons with 32 hidden units learn digits
# at $T = 4$, four kinds of them from the table: from all ten probabilities,
# from three with the rest spread evenly, from three renormalised, and from the
# largest alone, which is the teacher's decision. A fifth has the labels. The
# first three have the soft term alone, $w = 1$, the others the cross-entropy.

# %%
p = F.softmax(table.float() / 4, dim=-1)  # (images, views, classes)
targets = {
    "all ten": p,
    "three, even": top_k(p, 3, even=True),
    "three, renormalised": top_k(p, 3, even=False),
    "decision": top_k(p, 1, even=False),
    "label": F.one_hot(labels)[:, None].expand_as(p),
}


def on_soft_targets(z, p):
    log_q = F.log_softmax(z / 4, dim=1)
    return 16 * F.kl_div(log_q, p, reduction="batchmean")


def on_one_class(z, p):
    return F.cross_entropy(z, p.argmax(dim=1))


# %% [markdown]
# Each has 200 images with thirty views of each, ninety epochs, and the best of
# three learning rates, by the mean of two seeds on the validation images.
# Twelve other seeds are compared. (We chose 200 images and ninety epochs after
# earlier versions, with fewer of either, had shown test scores. After thirty
# epochs students of soft labels were far from done and, as now, not found to
# be ahead of those of decisions.)


# %% tags=["hide-input"]
def taught(kind, learning_rate, seed):
    torch.manual_seed(seed)
    few = torch.randperm(len(images))[:200]
    student = nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10)
    )
    hard = kind in ("decision", "label")
    loss = on_one_class if hard else on_soft_targets
    train(student, few, targets[kind], loss, learning_rate)
    return student


def tuned(kind):
    scores = {}
    for rate in (0.01, 0.02, 0.04):
        trials = [taught(kind, rate, seed) for seed in (100, 101)]
        scores[rate] = sum(percent_right(s, *validation) for s in trials)
    return max(scores, key=scores.get)


right, rates = {}, {}
for kind in targets:
    rates[kind] = tuned(kind)
    runs = [taught(kind, rates[kind], seed) for seed in range(200, 212)]
    right[kind] = [percent_right(student, *test) for student in runs]
right = pd.DataFrame(right)


def size(model):
    return f"{sum(p.numel() for p in model.parameters()):,}"


rows = {"teacher": {"parameters": size(teacher)}}
rows["teacher"]["right, %"] = f"{percent_right(teacher, *test):.1f}"
for kind in targets:
    rows[kind] = {
        "parameters": size(runs[0]),
        "rate": rates[kind],
        "right, %": f"{right[kind].mean():.1f}",
        "± deviation": f"{right[kind].std():.1f}",
    }
same = targets["decision"].argmax(dim=2) == labels[:, None]
rows["decision"]["is the label, %"] = f"{100 * same.double().mean():.0f}"
pd.DataFrame(rows).T.fillna("")

# %% [markdown]
# With the rest **renormalised** away, three probabilities are worse than all
# ten: what the targets call impossible had much of the mass at $T = 4$. With
# the rest spread **evenly** they are worse by less, and better than
# renormalised, which costs as many bytes. For the **decision** alone, two
# bytes, no difference to all ten is found, nor to three spread evenly, but the
# interval leaves room for a loss of over two points. Labels are behind the
# decision. The two differ on some shifted digits (last column of the first
# table); why that helps was not tested. So compare on your own images, with
# decisions too, before you store hundreds of gigabytes.

# %% tags=["hide-input"]
pairs = [(kind, "all ten") for kind in list(targets)[1:]]
pairs += [("three, even", "three, renormalised")]
pairs += [("decision", "three, even"), ("decision", "label")]
over, gains = {}, {}
for ours, theirs in pairs:
    over[f"{ours}\n− {theirs}"] = right[ours] - right[theirs]
    ahead = paired_difference(right[ours], right[theirs])
    gains[f"{ours} − {theirs}"] = {
        "points": f"{ahead.mean:+.1f}",
        "from": f"{ahead.low:+.1f}",
        "to": f"{ahead.high:+.1f}",
    }
pd.DataFrame(gains).T

# %% fig_alt="A forest plot of seven paired differences. Over all ten probabilities, three with the rest spread evenly lie a little left of zero, three renormalised and the label further left, and the interval of the decision alone contains zero. Three with the rest spread evenly lie right of three renormalised, and the interval of the decision over them contains zero; over the label the decision lies right of zero." tags=["hide-input"]
figure, axes = plt.subplots(figsize=(5, 5.4))
figures.draw_differences(axes, over)
axes.set_xlabel("points of test accuracy, ± 95 % interval")
axes.set_title("scikit-learn's digits, 200 images", fontsize=12)
plt.show()

# %% [markdown]
# ## Several processes
#
# What is left is the student, and several processes can share it: each takes
# a part of every batch, and their gradients are averaged. Is that the same
# training? With $N_r$ of the batch's $N$ images in process $r$ of $R$,
#
# $$
# \nabla \frac1N \sum_i \ell_i
#   = \frac1R \sum_r \frac{R N_r}{N} \cdot
#     \frac{1}{N_r} \sum_{i \in r} \nabla \ell_i .
# $$
#
# It is, if each process multiplies its mean loss by $R N_r / N$. That is 1
# for equal parts, so it is easily forgotten where a batch does not divide
# evenly. Say that truck and car go to one process and the frog to another,
# and a student gives each class a third. The gradients of the three cancel.
# The plain average of the two means pulls towards the frog, which was alone.
# The same holds for parts of a batch that one GPU takes one after the other.


# %%
def gradient(parts, weights):
    z = torch.zeros(3, requires_grad=True)  # logits, for every image
    losses = [
        weight * F.cross_entropy(z.expand(len(part), 3), part)
        for part, weight in zip(parts, weights, strict=True)
    ]
    (found,) = torch.autograd.grad(sum(losses) / len(parts), z)
    return found


parts = [torch.tensor([0, 1]), torch.tensor([2])]  # truck and car; frog
rows = {
    "the whole batch": gradient([torch.tensor([0, 1, 2])], [1]),
    "means averaged": gradient(parts, [1, 1]),
    "means weighted": gradient(parts, [2 * 2 / 3, 2 * 1 / 3]),  # R N_r / N
}
pulls = {name: found.tolist() for name, found in rows.items()}
pd.DataFrame(pulls, ["truck", "car", "frog"]).T.round(3) + 0.0  # no -0

# %% [markdown]
# Two things are not means over images. Losses that compare images with one
# another (chapters 13 and 14) see those of a part only. And **BatchNorm**
# normalises by the images that pass together, and half a batch has fewer. The
# table is from a recorded test: one small network trained for fifty steps in
# several ways (*compiled* is `torch.compile`), and how far its losses come
# from those of one process. Two processes and two parts differ by rounding
# alone. bfloat16, numbers with 8 significant bits, differs a little. With
# BatchNorm, parts are another training.

# %% tags=["hide-input"]
rows = {
    row["setting"]: {"largest difference of a loss": row["loss_difference"]}
    for row in scale.read()["rows"]
    if row["loss_difference"] > 0
}
pd.DataFrame(rows).T.map("{:.0e}".format)

# %% [markdown]
# The first command starts a run on two GPUs of one machine, or in two CPU
# processes; the second on two machines with eight GPUs each (`N` is 0 on the
# first, whose name is `FIRST`, and 1 on the other). Here only two CPU
# processes have run, never two GPUs or two machines:
#
# ```bash
# torchrun --nproc_per_node 2 \
#     -m labkd run soft-vit_from_resnet18-cifar10
#
# torchrun --nnodes 2 --node_rank N --master_addr FIRST \
#     --nproc_per_node 8 -m labkd run soft-vit_from_resnet18-cifar10
# ```
#
# `labkd` cuts the batch of the recipe, so no learning rate changes. Look at
# the number of processes that the program reports. On two cores without a GPU
# `accelerate launch --cpu --num_processes 2` ran a single process here,
# without a word, and `torchrun` ran two. For code of your own with accelerate:
#
# - pass `split_batches=True`, or every process takes a *whole* batch: fewer
#   steps, and another training;
# - count right answers by `gather_for_metrics`; `gather` counts the images
#   twice that fill up the last batch;
# - write files where `is_main_process` is true;
# - call `end_training()`, without which a process may abort at exit.
#
# Is it faster? On two cores of one CPU two processes with a thread each were
# timed against one process with two threads. Two processes were faster in the
# median of the rounds. By how much stays open: rounds differ by up to a factor
# of two.

# %% tags=["hide-input"]
rows, recorded = {}, scale.read()
for row in recorded["throughput"]:
    if row["processes"] * row["threads"] == 2:
        name = f"{row['processes']} processes x {row['threads']} threads"
        rows[name.replace("1 processes", "1 process")] = {
            "images a second, median": f"{row['images_per_second']:.0f}",
            "lowest": f"{row['lowest']:.0f}",
            "highest": f"{row['highest']:.0f}",
            "rounds": recorded["rounds"],
        }
pd.DataFrame(rows).T

# %% [markdown]
# ## What is not shown
#
# - Several GPUs. Nothing in this chapter was timed on more than one.
# - A thousand classes. With ten, three probabilities are many; what a hundred
#   of a thousand lose is not measured here.
# - Random resized crops, of which there are millions. A bank of them is drawn
#   in the same way, with the four coordinates of each crop kept beside the
#   answer.
# - Blends of two images (mixup). A bank can have them, if each view keeps its
#   partner and its share.
# - What cannot be asked once. Feature maps
#   ([chapter 13](13_features_and_relations.ipynb)) are too large to keep:
#   there the teacher runs along.

# %% [markdown]
# ## Exercises
#
# **1. Seven for three.** Seven images are dealt to three processes as
# `batch[r::3]`. Which weights do they need, and what does an image count
# without them?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The parts are 3, 2 and 2, the weights $R N_r / N = \tfrac97, \tfrac67,
# \tfrac67$. Without them an image of the first part counts $\tfrac19$, one of
# the others $\tfrac16$, and each should count $\tfrac17$.
#
# </details>
#
# **2. Clip, then add?** Two halves of a batch have the gradients $(3, 0)$ and
# $(0, \tfrac12)$. Clip to norm 1 before averaging, and after. What is wrong
# with the first?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Before: $(\tfrac12, \tfrac14)$. After: $(\tfrac32, \tfrac14)$ has norm 1.52
# and becomes $(0.99, 0.16)$, another direction. The first depends on the
# number of parts, so on the hardware.
#
# </details>
#
# **3. Another temperature.** Say that a table has probabilities at $T = 4$.
# Can a student be taught at $T = 2$ from all ten, and from three with the
# rest's sum?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $p_i^2 \propto e^{v_i / 2}$. From all ten it is exact: square and divide by
# the sum. From three, the ratios between them are exact, but of the squares of
# the rest we know bounds: their sum is at least $(1 - S)^2 / (C - k)$ and at
# most $(1 - S)$ times the smallest that is kept. To choose $T$ later, store
# logits.
#
# </details>
#
# **4. Twenty times the classes.** 14 million images of 21,841 classes, 90
# epochs, $k = 100$: how large is the table, and with all classes?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# An index still fits into two bytes. $14 \cdot 10^6 \cdot 90 \cdot 409$
# bytes are 515 GB; with all classes, 55 TB.
#
# </details>

# %% [markdown]
# ## References
#
# - Shen and Xing ([2022](../docs/references.md#shen2022)): crops stored with
#   compressed soft labels.
# - Wu et al. ([2022](../docs/references.md#wu2022)): TinyViT, the $k$ largest
#   logits and a seed.
# - Liu et al. ([2021](../docs/references.md#liu2021)), table 1:
#   multiply-adds.
# - The code: [views.py](../labkd/views.py), [costs.py](../labkd/costs.py).
# - Functions:
#   [`Bank`](../labkd/views.py#Bank),
#   [`draw_views`](../labkd/views.py#draw_views).
