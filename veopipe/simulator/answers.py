"""A whole answer as a value, and the two kinds that every gateway has: JSON, and the page of a proxy in front."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: status, content type and body; `json_of` makes the usual ones.

    Attributes:
        status: the HTTP status.
        body: the bytes.
        content_type: the header's value.
        by_proxy: whether something in front of the gateway answered: then there is no request id.
        headers: further headers.
    """

    status: int
    body: bytes
    content_type: str = "application/json"
    by_proxy: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def json_of(status: int, value: Any) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(value, ensure_ascii=False).encode(), "application/json; charset=utf-8")


def page(status: int, title: str) -> Answer:
    """An HTML page as nginx or Cloudflare answers it."""
    text = (
        f"<html>\r\n<head><title>{status} {title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{status} {title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), "text/html", by_proxy=True)
