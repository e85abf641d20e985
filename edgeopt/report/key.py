"""What the marks of a picture stand for, as text beside it, which breaks into lines where the page is narrow."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

Entry = tuple[str, str]  # a mark as HTML, and its name

STYLE = """
figure{margin:0}p.kinds{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin:.2rem 0;align-items:center}
p.kinds i{display:inline-block;min-width:1.3em;text-align:center;color:#fff;border-radius:3px;font-style:normal}
p.kinds svg{width:2rem;height:1rem;vertical-align:-.15rem}p.kinds span{white-space:nowrap}
"""


def captioned(picture: str, entries: Iterable[Entry]) -> str:
    """A picture with its key."""
    names = "".join(f"<span>{mark} {escape(name)}</span> " for mark, name in entries)
    return f'<figure>{picture}<p class="kinds">{names}</p></figure>'


def sign(drawn: str) -> str:
    """A piece of SVG around the origin, 32 units wide and 16 high, as the sign of an entry."""
    return f'<svg viewBox="-16 -8 32 16" aria-hidden="true">{drawn}</svg>'
