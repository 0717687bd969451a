# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""What every training run shares: schedule, averaged weights, resumable checkpoints, progress lines, the pause file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hordenode.demo.muon import Muon, is_matrix

PAUSE_FILE_VARIABLE = "HORDENODE_TRAIN_PAUSE_FILE"

# A batch is drawn from this generator alone, so that a resumed run sees what an unbroken one would have seen.
Loss = Callable[[torch.Generator], Tensor]


@dataclass(frozen=True)
class Plan:
    """Length and pace of one training run; `cooldown` is the share of it in which the rate falls to zero.

    With `minutes` the run ends by the clock instead of after `steps`; `muon` moves matrices by Muon instead of Adam.
    """

    steps: int
    rate: float
    warmup: int = 100
    cooldown: float = 0.3
    averaging: float = 0.999
    checkpoint_seconds: float = 240.0
    report_every: int = 50
    minutes: float = 0.0
    muon: bool = False

    def rate_at(self, step: int, spent: float = 0.0) -> float:
        """Return the learning rate of a step, `spent` seconds in: a short rise, a plateau, a straight fall."""
        left = (1 - self.share_at(step, spent)) / self.cooldown
        return self.rate * min(1.0, (step + 1) / self.warmup, max(0.01, left))

    def share_at(self, step: int, spent: float) -> float:
        """Return how much of the run is over, 0 to 1."""
        return spent / (60 * self.minutes) if self.minutes else step / self.steps


class Trainer:
    """Trains a module under a plan and keeps an exponential average of its weights; restarts where it stopped."""

    def __init__(self, module: nn.Module, plan: Plan, file: Path, seed: int, decay: float = 0.01) -> None:
        self.module, self.plan, self._file = module, plan, file
        self.average = {name: value.detach().clone() for name, value in module.state_dict().items()}
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._optimizers = _optimizers(module, plan, decay)
        self._random = torch.Generator().manual_seed(seed)
        self.step, self._spent = 0, 0.0
        self._restore()

    def run(self, loss: Loss, until: int | None = None) -> None:
        """Train to the end of the plan (or to step `until`), with a checkpoint every few minutes and at the end."""
        smooth, saved, first = 0.0, time.monotonic(), self.step
        started = saved - self._spent
        while self.plan.share_at(self.step, self._spent) < 1 and self.step != until:
            wait_while_paused()
            value = self._advance(loss)
            self._spent = time.monotonic() - started
            smooth = value if self.step == first + 1 else 0.98 * smooth + 0.02 * value
            if self.step % self.plan.report_every == 0:
                self._report(smooth)
            if time.monotonic() - saved > self.plan.checkpoint_seconds:
                self.save()
                saved = time.monotonic()
        self.save()

    def _report(self, smooth: float) -> None:
        share, rate = self.plan.share_at(self.step, self._spent), self.plan.rate_at(self.step, self._spent)
        pace = self._spent / self.step
        print(
            f"{self._file.stem} {self.step} ({share:.1%}) loss {smooth:.4f} rate {rate:.2e} {pace:.3f} s/step",
            flush=True,
        )

    def _advance(self, loss: Loss) -> float:
        for optimizer in self._optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.plan.rate_at(self.step, self._spent)
        value = loss(self._random)
        self.module.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(self._parameters, 1.0)
        for optimizer in self._optimizers:
            optimizer.step()
        self.step += 1
        self._update_average()
        return value.item()

    def _update_average(self) -> None:
        # Early on the average forgets faster, so that the random start does not linger in it.
        keep = min(self.plan.averaging, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for name, value in self.module.state_dict().items():
                if value.is_floating_point():
                    self.average[name].lerp_(value, 1 - keep)
                else:
                    self.average[name].copy_(value)

    def save(self) -> None:
        """Write the checkpoint; a reader sees the old one or the new one, never half of it."""
        state = {
            "step": self.step,
            "module": self.module.state_dict(),
            "average": self.average,
            "optimizers": [optimizer.state_dict() for optimizer in self._optimizers],
            "spent": self._spent,
            "random": self._random.get_state(),
        }
        part = self._file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._file)

    def _restore(self) -> None:
        if not self._file.exists():
            return
        state: dict[str, Any] = torch.load(self._file, weights_only=True)
        self.step = state["step"]
        self.module.load_state_dict(state["module"])
        self.average = state["average"]
        for optimizer, kept in zip(self._optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        self._spent = state["spent"]
        self._random.set_state(state["random"])


def _optimizers(module: nn.Module, plan: Plan, decay: float) -> list[torch.optim.Optimizer]:
    """Adam, and under a plan with Muon that for every matrix but tables of words."""
    tables = {id(part.weight) for part in module.modules() if isinstance(part, nn.Embedding)}
    adam: list[nn.Parameter] = []
    matrices: list[nn.Parameter] = []
    for weight in module.parameters():
        if weight.requires_grad:
            (matrices if plan.muon and is_matrix(weight) and id(weight) not in tables else adam).append(weight)
    result: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(adam, lr=plan.rate, betas=(0.9, 0.98), weight_decay=decay, fused=True)
    ]
    return [*result, Muon(matrices, plan.rate, decay=decay)] if matrices else result


def load_average(module: nn.Module, file: Path) -> int:
    """Put the averaged weights of a checkpoint into the module, in evaluation mode; returns the steps trained."""
    state: dict[str, Any] = torch.load(file, weights_only=True)
    module.load_state_dict(state["average"])
    module.eval()
    return int(state["step"])


def wait_while_paused() -> None:
    """Stand still while the file named by HORDENODE_TRAIN_PAUSE_FILE exists (somebody measures on this machine)."""
    name = os.environ.get(PAUSE_FILE_VARIABLE)
    while name and Path(name).exists():
        time.sleep(1)


def half_precision() -> torch.autocast:
    """Return the autocast context of training: bfloat16 on the CPU."""
    return torch.autocast("cpu", torch.bfloat16)


def count_parameters(modules: Iterable[nn.Module]) -> float:
    """Return the number of weights in millions."""
    return sum(p.numel() for module in modules for p in module.parameters()) / 1e6
