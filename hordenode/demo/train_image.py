# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Trains the image model: encodes the pictures, teaches the text encoder the layout of a caption, then denoises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor, nn

from hordenode.demo.autoencoder import FACTOR, LATENT_CHANNELS, AutoEncoder
from hordenode.demo.denoiser import TEXT_LENGTH, TEXT_WIDTH, Attention, Denoiser, FeedForward, TextEncoder
from hordenode.demo.draw import SIZE, draw_picture
from hordenode.demo.schedule import STEPS, signal_and_noise
from hordenode.demo.sightings import relation_of
from hordenode.demo.train_autoencoder import to_tensor
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average

START, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"
START_ID, END_ID, UNKNOWN_ID = 0, 1, 2
TOKENIZER, STATISTICS = "image-tokenizer.json", "latent-statistics.pt"
# Where the denoiser starts that goes on from a shipped model; it needs no layout.
START_FILE = "denoiser-start.pt"
# Captions into which an unknown word or two are put, so that the model learns to pass over them.
UNKNOWN_SHARE = 0.15
LAYOUT_BATCH = 128
BATCH = 64
# Captions left out, so that guidance has an unconditional prediction to push away from.
EMPTY_SHARE = 0.1
LAYOUT_SIDE = 8
WEIGHT_OF_A_RELATION = 2.5
# Pictures encoded at once, and pictures that mean and deviation are taken of.
CHUNK, SAMPLE = 50, 10_000


@dataclass(frozen=True)
class ImageData:
    """Encoded pictures.

    `latents` is [N, 16, 16, 16] of zero mean and unit variance per channel; caption k of picture i is row
    `first[i] + k` of `captions` [M, 40], k below `count[i]`. `mean` and `deviation` are [1, 16, 1, 1]; `weight` [N]
    says how often a picture is picked.
    """

    latents: Tensor
    captions: Tensor
    first: Tensor
    count: Tensor
    mean: Tensor
    deviation: Tensor
    weight: Tensor

    def batch(self, size: int, random: torch.Generator) -> tuple[Tensor, Tensor]:
        """Pick latents [size, 16, 16, 16] and for each of them one of its captions [size, 40]."""
        chosen = torch.multinomial(self.weight, size, replacement=True, generator=random)
        share = torch.rand(size, generator=random)
        row = self.first[chosen] + (share * self.count[chosen]).long()
        latents = self.latents[chosen].float().contiguous(memory_format=torch.channels_last)
        return latents, self.captions[row].long()


def train_tokenizer(captions: list[str]) -> Tokenizer:
    """Take the captions' words as they are, in lower case; any other word becomes one and the same unknown token."""
    tokenizer = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    # Letters and digits make words; whatever stands between them says nothing.
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[a-z0-9]+"), behavior="removed", invert=True)
    tokenizer.train_from_iterator(
        captions, trainers.WordLevelTrainer(special_tokens=[START, END, UNKNOWN], show_progress=False)
    )
    return tokenizer


def encode_caption(tokenizer: Tokenizer, caption: str) -> list[int]:
    """Return exactly 40 token ids: start, words, end, and further ends as padding."""
    words = tokenizer.encode(caption, add_special_tokens=False).ids
    return padded(words)


def padded(words: list[int]) -> list[int]:
    """Put start and end around token ids and fill up to 40."""
    words = words[: TEXT_LENGTH - 2]
    return [START_ID, *words] + [END_ID] * (TEXT_LENGTH - 1 - len(words))


def with_unknowns(words: list[int], random: Random) -> list[int]:
    """Put an unknown word or two between the others, in some captions."""
    result = list(words)
    if random.random() < UNKNOWN_SHARE:
        for _ in range(random.choice((1, 1, 2))):
            result.insert(random.randint(0, len(result)), UNKNOWN_ID)
    return result


def encode_data(folder: Path, pictures: int) -> ImageData:
    """Draw and encode the pictures of seeds 0 to `pictures`, cached in the folder.

    Also writes the tokenizer and the latents' mean and deviation, unless the folder has them.
    """
    file = folder / f"latents-{pictures}.pt"
    if not file.exists():
        auto = AutoEncoder()
        load_average(auto, folder / "autoencoder.pt")
        latents, captions = _draw_and_encode(auto, pictures)
        if not (folder / TOKENIZER).exists():
            train_tokenizer([text for texts in captions for text in texts]).save(str(folder / TOKENIZER))
        count = torch.tensor([len(texts) for texts in captions])
        mean, deviation = _statistics(folder, latents)
        for at in range(0, pictures, SAMPLE):
            part = latents[at : at + SAMPLE]
            part.copy_((part.float() - mean) / deviation)
        state = {
            "latents": latents,
            "captions": _rows(load_tokenizer(folder), captions),
            "first": count.cumsum(0) - count,
            "count": count,
            "mean": mean,
            "deviation": deviation,
            "weight": relation_weights(captions),
        }
        torch.save(state, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    return ImageData(**torch.load(file, weights_only=True, mmap=True))


def relation_weights(captions: list[tuple[str, ...]]) -> Tensor:
    """Weigh pictures [N] whose captions name a relation more: which colour belongs where is learned last."""
    return torch.tensor([WEIGHT_OF_A_RELATION if relation_of(texts[0]) else 1.0 for texts in captions])


def _statistics(folder: Path, latents: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation [1, 16, 1, 1] of every latent channel."""
    file = folder / STATISTICS
    if not file.exists():
        deviation, mean = torch.std_mean(latents[:SAMPLE].float(), dim=(0, 2, 3), keepdim=True)
        torch.save({"mean": mean, "deviation": deviation}, file)
    kept: dict[str, Tensor] = torch.load(file, weights_only=True)
    return kept["mean"], kept["deviation"]


def _rows(tokenizer: Tokenizer, captions: list[tuple[str, ...]]) -> Tensor:
    random = Random(6)
    rows = []
    for texts in captions:
        for text in texts:
            words = tokenizer.encode(text, add_special_tokens=False).ids
            rows.append(padded(with_unknowns(words, random)))
    return torch.tensor(rows, dtype=torch.int16)


def _draw_and_encode(auto: AutoEncoder, pictures: int) -> tuple[Tensor, list[tuple[str, ...]]]:
    """Latents [N, 16, 16, 16] in half precision, as the encoder gives them, and captions."""
    side = SIZE // FACTOR
    latents = torch.empty(pictures, LATENT_CHANNELS, side, side, dtype=torch.half)
    captions = []
    for at in range(0, pictures, CHUNK):
        drawn = [draw_picture(seed) for seed in range(at, min(at + CHUNK, pictures))]
        captions += [picture.captions for picture in drawn]
        with torch.no_grad(), half_precision():
            latents[at : at + CHUNK] = auto.encode(to_tensor(np.stack([picture.pixels for picture in drawn])))
    return latents, captions


class Layout(nn.Module):
    """A text encoder with a small head that paints the caption's average picture, 8 x 8 places in latents.

    It costs a hundredth of a denoising step and teaches the encoder which colour and shape belongs where.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.places = nn.Parameter(torch.randn(LAYOUT_SIDE**2, TEXT_WIDTH) * 0.5)
        self.looks = nn.ModuleList(Attention(TEXT_WIDTH, TEXT_WIDTH) for _ in range(2))
        self.feeds = nn.ModuleList(FeedForward(TEXT_WIDTH, 2) for _ in range(2))
        self.norm = nn.LayerNorm(TEXT_WIDTH)
        self.paint = nn.Linear(TEXT_WIDTH, LATENT_CHANNELS)

    def forward(self, captions: Tensor) -> Tensor:
        """Map captions [B, 40] to [B, 16, 8, 8]."""
        text = self.encoder(captions)
        x = self.places.expand(len(captions), -1, -1)
        for look, feed in zip(self.looks, self.feeds, strict=True):
            x = x + look(self.norm(x), text)
            x = x + feed(self.norm(x))
        painted = self.paint(self.norm(x)).transpose(1, 2)
        return cast(Tensor, painted.unflatten(2, (LAYOUT_SIDE, LAYOUT_SIDE)))


class ImageModel(nn.Module):
    """Text encoder and denoiser, trained together."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text = TextEncoder(vocabulary)
        self.denoiser = Denoiser()

    def forward(self, noisy: Tensor, timestep: Tensor, captions: Tensor) -> Tensor:
        """Predict v, shaped like `noisy` [B, 16, h, w]; captions are [B, 40]."""
        return cast(Tensor, self.denoiser(noisy, timestep, self.text(captions)))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer that the training run wrote."""
    return Tokenizer.from_file(str(folder / TOKENIZER))


def train_layout(folder: Path, plan: Plan, data: ImageData) -> None:
    """Train the text encoder on the layout of captions."""
    torch.manual_seed(2)
    model = Layout(TextEncoder(load_tokenizer(folder).get_vocab_size()))

    def loss(random: torch.Generator) -> Tensor:
        latents, captions = data.batch(LAYOUT_BATCH, random)
        with half_precision():
            painted = model(captions)
        return F.mse_loss(painted.float(), F.avg_pool2d(latents, 2))

    Trainer(model, plan, folder / "layout.pt", seed=3).run(loss)


def train_denoiser(folder: Path, plan: Plan, data: ImageData, until: int | None = None) -> None:
    """Train, or go on training, text encoder and denoiser; starts from a shipped model or the layout's text encoder."""
    tokenizer = load_tokenizer(folder)
    torch.manual_seed(3)
    model = ImageModel(tokenizer.get_vocab_size())
    if (folder / START_FILE).exists():
        load_average(model, folder / START_FILE)
    else:
        load_average(Layout(model.text), folder / "layout.pt")
    model.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    sizes = [count_parameters([part]) for part in (model.text, model.denoiser)]
    print(f"text encoder {sizes[0]:.2f}M, denoiser {sizes[1]:.2f}M weights, {len(data.latents)} pictures", flush=True)
    signal, noise_level = (torch.from_numpy(values).float()[:, None, None, None] for values in signal_and_noise())
    empty = torch.tensor(encode_caption(tokenizer, ""))

    def loss(random: torch.Generator) -> Tensor:
        latents, captions = data.batch(BATCH, random)
        captions[torch.rand(BATCH, generator=random) < EMPTY_SHARE] = empty
        # One timestep per equal share of the schedule: the loss is less noisy than with free draws.
        timestep = ((torch.arange(BATCH) + torch.rand(BATCH, generator=random)) * (STEPS / BATCH)).long()
        noise = torch.randn(latents.shape, generator=random)
        a, s = signal[timestep], noise_level[timestep]
        noisy = (a * latents + s * noise).contiguous(memory_format=torch.channels_last)
        with half_precision():
            predicted = model(noisy, timestep, captions)
        return F.mse_loss(predicted.float(), a * noise - s * latents)

    Trainer(model, plan, folder / "denoiser.pt", seed=4).run(loss, until)


def train_image(folder: Path, pictures: int, layout: Plan, denoiser: Plan) -> None:
    """Run everything after the auto-encoder."""
    data = encode_data(folder, pictures)
    print(f"latents {tuple(data.latents.shape)}, captions {len(data.captions)}", flush=True)
    if not (folder / START_FILE).exists():
        train_layout(folder, layout, data)
    train_denoiser(folder, denoiser, data)
