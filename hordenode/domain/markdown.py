"""Just enough Markdown for an owner's documents: headings, lists, paragraphs, bold, code, links. All else is text."""

from __future__ import annotations

import html
import re

_BLOCKS = re.compile(r"\n\s*\n")
_HEADING = re.compile(r"(#{1,6}) +(.*)", re.DOTALL)
_ITEM = re.compile(r"^[-*] +", re.MULTILINE)
# Of text that is escaped already. A link's target is shown as it is, so only harmless schemes become links.
_INLINE = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\[([^\]]+)\]\(((?:https?://|mailto:)[^)\s]+)\)"), r'<a href="\2">\1</a>'),
)


def to_html(text: str) -> str:
    """The document as an HTML fragment."""
    return "\n".join(_block(block.strip()) for block in _BLOCKS.split(text.strip()) if block.strip())


def _block(block: str) -> str:
    first, _, rest = block.partition("\n")
    heading = _HEADING.fullmatch(first)
    if heading:
        level = len(heading[1])
        made = f"<h{level}>{_inline(heading[2])}</h{level}>"
        return f"{made}\n{_block(rest)}" if rest.strip() else made
    if _ITEM.match(block):
        items = _ITEM.split(block)[1:]
        return "<ul>\n" + "".join(f"<li>{_inline(item)}</li>\n" for item in items) + "</ul>"
    return f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    made = html.escape(" ".join(text.split()))
    for pattern, replacement in _INLINE:
        made = pattern.sub(replacement, made)
    return made
