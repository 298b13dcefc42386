"""The characters of a YAML file: from bytes to a text that PyYAML can take, and its values back as they were written.

PyYAML ends a line at more characters than editors do, and refuses JSON's spelling of an emoji. So it gets a text in
which others stand in for these, as long as before, so that places stay right. They are noncharacters, which no file
holds.
"""

from __future__ import annotations

import re

from veopipe.documents.syntax import LINE_END

# What YAML doesn't call printable (section 5.1), and the noncharacters below. Checked here, so that it has a place.
# Spelt as what isn't allowed: the class of all that is takes seven times as long to compile.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


class Undecodable(ValueError):
    """Bytes that are no text, or a text with characters that no YAML has; the text says which, and what to do.

    Attributes:
        line: where, from 1.
        column: where, from 1.
    """

    def __init__(self, message: str, before: str = "") -> None:
        super().__init__(message)
        lines = LINE_END.split(before)
        self.line, self.column = len(lines), len(lines[-1]) + 1


def decoded(data: bytes) -> str:
    """The text of a file.

    Raises:
        Undecodable: it isn't UTF-8, or holds a control character.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise Undecodable("this file is UTF-16; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        raise Undecodable("this byte is not UTF-8; save the file as UTF-8", before) from None
    odd = _UNPRINTABLE.search(text)
    if odd:
        name = f"U+{ord(odd[0]):04X}"
        message = f"control character {name}: take it out, or write it as an escape"
        raise Undecodable(message, text[: odd.start()])
    return text


# These end a line for PyYAML (YAML 1.1), but not for editors; pasted text may hold them.
_PASTED_BREAKS = "\x85\u2028\u2029"
_STAND_INS = str.maketrans(_PASTED_BREAKS, "\ufdd0\ufdd1\ufdd2")
_STOOD_FOR = str.maketrans("\ufdd0\ufdd1\ufdd2", _PASTED_BREAKS)


def stood_in(text: str) -> str:
    """A text for PyYAML; the same object if nothing had to be stood in for."""
    has_breaks = any(character in text for character in _PASTED_BREAKS)
    return _whole_emoji(text.translate(_STAND_INS) if has_breaks else text)


def as_written(value: str, *, in_double_quotes: bool) -> str:
    """A value that PyYAML read from such a text, with what its characters stood for."""
    value = value.translate(_STOOD_FOR)
    return value.translate(_NO_FILLERS) if in_double_quotes else _WHOLE.sub(_halves, value)


# --- JSON's spelling of what lies above U+FFFF --------------------------------------------------------------
#
# JSON (RFC 8259, section 7) writes an emoji as two escapes of half a character each, and YAML's parsers refuse these.
# So the parser gets YAML's spelling of the emoji, and two noncharacters (fillers) that make it as long. Which fillers
# they are records the capitals among the digits of each half: a text where a backslash is just a backslash (one without
# double quotes) gets its own spelling back.

_HALVES = re.compile(r"\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|.)", re.DOTALL)
_FILLERS = "".join(map(chr, range(0xFDD3, 0xFDE3)))  # sixteen, as four digits can have capitals
_WHOLE = re.compile(f"\\\\U([0-9a-f]{{8}})([{_FILLERS}])([{_FILLERS}])")
_NO_FILLERS = dict.fromkeys(map(ord, _FILLERS))


def _whole_emoji(text: str) -> str:
    """The text with each pair of escapes replaced by YAML's spelling of the emoji, as long; or the same text."""
    return _HALVES.sub(_whole, text) if "\\ud" in text or "\\uD" in text else text


def _whole(match: re.Match[str]) -> str:
    if match[1] is None:
        return match[0]
    high, low = int(match[1], 16), int(match[2], 16)
    whole = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
    return f"\\U{whole:08x}{_filler(match[1])}{_filler(match[2])}"


def _filler(half: str) -> str:
    return _FILLERS[sum(1 << place for place, digit in enumerate(half) if digit.isupper())]


def _halves(match: re.Match[str]) -> str:
    high, low = divmod(int(match[1], 16) - 0x10000, 0x400)
    return f"\\u{_spelled(0xD800 + high, match[2])}\\u{_spelled(0xDC00 + low, match[3])}"


def _spelled(half: int, filler: str) -> str:
    capitals = _FILLERS.index(filler)
    return "".join(digit.upper() if capitals >> place & 1 else digit for place, digit in enumerate(f"{half:04x}"))
