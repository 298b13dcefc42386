"""What a signal does to a run: the first one lets it end soon, a second wish ends it at once.

Source: docs/design.md, 7 (Signals).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator

from veopipe.errors import EnvironmentFault, ExitCode
from veopipe.run import signals
from veopipe.run.brakes import Brakes
from veopipe.run.consent import Voice
from veopipe.run.creating.admission import Admission
from veopipe.run.events import Happening
from veopipe.values import dataclass

ECHO = 0.05
"""Seconds in which two signals are one: `timeout`, among others, signals a process and then its whole group."""
_ENDED_BY = {ExitCode.INTERRUPTED: "interrupted", ExitCode.TERMINATED: "terminated"}


@dataclass(slots=True)
class Leaving:
    """Hears signals while a run is on.

    Attributes:
        brakes: are put on by the first signal.
        voice: tells people what is waited for.
        admission: knows whether a create is under way.
        close_ledger: says in the ledger that this run is over.
        signalled: the exit code that the first signal asks for.
    """

    brakes: Brakes
    voice: Voice
    admission: Admission
    close_ledger: Callable[[], None]
    signalled: ExitCode | None = None
    _hears: bool = False
    _wished: bool = False
    _may_leave: bool = False

    @contextlib.contextmanager
    def hearing(self) -> Iterator[None]:
        """Hear signals in a loop that runs inside, and give each one the answer back that it had before.

        A loop leaves the system's own way behind, and nobody who wakes the main thread.
        """
        self._hears = True
        answers = {number: signal.getsignal(number) for number in signals.heard()}
        written = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(written, warn_on_full_buffer=False)
        try:
            yield
        finally:
            for number, answer in answers.items():
                signal.signal(number, answer)
            signal.set_wakeup_fd(written, warn_on_full_buffer=False)
            if self.signalled is not None:
                signals.hush(signals.ENDING - signals.WISHES)

    def listen(self) -> None:
        """Answer signals in the running event loop from now on, if they are to be heard."""
        loop = asyncio.get_running_loop()
        for number in signals.heard() if self._hears else ():
            loop.add_signal_handler(number, self._on_signal, number)

    def _on_signal(self, number: signal.Signals) -> None:
        """First: finish the create in flight, start nothing new. A second wish: leave now; all that counts is on disk.

        A terminal that goes, however often it says so, is no second wish.
        """
        code = ExitCode.INTERRUPTED if number == signal.SIGINT else ExitCode.TERMINATED
        is_first, is_wish = self.signalled is None, number in signals.WISHES
        if is_first:
            self.signalled = code
            self.brakes.leave(_ENDED_BY[code], code)
        if is_wish and self._may_leave:
            self._leave_now(code)
        elif is_first or (is_wish and not self._wished):
            self._say_what_is_left(offers=is_wish)
        self._wished = self._wished or is_wish

    def _say_what_is_left(self, *, offers: bool) -> None:
        why = _ENDED_BY[self.signalled or ExitCode.INTERRUPTED]
        if not self.admission.asking:
            self._may_leave = offers
            self.voice.tell(f"{why}: leaving")
        elif offers:  # said only once a second signal counts as one
            asyncio.get_running_loop().call_later(ECHO, self._offer_to_leave, why)
        else:
            self.voice.tell(f"{why}: waiting for the answer to the create in flight")

    def _offer_to_leave(self, why: str) -> None:
        self._may_leave = True
        self.voice.tell(f"{why}: waiting for the answer to the create in flight; again to leave now")

    def _leave_now(self, code: ExitCode) -> None:
        try:
            self.brakes.journal.note(Happening.LEFT)
            self.voice.tell("left at once; a create that was under way is in doubt")
            if code is ExitCode.INTERRUPTED:
                with contextlib.suppress(EnvironmentFault):  # then the next run counts this one's spending
                    self.close_ledger()
            self.voice.last_words(code)
        finally:
            os._exit(code)
