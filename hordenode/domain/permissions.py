"""Who may do what (contract 2). Pure questions; the use cases raise."""

from __future__ import annotations

from hordenode.domain.entities import User, Worker


def user_detail_level(viewer: User | None, user_id: int) -> int:
    """0 public, 1 the user itself, 2 moderators (contract 2.2)."""
    if viewer is None:
        return 0
    if viewer.moderator:
        return 2
    return 1 if viewer.id == user_id else 0


def sees_worker_internals(viewer: User | None) -> bool:
    """Moderators see pause, suspicion, address and contact (contract 11)."""
    return viewer is not None and viewer.moderator


def owns_worker(user: User, worker: Worker) -> bool:
    return worker.user_id == user.id
