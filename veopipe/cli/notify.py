"""Telling people how a run ended: a command of theirs, a webhook, or both (pipeline: `notify`).

* A notice decides nothing. What goes wrong with it is one line on stderr.
* It has a time limit; when it ends, the programs that it started are ended, too.
* The webhook's address is a secret: it comes from the environment and is never shown. The command gets neither it
  nor the API key nor the account's token. Redirects aren't followed, so no other server gets the notice.
* A person at the terminal sees why a run didn't start. It is told only where no person sits.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from veopipe import __version__
from veopipe.cli.terminal.screen import say
from veopipe.errors import ExitCode, VeopipeError
from veopipe.gateway import network
from veopipe.project.project import Project
from veopipe.report.legend import LEGEND
from veopipe.report.rows import Report
from veopipe.takes.money import as_text, dollars
from veopipe.takes.origin import is_loopback
from veopipe.takes.status import UNKNOWN_OUTCOME, Status
from veopipe.text import counted, hide, printable
from veopipe.values import dataclass

FINISHED, FAILED, IN_DOUBT = "finished", "failed", "in_doubt"

_NAMED = 10
"""How many shots a notice names of each status."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What is told.

    Attributes:
        event: `finished`, `failed` or `in_doubt`.
        text: for people, a few lines.
        facts: name → value, for the command's environment.
        document: the JSON document of the run, for the command's stdin.
    """

    event: str
    text: str
    facts: dict[str, str]
    document: dict[str, Any]


@contextlib.contextmanager
def of_a_false_start(project: Project) -> Iterator[None]:
    """Tell why a run ended without a report, and raise the exception again."""
    try:
        yield
    except VeopipeError as error:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            _send(project, _about_error(project, error.exit_code, error.message))
        raise
    except Exception:
        _send(project, _about_error(project, ExitCode.BUG, "this is a bug of veopipe; what was done is on disk"))
        raise


def of_report(project: Project, report: Report) -> None:
    """Tell how a run ended, unless a person ended it."""
    wanted = project.pipeline.notify
    is_anybody_told = wanted.command or wanted.webhook_env is not None
    if is_anybody_told and report.exit_code != ExitCode.INTERRUPTED:
        _send(project, _about_report(report))


def _about_error(project: Project, code: ExitCode, message: str) -> Notice:
    manifest = str(project.choices.manifest)
    text = f"{printable(manifest)}: the run couldn't go on: {printable(message, None)} (exit {int(code)})"
    facts = {"MANIFEST": manifest, "EXIT_CODE": str(int(code))}
    return Notice(FAILED, text, facts, {"exit_code": int(code), "error": printable(message, None)})


def _about_report(report: Report) -> Notice:
    by_status: dict[str, list[str]] = {}
    for row in report.rows:
        by_status.setdefault(row.status, []).append(row.shot)
    doubt = any(status in by_status for status in UNKNOWN_OUTCOME)
    event = IN_DOUBT if doubt else FINISHED if report.exit_code is ExitCode.OK else FAILED
    verified, money = len(by_status.get(Status.VERIFIED, ())), report.money
    lines = [f"{printable(report.manifest)}: {verified:,} of {counted(len(report.rows), 'shot')} verified"]
    for status, shots in by_status.items():
        if status != Status.VERIFIED:
            more = f" and {len(shots) - _NAMED:,} more" if len(shots) > _NAMED else ""
            lines.append(f"{len(shots):,} {LEGEND[status].word}: {', '.join(shots[:_NAMED])}{more}")
    lines += [f"stopped: {printable(note)}" for note in report.notes]
    lines.append(
        f"charged {dollars(money.charged)}, possibly {dollars(money.possibly_charged)}, "
        f"this run {dollars(money.this_run)}; exit {int(report.exit_code)}"
    )
    facts = {
        "MANIFEST": report.manifest,
        "EXIT_CODE": str(int(report.exit_code)),
        "SHOTS": str(len(report.rows)),
        "VERIFIED": str(verified),
        "IN_DOUBT": str(sum(len(by_status.get(status, ())) for status in UNKNOWN_OUTCOME)),
        "CHARGED_USD": as_text(money.charged),
        "POSSIBLY_CHARGED_USD": as_text(money.possibly_charged),
        "THIS_RUN_USD": as_text(money.this_run),
    }
    return Notice(event, "\n".join(lines), facts, report.as_json())


def _send(project: Project, notice: Notice) -> None:
    wanted = project.pipeline.notify
    if notice.event not in wanted.on or (project.choices.simulate and not wanted.simulated):
        return
    if project.choices.simulate:
        notice = replace(notice, text=f"(rehearsal) {notice.text}")
    if wanted.webhook_env is not None:
        _complain("the webhook", _post(os.environ.get(wanted.webhook_env, "").strip(), notice, wanted.timeout))
    if wanted.command:
        _complain(f"the command {printable(wanted.command[0], 80)}", _start(project, notice))


def _complain(who: str, problem: str | None) -> None:
    if problem is not None:
        say(f"nobody was told by {who}: {problem}")


# --- the webhook -----------------------------------------------------------------------------------


def _post(address: str, notice: Notice, timeout: float) -> str | None:
    """Send `{"text": …}`; None when it arrived, else why not."""
    if not address:
        return "its environment variable isn't set"
    try:
        parts = urlsplit(address)
        allowed = _is_allowed(parts)
    except ValueError:
        allowed = False
    if not allowed:
        return "its environment variable holds no https:// address"
    hide(address)
    text = notice.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # as Slack wants it
    said: list[int | str] = []

    def ask() -> None:
        said.append(network.post(address, {"text": text}, f"veopipe/{__version__}", timeout, os.environ))

    # In a thread: the library's own time limit is for each read, and the look-up of a name has none.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(timeout)
    if not said:
        return f"no answer within {timeout:g} s"
    if isinstance(said[0], str):
        return f"it can't be reached: {said[0]}"
    return None if 200 <= said[0] < 300 else f"it answered {said[0]}"


def _is_allowed(parts: SplitResult) -> bool:
    local = parts.scheme == "http" and is_loopback(parts.hostname or "")
    return bool(parts.hostname) and (parts.scheme == "https" or local) and parts.username is None


# --- the command -----------------------------------------------------------------------------------


def _start(project: Project, notice: Notice) -> str | None:
    """Run the command to its end; None when it ended well, else why not."""
    wanted = project.pipeline.notify
    provider = project.pipeline.provider
    secrets = {provider.api_key_env, provider.account_token_env, wanted.webhook_env}
    environment = {name: value for name, value in os.environ.items() if name not in secrets}
    facts = {"EVENT": notice.event, "TEXT": notice.text, **notice.facts}
    environment |= {f"VEOPIPE_{name}": value.replace("\0", "") for name, value in facts.items()}
    try:
        process = subprocess.Popen(
            list(wanted.command),
            cwd=project.places.manifest.parent,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=2,  # stderr; stdout is the run's result
            start_new_session=True,  # so that all it starts can be ended with it
        )
    except (OSError, ValueError) as error:
        return f"it can't be started: {getattr(error, 'strerror', None) or 'it has a NUL character'}"
    try:
        process.communicate(json.dumps(notice.document).encode(), timeout=wanted.timeout)
    except subprocess.TimeoutExpired:
        return f"it didn't end within {wanted.timeout:g} s and was stopped"
    finally:
        # With all that it left running, which would hold the run's stderr open: its reader would wait for that.
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: only a zombie is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return None if process.returncode == 0 else f"it ended with {process.returncode}"
