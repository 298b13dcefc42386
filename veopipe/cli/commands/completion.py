"""`veopipe completion`: print the shell's completion script."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from veopipe.cli.main import COMPLETING
from veopipe.cli.options import example
from veopipe.errors import UsageError

_WHERE = {
    "bash": '~/.bashrc:  eval "$(veopipe completion bash)"',
    "zsh": '~/.zshrc:  eval "$(veopipe completion zsh)"',
    "fish": "veopipe completion fish > ~/.config/fish/completions/veopipe.fish",
}


@click.command("completion", epilog=example(_WHERE["bash"], "0 printed; 2 wrong usage"))
@click.argument("shell", type=click.Choice(list(_WHERE)))
def command(shell: str) -> int:
    """Print the completion script for SHELL: commands, options, manifests, shot ids, pipelines."""
    found = get_completion_class(shell)
    root = click.get_current_context().find_root().command
    if found is None:
        raise UsageError(f"click knows no completion for {shell}")
    click.echo(found(root, {}, "veopipe", COMPLETING).source())
    return 0
