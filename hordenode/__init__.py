"""A whole private AI Horde in one process.

    from hordenode import Node, Settings

    async with Node(Settings()) as node:
        picture = await node.generate_image("a red circle above a blue square")

Names are imported when they are first used, so that `import hordenode` stays cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hordenode.version import __version__

if TYPE_CHECKING:
    from hordenode.client.base import HordeClient
    from hordenode.config import Settings
    from hordenode.node import Node
    from hordenode.protocol.errors import HordeError

__all__ = ["HordeClient", "HordeError", "Node", "Settings", "__version__"]

_HOMES = {
    "HordeClient": "hordenode.client.base",
    "HordeError": "hordenode.protocol.errors",
    "Node": "hordenode.node",
    "Settings": "hordenode.config",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'hordenode' has no attribute '{name}'")
