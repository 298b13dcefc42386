"""Where a manifest's ledger and videos lie, whose they are, and who may write: the guards of section 5.

* `.veopipe/<manifest>/` is the ledger, `<output>/<manifest>/` holds the videos. A simulated run has
  folders of its own (`<manifest>.simulated`), so that a rehearsal can never be taken for a paid take.
* A ledger names its manifest, an output folder names its ledger; whatever doesn't fit is refused before
  anything is sent.
* One run at a time: a kernel lock that dies with its process.

Source: design, section 5.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import filelock

from veopipe import files
from veopipe.errors import EnvironmentFault, LedgerLocked, LedgerRefused
from veopipe.places import Places
from veopipe.reading import strict_json
from veopipe.wording import printable

FORMAT = 1
LOCK_WAIT = 0.5
"""Seconds. Longer than another command's short look at the lock, shorter than a person's patience."""

GITIGNORE = """\
# The ledger (state/ and ledger.json) belongs into git; these don't.
lock
runs/
rescue/
*.simulated/
.new-*
"""
_LARGEST = 1 << 20
_LONGEST_NAME = 255  # bytes, on every usual file system
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Ledger:
    """What `ledger.json` says.

    Attributes:
        id: random, made once; output folders repeat it.
        manifest: the manifest's file name.
        open_runs: runs that spent and weren't ended by themselves or by Ctrl-C: the next run's caps
            count what they spent.
        is_new: there is no ledger yet; nothing was ever bought.
    """

    id: str
    manifest: str
    open_runs: tuple[str, ...] = ()
    is_new: bool = False


def look_up(places: Places) -> Ledger:
    """The ledger of these places, read only; a new one where there is none.

    Raises:
        LedgerRefused: it, or the output folder, belongs to something else.
        EnvironmentFault: it can't be read.
    """
    if places.manifest.stem.endswith(".simulated"):
        raise LedgerRefused(
            f"{places.manifest.name}: a manifest's name can't end in .simulated, that is the ledger of a rehearsal",
            hint="give the manifest another name",
        )
    found = _read(places.folder / "ledger.json")
    if found is None:
        ledger = Ledger(_lost_id(places) or secrets.token_hex(16), places.manifest.name, is_new=not _has_state(places))
    else:
        _check_owner(places, found)
        ledger = found
    _check_output(places, ledger)
    return ledger


def _check_owner(places: Places, found: Ledger) -> None:
    mine, theirs = places.manifest, found.manifest
    if theirs == mine.name:
        return
    named = mine.parent / theirs
    where = f"{places.ledger_base}/{places.name}"
    if Path(theirs).stem == mine.stem:
        hint = (
            f"one of the two needs a name of its own: {_command('mv', mine.name, f'{mine.stem}-2{mine.suffix}')}"
            if named.exists()
            else f"give the manifest its name back: {_command('mv', mine.name, theirs)}"
        )
        raise LedgerRefused(f"{where} is the ledger of {printable(theirs)}, not of {mine.name}", hint=hint)
    if named.exists():
        raise LedgerRefused(
            f"{where} is the ledger of {printable(theirs)}, which is still there, not of {mine.name}",
            hint=f"a copied ledger would count its takes twice; remove the copy: {_command('rm', '-r', where)}",
        )


def _check_output(places: Places, ledger: Ledger) -> None:
    owner = _owner_of(places.output)
    if owner is not None and owner != ledger.id:
        raise LedgerRefused(
            f"{places.output_base}/{places.name} belongs to another ledger (its .ledger says {printable(owner[:12])}…)",
            hint=f"bring its ledger back (git checkout {places.ledger_base}/{places.name}), "
            "or move the folder away if its videos aren't this list's",
        )


def _owner_of(output: Path) -> str | None:
    try:
        return files.read_bounded(output / ".ledger", 256).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{output / '.ledger'} can't be read: {_said(error)}") from None


def _lost_id(places: Places) -> str | None:
    """The id that state files without a `ledger.json` had, as far as their output remembers it."""
    return _owner_of(places.output) if _has_state(places) else None


def _has_state(places: Places) -> bool:
    try:
        with os.scandir(places.state) as entries:
            return any(entry.name.endswith(".json") for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:  # no permission, a link to itself
        raise EnvironmentFault(f"{places.state} can't be read: {_said(error)}") from None


def _read(path: Path) -> Ledger | None:
    try:
        document = strict_json(files.read_bounded(path, _LARGEST))
        if document["format"] != FORMAT:
            raise ValueError(f"its format is {document['format']!r}; this veopipe knows {FORMAT}")
        runs = document.get("open_runs", [])
        ledger = Ledger(document["id"], document["manifest"], tuple(runs))
        texts = [ledger.id, ledger.manifest, *ledger.open_runs]
        if not isinstance(runs, list) or not all(isinstance(text, str) and text for text in texts):
            raise ValueError("a field has the wrong type")
        if not _ID.fullmatch(ledger.id) or not _is_file_name(ledger.manifest):
            raise ValueError("its id or its manifest's name is impossible")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            f"{path} can't be read: {_said(error)}", hint=f"bring it back: git checkout {shlex.quote(str(path))}"
        ) from None
    return ledger


def _is_file_name(text: str) -> bool:
    """Whether a file in the manifest's folder can have this name."""
    try:
        return Path(text).name == text and 0 < len(os.fsencode(text)) <= _LONGEST_NAME and "\0" not in text
    except UnicodeEncodeError:  # half a character
        return False


def _said(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return printable(error.strerror or str(error)) if isinstance(error, OSError) else printable(f"{error}")


def refuse_if_renamed(places: Places) -> None:
    """Stop a run that would start a new ledger while one beside it names a manifest that is gone.

    Raises:
        LedgerRefused: with the command that moves the other ledger (and its videos) here.
    """
    base = places.folder.parent
    for other in sorted(base.iterdir()) if base.is_dir() else []:
        if other.name == places.name or other.name.endswith(".simulated") or not other.is_dir():
            continue
        found = _read(other / "ledger.json")
        if found is not None and not (places.manifest.parent / found.manifest).exists():
            move = [_command("mv", f"{places.ledger_base}/{other.name}", f"{places.ledger_base}/{places.name}")]
            if places.output_of("").parent.joinpath(places.output_base, other.name).is_dir():
                move.append(_command("mv", f"{places.output_base}/{other.name}", f"{places.output_base}/{places.name}"))
            raise LedgerRefused(
                f"no ledger for {places.manifest.name}, but {places.ledger_base}/{other.name} is the ledger of "
                f"{printable(found.manifest)}, which is gone. Was it renamed? Then nothing needs to be bought again",
                hint=f"move its ledger, in the manifest's folder: {' && '.join(move)}\n"
                "if this is a new list, start a ledger of its own: add --new-ledger",
            )


def _command(*words: str) -> str:
    return shlex.join(words)


# --- writing ---------------------------------------------------------------------------------------


@contextmanager
def locked(places: Places) -> Iterator[None]:
    """Hold the ledger's lock: for runs and for every other command that writes.

    Raises:
        LedgerLocked: another process holds it.
        EnvironmentFault: the lock file can't be made.
    """
    try:
        _make_folders(places)
        lock = filelock.FileLock(
            places.folder / "lock", timeout=LOCK_WAIT, fallback_to_soft=False, thread_local=False, mode=0o600
        )
        lock.acquire()
    except filelock.Timeout:
        raise LedgerLocked(
            f"another run of {places.manifest.name} is on{_holder(places)}",
            hint="wait for it, or look at it: veopipe status " + shlex.quote(places.manifest.name),
        ) from None
    except OSError as error:
        raise EnvironmentFault(f"the ledger {places.folder} can't be locked: {_said(error)}") from None
    try:
        with suppress(OSError):  # for people only; on a full disk the lock holds without it
            (places.folder / "lock").write_text(f"pid {os.getpid()} since {now()}\n", "ascii")
        yield
    finally:
        _tidy(places)
        lock.release()


def _tidy(places: Places) -> None:
    """Leave no empty ledger behind: a folder that is there would swallow the one that `mv` brings."""
    if not (places.folder / "ledger.json").exists() and not _has_state(places):
        with suppress(OSError):
            (places.folder / "lock").unlink()
            places.folder.rmdir()


def _holder(places: Places) -> str:
    try:
        said = files.read_bounded(places.folder / "lock", 200).decode("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""
    return f" ({printable(said)})" if said else ""


def is_locked(places: Places) -> bool:
    """Whether a run is on, for commands that only look."""
    if not (places.folder / "lock").exists():
        return False
    lock = filelock.FileLock(places.folder / "lock", timeout=0, fallback_to_soft=False, thread_local=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        return True
    except OSError:
        return False
    lock.release()
    return False


def _make_folders(places: Places) -> None:
    base = places.folder.parent
    files.make_folder(base)
    if not (base / ".gitignore").exists():
        files.replace(base / ".gitignore", GITIGNORE.encode())
    files.make_folder(places.folder, 0o700)
    _refuse_open_to_all(places)


def _refuse_open_to_all(places: Places) -> None:
    """A ledger that everybody on the machine can change says nothing about what was paid (reliability.md, e 22).

    Writable by the group is fine: with a umask of 002 a clone's folders are.
    """
    for folder in (places.folder, places.state, places.rescue):
        if folder.is_dir() and folder.stat().st_mode & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            raise EnvironmentFault(
                f"everybody on this machine can write into {folder}, so it proves nothing about what was paid",
                hint=f"look at what it holds, then: {_command('chmod', 'o-w', str(folder))}",
            )


def write(places: Places, ledger: Ledger) -> Ledger:
    """Write `ledger.json`, naming the manifest as it is called now.

    Raises:
        EnvironmentFault: it can't be written.
    """
    written = replace(ledger, manifest=places.manifest.name, is_new=False)
    document = {
        "format": FORMAT,
        "id": written.id,
        "manifest": written.manifest,
        "open_runs": list(written.open_runs),
    }
    try:
        files.make_folder(places.state)
        files.replace(places.folder / "ledger.json", (json.dumps(document, indent=2) + "\n").encode())
    except OSError as error:
        raise EnvironmentFault(f"{places.folder / 'ledger.json'} can't be written: {_said(error)}") from None
    return written


def claim_output(places: Places, ledger: Ledger) -> None:
    """Make the output folder and write whose it is.

    Raises:
        EnvironmentFault: it can't be made or used.
        LedgerRefused: it belongs to another ledger.
    """
    try:
        takes = places.takes_of(places.output_base)
        files.make_folder(takes)
        if not os.access(takes, os.W_OK):  # before anything is paid for that would find no place there
            raise PermissionError(errno.EACCES, f"{takes.name}/ in it can't be written")
        if _owner_of(places.output) is None:
            files.claim(places.output / ".ledger", f"{ledger.id}\n".encode())
    except OSError as error:
        raise EnvironmentFault(f"{places.output} can't be used: {_said(error)}") from None
    _check_output(places, ledger)  # another list may have been quicker


def now() -> str:
    """The time as state files and logs write it: UTC, ISO 8601, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
