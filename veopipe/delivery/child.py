"""A process that looks at a foreign file, as whoever asks it knows it: it may hang, crash and lie, and is then killed.

* It knows no key: its environment is a list of what it needs, not ours minus something.
* One whose question was cut off, by the time limit or by a cancellation, is killed and never asked again: its late
  answer would be taken for the next file's.

`confinement` is the other side.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from veopipe.text import printable
from veopipe.values import dataclass

_START_LIMIT_S = 30.0  # to load a library: 0.1 s here, but machines can be busy
_GRACE_S = 2.0  # its own alarm rings so much later than ours
_LARGEST = 256 * 1024 * 1024  # bytes behind an answer: two pictures of 8K without any compression

# What it needs to find its library and the user's packages; everything else stays here.
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "PYTHONHOME", "HOME", "LANG")


class Unready(Exception):
    """There is no such process; the text says why."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it said.

    Attributes:
        facts: as JSON had them.
        content: the bytes behind them.
    """

    facts: Mapping[str, Any]
    content: tuple[bytes, ...] = ()

    @property
    def error(self) -> str | None:
        """What it can't do, in words that are safe to show."""
        return printable(str(self.facts["error"])) if "error" in self.facts else None


class Child:
    """Such a process. One question at a time; one event loop only."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, module: str, name: str) -> Self:
        """A new one that has loaded its library.

        Args:
            module: what it runs.
            name: what people call it: "the measuring process".

        Raises:
            Unready: there is none.
        """
        try:
            process = await _started(module)
        except OSError as error:
            raise Unready(f"{name} can't be started: {error.strerror or error}") from None
        child = cls(process)
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                hello = await child._exchange(None)
        except TimeoutError:
            hello = None
        except BaseException:
            await child.end()
            raise
        if hello is None or "ready" not in hello.facts:
            await child.end()
            reason = "it ended at once" if hello is None else hello.error or "it says something else"
            raise Unready(f"{name} doesn't start: {reason}")
        return child

    async def ask(self, question: Mapping[str, Any], limit_s: float) -> Answer | None:
        """The answer; None when the process died of the question, or before. Without an answer it is killed.

        Args:
            question: what JSON can hold.
            limit_s: seconds that it may take.

        Raises:
            TimeoutError: it didn't answer in that time.
        """
        try:
            async with asyncio.timeout(limit_s):
                answer = await self._exchange({**question, "limit_s": limit_s + _GRACE_S})
        except BaseException:
            self.kill()
            raise
        if answer is None:
            self.kill()
        return answer

    def kill(self) -> None:
        """End it without waiting.

        Not by the process's own `kill`, which looks whether it has ended: who sees that first reaps it, and asyncio,
        which waits for it in a thread, would complain on stderr of a child that it doesn't know.
        """
        if not self.is_gone:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)

    @property
    def is_gone(self) -> bool:
        """Whether its end was noticed."""
        return self._process.returncode is not None

    async def end(self) -> None:
        """End it, and wait until it is gone."""
        self.kill()
        await self._process.wait()

    async def _exchange(self, question: Mapping[str, Any] | None) -> Answer | None:
        """Send a question, if there is one, and read one answer; None when it is gone or talks nonsense."""
        sent, said = self._process.stdin, self._process.stdout
        if sent is None or said is None:
            return None
        try:
            if question is not None:
                sent.write(json.dumps(question).encode() + b"\n")
                await sent.drain()
            facts = json.loads(await said.readline())
            if not isinstance(facts, dict):
                return None
            return Answer(facts, await _behind(said, facts.pop("sizes", [])))
        except (BrokenPipeError, ConnectionResetError, EOFError, ValueError, TypeError):
            return None


async def _started(module: str) -> Process:
    """The process itself, which runs a module."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", module),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        cwd="/",
        env=_environment(),
        start_new_session=True,  # a Ctrl-C at the terminal is ours to handle
    )


async def _behind(said: asyncio.StreamReader, sizes: list[int]) -> tuple[bytes, ...]:
    """The bytes that follow an answer."""
    if sum(map(abs, sizes)) > _LARGEST:
        raise ValueError("more than is ever asked for")
    return tuple([await said.readexactly(size) for size in sizes])


def asked_of(path: Path, **more: Any) -> dict[str, Any]:
    """A question about a file; the process has another working folder.

    Args:
        path: the file.
        more: what is asked besides.
    """
    return {"path": str(path.absolute()), **more}


def _environment() -> dict[str, str]:
    """Its environment: it finds the modules that this process finds, and knows nothing else."""
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    modules = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path if entry)
    package = str(Path(__file__).absolute().parents[2])
    return kept | {"PYTHONPATH": f"{modules}{os.pathsep}{package}"}
