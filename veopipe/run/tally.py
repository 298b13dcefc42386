"""Attempts counted in `ledger.json` while a run goes on, so that a lost state file is missed.

Source: docs/design.md, 5 (The count).
"""

from __future__ import annotations

import asyncio
import math
import time

from veopipe.errors import EnvironmentFault, ExitCode
from veopipe.project.open_ledger import OpenLedger
from veopipe.run.brakes import Brakes
from veopipe.values import dataclass

PAUSE = 1.0
"""Seconds between two counts: with thousands of shots `ledger.json` is a long file."""
SHARE = 0.05
"""Of a run's time that counting may take, at most."""


@dataclass(slots=True)
class Tally:
    """Writes the count down, not more often than is worth it.

    Attributes:
        ledger: that counts.
        brakes: are put on when the ledger can't be written.
    """

    ledger: OpenLedger
    brakes: Brakes
    _from: float = -math.inf
    _is_behind: bool = False

    def count(self) -> None:
        """An attempt was recorded; in the threads that create."""
        began = time.monotonic()
        if began < self._from:
            self._is_behind = True
            return
        self._is_behind = False
        self._from = math.inf  # by another thread at the same time: what it leaves out comes with the next
        try:
            self.ledger.write()
        except EnvironmentFault as error:
            self.brakes.stop_quietly(error.message, ExitCode.ENVIRONMENT)
        took = time.monotonic() - began
        self._from = began + max(PAUSE, took / SHARE)

    async def keep_up(self) -> None:
        """Count what came too soon after a count. Goes on until it is cancelled."""
        while True:
            await asyncio.sleep(PAUSE)
            if self._is_behind:
                await asyncio.to_thread(self.count)
