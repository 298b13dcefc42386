"""`veopipe validate`: check shot lists, with a pipeline's overrides too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from veopipe.cli.options import LocalPath, example, pipeline_option
from veopipe.cli.output import emit
from veopipe.errors import ExitCode, InvalidInput, Problem
from veopipe.film import cutfolder
from veopipe.manifest.shots import Manifest, load_manifest
from veopipe.pipeline.reading import load_pipeline
from veopipe.text import counted, printable


@click.command(
    "validate",
    epilog=example("veopipe validate shots.yaml -p final-4k", "0 no error; 2 an error, or wrong usage; 6 environment"),
)
@click.argument("manifests", nargs=-1, required=True, type=LocalPath(path_type=Path), metavar="MANIFEST…")
@pipeline_option("Check with this pipeline's overrides and models too.")
@click.option("--strict", is_flag=True, help="Take warnings for errors.")
@click.option("--format", "format_", type=click.Choice(["text", "json", "github"]), default="text", show_default=True)
def command(manifests: tuple[Path, ...], pipeline: str | None, *, strict: bool, format_: str) -> int:
    """Check shot lists against every parameter rule of the API, and the cuts beside them. Nothing is sent."""
    problems: list[Problem] = []
    lines = []
    for path in manifests:
        manifest, found = _check(path, pipeline)
        found = list(map(_strict, found)) if strict else found
        problems += found
        lines.append(_summary(path, manifest, found))
    problems = list(dict.fromkeys(problems))  # a pipeline's own problems once, not once per list
    failed = any(problem.severity == "error" for problem in problems)
    code = ExitCode.INVALID if failed else ExitCode.OK
    if format_ == "json":
        emit({"exit_code": int(code), "problems": [problem.as_json() for problem in problems]})
    elif problems:
        _show(problems, for_github=format_ == "github")
    if format_ == "text":
        for line in lines:
            click.echo(line)
    return code


def _show(problems: list[Problem], *, for_github: bool) -> None:
    from veopipe.cli.terminal import problems as shown  # rich, when there is something to show

    if not for_github:
        shown.show_problems(problems, stderr=False)
        return
    for problem in problems:
        click.echo(shown.for_github(problem))


def _check(path: Path, wanted: str | None) -> tuple[Manifest | None, list[Problem]]:
    try:
        pipeline, problems = load_pipeline(wanted, path.absolute().parent)
    except InvalidInput as error:
        return None, list(error.problems)
    if pipeline is None:
        return None, list(problems)
    models = pipeline.provider.models
    loaded = load_manifest(path, overrides=pipeline.overrides, models=models, shown_as=str(path))
    cuts = cutfolder.check(path, loaded.manifest.shots if loaded.manifest is not None else None)
    return loaded.manifest, [*problems, *loaded.problems, *cuts]


def _strict(problem: Problem) -> Problem:
    return replace(problem, severity="error") if problem.severity == "warning" else problem


def _summary(path: Path, manifest: Manifest | None, found: list[Problem]) -> str:
    by_severity = [(sum(p.severity == severity for p in found), severity) for severity in ("error", "warning")]
    said = ", ".join(counted(number, severity) for number, severity in by_severity if number) or "no problem"
    shots = f"{counted(len(manifest.shots), 'shot')}, " if manifest else ""
    return f"{printable(str(path), None)}: {shots}{said}"
