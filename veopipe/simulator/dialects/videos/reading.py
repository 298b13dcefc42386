"""A create request's body: multipart in, `Form` out. Sizes are capped before anything is kept."""

from __future__ import annotations

import hashlib

from aiohttp import BodyPartReader, MultipartReader, web

from veopipe.simulator.dialects.videos.form import Form, Upload
from veopipe.simulator.faults import Target
from veopipe.simulator.wirelog import Entry

LARGEST_BODY = 128 * 1024 * 1024
_LARGEST_TEXT = 1024 * 1024


class WrongForm(ValueError):
    """The body isn't the multipart form that the document asks for."""


class TooLarge(ValueError):
    """The body is above the gateway's limit."""


class FormReader:
    """Reads the form in two steps, so that a fault can strike while files are still on their way."""

    def __init__(self, request: web.Request, entry: Entry) -> None:
        self._request = request
        self._entry = entry
        self._parts: MultipartReader | None = None
        self._waiting: BodyPartReader | None = None
        self._texts: list[tuple[str, str]] = []
        self._uploads: list[Upload] = []
        self._size = 0

    async def beginning(self) -> Target:
        """Read the text fields that come before the first file."""
        if self._request.content_type != "multipart/form-data":
            raise WrongForm("request Content-Type isn't multipart/form-data")
        self._entry.form = []
        try:
            self._parts = await self._request.multipart()
        except (AssertionError, ValueError) as error:
            raise WrongForm(str(error)) from None
        while (part := await self._next()) is not None:
            if part.filename is not None:
                self._waiting = part
                break
            await self._take(part)
        form = Form(tuple(self._texts))
        return Target(form.text("prompt") or "", form.text("model") or "")

    async def rest(self) -> Form:
        """Read all that is left."""
        part = self._waiting or await self._next()
        while part is not None:
            await self._take(part)
            part = await self._next()
        return Form(tuple(self._texts), tuple(self._uploads))

    async def _next(self) -> BodyPartReader | None:
        if self._parts is None:
            return None
        try:
            part = await self._parts.next()
        except (AssertionError, ValueError) as error:
            raise WrongForm(f"multipart: {error}") from None
        if part is None:
            return None
        if not isinstance(part, BodyPartReader) or not part.name:
            raise WrongForm("multipart: a part has no name")
        return part

    async def _take(self, part: BodyPartReader) -> None:
        name = part.name or ""
        if part.filename is None:
            try:
                text = (await self._bytes(part, _LARGEST_TEXT)).decode()
            except UnicodeDecodeError:
                raise WrongForm(f"multipart: {name} isn't UTF-8") from None
            self._texts.append((name, text))
            if self._entry.form is not None:
                self._entry.form.append((name, text))
            return
        data = await self._bytes(part, LARGEST_BODY)
        kind = part.headers.get("Content-Type", "")
        digest = hashlib.sha256(data).hexdigest()
        upload = Upload(name, part.filename, kind, len(data), digest, data)
        self._uploads.append(upload)
        self._entry.files.append(dict(upload.facts))

    async def _bytes(self, part: BodyPartReader, most: int) -> bytes:
        data = bytearray()
        while chunk := await part.read_chunk(256 * 1024):
            data += chunk
            self._size += len(chunk)
            if self._size > LARGEST_BODY or len(data) > most:
                raise TooLarge("request body exceeds 128 MB")
        return bytes(data)
