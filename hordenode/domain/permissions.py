"""Who may do what (contract 2). Pure questions; the use cases raise."""

from __future__ import annotations

from hordenode.domain.entities import User, Worker

# Fields of a change to a user, in the order in which they are applied (contract 2.3).
ADMIN_FIELDS = ("kudos", "monthly_kudos", "usage_multiplier", "moderator")
MODERATOR_FIELDS = tuple(
    "concurrency worker_invited trusted flagged customizer vpn service education special reset_suspicion"
    " admin_comment".split()
)
OWN_FIELDS = ("public_workers", "username", "contact", "undelete")
PASSKEY_FIELD = "generate_proxy_passkey"
USER_FIELDS = (*ADMIN_FIELDS, *MODERATOR_FIELDS, *OWN_FIELDS, PASSKEY_FIELD)
# The anonymous user stays as it is but for these.
ANONYMOUS_FIELDS = frozenset({"kudos", "usage_multiplier", "concurrency", "admin_comment", "public_workers"})


def user_detail_level(viewer: User | None, user_id: int) -> int:
    """0 public, 1 the user itself, 2 moderators (contract 2.2)."""
    if viewer is None:
        return 0
    if viewer.moderator:
        return 2
    return 1 if viewer.id == user_id else 0


def user_change_refused(editor: User, user: User, field: str) -> str | None:
    """The rc that answers the editor's change of this field, None when it may (contract 2.3)."""
    if user.anonymous and field not in ANONYMOUS_FIELDS:
        return "AnonForbiddenUserMod"
    if field in ADMIN_FIELDS:
        return None if editor.admin else "NotAdmin"
    allowed = editor.moderator or (field not in MODERATOR_FIELDS and editor.id == user.id)
    if not allowed:
        return "NotModerator"
    return "NonServiceForbidden" if field == PASSKEY_FIELD and not editor.service else None


def worker_change_refused(editor: User, worker: Worker, field: str) -> str | None:
    """The rc that answers the editor's change of this field, None when it may (contract 11)."""
    if editor.moderator:
        return None
    if field == "paused":
        return "NotModerator"
    if editor.id == worker.user_id:
        return None
    return "NotOwner" if field in ("maintenance", "info") else "NotModerator"


def may_manage(editor: User, owner_id: int) -> bool:
    """Owners and moderators manage workers, teams, messages."""
    return editor.moderator or editor.id == owner_id


def sees_worker_internals(viewer: User | None) -> bool:
    """Moderators see pause, suspicion, address and contact (contract 11)."""
    return viewer is not None and viewer.moderator
