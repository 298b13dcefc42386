"""How each status is shown: on the terminal, on the HTML page, to the person who must act, to a CI system.

* One row per status, in the order in which a terminal shows them. The page's bar and the list of what needs a
  person have orders of their own (`place`, `Advice.rank`).
* The terminal says in its heading what to do; the page and Markdown have room for sentences (`Advice`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from veopipe.errors import ExitCode
from veopipe.takes.status import Status
from veopipe.values import dataclass

PENDING = "pending"
"""A shot that wants a take which isn't made yet."""
UNREADABLE = "unreadable"
"""A shot whose state file can't be understood."""
HELD = "held"
"""What the page, Markdown and JUnit call a pending shot for which nothing is sent until a person has acted."""
WAITING = "waiting"
"""What they call a pending shot that waits for people to choose, or for another take."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person should do about the shots of one status.

    Attributes:
        rank: place among what needs a person, the gravest first.
        title: of the group.
        text: what to do.
        command: the command that does it, without the manifest, or an empty text.
    """

    rank: int
    title: str
    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one status is shown.

    Attributes:
        status: of the attempt table, or one of the words above.
        code: the exit code of a run that leaves a wanted shot there.
        colour: on the terminal.
        heading: on the terminal, behind a number of shots.
        place: in the page's bar, from the left.
        tone: its colour in the page's style sheet.
        sign: tells tones apart without colours.
        outcome: of a JUnit test case. What isn't settled is skipped: a deadline is no defect of the shot.
        advice: what to do about it; None: it needs no person.
    """

    status: str
    code: ExitCode
    colour: str
    heading: str
    place: int
    tone: str
    sign: str
    outcome: str
    advice: Advice | None = None

    @property
    def word(self) -> str:
        """The status in words."""
        return self.status.replace("_", " ")


_IN_DOUBT = Advice(
    1,
    "In doubt",
    "A create was sent and no answer came, so it counts as spent. "
    "Look it up in the gateway's console, then say what became of it.",
    "resolve",
)
_UNREADABLE = Advice(2, "Unreadable", "Their state files can't be understood, so nothing is sent for them.")
_HELD = Advice(3, "Held", "Nothing is sent for them until this is cleared up.")
_WAITING = Advice(9, "Waiting", "Nothing is bought for them until somebody has chosen.", "review")
_MISMATCHED = Advice(
    4,
    "Not as ordered",
    "Delivered and kept, but measured otherwise. Use the file as it is, or raise its take number to order another.",
)
_FAILED = Advice(
    5,
    "Failed",
    "The gateway reported them failed; they may have been billed. Another attempt is paid again.",
    "run --retry-failed",
)
_REFUSED = Advice(
    6,
    "Refused",
    "Nothing was charged. Change in the list what the reason names and run again; "
    "with --retry-failed the same is sent again.",
    "run",
)
_PARKED = Advice(7, "Parked", "Paid and not settled yet. The next run asks again and costs nothing more.", "run")
_ABANDONED = Advice(8, "Abandoned", "Written off, or gone from the gateway. Raise its take number to order another.")

_UNSETTLED, _BAD = ExitCode.PENDING, ExitCode.SETTLED_BADLY
# Status, exit code, terminal: colour and heading, page: place, tone and sign, JUnit, advice.
# fmt: off
_ROWS = (
    Standing(
        Status.IN_DOUBT, ExitCode.IN_DOUBT, "bold magenta",
        "in doubt: perhaps paid; look them up, then say what you found",
        15, "doubt", "?", "error", _IN_DOUBT,
    ),
    Standing(Status.SUBMITTING, ExitCode.IN_DOUBT, "cyan", "being sent", 5, "open", "◐", "skipped"),
    Standing(
        UNREADABLE, ExitCode.ENVIRONMENT, "bold red", "unreadable state files: held",
        14, "bad", "!", "error", _UNREADABLE,
    ),
    Standing(
        Status.MISMATCHED, _BAD, "red",
        "mismatched: delivered and kept, but not what was ordered; raise its take to order another",
        13, "bad", "≠", "failure", _MISMATCHED,
    ),
    Standing(
        Status.FAILED, _BAD, "red", "failed: perhaps billed; another attempt is paid again",
        12, "bad", "✕", "failure", _FAILED,
    ),
    Standing(
        Status.REFUSED, _BAD, "red",
        "refused: nothing was charged; change what the reason names, or add --retry-failed, and run again",
        10, "bad", "⊘", "failure", _REFUSED,
    ),
    Standing(
        Status.ABANDONED, _BAD, "red",
        "abandoned: written off, or gone at the gateway; raise its take to order another",
        11, "bad", "–", "failure", _ABANDONED,
    ),
    Standing(
        Status.PARKED, _UNSETTLED, "yellow", "parked: paid, to be picked up by the next run",
        7, "wait", "‖", "skipped", _PARKED,
    ),
    Standing(Status.RENDERING, _UNSETTLED, "cyan", "rendering", 2, "open", "◐", "skipped"),
    Standing(Status.RENDERED, _UNSETTLED, "cyan", "rendered, to be downloaded", 3, "open", "◐", "skipped"),
    Standing(Status.DOWNLOADED, _UNSETTLED, "cyan", "downloaded, to be measured", 4, "open", "◐", "skipped"),
    Standing(PENDING, _UNSETTLED, "yellow", "pending", 6, "idle", "○", "skipped"),
    Standing(HELD, ExitCode.ENVIRONMENT, "yellow", "held", 8, "wait", "‖", "error", _HELD),
    Standing(WAITING, ExitCode.OK, "yellow", "waiting", 9, "wait", "‖", "skipped", _WAITING),
    Standing(Status.VERIFIED, ExitCode.OK, "green", "verified", 1, "good", "✓", "passed"),
)
# fmt: on

LEGEND: Mapping[str, Standing] = MappingProxyType({standing.status: standing for standing in _ROWS})
"""Every status and how it is shown, in the terminal's order."""
