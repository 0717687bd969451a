# mypy: ignore-errors
"""Converts image models with optimum. A program of its own: it runs in an environment that holds the extra `export-image`,
whose pins need not fit this package, and so imports nothing of it.

python image_tool.py FORM SOURCE TARGET PRECISION [LIKE]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

LARGE_GRAPHS = ("unet", "text_encoder", "text_encoder_2", "vae_decoder", "vae_encoder")


def convert(form, source, target, precision, like):
    """Write the ONNX folder `target`."""
    from optimum.exporters.onnx import main_export

    folder = source
    if form == "single":
        folder = target.with_name("diffusers")
        _unpack_single(source, like, folder)
    main_export(str(folder), output=str(target), task="text-to-image", library_name="diffusers", do_validation=False)
    if folder != source:
        shutil.rmtree(folder)
    shrink(target, precision)


def shrink(target, precision):
    """Halve the graphs, or round the matrices of the UNet to 8 bits."""
    if precision == "fp16":
        for part in LARGE_GRAPHS:
            if (target / part / "model.onnx").is_file():
                _halve(target / part / "model.onnx")
    elif precision == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        graph = target / "unet" / "model.onnx"
        small = graph.with_name("small.onnx")
        quantize_dynamic(
            str(graph),
            str(small),
            op_types_to_quantize=["MatMul", "Gemm"],
            weight_type=QuantType.QInt8,
            per_channel=True,
            use_external_data_format=True,
        )
        _rename(small, graph)


def _halve(graph):
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    typed = graph.with_name("typed.onnx")
    onnx.shape_inference.infer_shapes_path(str(graph), str(typed))  # by path, since large graphs exceed a message
    model = onnx.load(str(typed))
    typed.unlink()
    _lift_constants(model.graph)
    # The types are known, so that casts are put where an operator takes float32 alone.
    model = convert_float_to_float16(model, keep_io_types=False, disable_shape_infer=True)
    small = graph.with_name("small.onnx")
    onnx.save(model, str(small), save_as_external_data=True, location="small.onnx.data", size_threshold=1024)
    _rename(small, graph)


def _lift_constants(graph):
    """Constants become initializers: of those the conversion knows which must stay float32, such as a Resize's scales."""
    constants = [node for node in graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in constants:
        tensor = graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        graph.node.remove(node)


def _rename(small, graph):
    """Take the place of the larger graph, weights and all."""
    import onnx

    model = onnx.load(str(small))
    for file in graph.parent.glob("model.onnx*"):
        file.unlink()
    onnx.save(model, str(graph), save_as_external_data=True, location="model.onnx.data", size_threshold=1024)
    for file in graph.parent.glob("small.onnx*"):
        file.unlink()


def _unpack_single(source, like, folder):
    """Sort the weights of one file into a pipeline; sizes, tokenizer and scheduler come from the folder `like`."""
    import json

    import diffusers

    kind = json.loads((like / "model_index.json").read_text())["_class_name"]
    pipeline = getattr(diffusers, kind).from_single_file(
        str(source), config=str(like), local_files_only=True, safety_checker=None, requires_safety_checker=False
    )
    pipeline.save_pretrained(str(folder))


def main():
    form, source, target, precision = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    if form == "onnx":
        shutil.copytree(source, target, dirs_exist_ok=True)
        shrink(target, precision)
    else:
        convert(form, source, target, precision, Path(sys.argv[5]) if len(sys.argv) > 5 else None)


if __name__ == "__main__":
    main()
