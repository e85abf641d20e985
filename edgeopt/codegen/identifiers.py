"""Names of models and tensors as C identifiers: the only way a foreign text reaches C or LLVM.

ONNX allows any text for a name, so ``*/``, a trigraph or a backslash before a line end in it would end the comment or string it
stands in. Nothing but ASCII letters, digits and underscores passes here, whatever the place it is meant for.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from itertools import chain, count

LONGEST = 48  # C promises 63 significant characters; the rest is for suffixes such as _OUTPUT_3_ELEMENTS

_KEYWORDS = frozenset(
    """alignas alignof and asm auto bool break case catch char class const constexpr continue default delete do double
    else enum explicit export extern false float for friend goto if inline int long main mutable namespace new not
    nullptr operator or private protected public register restrict return run init short signed sizeof static struct
    switch template this throw true try typedef typeid typename typeof union unsigned using virtual void volatile
    wchar_t while xor""".split()
)
# What with a suffix of ours would be a function of the C library, such as mtx_init.
_LIBRARY = re.compile(r"(aio|atomic|cnd|fanotify|inet6.*|inotify|mtx|posix.*|pthread.*|sem|svc|tss|thrd)")


def identifier(text: str, fallback: str) -> str:
    """``text`` with everything but ASCII letters and digits as single underscores, at most LONGEST characters.

    A longer text keeps its beginning and a hash of the whole. ``fallback`` stands for a text without letters and digits.
    """
    word = re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_") or fallback
    if len(word) > LONGEST:
        mark = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]
        word = f"{word[: LONGEST - 9]}_{mark}"
    return word


def distinct(texts: Iterable[str], fallback: str) -> list[str]:
    """An identifier for each text, numbered where two would be the same."""
    made: list[str] = []
    for word in (identifier(text, fallback) for text in texts):
        candidates = chain([word], (f"{word}_{number}" for number in count(2)))
        made.append(next(candidate for candidate in candidates if candidate not in made))
    return made


def library_name(text: str) -> str:
    """The prefix of a C library's functions for a model called ``text``: lower case, no keyword, nothing of the C library."""
    word = identifier(text, "model").lower()
    # One letter would make F_OK and its like, which <unistd.h> defines.
    plain = len(word) > 1 and not word[0].isdigit() and word not in _KEYWORDS and not _LIBRARY.fullmatch(word)
    return word if plain else f"model_{word}"


def is_identifier(text: str) -> bool:
    """True for what may stand in C and LLVM as it is."""
    return re.fullmatch(r"[A-Za-z_][0-9A-Za-z_]{0,127}", text) is not None
