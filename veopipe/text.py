"""Text that came from outside, made safe to show: no terminal escapes, no secrets, no endless lines.

Everything that goes to a terminal, a log or a report and that this program didn't write itself (prompts,
ids, server messages, file names) passes through here once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

# Keys of this API family start with `sk-`, Google's with `AIza` or `AQ.`; some gateways echo them in error texts
# (docs/hazards.md, e 42). Not inside a word: `desk-lamp` is a shot, not a key.
_KEY = re.compile(r"(?<![A-Za-z0-9])(?:sk-[A-Za-z0-9_*.-]{6,}|(?:AIza|AQ\.)[A-Za-z0-9_*-]{20,})")
# User and password of an address. A password may hold what should be percent-encoded; it is bounded, so that a long
# text without an @ takes no time. Digits up to a slash are a port, and what follows is a path.
_LOGIN = re.compile(
    r"://(?!(?:[^\s/?#@:\[]{1,256}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?/)"
    r"(?:[^\s/?#@:]{0,256}:[^\s@]{0,256}|[^\s/?#@]{1,256})@"
)
# What stands in an address behind a name that says that it is a secret: signed addresses of stores, keys of gateways.
_SIGNED = re.compile(
    r"([?&](?:[a-z0-9_.-]{0,40}(?:key|token|signature|credential|password|secret)|sig)=)[^&#\s\"'<>]{4,}", re.IGNORECASE
)
# C0 and C1 controls, DEL, zero-width and bidi controls, line separators, lone surrogates:
# all can redraw or reorder a terminal line (docs/hazards.md, e 44).
_UNSAFE = "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"

# Ids in a gateway's texts: long words with a digit, long numbers. Sizes and seconds are no ids.
_VARYING = re.compile(r"(?=[A-Za-z_-]*[0-9])[0-9A-Za-z_-]{16,}|[0-9]{5,}")
# Blanks, controls and formats by their category, and what else Unicode has shown as nothing at all
# (DerivedCoreProperties, Default_Ignorable_Code_Point), fillers and the empty Braille cell among it.
_EMPTY = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
_IGNORABLE = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2065\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\ufff0-\ufff8\U00013439-\U0001343f\U000e0000-\U000e0fff]"
)

_secrets: list[str] = []  # longest first: a part of one may be another
_keys: set[str] = set()
SHORTEST_SECRET = 6
"""Characters. Keys have 20 and more; masking a test's `key` would maim every text that says "key"."""

_DENSE = "[\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff]"

SHOWN = 200
"""Characters of a foreign text that are shown: longer ones are cut (docs/hazards.md, e 16)."""


def printable(text: str, limit: int | None = SHOWN, *, own: bool = False) -> str:
    """`text` on one line, controls written as escapes, keys masked, cut to `limit` characters.

    Args:
        text: any text.
        limit: the number of characters kept, or None for all.
        own: the user wrote it (a prompt, an id, a file's name): a word that is also a proxy's password is no password.
    """
    text = without_keys(text, own=own)
    if limit is None:
        return _escaped(text)
    shown = _escaped(text[: limit + 1])  # an escape is longer than what it stands for
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


@cache
def _any_of(characters: str) -> re.Pattern[str]:
    """A class of characters, compiled when a text needs it: those far above ASCII take milliseconds."""
    return re.compile(characters)


def _is_ignorable(character: str) -> bool:
    return not character.isascii() and _any_of(_IGNORABLE).match(character) is not None


def _escaped(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _any_of(_UNSAFE).sub(_escape, text)


def dense(text: str) -> int:
    """How many characters of a text are of a script without blanks between its words."""
    return 0 if text.isascii() else len(_any_of(_DENSE).findall(text))


def is_blank(text: str) -> bool:
    """Whether nobody sees anything in a text."""
    return all(unicodedata.category(character) in _EMPTY or _is_ignorable(character) for character in text)


def hide(secret: str, *, is_key: bool = True) -> None:
    """Mask `secret` in every text that passes through here from now on.

    Args:
        secret: shorter ones than `SHORTEST_SECRET` are passed over.
        is_key: the far side has it and may repeat it: it is masked where it was cut off, and `holds_secret` finds it.
    """
    if len(secret) >= SHORTEST_SECRET and secret not in _secrets:
        _secrets.append(secret)
        _secrets.sort(key=len, reverse=True)
        if is_key:
            _keys.add(secret)


def without_keys(text: str, *, own: bool = False) -> str:
    """`text` with the hidden secrets, and whatever else looks like a key, a login or a signature, replaced by `sk-…`.

    Args:
        text: any text.
        own: see `printable`.
    """
    for secret in _secrets:
        if not own or secret in _keys:
            text = text.replace(secret, "sk-…")
    for key in _keys:
        text = _without_cut(text, key)
    text = _LOGIN.sub("://sk-…@", _KEY.sub("sk-…", text))
    return _SIGNED.sub(r"\1sk-…", text) if "=" in text else text


def _without_cut(text: str, secret: str) -> str:
    """`text` without the beginning of a secret at its end: a foreign text that was cut off in the midst of it."""
    for length in range(len(secret) - 1, SHORTEST_SECRET - 1, -1):
        if text.endswith(secret[:length]):
            return text[:-length] + "sk-…"
    return text


def without_ids(text: str) -> str:
    """`text` without what differs each time that the same is said: request ids, time stamps."""
    return _VARYING.sub("…", text)


def holds_secret(text: str) -> bool:
    """Whether a hidden key stands in `text`: such a text isn't kept, whatever it claims to be."""
    return any(key in text for key in _keys)


def _escape(match: re.Match[str]) -> str:
    return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(match[0], f"\\u{ord(match[0]):04x}")


def sized(size: float) -> str:
    """Bytes as people know them from disks: `640 kB`, `21 MB`, `4.2 GB`, `1.3 TB`."""
    units = ("kB", "MB", "GB", "TB")
    size /= 1000
    for unit in units:
        if size < 1000 or unit == units[-1]:
            break
        size /= 1000
    return f"{size:.1f} {unit}" if size < 10 else f"{size:,.0f} {unit}"


def listed(words: Sequence[str]) -> str:
    """`one`, `one and two`, `one, two and three`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """`1 shot`, `2 shots`, `10,000 shots`; `plural` where an s isn't enough."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
