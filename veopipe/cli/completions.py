"""What a shell offers after Tab: the pipelines and profiles that can be named here, the shots of the list on the line.

Nothing here may fail or be slow; after an error nothing is offered.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, split_arg_string


def complete_pipeline(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of pipelines: beside the manifest, and built in; files when the word has a slash."""
    from veopipe.pipeline.reading import built_in_pipelines

    if "/" in incomplete:
        return [CompletionItem(incomplete, type="file")]
    own = _folder(ctx) / "pipelines"
    names = {path.stem for path in own.glob("*.y*ml")} if own.is_dir() else set()
    return [CompletionItem(name) for name in sorted(names | set(built_in_pipelines())) if name.startswith(incomplete)]


def complete_profile(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the profiles that travel with veopipe."""
    from veopipe.profiles.reading import built_in_names

    return [CompletionItem(name) for name in built_in_names() if name.startswith(incomplete)]


def complete_shot(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shot ids of the manifest that the line names before."""
    return [CompletionItem(shot) for shot in _shots(ctx) if shot.startswith(incomplete)]


def complete_cut(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of the cuts beside the manifest."""
    folder = _folder(ctx) / "cuts"
    names = sorted(path.stem for path in folder.glob("*.yaml")) if folder.is_dir() else []
    return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _manifest(ctx: click.Context) -> Path | None:
    """The list that the line names; click forgets it when the word before the cursor is an option."""
    words = [ctx.params.get("manifest"), *split_arg_string(os.environ.get("COMP_WORDS", ""))]  # quotes, as typed
    for endings in ((".yaml", ".yml"), (".json",)):  # a plan, or what a report's page saved, is JSON, too
        lists = [Path(word).expanduser() for word in words if word and str(word).endswith(endings)]
        if (found := next((path for path in lists if path.is_file()), None)) is not None:
            return found
    return None


def _folder(ctx: click.Context) -> Path:
    manifest = _manifest(ctx)
    return manifest.parent if manifest else Path()


def _shots(ctx: click.Context) -> list[str]:
    from veopipe.documents import yaml
    from veopipe.documents.nodes import MappingNode

    manifest = _manifest(ctx)
    try:
        root: Any = yaml.load(manifest).root if manifest else None
    except OSError:
        return []
    shots = root.items.get("shots") if isinstance(root, MappingNode) else None
    return list(shots.items) if isinstance(shots, MappingNode) else []
