"""Where everything of one manifest lies: its ledger in `.veopipe/<manifest>/`, its videos in `<output>/<manifest>/`.

A rehearsal has folders of its own (`<manifest>.simulated`), so that its takes can never be taken for paid ones. Paths
only; nothing is looked at or made here.

Source: docs/design.md, 5.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from veopipe.ledger.prefixes import is_prefix
from veopipe.values import dataclass


@dataclass(frozen=True, slots=True)
class Places:
    """All folders of one manifest under one pipeline.

    Attributes:
        manifest: the manifest's absolute path.
        ledger_base: the pipeline's `ledger`, relative to the manifest's folder.
        output_base: the pipeline's `output`, likewise.
        simulated: whether this is a rehearsal.
    """

    manifest: Path
    ledger_base: str
    output_base: str
    simulated: bool = False

    @property
    def name(self) -> str:
        """The name of the ledger's and the output's folder."""
        return _name(self.manifest, self.simulated)

    @property
    def folder(self) -> Path:
        """The ledger."""
        return _folder(self.manifest, self.ledger_base, self.name)

    @property
    def state(self) -> Path:
        """The folder of the state files."""
        return _folder(self.manifest, self.ledger_base, self.name, "state")

    def state_of(self, shot: str) -> Path:
        """The state file of a shot."""
        return self.state / f"{shot}.json"

    @property
    def rescue(self) -> Path:
        """Where answers go that couldn't be recorded in their place."""
        return self.folder / "rescue"

    @property
    def reserve(self) -> Path:
        """Disk space that is given up when an answer that was paid for finds none."""
        return self.rescue / "reserve"

    @property
    def runs(self) -> Path:
        """Where the event logs go."""
        return self.folder / "runs"

    @property
    def memory(self) -> Path:
        """What this machine remembers of `ledger.json`; git leaves it out."""
        return self.runs / "ledger.json"

    @property
    def reviews(self) -> Path:
        """Where it is kept what people said of takes: beside the manifest, in git; of a rehearsal with its ledger."""
        return self.folder / "review" if self.simulated else _folder(self.manifest, "review", self.name)

    def cut_of(self, name: str) -> Path:
        """The file of a cut: beside the manifest, in git, for films and rehearsals alike."""
        return _folder(self.manifest, "cuts", f"{name}.yaml")

    def lock_of(self, name: str) -> Path:
        """What a cut was locked to: beside it; of a rehearsal with its ledger."""
        return (self.folder / "cuts" if self.simulated else self.cut_of(name).parent) / f"{name}.lock.json"

    @property
    def output(self) -> Path:
        """Where the finished videos go."""
        return _folder(self.manifest, self.output_base, self.name)

    def takes_of(self, base: str) -> Path:
        """Where the takes lie that were delivered under a pipeline whose `output` is `base`."""
        return _folder(self.manifest, base, self.name, "takes")

    def frames_of(self, base: str) -> Path:
        """Where single pictures of those takes are kept; they can be made again."""
        if is_prefix(base):
            return self.scratch / "frames"
        return _folder(self.manifest, base, self.name, "frames")

    @property
    def scratch(self) -> Path:
        """Where files lie that are on their way to a store, or were brought from there; git leaves it out."""
        return self.folder / "scratch"


@lru_cache(maxsize=64)
def _name(manifest: Path, simulated: bool) -> str:  # noqa: FBT001
    return manifest.stem + (".simulated" if simulated else "")


@lru_cache(maxsize=64)
def _folder(manifest: Path, *names: str) -> Path:
    """A folder beside the manifest; remembered, since long lists ask for the same few per shot."""
    return manifest.parent.joinpath(*names)
