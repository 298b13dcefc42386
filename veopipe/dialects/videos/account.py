"""The account's log of LaoZhang and its relatives: charges, ten on a page, behind a token of its own. Pure.

Two forms: one-api's, a list in pages from 0; and new-api's, which wants the account's number besides, counts pages from
1, and says how many charges there are.

Source: docs/api-facts.md, i.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any
from urllib.parse import urlencode

from veopipe.dialects.base import JSON, Evidence, Request
from veopipe.dialects.bodies import parse_json, words_of_body
from veopipe.dialects.lookup import Page, Question, Record
from veopipe.dialects.videos import jobs
from veopipe.takes.origin import is_safe_id
from veopipe.text import holds_secret
from veopipe.values import dataclass

_PATH = "/api/log/self"
PAGE = 10
"""Records of a full page."""
_CONSUMED = 2
# Ids are whole words: what goes on behind one with a slash, a dot or a mark of a query is none.
_WORDS = re.compile(r"[^\s\"'`,;=:()\[\]{}<>，。；：（）【】「」]+")
_TASK_ID = re.compile(r"task_(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]{8,251}")
_FIGURES = ("page", "page_size", "total")
_DEEPEST = 8  # holders and JSON in strings inside one another
_MOST = 2_000  # values of one record that are looked at


@dataclass(frozen=True, slots=True)
class Log:
    """The `AccountLog`; `lookup.AccountLog` says what each method means.

    Attributes:
        user: the account's number: the log is new-api's. None: it is one-api's.
    """

    user: int | None = None

    def token_header(self, token: str) -> tuple[str, str]:
        """Bare: `Bearer` in front would make it an API key."""
        return "Authorization", token

    def page(self, question: Question, number: int) -> Request:
        """Consumption only. Its size can't be chosen."""
        who = {} if self.user is None else {"New-Api-User": str(self.user)}
        asked: dict[str, str | int] = {"p": number if self.user is None else number + 1, "type": _CONSUMED}
        asked |= {"start_timestamp": question.since, "end_timestamp": question.until}
        if question.model is not None:
            asked["model_name"] = question.model
        if question.key_name is not None:
            asked["token_name"] = question.key_name
        return Request("GET", f"{_PATH}?{urlencode(asked)}", JSON | who)

    def judge_page(self, evidence: Evidence, question: Question) -> Page:
        """Only a list that the gateway calls a success is one; a record that can't be read spoils its page."""
        if evidence.status is None:
            return Page(trouble=f"the account's log can't be read: {evidence.error or 'no answer'}")
        document = parse_json(evidence.body) if evidence.status == 200 else None
        if not isinstance(document, dict) or document.get("success") is not True:
            said = words_of_body(evidence.body) or f"HTTP {evidence.status}"
            return Page(trouble=f"the gateway doesn't show the account's log: {said}")
        found, is_last = _listed(document.get("data")) if self.user is None else _paged(document.get("data"))
        if found is None:
            return Page(trouble="the account's log has a form that isn't known")
        mine = filter(partial(_is_asked_for, question), found)
        return Page(tuple(map(_record, mine)), is_last)


def _listed(data: Any) -> tuple[list[dict[str, Any]] | None, bool]:
    """The records of one-api's page, None if it has another form; and whether it is the last one."""
    is_list = isinstance(data, list) and all(isinstance(entry, dict) for entry in data)
    return (data, len(data) < PAGE) if is_list else (None, True)


def _paged(data: Any) -> tuple[list[dict[str, Any]] | None, bool]:
    """The same of new-api's page, which must hold as many records as its own figures say."""
    figures: list[Any] = [data.get(key) for key in _FIGURES] if isinstance(data, dict) else [None]
    if not all(type(figure) is int for figure in figures):
        return None, True
    page, size, total = figures
    rest = total - (page - 1) * size
    records, _ = _listed(data.get("items") or [])
    return (records, rest <= size) if len(records or []) == min(size, max(rest, 0)) else (None, True)


def _is_asked_for(question: Question, entry: Mapping[str, Any]) -> bool:
    """Whether a record is a charge by the key that was asked for; one that doesn't say may be."""
    kind, name = entry.get("type", _CONSUMED), entry.get("token_name")
    other_key = question.key_name is not None and isinstance(name, str) and name not in {"", question.key_name}
    other_model = question.model is not None and isinstance(entry.get("model_name"), str)
    return kind == _CONSUMED and not other_key and not (other_model and entry["model_name"] != question.model)


def _record(entry: Mapping[str, Any]) -> Record:
    at, model = jobs.instant(entry.get("created_at")), entry.get("model_name")
    ids = frozenset(task_id for _, text in zip(range(_MOST), _texts(entry, 0), strict=False) for task_id in _ids(text))
    return Record(model if isinstance(model, str) else "", at, ids)


def _texts(value: Any, depth: int) -> Iterator[str]:
    """The texts of a record, those of JSON in strings, too; never a key."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner, depth + 1)
    elif isinstance(value, str):
        packed = _unpacked(value)
        if packed is None:
            yield value
        else:
            yield from _texts(packed, depth + 1)


def _unpacked(text: str) -> Any:
    """What stands in a text that is JSON as a whole; None: it isn't."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _ids(text: str) -> Iterator[str]:
    for word in _WORDS.findall(text):
        if _TASK_ID.fullmatch(word) and is_safe_id(word) and not holds_secret(word):
            yield word
