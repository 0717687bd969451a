# mypy: ignore-errors
"""Writes goldens/optimum/: the case "llama linear" as optimum-onnx exports it.

Run by hand where optimum-onnx is installed: PYTHONPATH=. python tests/library/make_optimum_golden.py
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from optimum.onnxruntime import ORTModelForCausalLM

from tests.library.tiny import GOLDENS, write_checkpoint


def main():
    target = GOLDENS / "optimum"
    shutil.rmtree(target, ignore_errors=True)
    with tempfile.TemporaryDirectory() as scratch:
        source = write_checkpoint(Path(scratch), "llama linear")
        config = json.loads((source / "config.json").read_text())
        # optimum-onnx wants a transformers whose configurations are of the older form.
        config |= {"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "rope_theta": 10000.0}
        del config["rope_parameters"]
        (source / "config.json").write_text(json.dumps(config | {"architectures": ["LlamaForCausalLM"]}))
        ORTModelForCausalLM.from_pretrained(str(source), export=True).save_pretrained(str(target))
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(source / name, target / name)


if __name__ == "__main__":
    main()
