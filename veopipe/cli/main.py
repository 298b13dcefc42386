"""The command line: which commands there are, and the one place where exceptions become exit codes.

Commands are imported when they are asked for, so that `veopipe --version` and `--help` stay light.

Source: docs/design.md, 7.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import importlib
import os
import signal
from collections.abc import Iterator, Sequence
from typing import Any

import click

from veopipe import __version__
from veopipe.cli.output import emit, wants_json
from veopipe.errors import ExitCode, InvalidInput, Problem, VeopipeError
from veopipe.gateway.proxies import hide_logins
from veopipe.run import signals
from veopipe.run.signals import Terminated
from veopipe.text import printable, without_keys

# In the order of a day's work; the text is shown by `veopipe --help` without importing the command.
COMMANDS = {
    "init": "Make a small shot list to start from.",
    "validate": "Check shot lists; nothing is sent.",
    "plan": "Show what a run would do and cost; nothing is sent.",
    "run": "Create, download and verify what the list wants.",
    "status": "Show where every shot stands.",
    "verify": "Measure the takes on disk again.",
    "review": "Choose among takes: pick, keep in mind, reject, once more.",
    "resolve": "Say what became of takes that are in doubt.",
    "report": "Write a report of the ledger.",
    "frame": "Write one picture of a delivered take.",
    "cut": "Show the clips of a film, or make it.",
    "import": "Make a shot list from a CSV file.",
    "simulate": "Serve a simulated gateway on this machine.",
    "profiles": "Show which gateways and models there are, and their prices.",
    "schema": "Print a JSON Schema.",
    "doctor": "Check key, gateway, network, clock, disk and libraries.",
    "completion": "Print the shell's completion script.",
}
COMPLETING = "_VEOPIPE_COMPLETE"
"""The environment variable with which a shell asks click what may follow."""

_READERS = frozenset({"validate", "plan", "run", "status", "review", "report", "import", "profiles", "schema"})
"""Commands that read, write a result and end; `run` turns the collector on when it has read."""
_MODULES = {"import": "import_"}
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
# Errors about a file or folder that the system names: no bug of veopipe.
_NO_WAY = frozenset(
    {errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR, errno.ESTALE}
    | {errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV, errno.ENXIO}
)
# Errors that say what a process has too little of; what it wanted with it isn't to blame.
_TOO_LITTLE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
_GONE = "the working folder is gone: it was deleted or moved away"
_GO = "go to a folder that is there (cd) and try again"


class Unread(Exception):
    """The reader of stdout has closed it, which is no error."""


class Commands(click.Group):
    """Finds a command's module when it is needed."""

    def make_context(self, *args: Any, **more: Any) -> click.Context:
        """As click does it; this is where `--help` is written."""
        with _noticing_a_closed_pipe():
            return super().make_context(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that the line names."""
        with _noticing_a_closed_pipe():
            return super().invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of a day's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"veopipe.cli.commands.{_MODULES.get(cmd_name, cmd_name)}")
        if cmd_name not in _READERS:
            gc.enable()
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, with a guess for misspelt names."""
        import difflib  # only for a misspelt name

        known = not args or args[0] in COMMANDS or args[0].startswith("-")
        if not known and not ctx.resilient_parsing:  # which is on after Tab: nothing is said then
            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            ctx.fail(f"there is no command {printable(args[0], 40)!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@contextlib.contextmanager
def _noticing_a_closed_pipe() -> Iterator[None]:
    """Give a closed pipe an exception of our own: click would raise SystemExit, which says nothing of the reason."""
    try:
        yield
    except BrokenPipeError as error:
        raise Unread from error


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="veopipe")
def veopipe() -> None:
    """Declarative batch runner for AI video: a shot list in YAML in, measured MP4 files out.

    One paid call per take, whatever happens: a run that dies is simply run again.

    \b
    Example:
      veopipe init film && cd film
      veopipe run shots.yaml --simulate
    """  # noqa: D301  \b is click's sign for "don't rewrap", so it must be the character itself


def main(arguments: Sequence[str]) -> int:
    """Run one command line; its exit code. No exception and no traceback leaves here."""
    as_json = wants_json(arguments)
    try:
        hide_logins(os.environ)  # before anything can be said
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signals.ENDING)  # `__main__` held them back
        return int(veopipe.main(list(arguments), prog_name="veopipe", standalone_mode=False))
    except click.ClickException as error:
        return _usage(error, arguments, as_json=as_json)
    except (click.Abort, KeyboardInterrupt) as error:
        return _interrupted(error, as_json=as_json)
    except VeopipeError as error:
        problems = error.problems if isinstance(error, InvalidInput) else ()
        return _ended(error.exit_code, error.message, _with_folder(error.hint), problems, as_json=as_json)
    except Unread:
        return ExitCode.OK
    except (OSError, MemoryError) as error:
        return _unwritten(error, as_json=as_json)
    except SystemExit:
        # click raises it when it has answered the shell. From anywhere else it would hide what happened.
        return ExitCode.OK if COMPLETING in os.environ else _bug(as_json=as_json)
    except Exception:  # noqa: BLE001  the boundary
        return _bug(as_json=as_json)


def _system_error(error: OSError, *, as_json: bool) -> int:
    lost = _working_folder()
    named = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes | os.PathLike) else None
    if lost and (named is None or not os.path.isabs(named)):
        return _ended(ExitCode.ENVIRONMENT, lost, _GO, as_json=as_json)
    if error.errno in _NO_WAY and named:
        return _ended(ExitCode.ENVIRONMENT, f"{named} can't be used: {error.strerror}", as_json=as_json)
    if error.errno in _TOO_LITTLE:
        return _ended(ExitCode.ENVIRONMENT, f"the system gives no more: {error.strerror}", as_json=as_json)
    return _bug(as_json=as_json)


def _working_folder() -> str | None:
    """What is wrong with the folder that veopipe was started in, or None."""
    try:
        os.getcwd()
        os.stat(os.curdir)  # which needs the permission to enter it
    except FileNotFoundError:
        return _GONE
    except OSError as error:
        return f"the working folder can't be used: {error.strerror}"
    return None


def _with_folder(hint: str | None) -> str | None:
    """A hint that also says that the working folder is gone, since then no relative path leads anywhere."""
    if _working_folder() != _GONE:
        return hint
    return "\n".join(line for line in (hint, f"{_GONE}; {_GO}") if line)


def _interrupted(error: BaseException, *, as_json: bool) -> int:
    signals.hush()
    code = ExitCode.INTERRUPTED
    if isinstance(error, Terminated) or isinstance(error.__context__, Terminated):  # click makes an Abort of it
        code = ExitCode.TERMINATED
    return _ended(code, f"{code.name.lower()}; state is saved, the same command goes on", as_json=as_json)


def _unwritten(error: OSError | MemoryError, *, as_json: bool) -> int:
    if isinstance(error, MemoryError):
        return _ended(ExitCode.ENVIRONMENT, "there is too little memory", as_json=as_json)
    if isinstance(error.__context__, KeyboardInterrupt):  # click first ends the line on stderr, which may be gone
        return _interrupted(error, as_json=as_json)
    from veopipe.cli.terminal.screen import is_unread  # rich, when there is something to show

    if is_unread(error):
        return ExitCode.OK
    if error.errno not in _FULL:
        return _system_error(error, as_json=as_json)
    with _last_words():  # on stderr even for JSON: stdout has no room for a document
        click.echo(f"Error: the result can't be written: {error.strerror}", err=True)
    return ExitCode.ENVIRONMENT


def _last_words() -> contextlib.suppress:
    """Go on if a stream takes nothing: the exit code tells how the command ended."""
    return contextlib.suppress(OSError)


def _dashed(arguments: Sequence[str]) -> str | None:
    """How a file is named that was taken for an option."""
    named = next((word for word in arguments if word.startswith("-") and os.path.lexists(word)), None)
    return f"a file whose name begins with a dash is written ./{printable(named)}" if named is not None else None


def _usage(error: click.ClickException, arguments: Sequence[str], *, as_json: bool) -> int:
    hint = _dashed(arguments) if isinstance(error, click.NoSuchOption) else None
    if as_json:
        return _ended(ExitCode.INVALID, error.format_message(), hint, as_json=True)
    with _last_words():
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.format_message(), err=True)
        else:
            error.show()
        if hint is not None:
            click.echo(f"→ {_lines(hint)}", err=True)
    return ExitCode.INVALID


def _ended(
    code: ExitCode, message: str, hint: str | None = None, problems: Sequence[Problem] = (), *, as_json: bool
) -> int:
    if as_json:
        document: dict[str, Any] = {"exit_code": int(code), "error": without_keys(message)}
        if hint:
            document["hint"] = without_keys(hint)
        if problems:
            document["problems"] = [problem.as_json() for problem in problems]
        with _last_words():
            emit(document)
        return code
    if problems:
        from veopipe.cli.terminal.problems import show_problems  # rich, when there is something to show

        show_problems(problems)
    with _last_words():
        click.echo(f"Error: {_lines(message)}", err=True)
        if hint:
            click.echo(f"→ {_lines(hint)}", err=True)
    return code


def _lines(text: str) -> str:
    return "\n".join(printable(line, None) for line in text.split("\n"))


def _bug(*, as_json: bool) -> int:
    """Write the traceback where only this user can read it (`mkstemp`), without local values, and say where."""
    import platform  # these three, when there is a bug
    import tempfile
    import traceback

    text = without_keys(traceback.format_exc())
    text = f"veopipe {__version__}, Python {platform.python_version()}, {platform.platform()}\n\n{text}"
    try:
        descriptor, path = tempfile.mkstemp(prefix="veopipe-bug-", suffix=".log")
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        path = "(and its log couldn't be written)"
    message = f"this is a bug of veopipe. What was done so far is on disk. Traceback: {path}"
    return _ended(ExitCode.BUG, message, as_json=as_json)
