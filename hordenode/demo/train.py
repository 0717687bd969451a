# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Retrains and exports the demo models from nothing but seeds: `python -m hordenode.demo.train WORK`.

Every stage keeps checkpoints in WORK; started again, the program goes on where it was stopped. It needs the packages
torch, transformers, tokenizers, onnx and onnxruntime, and some hours on two CPU cores.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from hordenode.demo.captioner import export_captioner, train_captioner
from hordenode.demo.detector import train_detector
from hordenode.demo.export_image import export_image
from hordenode.demo.export_text import export_text
from hordenode.demo.onnx_files import OtherFormError
from hordenode.demo.painter import refine_painter
from hordenode.demo.shipped import continue_from, continue_text_from
from hordenode.demo.train_autoencoder import train_autoencoder
from hordenode.demo.train_image import START_FILE, train_image
from hordenode.demo.train_text import START as TEXT_START_FILE
from hordenode.demo.train_text import train_text, train_text_deep
from hordenode.demo.training import PAUSE_FILE_VARIABLE, Plan
from hordenode.demo.upscaler import export_upscaler, train_upscaler

MODELS = Path(__file__).parent / "models"


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    result = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"Training stands still while the file named by ${PAUSE_FILE_VARIABLE} exists.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    result.add_argument("work", type=Path, help="folder for data, checkpoints and tokenizers")
    result.add_argument("--stages", nargs="+", choices=tuple(STAGES), default=list(STAGES), help="what to run")
    result.add_argument("--target", type=Path, default=MODELS, help="folder that gets image/ and text/")
    result.add_argument("--pictures", type=int, default=100_000, help="drawn pictures for the denoiser")
    result.add_argument("--documents", type=int, default=80_000, help="written documents for the text model")
    result.add_argument("--autoencoder-steps", type=int, default=3000)
    result.add_argument("--text-steps", type=int, default=1500)
    result.add_argument("--text-deep-steps", type=int, default=1000)
    result.add_argument("--layout-steps", type=int, default=1200)
    result.add_argument("--denoiser-steps", type=int, default=6000)
    result.add_argument("--denoiser-minutes", type=float, default=0, help="train the denoiser by the clock instead")
    result.add_argument("--judge-steps", type=int, default=3000)
    result.add_argument("--upscaler-steps", type=int, default=1500)
    result.add_argument("--captioner-steps", type=int, default=4000)
    result.add_argument("--decoder-steps", type=int, default=500)
    for option, kind, part in (("--from-shipped", "image", "denoiser"), ("--text-from-shipped", "text", "deep model")):
        result.add_argument(
            option,
            type=Path,
            nargs="?",
            const=MODELS / kind,
            metavar="FOLDER",
            help=f"go on from an exported {kind} model, the shipped one or that in FOLDER: the {part} trains further",
        )
    result.add_argument("--threads", type=int, default=2, help="CPU threads")
    return result


def _autoencoder(options: argparse.Namespace) -> None:
    if options.from_shipped:
        return
    plan = Plan(steps=options.autoencoder_steps, rate=2e-3, cooldown=0.6, averaging=0.995, muon=True)
    train_autoencoder(options.work, plan)


def _text(options: argparse.Namespace) -> None:
    if options.text_from_shipped:
        return
    train_text(options.work, Plan(steps=options.text_steps, rate=1.5e-3, cooldown=0.5), options.documents)


def _text_deep(options: argparse.Namespace) -> None:
    train_text_deep(options.work, Plan(steps=options.text_deep_steps, rate=6e-4, cooldown=0.7), options.documents)


def _image(options: argparse.Namespace) -> None:
    layout = Plan(steps=options.layout_steps, rate=2e-3, cooldown=0.5, averaging=0.99, muon=True)
    minutes: float = options.denoiser_minutes
    denoiser = Plan(steps=options.denoiser_steps, rate=2e-3, cooldown=0.45, averaging=0.998, minutes=minutes, muon=True)
    train_image(options.work, options.pictures, layout, denoiser)


def _decoder(options: argparse.Namespace) -> None:
    plan = Plan(steps=options.decoder_steps, rate=5e-4, warmup=20, cooldown=0.8, averaging=0.99, muon=True)
    refine_painter(options.work, plan)


def _upscaler(options: argparse.Namespace) -> None:
    train_upscaler(options.work, Plan(steps=options.upscaler_steps, rate=3e-3, cooldown=0.6))


def _captioner(options: argparse.Namespace) -> None:
    plan = Plan(steps=options.captioner_steps, rate=2e-3, cooldown=0.6, averaging=0.998, muon=True)
    train_captioner(options.work, plan)


def _judge(options: argparse.Namespace) -> None:
    train_detector(options.work, Plan(steps=options.judge_steps, rate=2e-3, cooldown=0.6, averaging=0.99, muon=True))


def _export_text(options: argparse.Namespace) -> None:
    export_text(options.work, options.target / "text")


def _export_image(options: argparse.Namespace) -> None:
    export_image(options.work, options.target / "image")


def _export_upscaler(options: argparse.Namespace) -> None:
    export_upscaler(options.work, options.target / "upscaler")


def _export_captioner(options: argparse.Namespace) -> None:
    export_captioner(options.work, options.target / "captioner")


STAGES: dict[str, Callable[[argparse.Namespace], None]] = {
    "upscaler": _upscaler,
    "autoencoder": _autoencoder,
    "text": _text,
    "text-deep": _text_deep,
    "image": _image,
    "decoder": _decoder,
    "judge": _judge,
    "captioner": _captioner,
    "export-text": _export_text,
    "export-image": _export_image,
    "export-upscaler": _export_upscaler,
    "export-captioner": _export_captioner,
}


def _start(models: Path | None, work: Path, file: str, go_on: Callable[[Path, Path], None]) -> None:
    """Bring the weights of an exported model into the training folder, unless they are there."""
    if models and not (work / file).exists():
        try:
            go_on(models, work)
        except OtherFormError as error:
            raise SystemExit(f"cannot go on from {models}: {error}") from None


def main() -> None:
    """Run the chosen stages in order."""
    options = parser().parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(options.threads)
    _start(options.from_shipped, options.work, START_FILE, continue_from)
    _start(options.text_from_shipped, options.work, TEXT_START_FILE, continue_text_from)
    for name, stage in STAGES.items():
        if name in options.stages:
            stage(options)


if __name__ == "__main__":
    main()
