# mypy: allow-subclassing-any, allow-untyped-calls, no-warn-return-any, no-warn-redundant-casts, no-warn-unused-ignores
"""Muon: momentum whose matrices are made orthogonal, which trains small networks in about half of Adam's steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Coefficients of the quintic Newton-Schulz iteration (Jordan et al., "Muon: an optimizer for hidden layers", 2024).
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
# An update's root mean square is then about that of Adam, so that both take the same rate (Liu et al., 2025).
LIKE_ADAM = 0.2
NARROWEST = 16


class Muon(torch.optim.Optimizer):
    """For weights of two dimensions and more; a convolution counts as a matrix of one row per output channel."""

    def __init__(self, parameters: Iterable[Tensor], rate: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(list(parameters), {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def step(self, closure: Any = None) -> None:
        """Move every weight along the orthogonal factor of its momentum."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        momentum: Tensor = state["momentum"]
        momentum.lerp_(weight.grad, 1 - group["momentum"])
        ahead = weight.grad.lerp(momentum, group["momentum"])
        update = orthogonal(ahead.reshape(len(ahead), -1))
        weight.mul_(1 - group["lr"] * group["decay"])
        weight.add_(update.reshape(weight.shape), alpha=-group["lr"] * LIKE_ADAM * max(update.shape) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """Return nearly the orthogonal factor of a matrix [m, n]: its singular values become about one."""
    a, b, c = QUINTIC
    x = matrix.bfloat16()
    if turned := len(x) > x.shape[1]:
        x = x.mT
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * (square @ square)) @ x
    return (x.mT if turned else x).float()


def is_matrix(weight: Tensor) -> bool:
    """Tell whether a weight is one for Muon: biases, norms and narrow matrices are left to Adam."""
    return weight.ndim >= 2 and min(len(weight), weight[0].numel()) >= NARROWEST
