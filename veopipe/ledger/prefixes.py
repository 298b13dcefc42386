"""Prefixes of buckets, as `output` names them: `s3://bucket/film`. Texts only; no store is asked anything.

Source: docs/scale.md, a.
"""

from __future__ import annotations

import re

SCHEMES = ("s3", "gs", "az")
"""Stores that are spoken to; `gs` and `az` untested."""
_PREFIX = re.compile(r"(?:s3|gs|az)://[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](?:/[^/\\?#%$\x00-\x1f\x7f]+)*")
_LONGEST = 300  # bytes; a key may have 1,024 with the list's name and the take's behind it


def is_prefix(output: str) -> bool:
    """Whether an output lies in a store, and not in a folder beside the list."""
    scheme, mark, _ = output.partition("://")
    return bool(mark) and scheme in SCHEMES


def fault(output: str) -> str | None:
    """What is wrong with an address of a store, and what to write; None: nothing. What may be a secret isn't repeated.

    Args:
        output: what `is_prefix` holds for.
    """
    scheme, _, rest = output.partition("://")
    rest, *asked = re.split(r"[?#]", rest, maxsplit=1)
    where, slash, prefix = rest.partition("/")
    user, at, bucket = where.rpartition("@")
    better = f"{scheme}://{bucket or 'BUCKET'}{slash}{prefix}".rstrip("/")
    faults = [
        (at or user, f"holds a user or a password: credentials come from the environment; write {better}"),
        (not bucket, f"names no bucket: write {scheme}://BUCKET/PREFIX"),
        (asked, f"has something behind a `?` or `#`: settings come from the environment; write {better}"),
        (rest.endswith("/"), f"ends in a slash: write {better}"),
        (
            _is_strange(output, prefix),
            f"isn't the address of a bucket: write {scheme}://bucket/film, in small letters, without variables",
        ),
    ]
    return next((why for holds, why in faults if holds), None)


def _is_strange(output: str, prefix: str) -> bool:
    """Whether it is none that every store takes, and that means the same to all of them."""
    odd = any(part in {".", ".."} or part != part.strip() for part in prefix.split("/"))
    return odd or _PREFIX.fullmatch(output) is None or len(output.encode()) > _LONGEST
