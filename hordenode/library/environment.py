"""The Python that converts image models: this one, one that the user names, or one made on demand in the data directory."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Sequence
from pathlib import Path

from hordenode.library.errors import LibraryError

FOLDER = "export-environment"
TOOL = Path(__file__).parent / "convert" / "image_tool.py"
# As the extra `export-image` says.
PACKAGES = ("optimum-onnx>=0.1.0", "diffusers>=0.35", "torch>=2.6", "onnx>=1.18", "onnxruntime>=1.24")
NEEDED = ("optimum", "diffusers", "torch", "onnx")


def require(*modules: str, extra: str, purpose: str) -> None:
    """Raises LibraryError when a package of an extra is not installed."""
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise LibraryError(
            f"{purpose} needs the extra '{extra}', of which {', '.join(missing)} is not installed: "
            f"pip install 'hordenode[{extra}]'"
        )


def image_python(data_dir: Path, given: Path | None, make: bool, say: Callable[[str], None]) -> Path:
    """The interpreter that has optimum. Raises LibraryError when there is none and none may be made."""
    if given is not None:
        if not given.is_file():
            raise LibraryError(f"{given}: there is no such interpreter.")
        return given
    own = _interpreter(data_dir / FOLDER)
    if own.is_file():
        return own
    if all(importlib.util.find_spec(module) for module in NEEDED):
        return Path(sys.executable)
    if not make:
        raise LibraryError(
            "converting image models needs optimum-onnx, diffusers and torch, which need not be installed beside hordenode: "
            "--make-environment makes an environment for them in the data directory (a download of some GB from the package "
            "index), --export-python names one that you have. Models that are in ONNX already need neither."
        )
    return _make(data_dir / FOLDER, say)


def run_tool(python: Path, arguments: Sequence[str | Path], model: Path) -> None:
    """Run the conversion. It may use no network. Raises LibraryError with its last words."""
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    environment.pop("HF_TOKEN", None)
    done = subprocess.run(
        # Isolated, so that the folder of the program, where modules have names such as `optimum`, is not searched.
        [str(python), "-I", str(TOOL), *(str(each) for each in arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        env=environment,
        check=False,
    )
    if done.returncode:
        raise LibraryError(
            f"{model}: could not be converted ({_last_words(done.stderr) or f'status {done.returncode}'})."
        )


def _make(folder: Path, say: Callable[[str], None]) -> Path:
    """A new environment with what the conversion needs; a failed one is not left behind for the next try to trust."""
    say(f"making an environment in {folder}")
    staged = folder.with_name(f"{FOLDER}.new")
    venv.create(staged, clear=True, with_pip=True)
    done = subprocess.run(
        [str(_interpreter(staged)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(staged, ignore_errors=True)
        raise LibraryError(f"{folder}: the packages could not be installed ({_last_words(done.stderr)}).")
    staged.replace(folder)
    return _interpreter(folder)


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:500] if lines else ""
