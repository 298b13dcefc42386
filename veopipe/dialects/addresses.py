"""Whether an answer speaks of the address, and not of what was asked for there. Pure.

A page or an empty answer comes from somebody who found nothing at the address; a gateway that refuses a model or a task
names it.

Source: docs/api-facts.md, a; docs/hazards.md, b.
"""

from __future__ import annotations

import re

from veopipe.dialects.base import Asked
from veopipe.dialects.bodies import A_PAGE

_ROUTE_STATUS = frozenset({404, 405, 415})
# What only routers and web servers say with these statuses (new-api, OpenAI, Express, Kong, Go, FastAPI).
_NO_ROUTE = re.compile(
    r"invalid url \(|unrecognized request url|cannot (?:post|get) /|no route matched|page not found|method not allowed",
    re.IGNORECASE,
)
# The same with 400: new-api; HTTP to a port for HTTPS (nginx, Go); IIS.
_NO_ROUTE_400 = re.compile(
    rf"invalid url \((?:post|get) /|http request (?:was sent )?to (?:an )?https|{A_PAGE}.*invalid hostname",
    re.IGNORECASE,
)
# What the statuses of a route speak of when they are about the order: its model (new-api, Google), its pictures.
_ABOUT_ORDER = re.compile(
    r"model|channel|engine|entity|prompt|no longer available|模型|渠道|分组"
    r"|image|picture|file(?! not found)|field|reference|upload|webp|jpe?g|png",
    re.IGNORECASE,
)
# What they may say of an address: its parts by name, or nothing but that something isn't there.
_ABOUT_ADDRESS = re.compile(
    r"\b(?:route|endpoint|ur[il]|path|page|method|address|api|post|(?:media|content)[ -]?type|nosuch(?:key|bucket))\b",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?:[\W\d_]|nothing|not|found|the|requested|resource|file|was|is|here|error|http|status)*", re.IGNORECASE
)
# Codes that say no more than the status does, or name the address; any other is about what was asked for there.
_NO_CODE = re.compile(
    r"|[0-9]+|not_?found|unsupported_?media_?type|invalid_request\w*|\w*(?:url|route|endpoint|method)\w*", re.IGNORECASE
)


def is_about_address(status: int, code: str | None, words: str | None, asked: Asked) -> bool:
    """Whether an answer speaks of the address. A gateway that took creates there has it, whatever it says."""
    words = words or ""
    if asked.has_accepted or not _NO_CODE.fullmatch(code or ""):
        return False
    if status == 400:
        return bool(_NO_ROUTE_400.search(words))
    if status not in _ROUTE_STATUS:
        return False
    return is_of_router(words) or (not asked.is_known and _may_be_of_address(words, asked.model))


def is_of_router(words: str) -> bool:
    """Whether nobody who has the address says so."""
    return words.startswith(A_PAGE) or _NO_ROUTE.search(words) is not None


def _may_be_of_address(words: str, model: str) -> bool:
    if _ABOUT_ORDER.search(words) or (model and model.lower() in words.lower()):
        return False
    return bool(_BARE.fullmatch(words) or _ABOUT_ADDRESS.search(words))
