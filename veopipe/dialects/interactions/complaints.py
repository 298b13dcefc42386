"""What an error of the API or of Google's front end says, in any of its three forms. Pure.

* The API: `{"error": {"message", "code": "invalid_request"}}`, a code of letters and no status.
* The front end: `{"error": {"code": 400, "message", "status", "details"}}`, or the same in a list.

Source: docs/api-facts.md, h.
"""

from __future__ import annotations

import re
from typing import Any

from veopipe.dialects.bodies import A_PAGE, parse_json, words_of_body
from veopipe.text import printable
from veopipe.values import dataclass

_KEY = re.compile(r"\bapi[ _]key (?:not valid|expired|invalid)|\bAPI_KEY_INVALID\b", re.IGNORECASE)
_UNKNOWN = re.compile(r"\binvalid interaction name\b|\bmay not exist\b", re.IGNORECASE)
_SAFETY = re.compile(
    r"\bsafety\b|\bpolic(?:y|ies)\b|\bprohibited\b|\bblocked\b|\bharmful\b|\bsensitive\b|\bviolat|\bresponsible ai\b",
    re.IGNORECASE,
)
_RETIRED = re.compile(r"\bno longer available\b|\bno available channels?\b", re.IGNORECASE)
_MOST_DETAILS = 20
_LONGEST_CODE = 80


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error, as far as it can be read. All texts are safe to print.

    Attributes:
        status: of HTTP.
        code: `invalid_request`, `INVALID_ARGUMENT`, or an empty text.
        reasons: of its details, such as `API_KEY_INVALID`.
        words: for people, or None.
    """

    status: int
    code: str = ""
    reasons: frozenset[str] = frozenset()
    words: str | None = None

    @property
    def is_page(self) -> bool:
        """Whether something in front of the API says so."""
        return self.words is not None and self.words.startswith(A_PAGE)

    @property
    def said(self) -> str:
        """The words, or what there is instead of them."""
        if self.words is None:
            return f"{self.code} (HTTP {self.status})" if self.code else f"HTTP {self.status}"
        return f"HTTP {self.status}: {self.words}" if self.is_page else self.words

    @property
    def is_about_key(self) -> bool:
        """Whether the key is no key: Google says that with a 400."""
        return self.status == 401 or "API_KEY_INVALID" in self.reasons or _KEY.search(self.words or "") is not None

    @property
    def is_about_account(self) -> bool:
        """Whether it concerns whoever asks: the key, permission, billing, the country."""
        precondition = self.status == 400 and self.code.upper() == "FAILED_PRECONDITION"
        return self.status in {402, 403} or precondition or self.is_about_key

    @property
    def names_no_task(self) -> bool:
        """Whether there is no such interaction, which Google says with a 400 or a 403."""
        return self.status in {400, 403} and _UNKNOWN.search(self.words or "") is not None

    @property
    def is_about_safety(self) -> bool:
        """Whether the content is what can't be made."""
        return not self.is_page and _SAFETY.search(f"{self.code} {self.words or ''}") is not None

    @property
    def is_about_retired_model(self) -> bool:
        """Whether the model is gone, or nobody there serves it."""
        return self.status in {404, 503} and not self.is_page and _RETIRED.search(self.words or "") is not None


def complaint_of(status: int, body: bytes) -> Complaint:
    """What the body of an answer with that status complains of."""
    document = parse_json(body)
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error") if isinstance(document, dict) else None
    words = words_of_body(body)
    if not isinstance(error, dict):
        return Complaint(status, words=words)
    return Complaint(status, _code(error), _reasons(error.get("details")), words)


def _code(error: dict[str, Any]) -> str:
    """The short name of an error: its status, or a code that isn't the number of HTTP once more."""
    for key in ("status", "code"):
        said = error.get(key)
        if isinstance(said, str) and said.strip():
            return printable(said.strip(), _LONGEST_CODE)
    return ""


def _reasons(details: Any) -> frozenset[str]:
    found = details[:_MOST_DETAILS] if isinstance(details, list) else []
    reasons = (detail.get("reason") for detail in found if isinstance(detail, dict))
    return frozenset(printable(reason, _LONGEST_CODE) for reason in reasons if isinstance(reason, str))
