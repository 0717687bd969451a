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
from hordenode.demo.palette import Picture
from hordenode.demo.schedule import STEPS, signal_and_noise
from hordenode.demo.sightings import relation_of
from hordenode.demo.styles import OUTLINE
from hordenode.demo.train_autoencoder import to_tensor
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average

START, END, UNKNOWN = "<|startoftext|>", "<|endoftext|>", "<|unknown|>"
START_ID, END_ID, UNKNOWN_ID = 0, 1, 2
TOKENIZER, STATISTICS = "image-tokenizer.json", "latent-statistics.pt"
# Where the denoiser starts that goes on from a shipped model.
START_FILE = "denoiser-start.pt"
# Captions into which an unknown word or two are put, so that the model learns to pass over them.
UNKNOWN_SHARE = 0.15
LAYOUT_BATCH = 128
BATCH = 64
# Captions left out, so that guidance has an unconditional prediction to push away from.
EMPTY_SHARE = 0.1
LAYOUT_SIDE = 8
# Beside the denoiser the text encoder goes on painting layouts: without, it forgets whose colour is whose.
WEIGHT_OF_THE_LAYOUT = 0.3
# How often pictures are picked: which colour belongs where is learned last, and what is rare, too seldom.
RARE = {"road", "river"}
WEIGHT_OF_THE_RARE, WEIGHT_OF_A_RELATION, WEIGHT_OF_A_SCENE, WEIGHT_OF_FIGURES = 3.0, 2.0, 2.0, 1.5
# Thin lines are harder than areas, and circles are seen to be uneven: these are picked so many times as often.
FACTOR_OF_OUTLINES, FACTOR_OF_CIRCLES, FACTOR_OF_A_SINGLE = 1.5, 2.0, 2.0
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
        latents, drawn = _draw_and_encode(auto, pictures)
        captions = [texts for texts, _ in drawn]
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
            "weight": torch.tensor([weight for _, weight in drawn]),
        }
        torch.save(state, file.with_suffix(".part"))
        file.with_suffix(".part").replace(file)
    return ImageData(**torch.load(file, weights_only=True, mmap=True))


def weight_of(picture: Picture) -> float:
    """Return how often a picture is picked beside others."""
    return _weight_of_kind(picture) * (FACTOR_OF_OUTLINES if OUTLINE in picture.tags else 1.0)


def _weight_of_kind(picture: Picture) -> float:
    if picture.tags & RARE:
        return WEIGHT_OF_THE_RARE
    scene = not any(tag.endswith(" background") for tag in picture.tags)
    weight = WEIGHT_OF_A_SCENE if scene else WEIGHT_OF_FIGURES
    if relation_of(picture.captions[0]):
        weight = WEIGHT_OF_A_RELATION
    if any(item.kind == "circle" for item in picture.items):
        weight *= FACTOR_OF_CIRCLES
    return weight if scene or len(picture.items) > 1 else weight * FACTOR_OF_A_SINGLE


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


def _draw_and_encode(auto: AutoEncoder, pictures: int) -> tuple[Tensor, list[tuple[tuple[str, ...], float]]]:
    """Latents [N, 16, 16, 16] in half precision, as the encoder gives them, and each picture's captions and weight."""
    side = SIZE // FACTOR
    latents = torch.empty(pictures, LATENT_CHANNELS, side, side, dtype=torch.half)
    kept = []
    for at in range(0, pictures, CHUNK):
        drawn = [draw_picture(seed) for seed in range(at, min(at + CHUNK, pictures))]
        kept += [(picture.captions, weight_of(picture)) for picture in drawn]
        with torch.no_grad(), half_precision():
            latents[at : at + CHUNK] = auto.encode(to_tensor(np.stack([picture.pixels for picture in drawn])))
    return latents, kept


class LayoutHead(nn.Module):
    """Paints a caption's average picture, 8 x 8 places in latents, from the states of its words.

    It costs a hundredth of a denoising step and teaches the text encoder which colour and shape belongs where.
    """

    def __init__(self) -> None:
        super().__init__()
        self.places = nn.Parameter(torch.randn(LAYOUT_SIDE**2, TEXT_WIDTH) * 0.5)
        self.looks = nn.ModuleList(Attention(TEXT_WIDTH, TEXT_WIDTH) for _ in range(2))
        self.feeds = nn.ModuleList(FeedForward(TEXT_WIDTH, 2) for _ in range(2))
        self.norm = nn.LayerNorm(TEXT_WIDTH)
        self.paint = nn.Linear(TEXT_WIDTH, LATENT_CHANNELS)

    def forward(self, text: Tensor) -> Tensor:
        """Map states [B, 40, 128] to [B, 16, 8, 8]."""
        x = self.places.expand(len(text), -1, -1)
        for look, feed in zip(self.looks, self.feeds, strict=True):
            x = x + look(self.norm(x), text)
            x = x + feed(self.norm(x))
        painted = self.paint(self.norm(x)).transpose(1, 2)
        return cast(Tensor, painted.unflatten(2, (LAYOUT_SIDE, LAYOUT_SIDE)))


class ImageModel(nn.Module):
    """Text encoder and denoiser, and the layout head that is there in training only."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.text = TextEncoder(vocabulary)
        self.denoiser = Denoiser()
        self.layout = LayoutHead()

    def forward(self, noisy: Tensor, timestep: Tensor, captions: Tensor) -> tuple[Tensor, Tensor]:
        """Predict v, shaped like `noisy` [B, 16, h, w], and the layout [B, 16, 8, 8]; captions are [B, 40]."""
        text = self.text(captions)
        return self.denoiser(noisy, timestep, text), self.layout(text)


def layout_loss(painted: Tensor, latents: Tensor) -> Tensor:
    """Compare a painted layout with the latents [B, 16, 16, 16] of the picture."""
    return F.mse_loss(painted.float(), F.avg_pool2d(latents, 2))


def load_tokenizer(folder: Path) -> Tokenizer:
    """Read the tokenizer that the training run wrote."""
    return Tokenizer.from_file(str(folder / TOKENIZER))


def train_layout(folder: Path, plan: Plan, data: ImageData) -> None:
    """Train the text encoder on the layout of captions; that of a shipped model stays, and the head alone learns."""
    torch.manual_seed(2)
    model = ImageModel(load_tokenizer(folder).get_vocab_size())
    if shipped := (folder / START_FILE).exists():
        load_average(model, folder / START_FILE)
    painter = nn.Sequential(model.text, model.layout).train()
    model.text.requires_grad_(not shipped)

    def loss(random: torch.Generator) -> Tensor:
        latents, captions = data.batch(LAYOUT_BATCH, random)
        with half_precision():
            painted = painter(captions)
        return layout_loss(painted, latents)

    Trainer(painter, plan, folder / "layout.pt", seed=3).run(loss)


def train_denoiser(folder: Path, plan: Plan, data: ImageData, until: int | None = None) -> None:
    """Train, or go on training, text encoder and denoiser; starts from a shipped model or the layout's text encoder."""
    tokenizer = load_tokenizer(folder)
    torch.manual_seed(3)
    model = ImageModel(tokenizer.get_vocab_size())
    if (folder / START_FILE).exists():
        load_average(model, folder / START_FILE)
    load_average(nn.Sequential(model.text, model.layout), folder / "layout.pt")
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
            predicted, painted = model(noisy, timestep, captions)
        error = F.mse_loss(predicted.float(), a * noise - s * latents)
        return error + WEIGHT_OF_THE_LAYOUT * layout_loss(painted, latents)

    Trainer(model, plan, folder / "denoiser.pt", seed=4).run(loss, until)


def train_image(folder: Path, pictures: int, layout: Plan, denoiser: Plan) -> None:
    """Run everything after the auto-encoder."""
    data = encode_data(folder, pictures)
    print(f"latents {tuple(data.latents.shape)}, captions {len(data.captions)}", flush=True)
    train_layout(folder, layout, data)
    train_denoiser(folder, denoiser, data)
