"""A folder with a shot list, and the real command in real processes.

A `Film` is such a folder; its commands end as a `Result` and are under way as `Started`.
"""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from tests.harness.canary import KEY, holds_key
from tests.harness.disks import copy
from tests.harness.fork import First, Forked, Zygote
from tests.harness.sold import SOLD

FAST = SOLD["videos"].model
PRICE = str(SOLD["videos"].price)
COMMAND = (sys.executable, "-m", "veopipe")
AUTHORITY = str(Path(__file__).parent / "wire" / "authority.pem")
LIMIT = 100.0
"""Seconds after which a command hangs."""

_OF_THE_MACHINE = re.compile(r"proxy|^SSL_CERT_|_CA_BUNDLE$", re.IGNORECASE)

# Everything as quick as the gateway; whatever a test needs otherwise, it says.
QUICK = {
    "limits.in_flight": 50,
    "limits.creates_per_minute": 60_000,
    "poll.interval": "50ms",
    "poll.timeout": "30s",
    "download.not_ready_interval": "50ms",
    "download.not_ready_for": "20s",
}


@dataclass(frozen=True)
class Result:
    """How a command ended. Made only for endings without a traceback and without the key in sight."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """Stdout as the one JSON document that it must be."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        assert found["exit_code"] == self.code, self
        return found

    @property
    def shots(self) -> dict[str, Any]:
        """The report's shots."""
        shots: dict[str, Any] = self.document["shots"]
        return shots

    @property
    def statuses(self) -> dict[str, str]:
        """Shot → status."""
        return {shot: row["status"] for shot, row in self.shots.items()}


Veopipe = Callable[..., Result]
"""Any command in a folder: `veopipe(folder, "plan", "shots.yaml")`. A fixture of `tests.conftest`."""


def checked(code: int, out: str, err: str) -> Result:
    """The result of a command, after the looks that every ending must bear."""
    for text in (out, err):
        assert "Traceback (most recent" not in text, text
        assert "never retrieved" not in text, text
        assert not holds_key(text), "the key was printed"
    return Result(code, out, err)


class Started:
    """A command that is under way."""

    def __init__(self, process: Forked | subprocess.Popen[str]) -> None:
        self.process, self.said = process, ""

    def until_it_says(self, words: str) -> None:
        """Read stderr up to the line with `words`."""
        assert self.process.stderr is not None
        while words not in (line := self.process.stderr.readline()):
            assert line, f"it ended and never said {words!r}: {self.said}"
            self.said += line
        self.said += line

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def result(self, limit: float = LIMIT) -> Result:
        """Wait for its end."""
        try:
            out, err = self.process.communicate(timeout=limit)  # a pipe that the test closed stays empty
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return checked(self.process.returncode, out or "", self.said + (err or ""))


@dataclass
class Film:
    """A folder with a shot list `shots.yaml` and a pipeline `quick.yaml`.

    Attributes:
        folder: where it lies, and where its commands run.
        base_url: of the gateway that they talk to.
        environment: theirs.
        zygote: forks them; None: each starts from nothing.
        dialect: in which its list and its pipeline buy, unless told.
    """

    folder: Path
    base_url: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    zygote: Zygote | None = None
    dialect: str = "videos"

    def list(self, shots: Mapping[str, str | Mapping[str, Any]], name: str = "shots.yaml", **top: Any) -> Path:
        """Write a shot list (JSON is YAML): id → prompt, or id → all its keys. 4 s at 720p unless told."""
        entries = {shot: {"prompt": keys} if isinstance(keys, str) else dict(keys) for shot, keys in shots.items()}
        defaults = {"model": SOLD[self.dialect].model, "seconds": 4, **top.pop("defaults", {})}
        path = self.folder / name
        path.write_text(json.dumps({"version": 1, "defaults": defaults, "shots": entries, **top}, indent=1), "utf-8")
        return path

    @contextmanager
    def kept(self, keep: Path) -> Iterator[bool]:
        """Have in the folder what is kept there; the first time (True), what is put into the folder will be kept.

        Takes that were fetched and verified ask their gateway nothing, so they are the same at another one.
        """
        is_new = not keep.exists()
        yield is_new
        if is_new:
            copy(self.folder, keep)
        else:
            shutil.rmtree(self.folder)
            copy(keep, self.folder)
            self.pipeline()

    def pipeline(self, name: str = "quick.yaml", **settings: Any) -> Path:
        """Write a pipeline: `QUICK` and `settings`, where `__` stands for the dot."""
        document: dict[str, Any] = {"version": 1}
        provider = {f"provider.{key}": value for key, value in SOLD[self.dialect].provider.items()}
        told = {key.replace("__", "."): value for key, value in settings.items()}
        for key, value in {**QUICK, **provider, **told}.items():
            section, _, rest = key.partition(".")
            if rest:
                document.setdefault(section, {})[rest] = value
            else:
                document[section] = value
        path = self.folder / name
        path.write_text(json.dumps(document), "utf-8")
        return path

    def keeps(self, retention: str) -> str:
        """Write a profile whose gateway keeps a video that long; its name, for `provider__profile`."""
        path = self.folder / "profiles" / f"keeps-{retention}.yaml"
        path.parent.mkdir(exist_ok=True)
        model = {"family": "veo-3.1", "price": {"per_call": float(PRICE)}, "retention": retention}
        head = {"version": 1, "name": path.stem, "dialect": "videos", "base_url": self.base_url}
        path.write_text(json.dumps({**head, "models": {FAST: model}}), "utf-8")
        return path.stem

    def picture(self, name: str, size: tuple[int, int] = (1280, 720), kind: str = "PNG", shade: int = 0) -> str:
        """Draw a picture; pictures of different shades differ."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        out = io.BytesIO()
        Image.new("RGB", size, (shade, 90, 160)).save(out, kind)
        path.write_bytes(out.getvalue())
        return name

    def arguments(self, *words: str, manifest: str = "shots.yaml", yes: bool = True) -> list[str]:
        """`run` at the test's gateway, with JSON on stdout."""
        fixed = ["run", manifest, "-p", "quick.yaml", "--format", "json"]
        if "--simulate" not in words and "--base-url" not in words:
            fixed += ["--base-url", self.base_url]
        return [*fixed, *(["--yes"] if yes else []), *words]

    def run(self, *words: str, manifest: str = "shots.yaml", yes: bool = True) -> Result:
        """`veopipe run` to its end."""
        return self.command(*self.arguments(*words, manifest=manifest, yes=yes))

    def command(self, *words: str) -> Result:
        """Any command to its end."""
        return self.start(*words).result()

    def start(
        self,
        *words: str,
        program: tuple[str, ...] = (),
        first: First = None,
        **environment: str,
    ) -> Started:
        """Start a command.

        Args:
            words: after `veopipe`, or after `program`.
            program: another program, which starts from nothing.
            first: what is done in its process before: a `Mishap`, or what `hurried` and `refused` of `fork` make.
            environment: variables over its usual ones.
        """
        variables = {**self.environment, **environment}
        if self.zygote is not None and not program:
            return Started(self.zygote.start(words, self.folder, variables, first))
        assert first is None, "only a forked command can be prepared"
        return Started(
            subprocess.Popen(
                [*(program or COMMAND), *words],
                cwd=self.folder,
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )

    def state(self, shot: str, ledger: str = "shots") -> dict[str, Any]:
        """A shot's state file."""
        text = (self.folder / ".veopipe" / ledger / "state" / f"{shot}.json").read_text("utf-8")
        found: dict[str, Any] = json.loads(text)
        return found

    def finished(self, shot: str, ledger: str = "shots") -> Path:
        """A shot's finished name."""
        return self.folder / "renders" / ledger / f"{shot}.mp4"

    def log(self) -> list[dict[str, Any]]:
        """The events of all runs, in order."""
        logs = sorted((self.folder / ".veopipe" / "shots" / "runs").glob("*.jsonl"))
        return [json.loads(line) for path in logs for line in path.read_text("utf-8").splitlines()]


def environment_of(home: Path) -> dict[str, str]:
    """This process's environment with the key, no proxies, and one authority.

    To read all authorities of a machine takes longer than a short run; no certificate is looked at here.
    """
    kept = {name: value for name, value in os.environ.items() if not _OF_THE_MACHINE.search(name)}
    temporary = home / "tmp"
    temporary.mkdir(exist_ok=True)
    return {
        **kept,
        "SSL_CERT_FILE": AUTHORITY,
        "VEOPIPE_API_KEY": KEY,
        "TMPDIR": str(temporary),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
