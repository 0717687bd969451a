"""What must hold of a node's database at any moment: the rules that `hordenode doctor` checks too."""

from __future__ import annotations

from hordenode.store.invariants import RULES, broken_rules

__all__ = ["RULES", "broken_rules"]
