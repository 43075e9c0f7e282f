# %% [markdown]
# # 5 · A Vision Transformer
#
# > [!NOTE]
# > **Question.** What is a Vision Transformer, and what is it not told that a
# > CNN is built with?
# >
# > **Answer.** It cuts an image into patches and lets them exchange
# > information. Where a patch stands, it knows only by a learned vector for
# > each place. Which places are neighbours it is not told; on shifted images
# > it found out, on others not.
# >
# > **Evidence.** Cutting and attention are checked against PyTorch. Two kinds
# > of training are compared on scikit-learn's digits, three networks of each
# > kind, and three CNNs beside them.
# >
# > Before: a training loop in PyTorch (chapter 1). To read: twelve minutes.
# > To run: under a minute.
#
# A convolutional network (CNN) like the teacher of
# [chapter 4](04_the_teacher.ipynb) is *built* to expect two things.
# Neighbouring pixels belong together: each of its filters sees a window of 3
# by 3 pixels. And a wheel is a wheel wherever it stands: the same filters are
# used at every place. A ViT treats all parts of an image alike, too, but is
# not told which of them are neighbours.

# %% tags=["setup"]
from importlib.util import find_spec

if find_spec("labkd") is None:  # in Colab, say
    address = "labkd[course] @ git+https://github.com/labkd/labkd"
    get_ipython().run_line_magic("pip", f"install -q '{address}'")  # noqa: F821

import math
import statistics

import matplotlib.pyplot as plt
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close
from torch.utils.data import DataLoader, TensorDataset

from labkd import figures, vit
from labkd.data import load
from labkd.inference import paired_difference
from labkd.pictures import picture
from labkd.verdicts import verdict

# %config InlineBackend.figure_format = "retina"
figures.use_style()
torch.set_num_threads(1)  # quicker for networks this small

# %% [markdown]
# ## The way of an image
#
# The Vision Transformer (ViT) is due to Dosovitskiy et al.
# ([2021](../docs/references.md#dosovitskiy2021), section 3.1). An image is
# cut into square **patches**. Each patch becomes a vector, called a
# **token**. In a number of equal **blocks** the tokens exchange what they
# have and work on it. One token, which belongs to no patch, is read at the
# end, and a linear layer makes ten logits of it.
#
# The picture has an image of 32 pixels in 16 patches. From the first block to
# the last there are 17 tokens of the same length. Only what they hold changes:
# at first one patch each, later something of the whole image.

# %% tags=["hide-input"]
picture("vision_transformer")

# %% [markdown]
# ## Patches
#
# With $c$ channels, a patch of $P$ by $P$ pixels is a list of $c P^2$
# numbers. PyTorch's `unfold` does the cutting. One matrix $E$, the same for
# every patch, then turns the list into a token of width $D$.
#
# Most libraries write both steps as one convolution whose stride is as long as
# its window: then each window is a patch, and each kernel is a row of $E$.


# %%
def cut(images, patch_size):
    pieces = F.unfold(images, patch_size, stride=patch_size)
    return pieces.transpose(1, 2)  # (batch, patches, numbers in a patch)


images = torch.randn(5, 3, 8, 8)
E = nn.Linear(3 * 2 * 2, 32)
convolution = nn.Conv2d(3, 32, kernel_size=2, stride=2)
with torch.no_grad():
    convolution.weight.copy_(E.weight.view(32, 3, 2, 2))
    convolution.bias.copy_(E.bias)
tokens = E(cut(images, 2))  # (batch, 16 patches, 32)
assert_close(tokens, convolution(images).flatten(2).transpose(1, 2))

# %% [markdown]
# Here is what a network gets to see of a digit of 8 by 8 pixels: sixteen
# patches of 2 by 2 pixels in a row, with their places numbered. Which of them
# lie side by side cannot be seen there.
#
# On the right the sixteen are **scrambled**, put together in another order. We
# use such images below to ask what a network knows of places.


# %%
def scramble(images, order):
    patches = cut(images, 2)[:, order]
    size = images.shape[-2:]
    return F.fold(patches.transpose(1, 2), size, 2, stride=2)


order = torch.randperm(16, generator=torch.Generator().manual_seed(1))

# %% fig_alt="A handwritten three of 8 by 8 pixels under a grid of 4 by 4 numbered patches; beside it the same sixteen patches in another order, in which no digit can be seen; below both, the patches as one row, numbered from 0 to 15." tags=["hide-input"]
digits = load("digits", "train")
three = digits.images[digits.labels == 3][:1].float()
row_of_patches = cut(three, 2).view(16, 2, 2).permute(1, 0, 2).reshape(2, 32)
panels = {
    "a digit in 16 patches": (three[0, 0], range(16)),
    "the same, scrambled": (scramble(three, order)[0, 0], order.tolist()),
    "what the network gets: a list of patches": (row_of_patches, range(16)),
}
figure, axes = plt.subplot_mosaic("AB;CC", height_ratios=[4, 1])
figure.set_size_inches(4.4, 3.2)
for panel, (title, (pixels, names)) in zip("ABC", panels.items(), strict=True):
    axes[panel].imshow(pixels, cmap="gray_r", vmax=450)
    axes[panel].set_title(title, fontsize=11)
    axes[panel].set(xticks=[], yticks=[])
    columns = pixels.shape[1] // 2
    for place, name in enumerate(names):
        left, top = 2 * (place % columns), 2 * (place // columns)
        square = plt.Rectangle((left - 0.5, top - 0.5), 2, 2, fill=False)
        square.set_edgecolor(figures.STUDENT)
        axes[panel].add_patch(square)
        axes[panel].text(
            left + 0.5, top + 0.5, name, ha="center", va="center", fontsize=9
        )
plt.show()

# %% [markdown]
# ## Attention
#
# In attention every token collects something from all tokens. From each,
# three linear maps make three vectors: a **query**, what it looks for; a
# **key**, what it can be found by; and a **value**, what it hands over.
# Stacked as rows they are $Q$, $K$ and $V$. The product of a query and a key
# is a **score**: how well they fit. Attention (Vaswani et al.,
# [2017](../docs/references.md#vaswani2017), equation 1) is a weighted mean of
# the values,
#
# $$
# A V \quad\text{with}\quad
# A = \operatorname{softmax}\bigl( Q K^\top / \sqrt d \bigr) ,
# $$
#
# where a query has $d$ numbers, and the softmax is taken along each row.
#
# By hand, for three patches of a truck and $d = 4$, so that scores are divided
# by 2. The wheel's query is $(2, 2, 0, 0)$:
#
# | | key | value | score / $\sqrt d$ | weight |
# |---|---|---|---|---|
# | wheel | 1, 1, 0, 0 | 1, 0 | 4 / 2 | 0.665 |
# | door | 1, 0, 1, 0 | 0, 2 | 2 / 2 | 0.245 |
# | sky | 0, 0, 1, 1 | 4, 4 | 0 / 2 | 0.090 |
#
# It receives $0.665 \cdot (1, 0) + 0.245 \cdot (0, 2) + 0.090 \cdot (4, 4)
# = (1.025, 0.850)$.


# %%
def attention(query, key, value):
    scores = query @ key.mT / math.sqrt(query.shape[-1])
    weights = scores.softmax(dim=-1)  # each row adds up to 1
    return weights @ value


query = torch.tensor([[2.0, 2, 0, 0]])
key = torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1]])
value = torch.tensor([[1.0, 0], [0, 2], [4, 4]])
wheel = attention(query, key, value)
assert_close(wheel, torch.tensor([[1.025, 0.850]]), atol=1e-3, rtol=0)
assert_close(wheel, F.scaled_dot_product_attention(query, key, value))

# %% [markdown]
# ### Why divide by the root of d?
#
# Suppose that the numbers in queries and keys are independent, with mean 0 and
# variance 1. A score is then a sum of $d$ products, each of variance 1, so its
# variance is $d$. Large scores make the softmax nearly one-hot: each token
# hears one token, and the gradient through the softmax nearly vanishes.
# Divided by $\sqrt d$, scores have variance 1 for every $d$. (The root is a
# temperature, as in [chapter 2](02_temperature.ipynb).)
#
# The table shows the largest of 16 weights for random queries and keys, on
# average.

# %%
torch.manual_seed(0)
rows = []
for d in (4, 64, 1024):
    query, key = torch.randn(2, 300, 16, d)
    scores = query @ key.mT
    scaled = scores / math.sqrt(d)
    rows.append(
        {
            "variance of scores": scores.var().item(),
            "largest weight": scores.softmax(-1).amax(-1).mean().item(),
            "with the root": scaled.softmax(-1).amax(-1).mean().item(),
        }
    )
pd.DataFrame(rows, index=["d = 4", "d = 64", "d = 1024"]).round(2)

# %% [markdown]
# ### Several heads
#
# One softmax makes one mean. A wheel that asks for the other wheel *and* for
# the road would get a blend of both. So $Q$, $K$ and $V$ are cut into $h$
# **heads** of $d = D / h$ columns, each with its own softmax. Their results
# are put side by side, and one more linear map mixes them.


# %%
class MultiHeadAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)
        self.projection = nn.Linear(width, width)

    def forward(self, tokens):
        query, key, value = self.query_key_value(tokens).chunk(3, dim=-1)
        mixed = attention(
            self.split(query), self.split(key), self.split(value)
        )
        return self.projection(mixed.transpose(1, 2).flatten(2))

    def split(self, tokens):  # to (batch, heads, tokens, d)
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


# %% [markdown]
# ## The block
#
# A block has two branches (Dosovitskiy's equations 2 and 3). In the first,
# tokens exchange information by attention (MSA, for multi-head
# self-attention). In the second, a perceptron with one hidden layer (MLP)
# works on each token by itself. What branches of block $l$ compute is *added*
# to what came in, as in the [residual
# block](04_the_teacher.ipynb#the-residual-block) of chapter 4:
#
# $$
# \begin{aligned}
# x'_l &= x_{l-1} + \operatorname{MSA}(\operatorname{LN}(x_{l-1})) \\
# x_l &= x'_l + \operatorname{MLP}(\operatorname{LN}(x'_l)) .
# \end{aligned}
# $$
#
# LN is LayerNorm: it gives the $D$ numbers of *one* token mean 0 and variance
# 1, then scales and shifts them by learned vectors. Other images of the batch
# have no part in it, unlike in BatchNorm.


# %%
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.attention = MultiHeadAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, width),
        )

    def forward(self, tokens):
        tokens = tokens + self.attention(self.attention_norm(tokens))
        return tokens + self.mlp(self.mlp_norm(tokens))


# %% [markdown]
# ## The tokens
#
# From which token should the answer be read? One more joins the patches, the
# **class token**: a learned vector, the same for every image. In the blocks it
# collects what it needs from the patches.
#
# And where does a patch stand? To each token a learned vector of its place is
# added, a row of the **position embedding** $E_{pos}$ (equation 1; $p_1$ to
# $p_n$ are the patches):
#
# $$
# x_0 = [\, t_{\text{class}};\, E p_1;\, \dots;\, E p_n \,] + E_{pos} .
# $$
#
# $E_{pos}$ starts at random. Nothing tells the network that place 5 is next to
# place 6.


# %%
class Tokens(nn.Module):
    def __init__(self, patches, numbers, width):
        super().__init__()
        self.patch_projection = nn.Linear(numbers, width)
        self.class_token = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.positions = nn.Parameter(
            0.02 * torch.randn(1, 1 + patches, width)
        )

    def forward(self, patches):
        first = self.class_token.expand(len(patches), -1, -1)
        tokens = torch.cat([first, self.patch_projection(patches)], dim=1)
        return tokens + self.positions  # (batch, 1 + patches, width)


# %% [markdown]
# ## The network
#
# A ViT is no more than this: cut, make tokens, apply the blocks, read the
# class token.


# %%
class VisionTransformer(nn.Module):
    def __init__(self, image_size, patch_size, width, depth, heads):
        super().__init__()
        self.patch_size = patch_size
        patches = (image_size // patch_size) ** 2
        self.tokens = Tokens(patches, patch_size**2, width)
        self.blocks = nn.Sequential(
            *[Block(width, heads) for _ in range(depth)]
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.head = nn.Linear(width, 10)

    def forward(self, images):
        tokens = self.tokens(cut(images, self.patch_size))
        tokens = self.norm(self.blocks(tokens))
        return self.head(tokens[:, 0])  # logits, (batch, 10)


# %% [markdown]
# Ours is tiny. The paper's ViT-B has twelve blocks and tokens of 768 numbers.


# %%
def new_network(seed):
    torch.manual_seed(seed)
    return VisionTransformer(
        image_size=8, patch_size=2, width=32, depth=2, heads=4
    )


# %% [markdown]
# ## Attention does not know where anything is
#
# Put the tokens of the patches into another order: multiply $Q$, $K$ and $V$
# by a permutation matrix $\Pi$ that leaves the class token first. Softmax
# works row by row, so it is permuted alike; and $\Pi^\top \Pi = 1$:
#
# $$
# \begin{aligned}
# \operatorname{softmax}\bigl( \Pi Q K^\top \Pi^\top / \sqrt d \bigr) \, \Pi V
#   &= \Pi A \Pi^\top \Pi V \\
#   &= \Pi A V .
# \end{aligned}
# $$
#
# The outputs come in the new order, otherwise the same. MLP and LayerNorm
# treat each token by itself. So the place of a patch comes in by
# $E_{pos}$ and by nothing else: scramble the patches of every image and the
# rows of $E_{pos}$ in the same way, and no logit changes.
#
# As the rows start at random, every order is as good as another. *In a fixed
# order a ViT learns scrambled digits as easily.* A CNN does not: its windows
# see pieces that do not belong together (exercise 4).

# %%
model = new_network(seed=0)
images = torch.rand(20, 1, 8, 8)
with torch.no_grad():
    logits = model(images)
    assert not torch.allclose(model(scramble(images, order)), logits)
    places = model.tokens.positions[:, 1:]
    model.tokens.positions[:, 1:] = places[:, order]
    assert_close(model(scramble(images, order)), logits)

# %% [markdown]
# ## Training it
#
# Does it find out by itself which places are neighbours? We train it on
# scikit-learn's digits in two ways: on the images as they are, and on images
# moved, a whole batch alike, by up to one pixel. They are never mirrored: a
# mirrored 3 is not a 3.


# %%
def shifted(images):
    padded = F.pad(images, (1, 1, 1, 1), value=-1.0)  # blank paper
    top, left = torch.randint(3, (2,)).tolist()
    return padded[:, :, top : top + 8, left : left + 8]


# %% [markdown]
# The loop is the usual one. `model.train()` makes no difference to this
# network, but it does to others. The learning rate rises at first and then
# falls to zero.


# %%
def train(model, batches, epochs, learning_rate, shift):
    device = next(model.parameters()).device
    optimizer = torch.optim.AdamW(
        model.parameters(), learning_rate, fused=True
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, epochs * len(batches), cycle_momentum=False
    )
    for _ in range(epochs):
        model.train()
        for images, labels in batches:
            images, labels = images.to(device), labels.to(device)
            if shift:
                images = shifted(images)
            loss = F.cross_entropy(model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()


# %% tags=["setup"]
@torch.no_grad()
def percent_right(model, images, labels):
    model.eval()
    predicted = model(images).argmax(dim=1)
    return 100 * (predicted == labels).double().mean().item()


def pixels_and_labels(split):
    data = load("digits", split)
    return data.images.float() / 127.5 - 1, data.labels


# %% [markdown]
# Three networks learn from the digits as they are, three from shifted ones.
# All have the same 1,200 training images, steps and learning rate. The test
# digits were written mostly by other people.
#
# Both kinds learn to read. Scramble the test images and leave the places as
# they are, and both ViTs fail: they do use $E_{pos}$.
#
# The last row is a CNN with about as many parameters, trained on the digits
# as they are. Scrambled ones it cannot read either. Each of the three was
# right more often than every ViT. But no learning rate was tuned, so the table
# does not say which training is better, or how far a ViT must stay behind.

# %%
images, labels = pixels_and_labels("train")
digits = TensorDataset(images, labels)
batches = DataLoader(digits, batch_size=64, shuffle=True)
networks = {"as they are": [], "shifted": []}
for kind, trained in networks.items():
    for seed in range(3):
        model = new_network(seed)
        train(model, batches, 34, 5e-3, shift=(kind == "shifted"))
        trained.append(model)


# %% tags=["hide-input"]
def new_cnn(seed):
    torch.manual_seed(seed)
    first = nn.Conv2d(1, 24, 3, padding=1)
    second = nn.Conv2d(24, 48, 3, padding=1)
    head = nn.Linear(48 * 4 * 4, 10)
    small = nn.Sequential(nn.MaxPool2d(2), nn.Flatten(), head)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), small)


cnns = [new_cnn(seed) for seed in range(3)]
for model in cnns:
    train(model, batches, 34, 5e-3, shift=False)
images, labels = pixels_and_labels("test")
kinds = {f"ViT, {kind}": trained for kind, trained in networks.items()}
rows = {}
for kind, trained in (kinds | {"CNN, as they are": cnns}).items():
    right = [percent_right(model, images, labels) for model in trained]
    scrambled = scramble(images, order)
    lost = [percent_right(model, scrambled, labels) for model in trained]
    parameters = sum(p.numel() for p in trained[0].parameters())
    rows[kind] = {
        "parameters": f"{parameters:,}",
        "test digits, %": f"{statistics.mean(right):.1f}",
        "lowest": f"{min(right):.1f}",
        "highest": f"{max(right):.1f}",
        "scrambled, %": f"{statistics.mean(lost):.1f}",
    }
pd.DataFrame(rows).T

# %% [markdown]
# ## Which places are neighbours?
#
# In a ViT trained on very many images, places that are close to each other
# end up with similar vectors (Dosovitskiy et al.,
# [2021](../docs/references.md#dosovitskiy2021), section 4.5). In ours?
#
# For every pair of the sixteen places we take the cosine of their two
# vectors in $E_{pos}$, and count the steps from one place to the other along
# rows and columns. Neighbours are one step apart. In the figure a dot is one
# network, a line their mean.


# %%
row, column = torch.arange(16) // 4, torch.arange(16) % 4
steps = (row[:, None] - row).abs() + (column[:, None] - column).abs()


@torch.no_grad()
def cosines(model):
    vectors = F.normalize(model.tokens.positions[0, 1:], dim=1)
    return vectors @ vectors.T  # (16 places, 16 places)


# %% fig_alt="Cosine of two places' position vectors against the steps between the places, for both kinds of training, a dot for each of three networks and a line through the means. After training on shifted digits neighbours are alike and the line falls below zero from two steps on. After training on the digits as they are it stays near zero up to five steps and rises only at six, the distance of opposite corners." tags=["hide-input"]
figure, axes = plt.subplots(figsize=(4.4, 3.2))
axes.axhline(0, color=figures.OTHER, linewidth=1)
for kind, colour in zip(
    networks, (figures.STUDENT, figures.CORRECT), strict=True
):
    curves = torch.tensor(
        [
            [cosines(model)[steps == d].mean().item() for d in range(1, 7)]
            for model in networks[kind]
        ]
    )  # (networks, distances)
    axes.plot(range(1, 7), curves.T, ".", color=colour, alpha=0.5)
    axes.plot(range(1, 7), curves.mean(0), color=colour, label=kind)
axes.set(xlabel="steps between two places", ylabel="cosine of their vectors")
axes.legend(title="training digits")
plt.show()

# %% [markdown]
# Trained on shifted digits, neighbours' vectors are much more alike than
# others, and likeness fades with distance. A likely reason, not tested, is
# that a shift by one pixel moves half of a patch into the next one, so that
# what one place shows now, its neighbour shows later.
#
# Trained on the digits as they are, neighbours' vectors were **not found** to
# be more alike than those of other pairs. A name for each place is enough to
# read digits that always stand in the middle. (Six steps apart are only
# opposite corners, blank in most digits.)
#
# All this is about digits, not about photographs. (*Others* are all pairs
# more than one step apart; *from* and *to* are the ends of the 95 % interval
# over the three networks.)

# %% tags=["hide-input"]
columns = {}
for kind, trained in networks.items():
    near = [cosines(m)[steps == 1].mean().item() for m in trained]
    far = [cosines(m)[steps > 1].mean().item() for m in trained]
    difference = paired_difference(near, far)
    columns[kind] = {
        "neighbours − others": f"{difference.mean:+.2f}",
        "from": f"{difference.low:+.2f}",
        "to": f"{difference.high:+.2f}",
        "verdict": verdict(difference).words,
    }
pd.DataFrame(columns)

# %% [markdown]
# ## Many images, or a teacher
#
# What a network is built to expect is called its **inductive bias**
# (Dosovitskiy et al., [2021](../docs/references.md#dosovitskiy2021), section
# 3.1). What a CNN has from the first step, a ViT can only find in its images.
# Dosovitskiy et al. varied their number: trained on ImageNet alone, large ViTs
# stayed behind ResNets; with 300 million images they overtook them (section
# 4.3).
#
# Touvron et al. ([2021](../docs/references.md#touvron2021)) took another way:
# ImageNet only, strong augmentation and a teacher. A CNN taught their ViT
# better than another transformer did (section 5.2), perhaps because its
# answers carry some of its inductive bias. In
# [chapter 6](06_from_cnn_to_vit.ipynb) a ResNet-18 teaches a ViT.

# %% [markdown]
# ## Check against the library
#
# With the weights of one of our networks,
# [`labkd.vit.VisionTransformer`](../labkd/vit.py#VisionTransformer), which
# the other chapters use, gives the same logits.

# %% tags=["setup"]
ours = networks["shifted"][0]
library = vit.VisionTransformer(
    image_size=8,
    patch_size=2,
    in_channels=1,
    num_classes=10,
    width=32,
    depth=2,
    heads=4,
    mlp_ratio=2.0,
)
weights = {
    name.removeprefix("tokens.").replace("attention.", ""): value
    for name, value in ours.state_dict().items()
}
kernels = weights["patch_projection.weight"].view(32, 1, 2, 2)
library.load_state_dict(weights | {"patch_projection.weight": kernels})
with torch.no_grad():
    assert_close(library.eval()(images), ours(images), atol=1e-4, rtol=1e-4)

# %% [markdown]
# ## Exercises
#
# **1. The sky asks.** In the example by hand, the sky's query is $(0, 0, 2,
# 2)$. Which weights does it give, and what does it receive? And without the
# root?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# The scores are 0, 2 and 4, so the weights are the wheel's in reverse,
# $(0.090, 0.245, 0.665)$, and it receives about $(2.751, 3.150)$. Without the
# root they are $(0.016, 0.117, 0.867)$, and it receives about $(3.483,
# 3.702)$.
#
# </details>
#
# **2. Smaller patches.** Take patches of one pixel. How many tokens are
# there, how many times as many weights has $A$, and what becomes of $E$?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# 65 tokens instead of 17, so $(65/17)^2 \approx 14.6$ times the weights in
# $A$. $E$ has a single column: each pixel multiplies one vector.
#
# </details>
#
# **3. No class token.** Leave it out, and let the head read the mean of all
# tokens. If the patches and the rows of $E_{pos}$ are scrambled together, do
# the logits still stay? And if $E_{pos}$ is zero and only the patches are
# scrambled?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# They stay in both cases. The tokens come out in another order, and a mean
# does not depend on the order. The class token lets the network learn *how*
# to average.
#
# </details>
#
# **4. Scrambled digits.** Scramble the patches of all images, training and
# test alike, in one fixed order. Train a ViT and a small CNN on them, and on
# the digits as they are. What do you expect?
#
# <details markdown="1">
# <summary>Solution</summary>
#
# Nothing changes for the ViT if its rows of $E_{pos}$ start in the new order
# too: it goes through the same steps to the same answers. With random rows,
# both tasks are equally hard. The CNN loses accuracy: in the file of
# solutions, over six orders and with 300 digits, the interval excludes zero.
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
