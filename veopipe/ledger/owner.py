"""Whose a ledger and an output folder are, and who may write there.

* A ledger names its manifest, an output folder names its ledger. What doesn't fit is refused before anything is sent.
  Nothing that is refused has to be removed: a hint moves things, and only to a name that is free.
* What this machine counted is remembered beside `ledger.json` as well, where git doesn't reach: a checkout of an
  older version takes both the states and their count back.
* One process writes at a time. It holds locks of the kernel, of a file and of the folder (`holding`); they end with it.

Source: docs/design.md, 5 (Whose ledger it is) and 5 (The count).
"""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from veopipe import clock, files
from veopipe.documents import standins
from veopipe.errors import EnvironmentFault, LedgerLocked, LedgerRefused
from veopipe.ledger import holding, ledgerfile, moves, safekeeping, statefiles
from veopipe.ledger.holding import Hold
from veopipe.ledger.ledgerfile import Ledger, larger
from veopipe.ledger.paths import Places
from veopipe.ledger.prefixes import is_prefix
from veopipe.ledger.reading import NotHere
from veopipe.text import printable

LOCK_WAIT = 0.5
"""Seconds. Longer than another command's short look at the lock, shorter than a person's patience."""

_LOCKLESS = {
    **dict.fromkeys(
        holding.NO_LOCKS,
        "this disk has no locks, and two runs at once could buy a take twice: keep the list on another disk",
    ),
    **dict.fromkeys(
        (errno.EROFS, errno.EACCES), "who may only read here can look: plan, status, report, and cut need no lock"
    ),
}
"""What to do where a ledger can't be locked."""


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
        has_state = _has_state(places)
        ledger = Ledger(
            _lost_id(places) or os.urandom(16).hex(), places.manifest.name, is_new=not has_state, is_lost=has_state
        )
    else:
        _check_owner(places, found)
        ledger = found
    _check_output(places, ledger)
    remembered = _remembered(places, ledger.id)
    return ledger if remembered is None else replace(ledger, attempts=larger(ledger.attempts, remembered))


def _remembered(places: Places, ledger: str) -> Mapping[str, int] | None:
    """What this machine has counted in that ledger, if anything."""
    try:
        found = ledgerfile.parse(files.read_bounded(places.memory, ledgerfile.LARGEST))
    except (OSError, ValueError):  # never a ledger of its own: without it, `ledger.json` counts
        return None
    return found.attempts if found.id == ledger else None


def _check_owner(places: Places, found: Ledger) -> None:
    """See that a ledger which names another list is this list's all the same: renamed, or respelt by its disk."""
    mine = places.manifest
    named, its_folder = mine.parent / found.manifest, _beside(places, Path(found.manifest).stem)
    if found.manifest == mine.name or moves.is_one(named, mine):
        return
    where = f"{places.ledger_base}/{places.name}"
    if Path(found.manifest).stem == mine.stem or moves.is_one(its_folder, places.folder):
        free = moves.free(mine).name
        hint = (
            f"one of the two needs a name of its own: {moves.mv(places, mine.name, free)}"
            if os.path.lexists(named)
            else f"give the manifest its name back: {moves.mv(places, mine.name, found.manifest)}"
        )
        raise LedgerRefused(f"{where} is the ledger of {printable(found.manifest)}, not of {mine.name}", hint=hint)
    original = _read(its_folder / "ledger.json") if os.path.lexists(named) else None
    if original is not None and original.id == found.id:
        free = moves.free(places.folder).name
        raise LedgerRefused(
            f"{where} is a copy of the ledger of {printable(found.manifest)}, which is still there, "
            f"and not the ledger of {mine.name}",
            hint="a copied ledger would count its takes twice; move the copy away: "
            + moves.mv(places, where, f"{places.ledger_base}/{free}"),
        )


def _beside(places: Places, name: str) -> Path:
    """The folder of the ledger of that name."""
    return places.folder.parent / (f"{name}.simulated" if places.simulated else name)


def _check_output(places: Places, ledger: Ledger) -> None:
    """See that the output folder is this ledger's, or nobody's. A store isn't asked here: a run does that."""
    if is_prefix(places.output_base):
        return
    owner = owner_of(places.output, ledger.id)
    if owner is None or owner == ledger.id:
        return
    where = f"{places.output_base}/{places.name}"
    away = f"{places.output_base}/{moves.free(places.output).name}"
    off = hint = f"if its videos aren't this list's, move the folder away: {moves.mv(places, where, away)}"
    if ledger.is_new:  # else a checkout would replace records that are nowhere else
        hint = f"bring its ledger back: {moves.git_checkout(places, f'{places.ledger_base}/{places.name}')}\n{hint}"
    for other, theirs in _neighbours(places, strictly=False):
        if theirs.id != owner:
            continue
        if ledger.is_new and not _is_there(places, other, theirs):  # the list was renamed, and its videos moved first
            raise LedgerRefused(_renamed_words(places, other, theirs), hint=f"{_moving_words(places, other)}\n{off}")
        steps = _videos_to(places, other.name, where, away)
        hint = f"they are the videos of {printable(theirs.manifest)}; move them to its name: {' && '.join(steps)}"
    raise LedgerRefused(
        f"{where} belongs to another ledger (its .ledger says {printable(owner[:12])}…)",
        hint=hint,
    )


def _videos_to(places: Places, name: str, where: str, away: str) -> list[str]:
    """The commands that give the videos in `where` to the list called `name`."""
    theirs = f"{places.output_base}/{name}"
    if not os.path.lexists(places.output.with_name(name)):
        return [moves.mv(places, where, theirs)]
    return [
        moves.mv(places, *names) for names in ((where, away), (theirs, where), (away, theirs))
    ]  # exchanged, perhaps


def owner_of(output: Path, guess: str | None = None) -> str | None:
    """The id of the ledger that an output folder belongs to; a pointer to a file that holds `guess` says so, too."""
    try:
        text = files.read_bounded(output / ".ledger", 256)
        if (found := standins.of_bytes(text)) is None:
            return text.decode("ascii", "replace").strip()
        if guess is not None and found.sha256 == files.sha256_of_bytes(f"{guess}\n".encode()):
            return guess
        raise NotHere(found)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{output / '.ledger'} can't be read: {_said(error)}") from None


def _lost_id(places: Places) -> str | None:
    """The id that state files without a `ledger.json` had, as far as their output remembers it."""
    return owner_of(places.output) if _has_state(places) and not is_prefix(places.output_base) else None


def _has_state(places: Places) -> bool:
    try:
        return bool(statefiles.look_into(places.state))
    except OSError as error:  # no permission, a link to itself
        raise EnvironmentFault(f"{places.state} can't be read: {_said(error)}") from None


def _read(path: Path) -> Ledger | None:
    """What a `ledger.json` says; None: there is none."""
    try:
        return ledgerfile.parse(files.read_bounded(path, ledgerfile.LARGEST))
    except (FileNotFoundError, NotADirectoryError):
        if (found := standins.of(path)) is not None:
            raise EnvironmentFault(f"{path} isn't here: {found}") from None
        return None
    except ledgerfile.Newer as error:
        raise EnvironmentFault(f"{path} can't be read: {error}", hint="update veopipe: a newer one wrote it") from None
    except (OSError, ValueError) as error:
        raise EnvironmentFault(f"{path} can't be read: {_said(error)}", hint=_remedy(path, error)) from None


def _remedy(path: Path, error: Exception) -> str:
    if isinstance(error, PermissionError):
        return f"see who may: {shlex.join(['ls', '-ld', str(path.parent), str(path)])}"
    return f"bring it back: {error.remedy if isinstance(error, NotHere) else moves.git_checkout_of(path)}"


def _said(error: BaseException) -> str:
    return printable(error.strerror or str(error)) if isinstance(error, OSError) else printable(f"{error}")


def _neighbours(places: Places, *, strictly: bool = True) -> Iterator[tuple[Path, Ledger]]:
    """The other ledgers beside this one, rehearsals left out, with their folders.

    Raises:
        EnvironmentFault: one can't be read, and `strictly` asks for all.
    """
    base = places.folder.parent
    for other in sorted(base.iterdir()) if base.is_dir() else []:
        if other.name != places.name and not other.name.endswith(".simulated") and other.is_dir():
            try:
                found = _read(other / "ledger.json")
            except EnvironmentFault:
                if strictly:
                    raise
                continue
            if found is not None:
                yield other, found


def refuse_if_renamed(places: Places) -> None:
    """Stop a run that would start a new ledger while one beside it names a manifest that is gone.

    Raises:
        LedgerRefused: with the command that moves the other ledger here, its videos, and what was said of them.
        LedgerLocked: a run of that list is on: moved from under it, its ledger would miss what it pays for.
    """
    for other, found in _neighbours(places):
        if not _is_there(places, other, found):
            kind = LedgerLocked if holding.is_held(other) else LedgerRefused
            hint = f"{_moving_words(places, other)}\nif this is a new list, start a ledger of its own: add --new-ledger"
            raise kind(_renamed_words(places, other, found), hint=hint)


def renamed(places: Places) -> str | None:
    """What such a run would be told, for commands that only look; None: nothing, as far as can be seen."""
    with suppress(OSError):
        for other, found in _neighbours(places, strictly=False):
            if not _is_there(places, other, found):
                return f"{_renamed_words(places, other, found)}\n{_moving_words(places, other)}"
    return None


def _renamed_words(places: Places, other: Path, found: Ledger) -> str:
    return (
        f"no ledger for {places.manifest.name}, but {places.ledger_base}/{other.name} is the ledger of "
        f"{_whose(places, found)} Then nothing needs to be bought again"
    )


def _moving_words(places: Places, other: Path) -> str:
    if holding.is_held(other):  # moved from under a run, it would miss what that pays for
        return "wait until the run has ended that is on with that ledger"
    return f"move its ledger: {moves.renames(places, other.name)}"


def _whose(places: Places, found: Ledger) -> str:
    """The manifest that another ledger names, and a question about it."""
    name = printable(found.manifest)
    return (
        f"{name}. Was it moved?"
        if found.manifest == places.manifest.name
        else f"{name}, which is gone. Was it renamed?"
    )


def _is_there(places: Places, folder: Path, ledger: Ledger) -> bool:
    """Whether a ledger has its list, under the name that this locale gives it, too. It may be a copy of another's."""
    named = places.manifest.parent / ledger.manifest
    if os.path.lexists(named) and not moves.is_one(named, places.manifest):
        return True
    ending = Path(ledger.manifest).suffix
    lists = (path for path in places.manifest.parent.iterdir() if path.suffix == ending)
    return any(moves.is_one(_beside(places, path.stem), folder) for path in lists)


# --- writing ---------------------------------------------------------------------------------------


def _unheard(_note: str) -> None:
    return


@contextmanager
def locked(places: Places, tell: Callable[[str], None] = _unheard, look: str | None = None) -> Iterator[Hold | None]:
    """Hold the ledger's lock: for runs and for every other command that writes.

    Args:
        places: whose ledger.
        tell: is given a note for people about who else may write there.
        look: the command that shows a run which is on; None: that of the default pipeline.

    Returns:
        The hold on its folder; None where the disk locks files only.

    Raises:
        LedgerLocked: another process holds it.
        EnvironmentFault: the lock file can't be made or the disk has no locks, or somebody else may have written there.
    """
    import filelock  # here, where a ledger is locked: plans and reports need none of its 20 modules

    with ExitStack() as until_done:
        try:
            try:
                hold = _acquired(until_done, places, tell)
            except FileNotFoundError:  # another command took its empty ledger away meanwhile
                hold = _acquired(until_done, places, tell)
        except (filelock.Timeout, holding.Busy):
            raise LedgerLocked(
                f"another run of {places.manifest.name} is on{_holder(places)}",
                hint=f"wait for it, or look at it: {look or moves.status(places)}",
            ) from None
        except OSError as error:
            raise EnvironmentFault(
                f"the ledger {places.folder} can't be locked: {_said(error)}",
                hint=_LOCKLESS.get(error.errno or 0),
            ) from None
        with suppress(OSError):  # for people only; on a full disk the lock holds without it
            (places.folder / "lock").write_text(f"pid {os.getpid()} since {clock.now()}\n", "ascii")
        yield hold


def _acquired(until_done: ExitStack, places: Places, tell: Callable[[str], None]) -> Hold | None:
    """The locks of a ledger, held until all is done; its folders are made first."""
    import filelock

    _make_folders(places)
    safekeeping.close_to_others(places, tell)
    lock = filelock.FileLock(_lock_file(places), timeout=LOCK_WAIT, fallback_to_soft=False, thread_local=False)
    until_done.enter_context(lock)
    hold = until_done.enter_context(holding.held(places.folder, LOCK_WAIT))
    until_done.callback(_tidy, places)
    return hold


def _lock_file(places: Places) -> Path:
    """The lock's file, made with its mode: to change the mode afterwards isn't permitted on every disk."""
    path = places.folder / "lock"
    with suppress(FileExistsError):
        os.close(files.create_exclusively(path, 0o600))
    return path


def _tidy(places: Places) -> None:
    """Leave no empty ledger behind: a folder that is there would swallow the one that `mv` brings."""
    if not (places.folder / "ledger.json").exists() and not _has_state(places):
        with suppress(OSError):
            (places.folder / "lock").unlink()
            places.folder.rmdir()


def _holder(places: Places) -> str:
    """Who holds the lock, in brackets, as far as that is known."""
    try:
        said = files.read_bounded(places.folder / "lock", 200).decode("ascii", "replace").strip()
    except (OSError, ValueError):
        return ""
    return f" ({printable(said)})" if said else ""


def is_locked(places: Places) -> bool:
    """Whether a run is on, for commands that only look."""
    if holding.is_held(places.folder):
        return True
    if not (places.folder / "lock").exists():
        return False
    import filelock

    try:
        with filelock.FileLock(places.folder / "lock", timeout=0, fallback_to_soft=False, thread_local=False):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return False


def _make_folders(places: Places) -> None:
    base = places.folder.parent
    files.make_folder(base)
    safekeeping.close_if_ours(base)
    safekeeping.keep_gitignore(base / ".gitignore")
    files.make_folder(places.folder, 0o700)


def write(places: Places, ledger: Ledger) -> Ledger:
    """Write `ledger.json`, naming the manifest as it is called now, and what this machine remembers of it.

    Raises:
        EnvironmentFault: it can't be written.
    """
    written = replace(ledger, manifest=places.manifest.name, is_new=False, is_lost=False, is_torn=False)
    text = ledgerfile.dump(written)
    try:
        files.make_folder(places.state, above=False)  # the ledger's own folder may have been moved away under a run
        files.sync_folder(places.state)  # it counts what a power cut must not take any more
        if written.attempts:
            with suppress(OSError):  # a courtesy, for a checkout that comes later: a power cut may leave half of it
                files.make_folder(places.runs, above=False)
                if not places.runs.is_symlink():  # it would lead to another ledger's own
                    files.scribble(places.memory, text)
        files.replace(places.folder / "ledger.json", text)
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
        if owner_of(places.output, ledger.id) is None:
            files.claim(places.output / ".ledger", f"{ledger.id}\n".encode())
    except OSError as error:
        raise EnvironmentFault(f"{places.output} can't be used: {_said(error)}") from None
    _check_output(places, ledger)  # another list may have been quicker
