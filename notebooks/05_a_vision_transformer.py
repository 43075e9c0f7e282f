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
#     title: A Vision Transformer
#     description: Patches, attention, positions and blocks, each derived and
#       checked, put together in forty lines of PyTorch; what a small one
#       learns, with positions and without; and why it needs more data, or a
#       teacher.
# ---

# %% [markdown]
# # A Vision Transformer from nothing
#
# The [last chapter's](04_the_teacher.ipynb) teacher is made of convolutions.
# It was *built* to believe two things: neighbouring pixels belong together,
# and a wheel is a wheel wherever it stands. The student of the chapters to
# come believes neither. It cuts an image into patches, as if with scissors,
# and looks at them as a bag of words.
#
# That student is the Vision Transformer of Dosovitskiy et al.
# ([2021](../docs/references.md#dosovitskiy2021), section 3.1). We build it
# from linear maps and one softmax, check each part, train it on digits, and
# take something away to see what breaks. At the end stands the reason for
# the rest of this course: what it was not built to believe, it must learn.

# %%
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q {address}")  # noqa: F821

# %%
import math
import statistics

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.testing import assert_close

from labkd import figures, vit
from labkd.data import load
from labkd.inference import paired_difference

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## Scissors
#
# An image of $c$ channels is cut into squares of $P$ by $P$ pixels. Each is
# written as a list of $c P^2$ numbers, row by row, and one matrix $E$, the
# same for all, turns the list into a vector of width $D$: a **token**.
#
# In code it is usually a convolution, in
# [our library](../labkd/vit.py#VisionTransformer) too. If its stride is as
# long as its window, each window *is* a patch, and kernel $j$ is row $j$ of
# $E$. The cell holds one to the other.
#
# The picture shows what the network gets: a digit of 8 by 8 pixels, cut into
# a row of sixteen patches. Beside it, the same sixteen in another order.


# %%
def cut(images, side):
    grid = images.unfold(2, side, side).unfold(3, side, side)
    # (batch, channels, rows, columns, side, side)
    return grid.permute(0, 2, 3, 1, 4, 5).flatten(1, 2).flatten(2)


def assembled(tiles, columns=4):
    rows = tiles.view(-1, columns, 2, 2).transpose(1, 2)
    return rows.reshape(-1, 2 * columns)


images = torch.randn(5, 3, 8, 8)
linear, convolution = nn.Linear(3 * 4 * 4, 32), nn.Conv2d(3, 32, 4, stride=4)
with torch.no_grad():
    convolution.weight.copy_(linear.weight.view(32, 3, 4, 4))
    convolution.bias.copy_(linear.bias)
tokens = linear(cut(images, 4))  # (batch, patches, width)
assert_close(tokens, convolution(images).flatten(2).transpose(1, 2))

# %% fig_alt="A handwritten digit of 8 by 8 pixels with the lines of a 4 by 4 grid; the same image as a row of sixteen patches; the sixteen patches put together in another order, in which no digit can be seen."
digits = load("digits", "train")
three = digits.images[digits.labels == 3][:1].float()
tiles = cut(three, 2).view(16, 2, 2)
order = torch.randperm(16, generator=torch.Generator().manual_seed(1))

shown = {"A": assembled(tiles), "B": assembled(tiles[order])}
figure, axes = plt.subplot_mosaic("AB;CC", height_ratios=[5, 1])
figure.set_size_inches(5, 3.2)
for name, picture in (shown | {"C": assembled(tiles, 16)}).items():
    axes[name].imshow(picture, cmap="gray_r")
    axes[name].set(xticks=[], yticks=[])
    for edge in range(2, len(picture), 2):
        axes[name].axhline(edge - 0.5, color=figures.STUDENT)
    for edge in range(2, len(picture.T), 2):
        axes[name].axvline(edge - 0.5, color=figures.STUDENT)
plt.show()

# %% [markdown]
# ## Attention, by hand
#
# Now the tokens talk. From each, three linear maps make three vectors: a
# **query**, what it looks for; a **key**, what it can be found by; and a
# **value**, what it hands over. Stacked as rows they are $Q$, $K$, $V$, and
# attention (Vaswani et al., [2017](../docs/references.md#vaswani2017),
# section 3.2.1, equation 1) is a weighted mean of values:
#
# $$
# A = \operatorname{softmax}\bigl( Q K^\top / \sqrt d \bigr), \qquad
# \text{output} = A V ,
# $$
#
# with $d$ numbers in a query, and the softmax along each row.
#
# Take three patches of a photograph of a truck, *wheel*, *door* and *sky*,
# and $d = 4$. The wheel's query is $(2, 2, 0, 0)$:
#
# | | key | value | score | / $\sqrt 4$ | weight |
# |---|---|---|---|---|---|
# | wheel | $(1,1,0,0)$ | $(1,0)$ | 4 | 2 | 0.665 |
# | door | $(1,0,1,0)$ | $(0,2)$ | 2 | 1 | 0.245 |
# | sky | $(0,0,1,1)$ | $(4,4)$ | 0 | 0 | 0.090 |
#
# It leaves with $0.665 \cdot (1, 0) + 0.245 \cdot (0, 2) + 0.090
# \cdot (4, 4) = (1.025, 0.850)$. If the weights look familiar: they are
# those of logits 4, 2, 0 at temperature 2 in
# [chapter 2](02_temperature.ipynb). The root of $d$ *is* a temperature.


# %%
def attention(Q, K, V):
    scores = Q @ K.mT / math.sqrt(Q.shape[-1])
    weights = scores.softmax(-1)  # (..., tokens, tokens)
    return weights @ V, weights


Q = torch.tensor([[2.0, 2, 0, 0]])
K = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]])
V = torch.tensor([[1.0, 0], [0, 2], [4, 4]])
output, weights = attention(Q, K, V)
by_hand = torch.tensor([[0.665, 0.245, 0.090, 1.025, 0.850]])
found = torch.cat([weights, output], dim=1)
assert_close(found, by_hand, atol=6e-4, rtol=0)
assert_close(output, F.scaled_dot_product_attention(Q, K, V))

# %% [markdown]
# ## Why the root of d
#
# Suppose the numbers in queries and keys are independent, with mean 0 and
# variance 1. A product $q_i k_i$ then has mean 0 and variance 1 as well, and
# a score is a sum of $d$ of them:
#
# $$
# \operatorname{Var}\Bigl( \sum_{i=1}^{d} q_i k_i \Bigr) = d .
# $$
#
# So scores grow like $\sqrt d$, and the softmax of large scores is one-hot:
# every token listens to one other. Worse, it cannot learn to listen to
# another, since the derivative of the softmax is
#
# $$
# \frac{\partial A_i}{\partial s_j} = A_i (\delta_{ij} - A_j) ,
# $$
#
# and with a one-hot $A$ every entry is zero. Divide by $\sqrt d$, and the
# variance is 1 for any $d$. The cell draws random queries and keys, and
# prints the largest weight and the mean slope $A_i (1 - A_i)$, without the
# root and with it. (It is an argument about the start of training. Nothing
# keeps trained queries so.)

# %%
torch.manual_seed(0)
print("   d  variance   largest, scaled   slope, scaled")
slopes = {}
for d in (4, 64, 1024):
    Q, K = torch.randn(2, 300, 16, d)  # 16 tokens in 300 images
    raw = Q @ K.mT
    weights = [s.softmax(-1) for s in (raw, raw / math.sqrt(d))]
    largest = [a.max(-1).values.mean().item() for a in weights]
    slopes[d] = [(a * (1 - a)).mean().item() for a in weights]
    numbers = (*largest, *slopes[d])
    print(f"{d:4}  {raw.var():8.1f}", *(f"{x:8.4f}" for x in numbers))
    assert 0.95 < raw.var() / d < 1.05
assert slopes[1024][0] < slopes[4][0] / 5
assert 0.9 < slopes[1024][1] / slopes[4][1] < 1.1

# %% [markdown]
# ## Heads, and a blind spot
#
# One softmax makes one mean. A wheel that wants to know of the other wheel
# *and* of the road would get a blend. So the width is divided into **heads**
# of $d = D / h$ numbers; each does attention on its own part, and the
# results are put side by side again.
#
# Now the blind spot. Put the tokens into another order: multiply $Q$, $K$
# and $V$ by a permutation matrix $\Pi$. The softmax of a row does not mind a
# permutation, and $\Pi^\top \Pi = 1$:
#
# $$
# \operatorname{softmax}\Bigl( \frac{\Pi Q K^\top \Pi^\top}{\sqrt d} \Bigr)
#   \Pi V = \Pi A \Pi^\top \Pi V = \Pi A V .
# $$
#
# The outputs come in the new order, and are otherwise *the same*. Attention
# is **permutation equivariant**. It does not know where anything is.

# %%
Q, K, V = torch.randn(3, 5, 4, 16, 8)  # (3, batch, heads, tokens, d)
output, weights = attention(Q, K, V)
assert_close(weights.sum(-1), torch.ones(5, 4, 16))
assert_close(output, F.scaled_dot_product_attention(Q, K, V))
alone, _ = attention(Q[:, 2], K[:, 2], V[:, 2])
assert_close(output[:, 2], alone)  # heads do not hear one another

moved, _ = attention(*(x[..., order, :] for x in (Q, K, V)))
assert_close(moved, output[..., order, :])
assert (moved - output).abs().max() > 0.1  # the order did change

# %% [markdown]
# ## The block
#
# A block has two branches (equations 2 and 3): attention, in which tokens
# exchange what they have, and a small perceptron, the same for all, in which
# each thinks about it.
#
# $$
# \begin{aligned}
# x'_l &= x_{l-1} + \operatorname{MSA}(\operatorname{LN}(x_{l-1})) \\
# x_l &= x'_l + \operatorname{MLP}(\operatorname{LN}(x'_l))
# \end{aligned}
# $$
#
# *Why add?* For [chapter 4's reason](04_the_teacher.ipynb#why-a-block-adds).
# *Why is the normalisation inside the branch?* Vaswani et al. had it
# outside, $\operatorname{LN}(x + \dots)$, and then nothing passes a block
# unchanged. Inside ("pre-norm"), the sum is a straight road.
#
# It is a **LayerNorm**: mean and variance are those of one token, over its
# $D$ numbers. The rest of the batch has no say, so chapter 4's quarrel with
# BatchNorm does not arise.


# %%
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        wide, narrow = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.mlp = nn.Sequential(wide, nn.GELU(), narrow)

    def forward(self, tokens):
        tokens = tokens + self.attend(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))

    def attend(self, tokens):
        apart = self.query_key_value(tokens).unflatten(-1, (3, self.heads, -1))
        # (batch, tokens, 3, heads, d), and the 3 to the front:
        mixed, self.weights = attention(*apart.permute(2, 0, 3, 1, 4))
        return self.projection(mixed.transpose(1, 2).flatten(2))


# %% [markdown]
# ## All of it
#
# Two things are missing. Where should the answer be read off? One more token
# joins the patches, the **class token**, a learned vector. It asks them
# through all blocks, and a linear head reads it at the end. And the blind
# spot: add to each token a learned vector of its place, the **positional
# embedding** $E_{pos}$ (equation 1; $p_i$ is a patch):
#
# $$
# x_0 = [\, t_{\text{class}};\, E p_1;\, \dots;\, E p_n \,] + E_{pos} .
# $$
#
# Nothing tells the network that place 5 is next to place 6. The rows of
# $E_{pos}$ are seventeen names, drawn at random.
#
# That is all of it, in some forty lines. (It takes patches already cut, so
# that we can shuffle them.) The second cell checks four claims on random
# weights:
#
# 1. A block whose branches end in zeros passes everything unchanged.
# 2. The other images of the batch do not matter.
# 3. Without positions, the logits of a shuffled image are those of the
#    image. The two pictures above are one and the same.
# 4. With positions they are not. But give the rows of $E_{pos}$ *the same*
#    new order, and they are again.


# %%
class VisionTransformer(nn.Module):
    def __init__(self, patches, pixels, width, depth, heads, classes):
        super().__init__()
        token, places = torch.randn(1, 1, width), (1, 1 + patches, width)
        self.patch_projection = nn.Linear(pixels, width)
        self.class_token = nn.Parameter(0.02 * token)
        self.positions = nn.Parameter(0.02 * torch.randn(places))
        blocks = (Block(width, heads) for _ in range(depth))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, classes)

    def forward(self, patches):
        first = self.class_token.expand(len(patches), -1, -1)
        tokens = torch.cat([first, self.patch_projection(patches)], dim=1)
        tokens = self.blocks(tokens + self.positions)
        return self.head(self.norm(tokens)[:, 0])  # (batch, classes)


# %%
sizes = {"patches": 16, "pixels": 4, "width": 32}
sizes |= {"depth": 2, "heads": 4, "classes": 10}
model, x = VisionTransformer(**sizes), torch.randn(7, 16, 4)
with torch.no_grad():
    block, tokens = Block(32, 4), torch.randn(7, 17, 32)
    for last in (block.projection, block.mlp[-1]):
        last.weight.zero_(), last.bias.zero_()
    assert torch.equal(block(tokens), tokens)

    assert_close(model(x)[:1], model(x[:1]))

    nn.init.normal_(model.positions)
    shuffled, placed = x[:, order], model(x)
    assert (model(shuffled) - placed).abs().max() > 0.01
    model.positions[:, 1:] = model.positions[:, 1:][:, order]
    assert_close(model(shuffled), placed, atol=1e-5, rtol=1e-5)
    model.positions.zero_()
    assert_close(model(shuffled), model(x), atol=1e-5, rtol=1e-5)

# %% [markdown]
# ## What are positions worth?
#
# Is the arrangement needed at all, to read a digit? We train the same
# network with positional embedding and without (fixed at zero). Both have
# the same budget, and each the learning rate of one grid that does best on
# the validation images, from one extra seed. Five seeds; within a seed, both
# start from the same weights and see the same batches. The test images score
# each run once. (Below we look at them again, and choose nothing by it.)
#
# **How to read it.** Positions are worth what the interval says, well away
# from zero. Yet a network that *cannot* see where its patches are is right
# far more often than one guess in ten: a bag of patches says much about a
# digit. The last line is claim 3 in numbers. Shuffled test images change
# nothing for that network. The other falls below it: it has learned to read
# the places, and they mislead it. None of this says what positions are worth
# on photographs.


# %%
def trained(with_positions, learning_rate, seed):
    torch.manual_seed(seed)
    model = VisionTransformer(**sizes)
    if not with_positions:
        model.positions.requires_grad_(False).zero_()
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, learning_rate, fused=True)
    schedule = OneCycleLR(optimizer, learning_rate, total_steps=120)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(120):
        batch = torch.randint(len(patches), (64,), generator=generator)
        loss = F.cross_entropy(model(patches[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


# %%
def to_patches(split):
    return cut(split.images.float() / 127.5 - 1, 2), split.labels


def percent_right(model, patches, labels):
    with torch.no_grad():
        predicted = model(patches).argmax(1)
    return 100 * (predicted == labels).double().mean().item()


patches, labels = to_patches(digits)  # (1200, 16, 4)
held_out = to_patches(load("digits", "validation"))
test = to_patches(load("digits", "test"))

# %%
students, scores = {}, {}
for arm in (True, False):
    tried = {r: trained(arm, r, seed=100) for r in (3e-3, 1e-2, 3e-2)}
    best = max(tried, key=lambda r: percent_right(tried[r], *held_out))
    students[arm] = [trained(arm, best, seed) for seed in range(5)]
    scores[arm] = [percent_right(run, *test) for run in students[arm]]
    mean, spread = statistics.mean(scores[arm]), statistics.stdev(scores[arm])
    name = "with positions" if arm else "without"
    print(f"{name:14} {mean:.1f} ± {spread:.1f} % (deviation), rate {best:g}")
gain = paired_difference(scores[True], scores[False])
print(f"difference in points: {gain}")
assert gain.found and gain.mean > 0 and min(scores[False]) > 30

moved = {
    arm: [percent_right(run, test[0][:, order], test[1]) for run in runs]
    for arm, runs in students.items()
}
print(f"with positions, shuffled: {statistics.mean(moved[True]):.1f} %")
assert_close(moved[False], scores[False], atol=0.5, rtol=0)
assert max(moved[True]) < min(moved[False])

# %% [markdown]
# ## Does it find out what is next to what?
#
# Dosovitskiy et al. (section 4.5) saw, in a ViT trained on very many images,
# that places close to each other end up with similar vectors: the plane,
# rediscovered. And ours? Each small square belongs to one place, and shows
# the cosine of its vector with those of all sixteen, averaged over the five
# students. A student that had discovered the plane would show a spot of
# purple that fades with distance.
#
# There is no such halo. Neighbours are not found to be more alike than other
# places (the cell asserts it, and prints which two places are most alike).
# Twelve hundred digits have given each place a name, which is enough to read
# digits. They have not told the network which places are neighbours.

# %% fig_alt="Sixteen small maps, one for each place of the 4 by 4 grid, of the cosine similarity of its positional vector with those of all places. Each is purple at its own place; no halo of similar neighbours is to be seen around it."
vectors = torch.stack([run.positions[0, 1:] for run in students[True]])
unit = F.normalize(vectors.detach(), dim=-1)
cosine = unit @ unit.mT  # (students, places, places)
figure, grid = plt.subplots(4, 4, figsize=(4.4, 3.8))
for axes, similar in zip(grid.flat, cosine.mean(0), strict=True):
    shown = axes.imshow(similar.view(4, 4), cmap="PuOr", vmin=-1, vmax=1)
    axes.set_xticks([]), axes.set_yticks([])
figure.colorbar(shown, ax=grid, shrink=0.7, label="cosine")
plt.show()

place = torch.cartesian_prod(torch.arange(4), torch.arange(4)).float()
steps = torch.cdist(place, place, p=1)
near = [100 * c[steps == 1].mean().item() for c in cosine]
far = [100 * c[steps > 1].mean().item() for c in cosine]
nearness = paired_difference(near, far)
print(f"neighbours minus the rest, in hundredths: {nearness}")
pair = divmod((cosine.mean(0) - 2 * torch.eye(16)).argmax().item(), 16)
print(f"most alike, counted from 0: places {pair[0]} and {pair[1]}")
assert not (nearness.found and nearness.mean > 0)

# %% [markdown]
# ## Where it looks
#
# The weights $A$ can be drawn: for one digit of each of five classes and
# three of the students, how the class token spreads its attention over the
# patches in the last block, averaged over heads. The full tone is a half or
# more.
#
# Is such a map the reason for an answer? Three things speak against it. By
# the last block a token is no longer its patch: others are mixed in. A
# weight says how much of a value is taken, not what the value says. And
# students that do the same task look at different places; the cell prints
# how much their maps agree.
#
# So test the map. Blank the patch that is looked at most, and count what is
# still right. That hurts more than blanking a patch at random: the map is no
# fiction. But blank the patch with the most *ink*, for which nobody needs a
# map, and it hurts about as much: what lies between these two is small beside
# what chance is behind. Without that control the map would have had the
# credit.


# %% fig_alt="Five test digits, 0 to 4, in the first row; below each, three 4 by 4 maps of the class token's attention in the last block, one for each of three students. The maps differ from student to student."
def looked_at(model):
    with torch.no_grad():
        model(test[0])
    return model.blocks[-1].weights[:, :, 0, 1:].mean(1)  # (images, patches)


maps = torch.stack([looked_at(run) for run in students[True]])
figure, grid = plt.subplots(4, 5, figsize=(5, 4))
for label, column in enumerate(grid.T):
    first = (test[1] == label).nonzero()[0, 0]
    column[0].imshow(assembled(test[0][first].view(16, 2, 2)), cmap="gray_r")
    for axes, weights in zip(column[1:], maps[:3, first], strict=True):
        axes.imshow(weights.view(4, 4), cmap="BuPu", vmin=0, vmax=0.5)
for axes in grid.flat:
    axes.set(xticks=[], yticks=[])
plt.show()
agreement = torch.corrcoef(maps.flatten(1))[~torch.eye(5).bool()]
print(f"correlation of two students' maps: {agreement.mean():.2f}")
assert agreement.mean() < 0.6


# %%
def right_without(model, chosen):
    blanked = test[0].clone()
    blanked[torch.arange(len(chosen)), chosen] = -1  # the paper
    return percent_right(model, blanked, test[1])


anywhere = torch.randint(16, test[1].shape)
inked = test[0].sum(-1).argmax(1)
by_map, by_ink, at_random = (
    [right_without(*pair) for pair in zip(students[True], chosen, strict=True)]
    for chosen in (maps.argmax(-1), [inked] * 5, [anywhere] * 5)
)
against_chance = paired_difference(by_map, at_random)
against_ink = paired_difference(by_map, by_ink)
print(f"most looked at, minus a random patch: {against_chance}")
print(f"most looked at, minus the most ink: {against_ink}")
assert against_chance.found and against_chance.mean < 0
assert abs(against_ink.mean) < -against_chance.mean / 2

# %% [markdown]
# ## Why it needs more data, or a teacher
#
# Claim 4 says it all. Scramble the patches of every image in one fixed way,
# and the rows of $E_{pos}$ with them: not one logit changes. As the rows
# start as random names, any order is as good as another. So a ViT learns
# from scrambled photographs *as well as from photographs*. A CNN does not:
# its 3 x 3 windows would see pieces that do not belong together.
#
# What a CNN knows by its build, the paper calls *inductive bias* (section
# 3.1). A ViT must find it out, and ours did not. With enough images that is
# no loss: trained on ImageNet alone, large ViTs stayed behind ResNets, and
# with 300 million images they went ahead (section 4.3). Touvron et al.
# ([2021](../docs/references.md#touvron2021)) took the other way: ImageNet
# only, strong augmentation, and a teacher. A convnet taught better than a
# transformer (section 5.2), perhaps because its answers carry what it was
# built to believe. [Chapter 9](09_vit_to_cnn.ipynb) compares the mistakes that
# the two kinds pass on.
#
# **Held to the library.** A trained student's weights, copied into
# [`labkd.vit.VisionTransformer`](../labkd/vit.py#VisionTransformer), which
# has the strided convolution and PyTorch's own attention, give the same
# logits. One matrix changes its shape.

# %%
ours = students[True][0]
theirs = vit.VisionTransformer(
    image_size=8,
    patch_size=2,
    in_channels=1,
    num_classes=10,
    width=32,
    depth=2,
    heads=4,
    mlp_ratio=2.0,
)
weights = dict(ours.state_dict())
kernel = weights["patch_projection.weight"].view(32, 1, 2, 2)
theirs.load_state_dict(weights | {"patch_projection.weight": kernel})
images = load("digits", "test").images.float() / 127.5 - 1
with torch.no_grad():
    logits = theirs.eval()(images)
    assert_close(ours(test[0]), logits, atol=1e-5, rtol=1e-5)

# %% [markdown]
# ## Exercises
#
# **1. The sky asks.** In the toy, the sky's query is $(0, 0, 2, 2)$. Which
# weights does it give, and with what does it leave? And without the root?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The wheel's weights in reverse, $(0.090, 0.245, 0.665)$; it leaves with
# about $(2.751, 3.150)$. Without the root they are chapter 2's at
# temperature 1, $(0.016, 0.117, 0.867)$, and it leaves with about
# $(3.483, 3.702)$.
#
# </details>
#
# **2. Smaller patches.** Take patches of one pixel. How many tokens are
# there, how much larger is $A$, and what has become of $E$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# 65 tokens instead of 17, so $(65/17)^2 \approx 14.6$ times the entries in
# $A$. $E$ has a single column: each pixel multiplies one vector.
#
# </details>
#
# **3. No class token.** Drop it, and let the head read the mean of all
# tokens. Which of the four claims still hold?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# All. A mean does not depend on the order, so an equivariant network with a
# mean at its end is as invariant as before. The class token lets the network
# learn *how* to average.
#
# </details>
#
# **4. Scrambled digits.** Permute the patches of all images, training and
# test alike, by `order`. Train the network with positions on them, and
# chapter 1's CNN. What do you expect?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# For the ViT `patches[:, order]`, for the CNN the pictures put together with
# `assembled`. Expect no difference beyond the seed's for the ViT, to which
# both tasks are the same, and a loss for the CNN.
#
# </details>
#
# **5. A pattern found by looking.** The vectors of two corners came out most
# alike when this page was made. Guess why, and test the guess properly.
#
# <details markdown="1">
# <summary>Solution</summary>
#
# A guess: both are blank in most digits, so nothing pulls their vectors
# apart. These seeds showed the pattern, so they cannot confirm it: train
# five new ones, and compare pairs of blank places with all others.
#
# </details>

# %% [markdown]
# ## References
#
# - Dosovitskiy et al., *An Image is Worth 16x16 Words*
#   ([2021](../docs/references.md#dosovitskiy2021)): section 3.1, equations 1
#   to 4, and its paragraph on inductive bias; sections 4.3 and 4.5.
# - Vaswani et al., *Attention Is All You Need*
#   ([2017](../docs/references.md#vaswani2017)): section 3.2.1, equation 1,
#   and its footnote on $\sqrt d$; section 3.2.2 for heads.
# - Touvron et al., *Training Data-Efficient Image Transformers and
#   Distillation through Attention*
#   ([2021](../docs/references.md#touvron2021)): section 5.2.
# - The code: [vit.py](../labkd/vit.py).
