"""A pipeline: how a shot list is run. Values; `reading` makes them from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from decimal import Decimal
from typing import TYPE_CHECKING

from veopipe.dialects import choice
from veopipe.documents.nodes import Layer, plain
from veopipe.profiles.profile import KEPT_FOR, VEO, Model, Profile
from veopipe.text import printable
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.dialects.base import Told
    from veopipe.dialects.dialect import Dialect

INSTEAD = "write a model that is sold into a pipeline of your own, in pipelines/ beside the list"
"""What to do where a pipeline orders every shot with a model that is announced as switched off."""

Seconds = float
Url = str
"""Annotations that say how `reading` reads a key: a duration as people write it, the address of a gateway."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """Who makes the videos.

    Attributes:
        profile: what is known of the gateway.
        base_url: the gateway's address, normalised.
        api_key_env: name of the environment variable with the key.
        status_endpoint: `videos` or `generations`; of the dialect `videos` only.
        models: every model that can be ordered: the profile's, with the pipeline's laid over them.
        require_ledger: where there is no ledger yet, nothing is bought.
        account_token_env: name of the environment variable with the account's token, which reads its log.
        token_name: what the key is called in that log; None: nobody said.
        account_user: the account's number, where the log wants it; None: nobody said.
    """

    profile: Profile
    base_url: Url
    api_key_env: str
    status_endpoint: str
    models: Mapping[str, Model]
    require_ledger: bool
    account_token_env: str
    token_name: str | None = None
    account_user: int | None = None

    @property
    def dialect(self) -> Dialect:
        """How its gateway speaks."""
        lean = frozenset(model.name for model in self.models.values() if model.family != VEO)
        pictures = {model.name: model.pictures for model in self.models.values() if model.pictures}
        settings = choice.Settings(self.status_endpoint, self.profile.api_version, lean, pictures, self.account_user)
        return choice.dialect(self.profile.dialect, settings)

    def keeps(self, model: str) -> Seconds:
        """How long the gateway keeps a video of a model."""
        known = self.models.get(model)
        return known.retention if known is not None else KEPT_FOR

    def cost(self, model: str, told: Told) -> Decimal | None:
        """What a task of a model cost, US dollars, by what an answer tells of it; None: nobody can say."""
        known, tokens = self.models.get(model), told.tokens
        if told.cost_usd is not None or known is None or known.usage is None or tokens is None:
            return told.cost_usd
        return known.usage.cost(tokens.video, tokens.text, tokens.input)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much at a time, and how much at most.

    Attributes:
        in_flight: takes that render or are being fetched.
        creates_in_flight: create calls at the same time.
        creates_per_minute: may be a fraction.
        downloads: at the same time.
        max_cost_usd: the most that one run may cost, or None.
        deadline: nothing is created after it, or None.
        retry_failed: further attempts for a take that the gateway reported failed.
        stop_after_failures: so many bad results in a row end creating.
    """

    in_flight: int
    creates_in_flight: int
    creates_per_minute: float
    downloads: int
    max_cost_usd: Decimal | None = None
    deadline: Seconds | None = None
    retry_failed: int
    stop_after_failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """How often a task is asked for, and how long one run asks.

    Attributes:
        interval: between two polls; of adaptive ones, on average.
        timeout: of one run.
        adaptive: polls come when results are expected.
    """

    interval: Seconds
    timeout: Seconds
    adaptive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How long a video that the gateway hasn't got yet is waited for, and how often it is tried."""

    not_ready_interval: Seconds
    not_ready_for: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify:
    """By how much the measured duration may differ."""

    duration_tolerance: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Who is told when a run has ended.

    Attributes:
        on: of `finished`, `failed` and `in_doubt`, what is told.
        command: a program and its arguments; empty: none.
        webhook_env: name of the environment variable with the webhook's address, or None.
        timeout: how long each of the two may take.
        simulated: whether rehearsals are told, too.
    """

    on: frozenset[str]
    command: tuple[str, ...] = ()
    webhook_env: str | None = None
    timeout: Seconds
    simulated: bool


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings that replace those of every shot, and where they stand; null unsets.

    Attributes:
        file: the pipeline's name in problems.
        nodes: key → node.
        spelt: as in `yaml.Document`.
    """

    file: str = ""
    nodes: Layer = field(default_factory=dict)
    spelt: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @property
    def model(self) -> str | None:
        """The model that every shot is ordered with, or None."""
        name = plain(self.nodes["model"]) if "model" in self.nodes else None
        return name if isinstance(name, str) else None

    def retired(self, models: Mapping[str, Model]) -> str | None:
        """That this model is announced as switched off, for people; None: it isn't, or there is none."""
        known = models.get(self.model or "")
        if known is None or known.retired is None:
            return None
        return f"this pipeline orders every shot with {printable(known.name, 60)}, {known.retired.in_words()}"


@dataclass(frozen=True, slots=True)
class After:
    """The pipeline whose picks are waited for.

    Attributes:
        name: as it is written.
        output: its output folder.
        overrides: the keys that it overrides.
    """

    name: str
    output: str
    overrides: frozenset[str]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline without errors: each section of the file, with the schema's default for what isn't written.

    Attributes:
        after: the pipeline whose picks are waited for, or None.
        chain: what frames of other shots are taken of: `verified` takes, or `picked` ones only.
        executor: who fetches videos: `local`, or an engine, as written.
        output: folder of the videos as written, relative to the manifest's folder.
        ledger: folder of the ledgers, the same.
        guard: address of the object that says which copy of the ledger is the newest, or None.
    """

    name: str
    provider: Provider
    limits: Limits
    poll: Poll
    download: Download
    verify: Verify
    notify: Notify
    overrides: Overrides
    after: After | None
    chain: str
    executor: str
    output: str
    ledger: str
    guard: str | None
