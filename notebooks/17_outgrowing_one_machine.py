# %% [markdown]
# # Outgrowing one machine
#
# Your own images, your own teacher, several GPUs, a run of days: at some point
# a laptop is too small. Three questions come with the move. Is it still the
# *same* training when a batch is spread over processes? What will it cost,
# before anything is paid? And must the teacher, often the larger half of the
# bill, be paid in every run?

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from accelerate import Accelerator, DataLoaderConfiguration, debug_launcher
from safetensors.torch import load_file
from torch import nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from torchvision import datasets, io

from labkd import costs, figures, pixels, records, soft_targets
from labkd.data import load
from labkd.inference import paired_difference
from labkd.lab import scale

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## One batch, many processes
#
# A batch of $N$ images is dealt to $R$ processes, $N_r$ each. All have the
# same weights, each computes the mean gradient of its share, and the means are
# averaged (*all-reduce*). With $\ell_i$ for the loss of image $i$,
#
# $$
# \begin{aligned}
# \nabla \frac1N \sum_{i=1}^{N} \ell_i
#   &= \frac1N \sum_{r=1}^{R} \sum_{i \in r} \nabla \ell_i \\
#   &= \frac1R \sum_{r=1}^{R} \frac{R N_r}{N} \cdot
#     \frac{1}{N_r} \sum_{i \in r} \nabla \ell_i .
# \end{aligned}
# $$
#
# The average over processes is the gradient of the whole batch if each
# multiplies its loss by $R N_r / N$: 1 when the shares are equal, so it is
# easily forgotten.
#
# By hand: a truck, a car and a frog, and a student that says a third each.
# Their gradients, $q - y$, are
# $(-\tfrac23, \tfrac13, \tfrac13)$, $(\tfrac13, -\tfrac23, \tfrac13)$ and
# $(\tfrac13, \tfrac13, -\tfrac23)$, and zero in the mean. Give truck and car
# to one process, with the mean $(-\tfrac16, -\tfrac16, \tfrac13)$, and the
# frog to the other. The average of the two is
# $(\tfrac1{12}, \tfrac1{12}, -\tfrac16)$: a pull towards the frog, which was
# alone. With the weights $\tfrac43$ and $\tfrac23$ it is zero again.

# %%
z = torch.zeros(3, requires_grad=True)  # the logits, for every image


def gradient(shares, weights):
    means = (F.cross_entropy(z.expand(len(y), 3), y) for y in shares)
    terms = [w * mean for w, mean in zip(weights, means, strict=True)]
    return torch.autograd.grad(sum(terms) / len(terms), z)[0]


truck_car, frog = torch.tensor([0, 1]), torch.tensor([2])
whole = gradient([torch.tensor([0, 1, 2])], [1])
unweighted = gradient([truck_car, frog], [1, 1])
print("unweighted", unweighted.numpy().round(4))
torch.testing.assert_close(unweighted, torch.tensor([1, 1, -2]) / 12)
torch.testing.assert_close(gradient([truck_car, frog], [4 / 3, 2 / 3]), whole)

torch.manual_seed(0)  # and now the digits, which come sorted by class
train = load("digits", "train").take(torch.randperm(1200))
normalise = pixels.Normalise.of(train.images)
x, labels = normalise(train.images), train.labels

# %% [markdown]
# ## What is not a mean over images
#
# The derivation needs a loss that is a mean of terms, one an image. Three
# things break that.
#
# **BatchNorm** normalises by the statistics of the images it sees. A batch's
# variance is the mean of the shares' variances *plus* the variance of their
# means: each share measures another value, on average too small. It is
# another training, the more so the smaller the share. LayerNorm looks at one
# image and does not notice.
#
# **Noise.** With one seed in all processes, dropout and stochastic depth drop
# the same places everywhere. Build the model with one seed, so that all begin
# alike, then give each process its own
# (`accelerate.utils.set_seed(seed, device_specific=True)`).
#
# **The batch itself.** Often each process takes a *full* batch, and $R$ of
# them make one of $R N$: fewer steps, less noise in each. Goyal et al.
# ([2017](../docs/references.md#goyal2017)) multiply the rate by $R$ and warm
# it up; DeiT takes 0.0005 times batch over 512
# ([Touvron et al.](../docs/references.md#touvron2021), table 9). Rules of
# thumb: tune again. `labkd` cuts the recipe's batch, and no number changes.


# %%
def perceptron(norm=nn.LayerNorm, seed=0):
    torch.manual_seed(seed)
    hidden = nn.Flatten(), nn.Linear(64, 32), norm(32), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(32, 10))


def gradient_of(norm, R):
    model = perceptron(norm)
    for share in torch.arange(64).chunk(R):
        (F.cross_entropy(model(x[share]), labels[share]) / R).backward()
    return model[1].weight.grad


for norm in (nn.LayerNorm, nn.BatchNorm1d):
    whole, *shared = (gradient_of(norm, R) for R in (1, 2, 4, 8))
    off = [((g - whole).norm() / whole.norm()).item() for g in shared]
    print(norm.__name__, "in 2, 4, 8 shares:", *(f"{gap:.0%}" for gap in off))
    assert norm is nn.BatchNorm1d or max(off) < 1e-5
assert 0.01 < off[0] < off[1] < off[2]

# %% [markdown]
# ## The same sum in time
#
# With one small GPU the shares can come one after another: **gradient
# accumulation**. `backward` adds to the gradient, so the weights are
# $N_r / N$, and only one part's activations are in memory at a time.
# Everything else happens once a *batch*: `zero_grad` before the first part;
# clipping, the optimizer's step and the schedule's after the last. (On
# several processes, `no_sync` holds the all-reduce back until then.)
# BatchNorm sees parts, and differs as above.


# %%
def step(model, optimizer, schedule, batch, parts):
    optimizer.zero_grad()
    for part in batch.tensor_split(parts):
        loss = F.cross_entropy(model(x[part]), labels[part])
        (loss * len(part) / len(batch)).backward()  # adds to .grad
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    schedule.step()


def after(parts, steps=5):
    model = perceptron()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer)
    for batch in torch.randint(1200, (steps, 50)):
        step(model, optimizer, schedule, batch, parts)
    return nn.utils.parameters_to_vector(model.parameters())


torch.testing.assert_close(after(parts=3), after(parts=1))  # 17, 17 and 16

# %% [markdown]
# ## From notebook to launch
#
# Each process runs the same function from its first line. An `Accelerator`
# tells it who it is, wraps the model so that `backward` averages, and deals
# the batches. The cells start two processes on the CPU from this notebook, by
# `debug_launcher` (it forks: not on Windows), and one for comparison. On GPUs
# it is `notebook_launcher(learn, (folder, True), num_processes=2)`, in a
# session that has not touched a GPU yet. Outside a notebook:
#
# ```bash
# torchrun --nproc_per_node 2 -m labkd run soft-vit_from_resnet18-cifar10
# # on two machines, N is 0 on the FIRST and 1 on the other
# torchrun --nnodes 2 --node_rank N --master_addr FIRST \
#     --nproc_per_node 8 -m labkd run soft-vit_from_resnet18-cifar10
# ```
#
# or `accelerate launch`, with a file of settings. With `--accumulate 4` each
# share is seen in four parts, with `--precision bfloat16` computed so; the
# record says what was done. The traps, three of which the output shows:
#
# - *Who writes?* Everybody, unless `is_main_process` is asked. A download goes
#   under `main_process_first`.
# - *Whose batch?* By default each process takes a whole one: fewer steps, and
#   a schedule ends early. `split_batches=True` cuts it.
# - *The uneven end.* 99 images in batches of 32: the last is filled up from
#   the start. `gather` counts those images twice, `gather_for_metrics` once.
# - *Alone and unaware.* Processes that were not connected train apart, and
#   nothing fails. Look at `num_processes`.
# - *Leaving.* Without `end_training` a process may abort at exit.


# %%
def learn(folder, split):
    loading = DataLoaderConfiguration(split_batches=split)
    accelerator = Accelerator(dataloader_config=loading)
    model, steps = perceptron(), 0  # everywhere the same first weights
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    data = DataLoader(TensorDataset(x[:96], labels[:96]), 32)
    model, optimizer, data = accelerator.prepare(model, optimizer, data)
    for images, y in data:
        loss = F.cross_entropy(model(images), y)
        optimizer.zero_grad()
        accelerator.backward(loss)  # and averages over the processes
        optimizer.step()
        steps += 1
    told = {"processes": accelerator.num_processes, "steps": steps}
    told |= counted(accelerator, model)
    told["weights"] = accelerator.unwrap_model(model).state_dict()
    if accelerator.is_main_process:
        torch.save(told, folder / "told.pt")
    accelerator.end_training()


# %%
def counted(accelerator, model):
    data = DataLoader(TensorDataset(x[:99], labels[:99]), 32)
    told = {"gather": 0, "gather_for_metrics": 0}
    for images, y in accelerator.prepare(data):
        right = model(images).argmax(1) == y
        for how in told:
            told[how] += len(getattr(accelerator, how)(right))
    return told


weights = {}
print("split_batches, processes, steps, gather, gather_for_metrics")
for processes, split in ((1, True), (2, True), (2, False)):
    with tempfile.TemporaryDirectory() as folder:
        debug_launcher(learn, (Path(folder), split), processes)
        told = torch.load(Path(folder) / "told.pt")
    weights[processes, split] = told.pop("weights")
    print(split, *told.values())
torch.testing.assert_close(weights[2, True], weights[1, True])
assert 2 == told["steps"] < told["gather_for_metrics"] == 99 < told["gather"]

# %% [markdown]
# ## A folder of images, in shares
#
# Your own images are a folder a class. Every epoch each process wants its own
# part, the parts disjoint and together everything, in a new order. So all
# draw the same permutation, *from the seed and the epoch*, and each takes
# every $R$-th. Forget `set_epoch`, and every epoch has the same order.
#
# A photograph has far more pixels than a network sees, and decoding it in
# each epoch can take longer than learning from it. So resize once, to a
# little more than the crops, and pack the bytes into one array that the
# processes of a machine map into memory: each reads the rows of its share.

# %%
with tempfile.TemporaryDirectory() as root:
    for i, image in enumerate(train.images[:41]):  # "photographs"
        (folder := Path(root, f"{labels[i]}")).mkdir(exist_ok=True)
        large = F.interpolate(image[None], 128)[0]
        io.write_png(large, f"{folder}/{i}.png")
    photos = datasets.ImageFolder(root, loader=io.decode_image)
    small = [F.adaptive_avg_pool2d(photo.float(), 10) for photo, _ in photos]
    torch.save(torch.stack(small).byte(), Path(root, "packed.pt"))
    packed = torch.load(Path(root, "packed.pt"), mmap=True)
samplers = [DistributedSampler(photos, 3, rank) for rank in range(3)]
first, again = ([list(share) for share in samplers] for _ in range(2))
for share in samplers:
    share.set_epoch(1)
second = [list(share) for share in samplers]
print(f"pixels an epoch: {41 * 128**2:,} to decode, {packed.numel():,} packed")
print("a share of the second epoch:", second[0])
assert first == again != second and len(packed[second[0]]) == 14
for shares in (first, second):  # 41 images in three shares of 14: one twice
    assert len(set(sum(shares, []))) == 41 == len(sum(shares, [])) - 1

# %% [markdown]
# ## Eight bits of a number
#
# **Mixed precision** computes products in bfloat16, half the bytes and on
# many devices far quicker. It has the exponent of float32, so gradients do
# not vanish as in float16, but only eight significant bits: near 2.3, minus
# the logarithm of a tenth, the next number is $2^{-6}$ away.
#
# Enough for products, but not for differences of things that are nearly
# equal: a divergence at large $T$, where teacher and student are both nearly
# even. The cell computes $T^2 \operatorname{KL}$ for each of CIFAR-10's
# test images, from the recorded logits of both. Logits *rounded* to bfloat16
# do little harm. A loss *computed* in it is, at $T = 20$, wrong by more than
# half its value for most images, and often negative, which no divergence is.
# In the mean over thousands the errors cancel, so nothing looks wrong. (All
# asserted.) Hence `autocast` around the forward passes and the loss in
# float32, as [`kl_divergence`](../labkd/soft_targets.py#kl_divergence) has it
# whatever it is given. Weights and the optimizer's state stay in float32 too.


# %%
def divergences(z, v, T):
    log_q, log_p = F.log_softmax(z / T, 1), F.log_softmax(v / T, 1)
    return T**2 * (log_p.exp() * (log_p - log_q)).sum(1)


names = "soft-vit_from_resnet18-cifar10", "teacher-resnet18-cifar10"
files = (records.path_of(name, "laptop", 0) for name in names)
z, v = (load_file(f.with_suffix(".logits.safetensors"))["test"] for f in files)
rounded = z.bfloat16(), v.bfloat16()
print(records.data_of(records.read(names[0], "laptop", 0)))
for T in (1, 4, 20):
    exact = divergences(z.double(), v.double(), T)
    low = divergences(*rounded, T).double()
    high = divergences(*(logits.float() for logits in rounded), T)
    wrong, right = (((a - exact) / exact).abs().median() for a in (low, high))
    below = (low < 0).double().mean()
    print(f"T = {T}: off {wrong:.1%}, {below:.0%} < 0; rounded, {right:.1%}")
    assert right < 0.01 and abs(low.mean() / exact.mean() - 1) < 0.05
assert wrong > 0.5 and below > 0.1

# %% [markdown]
# ## What DeiT's recipe would cost
#
# Before renting, multiply. With $E$ epochs of $N$ images, $a$
# multiply-adds of the student and $b$ of the teacher for an image, a backward
# pass worth two forward ones, and a device that does $s$ a second, it takes
#
# $$
# E N \, \frac{3a + b}{s}
#   = E N \left( \frac{3}{n_a} + \frac{1}{n_b} \right)
#   \text{ seconds},
# $$
#
# where $n_a$ and $n_b$ are the images a second of either, forward only. DeiT-S
# has $a = 4.6 \cdot 10^9$, its teacher RegNetY-16GF $b = 16.0 \cdot 10^9$ (Liu
# et al. [2021](../docs/references.md#liu2021), table 1); there are 300 epochs
# of 1,281,167 images.
#
# What is $s$? Not what is printed on the box. The cell takes our
# [measured costs](../labkd/costs.py) of one thread, and holds the "three
# forward passes" against a recorded training. The answer is years, and more
# than half of them are the teacher's (asserted). For a GPU put in the $n$ that
# *you* measure; the cell has those that Touvron et al.
# ([2021](../docs/references.md#touvron2021), table 5) report for one V100, 940
# and 335 images a second. Assumed are images that arrive in time, and $R$
# devices that are $R$ times as fast. Neither comes by itself.

# %%
N, E, a, b = 1_281_167, 300, 4.6e9, 16.0e9
share = b / (3 * a + b)
print(f"{E * N * (3 * a + b):.1e} multiply-adds, the teacher's: {share:.0%}")
for name, cost in costs.read("laptop")["models"].items():
    each = cost["batches"]["128"]["milliseconds"] / 1000
    s = cost["multiply_adds"] / each
    years = E * N * (3 * a + b) / s / (365.25 * 86_400)
    print(f"as our {name}, {s / 1e9:.0f} billion a second: {years:.0f} years")
    assert years > 3
run = records.read("scratch-vit-cifar10", "laptop", 0)
best = min(epoch["seconds"] for epoch in run["epochs"])
passes = best / run["config"]["training_images"] / each
print(f"a step of our {name} took {passes:.1f} forward passes")
days = E * N * (3 / 940 + 1 / 335) / 86_400
print(f"at a V100's speeds {days:.0f} days, with eight {days / 8:.1f}")
assert share > 0.5 and 2 < passes < 4

# %% [markdown]
# ## A teacher that is asked once
#
# [`views`](../labkd/views.py) keeps the teacher's logits for every crop,
# since with padding there are few. Of *random resized crops* there are
# millions. So fix beforehand which ones each epoch will show, and keep with
# the teacher's answer what the crop was: top, left, height, width, mirrored
# or not, in nine bytes, or a seed that draws them again. And of a thousand
# probabilities keep the $k$ largest:
#
# $$
# \text{bytes} = \text{views} \times
#   \big(\text{crop} + k \, (\text{index} + \text{half float})\big) .
# $$
#
# Shen and Xing ([2022](../docs/references.md#shen2022)) store crops with
# compressed soft labels; Wu et al. ([2022](../docs/references.md#wu2022)) the
# $k$ largest with a seed. Making the table asks about every view once, as a
# training with a live teacher does: it pays from the second student on. The
# cells try it on digits.


# %%
def draw_crops(count, generator):
    size = torch.randint(5, 9, (count, 2), generator=generator)
    room = torch.rand(count, 2, generator=generator) * (9 - size)
    return torch.cat([room.long(), size], 1).byte()  # top, left, height, width


def apply_crops(images, crops):
    corner, size = crops.float().split(2, 1)  # (batch, 2) each
    centres = (torch.arange(8) + 0.5) / 8
    places = (corner[..., None] + size[..., None] * centres) / 4 - 1
    rows, columns = places[:, 0, :, None], places[:, 1, None]
    grid = torch.stack(torch.broadcast_tensors(columns, rows), -1)
    return F.grid_sample(images, grid, align_corners=False)


def lesson(seed, images=200, epochs=20):
    draw = torch.Generator().manual_seed(seed)
    few = 600 + torch.randperm(600, generator=draw)[:images]
    order = [torch.randperm(images, generator=draw) for _ in range(epochs)]
    return few[torch.cat(order)], draw_crops(images * epochs, draw)


# %%
def trained(model, views, targets, loss_of, rate):
    optimizer = torch.optim.AdamW(model.parameters(), rate, fused=True)
    steps = len(views) // 50
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    for images, y in zip(views.split(50), targets.split(50), strict=True):
        loss = loss_of(model(images), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


torch.manual_seed(0)
conv = nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)
teacher = nn.Sequential(*conv, nn.Flatten(), nn.Linear(16 * 4 * 4, 10))
seen = torch.randint(600, (15_000,))  # the students get other images
crops = apply_crops(x[seen], draw_crops(len(seen), torch.Generator()))
teacher = trained(teacher, crops, labels[seen], F.cross_entropy, 1e-2)
teacher = teacher.requires_grad_(False)

# %% [markdown]
# ### What of the rest?
#
# The $k$ largest have $S$ together. Either **renormalise** them,
# $\tilde p_i = p_i / S$, with zero for the others:
#
# $$
# \operatorname{KL}(\tilde p \,\Vert\, p)
#   = \sum_{i \in k} \frac{p_i}{S} \log \frac{1}{S} = -\log S .
# $$
#
# Or spread the rest **evenly**, $(1 - S) / (C - k)$ each. Renormalised targets
# claim that the others are impossible; even ones, that they are alike. At
# $T = 1$ the rest is small and uneven; at large $T$ it is large, and nearly
# even: at $T = 4$ the figure has the even targets more than five times closer
# at every $k$ drawn (asserted).

# %%
table = {}  # made once, for all students
for seed in (*range(20), 100, 101):
    chosen, crops = lesson(seed)
    views = apply_crops(x[chosen], crops)
    table[seed] = views, teacher(views)


def kept(p, k, even):
    top, index = p.topk(k)
    top = top.half().to(p)  # as it is stored
    S, others = top.sum(1, keepdim=True), p.shape[1] - k
    if not even or not others:
        return torch.zeros_like(p).scatter(1, index, top / S)
    rest = (1 - S).clamp(0) / others
    return rest.expand_as(p).scatter(1, index, top)


for k in (5, 10, 100, 1000):  # all thousand come in order, without an index
    size = 9 + k * (2 if k == 1000 else 2 + 2)
    print(f"k = {k:4}: {size:4} bytes a view, {E * N * size / 1e9:4.0f} GB")

# %% fig_alt="Divergence of the stored targets from the teacher's against the number of probabilities kept. At temperature 4, spreading the rest evenly is closer than renormalising, by a factor of more than five everywhere; at temperature 1 the two begin together."
axes, off = plt.subplots(figsize=(3.1, 2.8))[1], {}
for T, even in ((1, False), (1, True), (4, False), (4, True)):
    p = F.softmax(table[0][1].double() / T, 1)
    for k in range(1, 9):
        stored = kept(p, k, even)
        each = torch.special.xlogy(stored, stored / p).sum(1)
        off[T, even, k] = each.mean().item()
        S = p.topk(k)[0].sum(1)
        assert even or (each + S.log()).abs().max() < 2e-3  # half floats
    look = {"color": figures.STUDENT if T == 1 else figures.CORRECT}
    look["label"] = f"$T = {T}$, {'even' if even else 'renormalised'}"
    line = [off[T, even, k] for k in range(1, 9)]
    axes.semilogy(range(1, 9), line, ".:" if even else ".-", **look)
axes.set(xlabel="$k$ of ten kept", ylabel="nats", ylim=(1e-5, 2))
axes.legend()
plt.show()
assert all(off[4, False, k] > 5 * off[4, True, k] for k in range(1, 9))
assert abs(off[1, True, 1] / off[1, False, 1] - 1) < 0.1
assert (kept(p, 10, True) - p).abs().max() < 3e-4  # exact, but for rounding


# %%
def soft(z, p):
    log_q = F.log_softmax(z / T, 1)
    return T**2 * F.kl_div(log_q, p, reduction="batchmean")


arms = {"all": (10, False), "renormalised": (3, False), "even": (3, True)}
arms |= {"argmax": (1, False)}
T, losses = 4, dict.fromkeys(arms, soft) | {"argmax": F.cross_entropy}


def student_run(arm, rate, seed):
    views, v = table[seed]
    targets = kept(F.softmax(v / T, 1), *arms[arm])
    return trained(perceptron(seed=seed), views, targets, losses[arm], rate)


def percent_right(model, split):
    data = load("digits", split)
    right = model(normalise(data.images)).argmax(1) == data.labels
    return 100 * right.double().mean().item()


# %%
print(f"teacher: {percent_right(teacher, 'test'):.1f} %")
points = {}
for arm in arms:
    tried = {}
    for rate in (2e-2, 4e-2, 8e-2):
        runs = [student_run(arm, rate, seed) for seed in (100, 101)]
        tried[rate] = sum(percent_right(run, "validation") for run in runs)
    best = max(tried, key=tried.get)
    runs = [student_run(arm, best, seed) for seed in range(20)]
    points[arm] = [percent_right(run, "test") for run in runs]
    right = torch.tensor(points[arm])
    print(f"{arm:12} {right.mean():.1f} ± {right.std():.1f} % (deviation)")
for arm in ("renormalised", "argmax", "even"):
    ahead = paired_difference(points[arm], points["all"])
    print(f"{arm} over all: {ahead}")
    assert (ahead.found and ahead.mean < 0) or arm == "even"
assert ahead.mean - ahead.half_width > -3
ahead = paired_difference(points["even"], points["renormalised"])
print(f"even over renormalised: {ahead}")
assert abs(ahead.mean) + ahead.half_width < 3

# %% [markdown]
# ## What came out
#
# **The toy.** Four students learned from one table: all ten probabilities,
# three of them with the rest either way, and the argmax. At $T = 4$ three
# *renormalised* are worse than all ten, and so is the argmax: what is called
# impossible had much of the mass. With the rest *even* the loss, if any, is
# below three points. Between the two ways is more than five times the
# divergence, and no more than three points. (The cells assert this.) Ten
# classes are no thousand, but to keep the mass costs nothing.
#
# **On record.** `scale` trained one small network for
# fifty steps in every way of this chapter; the table has how far a loss came
# from that of one process in float32. Processes, parts, compiled code:
# rounding. bfloat16: more, below its bar. BatchNorm in shares: further off
# than all of these, another training. Then images a second of processes times
# threads, medians with ranges: two processes reach at least nine tenths of
# what one with two threads does on the same cores. (All asserted.)
#
# **Your own.** `--set dataset=FOLDER` takes a folder with `train/<class>/` and
# `test/<class>/`, `--set teacher=module:callable` your teacher. Checked before
# anything is trained: the classes of both parts, every image, whether the
# teacher gives logits, which pixels it wants, in which order it counts the
# classes. `--dry-run` does that alone, and tells how long the run will take.
#
# **Held to the library.** Our loss on whole targets is `kl_divergence`'s,
# which raises bfloat16 to float32 first.

# %%
record, off = scale.read(), {}
for row in record["rows"]:
    off.setdefault(row["tolerance"], []).append(row["loss_difference"])
    print(f"{row['loss_difference']:6.1g}  {row['setting']}")
same, rounding, products, shares = (off[bar] for bar in (0, 1e-5, 0.1, None))
assert record["steps"] == 50
assert max(same) == 0 and max(rounding) <= 1e-5 and max(products) <= 0.1
assert max(rounding) < min(products) and max(products) < min(shares)
speeds = {}
for row in record["throughput"]:
    ways = row["processes"], row["threads"], row["images_per_second"]
    spread = f"{row['lowest']:.0f} to {row['highest']:.0f}"
    print("{} x {} threads: {:.0f}".format(*ways), f"({spread})")
    speeds[ways[:2]] = ways[2]
assert speeds[2, 1] >= 0.9 * speeds[1, 2]
z, v = torch.randn(2, 64, 10).bfloat16()
library = T**2 * soft_targets.kl_divergence(z, v, T)
ours = soft(z.float(), F.softmax(v.float() / T, 1))
torch.testing.assert_close(library, ours)  # the type, too

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
# The shares are 3, 2 and 2, the weights $R N_r / N = \tfrac97, \tfrac67,
# \tfrac67$. Without them an image of the first share counts $\tfrac19$, one of
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
# **3. Half a schedule.** A cosine was planned for 40 steps, and two processes
# take whole batches each. At which part of its first value does the rate end?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# After 20 steps, $\tfrac12 (1 + \cos \tfrac{\pi}{2}) = \tfrac12$. The run
# never comes to rest.
#
# </details>
#
# **4. Another temperature.** The table has $p$ at $T = 4$. Can a student be
# taught at $T = 2$ from all ten, and from three with the rest's mass?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# $p_i^2 \propto e^{v_i / 2}$. From all ten it is exact: square and divide by
# the sum. From three, the ratios between them are exact, but of the squares of
# the rest we know bounds: their sum is at least $(1 - S)^2 / (C - k)$ and at
# most $(1 - S)$ times the smallest that is kept. To choose $T$ later, store
# logits, and their log-sum-exp at each $T$.
#
# </details>
#
# **5. Twenty times the classes.** 14 million images of 21,841 classes, 90
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
# - Goyal, Dollár, Girshick and others, *Accurate, Large Minibatch SGD*
#   ([2017](../docs/references.md#goyal2017)): section 2.
# - Touvron, Cord, Douze, Massa, Sablayrolles and Jégou, *Training
#   Data-Efficient Image Transformers and Distillation through Attention*
#   ([2021](../docs/references.md#touvron2021)): tables 5 and 9.
# - Liu and others, *Swin Transformer*
#   ([2021](../docs/references.md#liu2021)): table 1.
# - Shen and Xing, *A Fast Knowledge Distillation Framework for Visual
#   Recognition* ([2022](../docs/references.md#shen2022)).
# - Wu and others, *TinyViT* ([2022](../docs/references.md#wu2022)).
