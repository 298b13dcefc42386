"""A manifest with its pipeline, as one command sees them.

Loading reads and checks, and changes nothing. An error in the files is raised here, before anything is sent. What is
read then is a value and stays as it is.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from decimal import Decimal
from pathlib import Path

from veopipe.delivery.output import output_of
from veopipe.delivery.shelf import Shelf
from veopipe.documents import standins
from veopipe.errors import EnvironmentFault, InvalidInput, Problem, UsageError
from veopipe.gateway.address import Address, parse_base_url
from veopipe.ledger import moves, owner
from veopipe.ledger.paths import Places
from veopipe.manifest import pictures
from veopipe.manifest.chains import Link
from veopipe.manifest.shots import Manifest, Picture, Shot, load_manifest
from veopipe.pipeline.pipeline import Pipeline
from veopipe.pipeline.reading import load_pipeline
from veopipe.plan.plan import Wanted
from veopipe.profiles.profile import Model
from veopipe.project.choices import Choices
from veopipe.text import counted, printable
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Project:
    """One manifest, ready to be planned.

    Attributes:
        choices: the command line.
        manifest: checked, with the pipeline's overrides applied.
        pipeline: with the command line's options applied.
        places: its folders.
        wanted: the selected shots.
        unselected: others, of which these take frames, directly or not.
        address: the gateway of this command.
        problems: warnings and notes about the files.
        pictures: shot → its pictures with the hash of each.
    """

    choices: Choices
    manifest: Manifest
    pipeline: Pipeline
    places: Places
    wanted: Mapping[str, Wanted]
    address: Address
    problems: tuple[Problem, ...]
    unselected: Mapping[str, Wanted] = field(default_factory=dict)
    pictures: Mapping[str, tuple[tuple[Picture, str], ...]] = field(default_factory=dict)

    @property
    def shelf(self) -> Shelf:
        """Where its takes lie, for commands that only look."""
        return output_of(self.places).shelf

    @property
    def cap(self) -> Decimal | None:
        """The lowest of the three caps, US dollars; money is the one thing where an option doesn't win."""
        caps = (self.manifest.budget_usd, self.pipeline.limits.max_cost_usd, self.choices.max_cost)
        return min((cap for cap in caps if cap is not None), default=None)

    def others(self) -> dict[str, Wanted]:
        """The shots that aren't selected; raises `EnvironmentFault` where a picture can't be read."""
        left = [shot for shot in self.manifest.shots if shot not in self.wanted]
        hashes, models = _hash_pictures(self.manifest, left), self.pipeline.provider.models
        return {shot: _wanted(shot, self.manifest.shots[shot], hashes, models) for shot in left}


def load(choices: Choices) -> Project:
    """Read and check everything that a command about a manifest needs.

    Raises:
        UsageError: no such manifest or pipeline, or nothing is selected.
        InvalidInput: the manifest or the pipeline has errors.
        LedgerRefused: the ledger or the output folder belongs to something else.
        EnvironmentFault: a file can't be read.
    """
    path = _manifest_path(choices.manifest)
    pipeline, problems = load_pipeline(choices.pipeline, path.parent, simulated=choices.simulate)
    if pipeline is None:
        raise InvalidInput(_summary(problems), problems)
    pipeline = _with_choices(pipeline, choices)
    models = pipeline.provider.models
    loaded = load_manifest(
        path, overrides=pipeline.overrides, models=models, shown_as=str(choices.manifest), selects=choices.takes_in
    )
    problems = (*problems, *loaded.problems)
    if loaded.manifest is None:
        raise InvalidInput(_summary(problems), problems)
    places = Places(path, pipeline.ledger, pipeline.output, choices.simulate)
    owner.look_up(places)
    chosen = _select(loaded.manifest, choices)
    upstream = _upstream(loaded.manifest, chosen)
    hashes = _hash_pictures(loaded.manifest, [*chosen, *upstream])
    wanted, unselected = (
        {shot: _wanted(shot, loaded.manifest.shots[shot], hashes, models) for shot in shots}
        for shots in (chosen, upstream)
    )
    return Project(
        choices=choices,
        manifest=loaded.manifest,
        pipeline=pipeline,
        places=places,
        wanted=wanted,
        unselected=unselected,
        address=Address("http://127.0.0.1", simulated=True)
        if choices.simulate
        else Address(pipeline.provider.base_url),
        problems=problems,
        pictures={
            shot: tuple((picture, hashes[picture]) for picture in loaded.manifest.shots[shot].files) for shot in chosen
        },
    )


def _manifest_path(written: Path) -> Path:
    path = written.absolute()
    if path.is_dir():
        raise UsageError(f"{written} is a folder; name the shot list in it, such as {written / 'shots.yaml'}")
    if not path.exists():
        if (away := standins.of(path)) is not None:
            raise UsageError(f"{written}: {away}")
        folder = [] if written.parent == Path() else [moves.typed(str(written.parent))]
        command = printable(shlex.join(["veopipe", "init", *folder]), None)
        raise UsageError(f"there is no {written}", hint=f"make a small list to start from: {command}")
    return path.parent.resolve() / path.name


def _with_choices(pipeline: Pipeline, choices: Choices) -> Pipeline:
    if choices.in_flight is not None:
        pipeline = replace(pipeline, limits=replace(pipeline.limits, in_flight=choices.in_flight))
    if choices.executor is not None:
        pipeline = replace(pipeline, executor=choices.executor)
    if choices.base_url is not None:
        if choices.simulate:
            raise UsageError("--simulate brings its own gateway; leave --base-url out")
        pipeline = replace(pipeline, provider=replace(pipeline.provider, base_url=address_typed(choices.base_url)))
    return pipeline


def address_typed(base_url: str) -> str:
    """What `--base-url` names.

    Raises:
        UsageError: it is no address.
    """
    try:
        return parse_base_url(base_url)
    except ValueError as error:
        raise UsageError(f"--base-url: {error}") from None


def no_shot(written: str, ids: Collection[str]) -> UsageError:
    """That there is no such shot, and which one may be meant.

    Args:
        written: the id as a person wrote it.
        ids: those that there are.
    """
    return UsageError(f"there is no shot {printable(written, 80)}", hint=_guess(written, ids))


def _guess(written: str, ids: Collection[str]) -> str | None:
    longer = (shot for shot in ids if shot.startswith(written))
    close = difflib.get_close_matches(written[:100], ids, 1)
    found = next(longer, None) or next(iter(close), None)
    return f"did you mean {found}?" if found else None


def _select(manifest: Manifest, choices: Choices) -> list[str]:
    chosen = [shot for shot, settings in manifest.shots.items() if choices.takes_in(shot, settings.tags)]
    if not chosen:
        said = [f"--only {glob}" for glob in choices.only] + [f"--tag {tag}" for tag in choices.tags]
        shots = counted(len(manifest.shots), "shot")
        guess = next(filter(None, (_guess(glob, manifest.shots) for glob in choices.only)), None)
        raise UsageError(f"{printable(' '.join(said)) or 'the list'} selects none of {shots}", hint=guess)
    return chosen


def _wanted(shot: str, settings: Shot, hashes: Mapping[Picture, str], models: Mapping[str, Model]) -> Wanted:
    links = tuple(picture.shot if isinstance(picture, Link) else None for picture in settings.pictures)
    return Wanted(shot, settings.order(hashes), models[settings.model], settings.takes, uses=settings.uses, links=links)


def _upstream(manifest: Manifest, chosen: list[str]) -> list[str]:
    """The shots that aren't selected and of which selected ones take frames, directly or not."""
    selected, found, look_at = set(chosen), dict[str, None](), list(chosen)
    while look_at:
        for link in manifest.shots[look_at.pop()].links:
            if link.shot not in selected and link.shot not in found:
                found[link.shot] = None
                look_at.append(link.shot)
    return list(found)


def _hash_pictures(manifest: Manifest, chosen: list[str]) -> dict[Picture, str]:
    by_path: dict[Path, str] = {}
    hashes = {}
    for shot in chosen:
        for picture in manifest.shots[shot].files:
            try:
                if picture.path not in by_path:
                    by_path[picture.path] = pictures.hash_file(picture.path)
            except (OSError, ValueError) as error:
                raise EnvironmentFault(f"{printable(picture.written)} can't be read: {error}") from None
            hashes[picture] = by_path[picture.path]
    return hashes


def _summary(problems: tuple[Problem, ...]) -> str:
    errors = sum(problem.severity == "error" for problem in problems)
    return f"{counted(errors, 'error')}: nothing was sent"
