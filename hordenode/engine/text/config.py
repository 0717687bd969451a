"""genai_config.json: how the graph of ONNX Runtime GenAI's builder is called and shaped."""

from __future__ import annotations

from pathlib import Path

import msgspec

from hordenode.engine.files import read_json
from hordenode.engine.jobs import ModelFileError

FILE = "genai_config.json"
# The producer of our converter's graphs: they let an attention mask be wider than the longest text.
PRODUCER = "hordenode"


class Inputs(msgspec.Struct, frozen=True):
    input_ids: str = "input_ids"
    attention_mask: str = "attention_mask"
    position_ids: str = "position_ids"
    past_key_names: str = "past_key_values.%d.key"
    past_value_names: str = "past_key_values.%d.value"


class Outputs(msgspec.Struct, frozen=True):
    logits: str = "logits"
    present_key_names: str = "present.%d.key"
    present_value_names: str = "present.%d.value"


class DecoderPart(msgspec.Struct, frozen=True):
    """The graph. `head_size` stands only here: its dimension in the graph is symbolic. 0 heads: not known."""

    head_size: int
    num_hidden_layers: int
    num_key_value_heads: int
    num_attention_heads: int = 0
    filename: str = "model.onnx"
    inputs: Inputs = Inputs()
    outputs: Outputs = Outputs()


class ModelPart(msgspec.Struct, frozen=True):
    context_length: int
    decoder: DecoderPart
    eos_token_id: int | list[int] = msgspec.field(default_factory=list)
    bos_token_id: int | None = None


class SearchPart(msgspec.Struct, frozen=True):
    past_present_share_buffer: bool = False


class GenaiConfig(msgspec.Struct, frozen=True):
    """What matters of the file."""

    model: ModelPart
    search: SearchPart = SearchPart()

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text."""
        ends = self.model.eos_token_id
        return frozenset([ends] if isinstance(ends, int) else ends)


def read_genai_config(folder: Path) -> GenaiConfig:
    """The configuration of a model folder. Raises ModelFileError, also for a layout without shared buffers."""
    config = read_json(folder / FILE, GenaiConfig)
    if not config.search.past_present_share_buffer:
        raise ModelFileError(
            folder / FILE,
            "says that past and present cannot share a buffer",
            "Export the model with GroupQueryAttention (the default of ONNX Runtime GenAI's builder).",
        )
    return config
