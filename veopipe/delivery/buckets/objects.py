"""A prefix of a bucket: what lies there, and the few things that are done to it. The owner of obstore.

* Calls are synchronous: asynchronous ones can abort the process at its end. Each has a thread of its own that nobody
  joins, so who waits for it can leave: by a signal, or by `close`. The library's own retries are off. Small calls are
  repeated here while their trouble may pass; a video is sent once a call.
* A file is sent from a memory map, in one request, with its SHA-256, which S3 compares with what came.
* What a store says against a call is a `StoreFault`, an `OSError`, as a disk's refusal is. No secret is in its words.
* Nothing is ever deleted here: there is no function for it.

Source: docs/scale.md, a and b; DECISIONS.md, 48.
"""

from __future__ import annotations

import math
import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from veopipe.errors import EnvironmentFault
from veopipe.takes.origin import is_loopback
from veopipe.text import hide, printable
from veopipe.values import dataclass

ANSWER_WAIT = 20.0
"""Seconds for an answer to a small call; a store that needs longer isn't there (docs/scale.md, b)."""
SEND_WAIT = 1800.0
"""Seconds that one video may take, either way: as a download."""
NEW = "new"
"""The condition that there is nothing of that name."""
PAUSES = (0.2, 0.6, 2.0)
"""Seconds before a small call is repeated; more than a store's hiccup takes, less than a person waits."""
_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
    "gs": (),
}
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY")
_PASSING = frozenset({"BadDigest", "IncompleteBody", "RequestTimeout", "ConditionalRequestConflict"})
_FULL = frozenset({"QuotaExceeded", "XMinioStorageFull", "InsufficientStorage", "AccountProblem"})
_REFUSALS = frozenset({"PermissionDeniedError", "UnauthenticatedError", "NotSupportedError", "InvalidPathError"})
_T = TypeVar("_T")


class StoreFault(OSError):
    """What a store says against a call: `strerror` for people, `filename` its address."""

    def __init__(self, why: str, where: str) -> None:
        super().__init__(0, why, where)

    def __str__(self) -> str:
        return f"{self.filename}: {self.strerror}"


class Refused(StoreFault):
    """It won't, however often it is asked: no right, no bucket, no room, no such way to ask."""


class Passing(StoreFault):
    """It couldn't now: busy, cut, slow, or what came was damaged. The call may be repeated."""


class Taken(StoreFault):
    """The condition doesn't hold: the name is taken, or its content isn't the one of that etag."""


class Missing(StoreFault):
    """There is nothing of that name."""


class Left(StoreFault):
    """Nobody waits for the answer any more: it may be done, or not."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An object as a list shows it.

    Attributes:
        size: bytes.
        etag: what tells this content from another one of the same name.
        at: when it was written, by the store's clock, Unix seconds.
    """

    size: int
    etag: str
    at: float


class Objects:
    """What lies below one prefix of a bucket; names are relative to it.

    Args:
        url: `s3://bucket/film/shots`.

    Raises:
        EnvironmentFault: the extra isn't installed, or the environment names no usable store.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._quick, self._slow = _opened(url, ANSWER_WAIT), _opened(url, SEND_WAIT)
        self._asked: set[Future[Any]] = set()
        self._closed = threading.Event()

    def close(self) -> None:
        """Nobody waits any more: what is asked, and what will be, raises `Left`. A call under way goes on by itself."""
        self._closed.set()
        for answer in tuple(self._asked):
            with suppress(InvalidStateError):  # it came just now
                answer.set_exception(Left("isn't waited for", self.url))

    def list(self) -> dict[str, Seen]:
        """All objects, by name.

        Raises:
            StoreFault: they can't be listed.
        """
        import obstore

        def every() -> dict[str, Seen]:
            return {meta["path"]: _seen(meta) for some in obstore.list(self._quick) for meta in some}

        return self._patiently(every, "")

    def look(self, name: str) -> tuple[Seen, Mapping[str, str]] | None:
        """One object and its metadata, without its content; None: there is none.

        Raises:
            StoreFault: nobody can say.
        """
        import obstore

        def head() -> tuple[Seen, Mapping[str, str]]:
            found = obstore.get(self._quick, name, options={"head": True})
            return _seen(found.meta), dict(found.attributes)

        try:
            return self._patiently(head, name)
        except Missing:
            return None

    def read(self, name: str, most: int) -> tuple[bytes, Seen]:
        """The content of a small object, and its etag.

        Args:
            name: which.
            most: bytes that it may have.

        Raises:
            Missing: there is none.
            StoreFault: it is larger, or can't be read.
        """
        import obstore

        def get() -> tuple[bytes, Seen]:
            found = obstore.get(self._quick, name)
            if found.meta["size"] > most:
                raise Refused(f"is larger than {most:,} bytes", self._where(name))
            return bytes(found.bytes()), _seen(found.meta)

        return self._patiently(get, name)

    def put(
        self, name: str, content: bytes | Path, only_if: str | None = None, about: Mapping[str, str] | None = None
    ) -> str:
        """Let an object have this content, whole or not at all; its etag.

        Args:
            name: which.
            content: bytes, or a file, which isn't read into memory.
            only_if: `NEW`, or the etag that it must have now; None: whatever is there.
            about: metadata, `Content-Type` among it.

        Raises:
            Taken: the condition doesn't hold. After a lost answer that may be this very content: look.
            StoreFault: it isn't there, or nobody can say.
        """
        import obstore

        mode: Any = {NEW: "create", None: "overwrite"}.get(only_if) or {"e_tag": only_if}
        store = self._slow if isinstance(content, Path) else self._quick

        def send() -> str:
            with _mapped(content) as sent:
                done = obstore.put(store, name, sent, attributes=dict(about or {}), mode=mode, use_multipart=False)
            return done["e_tag"] or ""

        return self._ask(send, name)

    def copy(self, name: str, to: str) -> None:
        """Let `to` have the content and the metadata of another object, whatever it had. The store copies it itself.

        Raises:
            Missing: there is nothing to copy.
            StoreFault: it isn't there, or nobody can say.
        """
        import obstore

        self._patiently(lambda: obstore.copy(self._slow, name, to), name)

    def fetch(self, name: str, target: Path) -> None:
        """Write the content of an object into a new file.

        Raises:
            Missing: there is none.
            StoreFault: it didn't come whole.
            OSError: the file can't be written.
        """
        import obstore

        def get() -> None:
            with target.open("wb") as file:
                for piece in obstore.get(self._slow, name):
                    file.write(piece)

        self._patiently(get, name)

    def _where(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url

    def _ask(self, call: Callable[[], _T], name: str) -> _T:
        """What a call of the library came to, its errors translated."""
        answer: Future[_T] = Future()
        self._asked.add(answer)
        try:
            if self._closed.is_set():  # seen after the answer can be: `close` sets the one, and looks for the other
                raise Left("isn't asked any more", self._where(name))
            threading.Thread(target=_answer, args=(call, answer), name="veopipe-store", daemon=True).start()
            return answer.result()
        except (StoreFault, EnvironmentFault):
            raise
        except Exception as error:
            if not _is_a_stores(error):
                raise
            raise _translated(error, self._where(name)) from None
        finally:
            self._asked.discard(answer)

    def _patiently(self, call: Callable[[], _T], name: str) -> _T:
        until = time.monotonic() + ANSWER_WAIT
        return patiently(partial(self._ask, call, name), until=until, wait=self._closed.wait)


def patiently(
    call: Callable[[], _T],
    pauses: Sequence[float] = PAUSES,
    *,
    until: float = math.inf,
    wait: Callable[[float], object] = time.sleep,
) -> _T:
    """Repeat a call that changes nothing, or can be done twice, while its trouble may pass.

    Args:
        call: what is done.
        pauses: seconds before it is repeated.
        until: after that it isn't, by the monotonic clock.
        wait: ends early where nobody waits for it any more.

    Raises:
        StoreFault: what the last one says.
    """
    for pause in pauses:
        try:
            return call()
        except Passing:
            if time.monotonic() + pause > until:
                raise
        wait(pause)
    return call()


class _AtWork:
    """How many calls are under way in this process."""

    def __init__(self) -> None:
        self._count, self._turn = 0, threading.Lock()

    def __enter__(self) -> None:
        with self._turn:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._count -= 1

    def __bool__(self) -> bool:
        return self._count > 0


_at_work = _AtWork()


def _answer(call: Callable[[], _T], answer: Future[_T]) -> None:
    """Let a call answer, counted while it is under way."""
    with _at_work:
        result, fault = None, None
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            fault = error
    with suppress(InvalidStateError):  # nobody waits any more
        if fault is not None:
            answer.set_exception(fault)
        else:
            answer.set_result(result)  # type: ignore[arg-type]


def are_under_way() -> bool:
    """Whether a call is under way in a thread of this process, which must then end without waiting for it."""
    return bool(_at_work)


def require(url: str) -> None:
    """See that the library for a store is here.

    Raises:
        EnvironmentFault: it isn't.
    """
    try:
        import obstore  # noqa: F401
    except ImportError:
        raise EnvironmentFault(
            f"obstore isn't installed, which {printable(url)} needs", hint="pip install 'veopipe[s3]'"
        ) from None


def _opened(url: str, wait: float) -> Any:
    """The library's store. Whom it believes and who it is, it takes from the environment."""
    require(url)
    from obstore.store import from_url

    scheme, _, place = url.partition("://")
    for variable in _SECRETS:
        hide(os.environ.get(variable, "").strip(), is_key=False)  # should a store repeat it
    options: Any = {"timeout": f"{wait:.0f}s", "connect_timeout": f"{ANSWER_WAIT:.0f}s"}
    options["allow_http"] = _is_plain(scheme)
    more: dict[str, Any] = {"config": {"checksum_algorithm": "SHA256"}} if scheme == "s3" else {}
    if scheme == "s3" and (provider := _of_a_profile()) is not None:
        more["credential_provider"] = provider
    try:
        return from_url(f"{scheme}://{quote(place)}", client_options=options, retry_config={"max_retries": 0}, **more)
    except Exception as error:
        if not _is_a_stores(error):
            raise
        why = printable(str(error).partition("\n")[0])
        raise EnvironmentFault(
            f"{url} can't be used: {why}", hint="docs/scale.md says what the environment is to have"
        ) from None


def _of_a_profile() -> Any:
    """Who says the keys where a profile of `~/.aws` is named, which the library doesn't read; None: the environment."""
    name = os.environ.get("AWS_PROFILE", "").strip()
    if not name or os.environ.get("AWS_ACCESS_KEY_ID", "").strip():
        return None
    try:
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise EnvironmentFault(
            f"AWS_PROFILE is {printable(name, 60)}, and profiles aren't read without boto3",
            hint='pip install boto3, or: eval "$(aws configure export-credentials --format env)"',
        ) from None
    return Boto3CredentialProvider()


def _is_plain(scheme: str) -> bool:
    """Whether the environment names an endpoint without TLS; raises `EnvironmentFault` unless it is on this machine.

    All of its variables count: the library takes the one that it comes upon last, however its name is written.
    """
    is_plain = False
    for variable, endpoint in os.environ.items():
        if variable.upper() not in _ENDPOINTS[scheme]:
            continue
        parts = urlsplit(endpoint.strip())
        if parts.scheme != "http":
            continue
        if not is_loopback(parts.hostname or ""):
            host = printable(parts.hostname or "", 100)
            why = f"{variable} names http://{host}: keys and videos would go over the network in the clear"
            raise EnvironmentFault(why, hint="write https://, or http:// of this machine only (127.0.0.1, localhost)")
        is_plain = True
    return is_plain


@contextmanager
def _mapped(content: bytes | Path) -> Iterator[Any]:
    """What is sent: bytes as they are, a file as a map of it."""
    import mmap  # where a video is sent

    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as pages:
        yield pages


def _seen(meta: Any) -> Seen:
    return Seen(meta["size"], meta["e_tag"] or "", meta["last_modified"].timestamp())


# --- what a store says ------------------------------------------------------------------------------


def _is_a_stores(error: Exception) -> bool:
    """Whether an error is the library's; a file that can't be read isn't."""
    return type(error).__module__.startswith("obstore") or (
        isinstance(error, FileNotFoundError | PermissionError | ValueError | NotImplementedError)
        and getattr(error, "errno", None) is None
    )


def _translated(error: Exception, where: str) -> StoreFault:
    """What an error of the library means for what was asked."""
    said, status, code = _words(str(error))
    name = type(error).__name__
    is_busy = status == 429 or (status >= 500 and status not in {501, 507})
    meanings = [
        (name in {"AlreadyExistsError", "PreconditionError"} or status == 412, Taken, "something else has its name"),
        (code == "NoSuchBucket", Refused, "there is no such bucket"),
        (name == "FileNotFoundError" or status == 404, Missing, "isn't there"),
        (code in _FULL or status == 507, Refused, f"it is full: {said}"),
        (code in _PASSING or is_busy, Passing, said),
        (status >= 300 or name in _REFUSALS, Refused, said),
        ("redirect" in said, Refused, f"{said}; is AWS_REGION the bucket's?"),
        (True, Passing, said),
    ]
    return next(kind(why, where) for holds, kind, why in meanings if holds)


def _words(text: str) -> tuple[str, int, str]:
    """What a store said, for people, with its HTTP status and its code (0 and empty: it said nothing)."""
    head, _, debug = text.partition("Debug source:")
    status = re.search(r"status code: (\d{3})", head)
    code, message = (re.search(rf"<{tag}>([^<]*)</{tag}>", head) for tag in ("Code", "Message"))
    found = code[1] if code else ""
    if status is None:
        kind = re.search(r"kind: (Timeout|Connect)\b", debug)
        why = {"Timeout": "it took too long", "Connect": "it can't be reached"}.get(kind[1] if kind else "", "")
        return why or printable(head.strip().rpartition("HTTP error: ")[2].partition("\n")[0], 200), 0, found
    said = " ".join(part for part in (f"HTTP {status[1]}", found) if part)
    return printable(f"{said}: {message[1]}" if message and message[1] else said, 300), int(status[1]), found
