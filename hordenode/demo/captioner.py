# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Says what a picture of our world shows: a detector's body looks, a small decoder writes the caption word by word."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer
from torch import Tensor, nn

from hordenode.demo.denoiser import TEXT_LENGTH, TEXT_WIDTH, Attention, FeedForward
from hordenode.demo.detector import Detector, worn
from hordenode.demo.draw import HELD_OUT_SEED, draw_picture
from hordenode.demo.export_image import write_tokenizer
from hordenode.demo.onnx_files import store_half, write_json
from hordenode.demo.palette import Picture
from hordenode.demo.sightings import SIDE
from hordenode.demo.train_autoencoder import to_tensor
from hordenode.demo.train_image import END_ID, START_ID, encode_caption, train_tokenizer
from hordenode.demo.training import Plan, Trainer, count_parameters, half_precision, load_average
from hordenode.demo.wording import PLAIN_OPENINGS

CHECKPOINT, TOKENIZER = "captioner.pt", "captioner-tokenizer.json"
BATCH = 32
# Words are learned from the captions of this many pictures, drawn as small as can be.
TEXTS, TINY = 6000, 16
LAYERS = 2
DETECTOR_WIDTH = 96


class Looker(nn.Module):
    """From pixels [B, 3, 64, 64] in -1..1 to states [B, 64, 128] of an 8 x 8 grid."""

    def __init__(self) -> None:
        super().__init__()
        seer = Detector()
        self.body, self.coarse = seer.body, seer.coarse
        self.out = nn.Linear(DETECTOR_WIDTH, TEXT_WIDTH)
        self.places = nn.Parameter(torch.randn(SIDE, TEXT_WIDTH) * 0.1)

    def forward(self, pixel_values: Tensor) -> Tensor:
        """Look at the picture."""
        seen = self.coarse(self.body(pixel_values)).flatten(2).transpose(1, 2)
        return cast(Tensor, self.out(seen)) + self.places


class WriterLayer(nn.Module):
    """Every word looks at the words before it, then at the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.own_norm, self.look_norm, self.feed_norm = (nn.LayerNorm(TEXT_WIDTH) for _ in range(3))
        self.own = nn.MultiheadAttention(TEXT_WIDTH, 4, batch_first=True)
        self.look = Attention(TEXT_WIDTH, TEXT_WIDTH)
        self.feed = FeedForward(TEXT_WIDTH, 4)

    def forward(self, x: Tensor, seen: Tensor, hidden: Tensor) -> Tensor:
        """Map words [B, L, 128] to the same shape; `hidden` [L, L] is true where a word may not look."""
        x = x + self._own(self.own_norm(x), hidden)
        x = x + self.look(self.look_norm(x), seen)
        return x + cast(Tensor, self.feed(self.feed_norm(x)))

    def _own(self, y: Tensor, hidden: Tensor) -> Tensor:
        """Attention to the words before; written out, since the module's own export fixes the length."""
        query, key, value = (
            part.unflatten(-1, (self.own.num_heads, -1)).transpose(1, 2)
            for part in F.linear(y, self.own.in_proj_weight, self.own.in_proj_bias).chunk(3, dim=-1)
        )
        scores = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        mixed = scores.masked_fill(hidden, float("-inf")).softmax(dim=-1).to(value.dtype) @ value
        return cast(Tensor, self.own.out_proj(mixed.transpose(1, 2).flatten(2)))


class Writer(nn.Module):
    """From words so far and the states of a picture to the next words."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, TEXT_WIDTH)
        self.places = nn.Parameter(torch.randn(TEXT_LENGTH, TEXT_WIDTH) * 0.02)
        self.layers = nn.ModuleList(WriterLayer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(TEXT_WIDTH)
        nn.init.normal_(self.tokens.weight, std=0.05)

    def forward(self, input_ids: Tensor, encoder_hidden_states: Tensor) -> Tensor:
        """Map ids [B, L] and states [B, 64, 128] to logits [B, L, vocabulary]."""
        x = self.tokens(input_ids) + self.places[: input_ids.shape[1]]
        # Comparing positions instead of a triangle of fixed size: the export keeps the length free.
        places = torch.ones_like(input_ids[0]).cumsum(dim=0)
        hidden = places[None, :] > places[:, None]
        for layer in self.layers:
            x = layer(x, encoder_hidden_states, hidden)
        return cast(Tensor, self.norm(x) @ self.tokens.weight.T)


class Captioner(nn.Module):
    """Looker and writer, trained together."""

    def __init__(self, vocabulary: int) -> None:
        super().__init__()
        self.looker, self.writer = Looker(), Writer(vocabulary)

    def forward(self, pixels: Tensor, captions: Tensor) -> Tensor:
        """Return logits for the word that follows each of the caption's."""
        return cast(Tensor, self.writer(captions, self.looker(pixels)))


def caption_tokenizer(folder: Path) -> Tokenizer:
    """Read the captioner's words, or learn them first."""
    file = folder / TOKENIZER
    if not file.exists():
        train_tokenizer([text for seed in range(TEXTS) for text in draw_picture(seed, TINY).captions]).save(str(file))
    return Tokenizer.from_file(str(file))


def train_captioner(folder: Path, plan: Plan) -> None:
    """Train, or go on training, the captioner and print its loss on held-out pictures."""
    tokenizer = caption_tokenizer(folder)
    torch.manual_seed(10)
    model = Captioner(tokenizer.get_vocab_size())
    print(f"captioner: {count_parameters([model]):.2f}M weights", flush=True)

    def loss(random: torch.Generator) -> Tensor:
        pixels, captions = _batch(tokenizer, torch.randint(HELD_OUT_SEED, (BATCH,), generator=random).tolist())
        return _caption_loss(model, worn(pixels, random), captions)

    Trainer(model, plan, folder / CHECKPOINT, seed=11).run(loss)
    load_average(model, folder / CHECKPOINT)
    with torch.no_grad():
        held_out = _caption_loss(model, *_batch(tokenizer, range(HELD_OUT_SEED, HELD_OUT_SEED + 4 * BATCH))).item()
    print(f"captioner held-out loss {held_out:.4f} nats per word", flush=True)


def export_captioner(folder: Path, target: Path) -> None:
    """Write encoder_model.onnx, decoder_model.onnx and the tokenizer, laid out as optimum's image-to-text models."""
    tokenizer = caption_tokenizer(folder)
    model = Captioner(tokenizer.get_vocab_size())
    steps = load_average(model, folder / CHECKPOINT)
    target.mkdir(parents=True, exist_ok=True)
    ids = torch.full((2, 5), START_ID)
    states = torch.zeros(2, SIDE, TEXT_WIDTH)
    pixels = {"pixel_values": torch.zeros(2, 3, SIDE, SIDE)}
    words = {"input_ids": ids, "encoder_hidden_states": states}
    _export(model.looker, pixels, "last_hidden_state", target / "encoder_model.onnx")
    _export(model.writer, words, "logits", target / "decoder_model.onnx")
    write_tokenizer(tokenizer, target)
    write_json(
        target / "config.json",
        {
            "model_type": "vision-encoder-decoder",
            "decoder_start_token_id": START_ID,
            "eos_token_id": END_ID,
            "pad_token_id": END_ID,
            "max_length": TEXT_LENGTH,
        },
    )
    middle = [0.5, 0.5, 0.5]
    write_json(target / "preprocessor_config.json", {"size": SIDE, "image_mean": middle, "image_std": middle})
    print(f"captioner of {steps} steps exported", flush=True)


def _export(module: nn.Module, inputs: dict[str, Tensor], output: str, file: Path) -> None:
    axes = {name: {0: "batch"} for name in (*inputs, output)}
    for name in {"input_ids", "logits"} & set(axes):
        axes[name][1] = "length"
    torch.onnx.export(
        module.eval(),
        tuple(inputs.values()),
        str(file),
        input_names=list(inputs),
        output_names=[output],
        dynamic_axes=axes,
        opset_version=18,
        dynamo=False,
    )
    onnx.save(store_half(onnx.load(str(file))), str(file))


def told(picture: Picture) -> str:
    """Return the first caption, the one that says everything, without the words that ask for a picture."""
    told = picture.captions[0]
    opening = max((words for words in PLAIN_OPENINGS if told.startswith(f"{words} ")), key=len, default="")
    return told.removeprefix(opening).strip()


def _batch(tokenizer: Tokenizer, seeds: range | list[int]) -> tuple[Tensor, Tensor]:
    """Pictures [B, 3, 64, 64] of these seeds and for each a caption [B, 40]."""
    pictures = [draw_picture(seed, SIDE) for seed in seeds]
    captions = [encode_caption(tokenizer, told(picture)) for picture in pictures]
    return to_tensor(np.stack([picture.pixels for picture in pictures])), torch.tensor(captions)


def _caption_loss(model: Captioner, pixels: Tensor, captions: Tensor) -> Tensor:
    with half_precision():
        logits = model(pixels, captions[:, :-1])
    following = captions[:, 1:].clone()
    # One end is to be learned; the ends that fill up the row are not.
    following[(following == END_ID) & (captions[:, :-1] == END_ID)] = -100
    return F.cross_entropy(logits.float().flatten(0, 1), following.flatten(), ignore_index=-100)
