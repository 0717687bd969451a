"""Converts a causal language model to the layout that the engine loads, and verifies the result."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hordenode.library.convert.architecture import Architecture, read_architecture
from hordenode.library.convert.checkpoint import Checkpoint, SafeTensors, Tensors
from hordenode.library.convert.decoder import DecoderWriter
from hordenode.library.convert.genai import write_genai_config
from hordenode.library.convert.optimum import OptimumTensors
from hordenode.library.convert.peer import peer_logits
from hordenode.library.convert.precision import PRECISIONS, Precision
from hordenode.library.convert.reference import Reference
from hordenode.library.convert.rotation import UnsupportedRotation
from hordenode.library.convert.verify import Agreement, distance, prompt_tokens, verify
from hordenode.library.errors import LibraryError

# What goes with the weights. config.json stays beside genai_config.json, to tell where the model came from.
COMPANIONS = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "chat_template.json",
)
# The reference is compared with transformers in float32 on both sides.
PEER_TOLERANCE = 1e-3

# GroupQueryAttention's kernels turn and hold values in groups of this many.
GROUP = 8


@dataclass(frozen=True, slots=True)
class Converted:
    """`parameters` in billions, `context` in tokens; `peer`: whether transformers confirmed the reference."""

    parameters: float
    context: int
    agreement: Agreement
    peer: bool


def convert_text(source: Path, target: Path, precision: str, say: Callable[[str], None]) -> Converted:
    """Write `target` from the checkpoint or optimum folder `source`. Raises LibraryError, ModelFileError."""
    chosen = PRECISIONS[precision]
    shape = read_architecture(source)
    _check(source, shape)
    weights = Checkpoint(_tensors(source), shape)
    target.mkdir(parents=True, exist_ok=True)
    for name in COMPANIONS:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)
    say(f"converting {shape.layers} layers to {precision}")
    try:
        DecoderWriter(shape, weights, chosen, target).write()
    except UnsupportedRotation as error:
        raise LibraryError(f"{source / 'config.json'}: asks for {error}, which the converter does not know.") from error
    write_genai_config(target, shape)
    say("comparing with the checkpoint")
    return _verified(source, target, Reference(shape, weights), chosen)


def _verified(source: Path, target: Path, reference: Reference, precision: Precision) -> Converted:
    shape = reference.shape
    agreement = verify(target, reference, precision)
    ids = prompt_tokens(target, shape.vocabulary)
    peer = peer_logits(source, ids)
    if peer is not None and (error := distance(reference.logits(ids), peer)) > PEER_TOLERANCE:
        raise LibraryError(f"{source}: transformers answers differently (relative error {error:.2g}).")
    return Converted(parameters(shape), shape.context, agreement, peer is not None)


def parameters(shape: Architecture) -> float:
    """How many weights a decoder has, in billions; biases and norms are left out."""
    head_rows = (2 * shape.heads + 2 * shape.key_value_heads) * shape.head_size
    layer = shape.hidden * (head_rows + (2 if shape.plain else 3) * shape.intermediate)
    tables = shape.vocabulary * shape.hidden * (1 if shape.tied else 2)
    return round((shape.layers * layer + tables) / 1e9, 6)


def _tensors(source: Path) -> Tensors:
    graph = optimum_graph(source)
    return SafeTensors(source) if graph is None else OptimumTensors(graph)


def optimum_graph(folder: Path) -> Path | None:
    """The graph of an optimum folder; None for a checkpoint."""
    if any(folder.glob("*.safetensors")):
        return None
    return next((file for file in (folder / "model.onnx", folder / "onnx" / "model.onnx") if file.is_file()), None)


def _check(source: Path, shape: Architecture) -> None:
    """What the operators cannot do. Raises LibraryError."""
    if not (source / "tokenizer.json").is_file():
        raise LibraryError(
            f"{source / 'tokenizer.json'}: is missing. Save the model's tokenizer in that form (transformers' "
            "save_pretrained does) and add it to the folder."
        )
    if shape.head_size % GROUP or any(rotation.width % (2 * GROUP) for rotation in shape.rotations):
        raise LibraryError(
            f"{source / 'config.json'}: heads of {shape.head_size} values of which {shape.rotations[0].width} turn; the "
            f"runtime needs multiples of {2 * GROUP}."
        )
