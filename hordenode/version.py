"""What this program is called on the wire."""

__version__ = "0.1.0"
HOMEPAGE = "https://github.com/hordenode/hordenode"
AGENT = f"hordenode:{__version__}:{HOMEPAGE}"
