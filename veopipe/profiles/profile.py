"""A profile and its models: what is known of a gateway before it is asked. Pure.

Source: docs/design.md, 11 (Profiles).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from decimal import Decimal
from typing import Any

from veopipe.profiles.prices import Price, Usage
from veopipe.takes.order import Order
from veopipe.takes.origin import VIDEOS
from veopipe.values import dataclass

VEO = "veo-3.1"
"""The family whose rules a model has that says nothing of its own: the API document's."""
KEPT_FOR = 48 * 3600.0
"""Seconds that a gateway keeps a video, where its profile says nothing: 2 days (docs/api-facts.md, b 35)."""


@dataclass(frozen=True, slots=True)
class Retirement:
    """That a model is announced as switched off.

    Attributes:
        on: the day (ISO).
        successor: the model of the same profile that replaces it, if there is one.
    """

    on: str
    successor: str | None = None

    def in_words(self) -> str:
        """For people: what is known, and what to order instead."""
        instead = f"; its successor is {self.successor}" if self.successor else ""
        return f"announced as switched off on {self.on}{instead}"


@dataclass(frozen=True, slots=True)
class Model:
    """One model that a gateway sells.

    Attributes:
        name: as it is asked for.
        price: of one create.
        family: whose rules it has.
        usage: what told tokens cost, where the maker bills by them.
        list_price: what its maker asks for the same, for comparison.
        retention: seconds that a finished video is kept.
        retired: that it is announced as switched off, or None.
        spellings: other names that people write for it by mistake.
        rules: that it has besides its family's, in the form of `schemas/manifest.schema.json`.
        pictures: role → form field, where the profile says; None: as the dialect sends them.
    """

    name: str
    price: Price
    family: str = VEO
    usage: Usage | None = None
    list_price: Price | None = None
    retention: float = KEPT_FOR
    retired: Retirement | None = None
    spellings: tuple[str, ...] = ()
    rules: tuple[Mapping[str, Any], ...] = ()
    pictures: Mapping[str, str] | None = None

    def listed(self, order: Order) -> Decimal | None:
        """What its maker asks for an order, US dollars; None where that isn't known."""
        if self.list_price is None or not self.list_price.knows(order.resolution):
            return None
        return self.list_price.of(order)


def in_dialect(model: Model, dialect: str) -> Model:
    """A model as a dialect can send it.

    In `videos` the form fields of pictures are known for the API document's models only; others must declare them.
    """
    is_unknown = dialect == VIDEOS and model.family != VEO and model.pictures is None
    return replace(model, pictures={}) if is_unknown else model


@dataclass(frozen=True, slots=True)
class Profile:
    """A gateway as data, checked.

    Attributes:
        name: what it is called.
        dialect: how it speaks, `videos` or `interactions`.
        models: name → model, in the order of the file.
        base_url: its address, normalised; None: the pipeline names it.
        api_key_env: the environment variable with the key.
        status_endpoint: `videos` or `generations`; of the dialect `videos`.
        account_log: whose form the account's log has, `one-api` or `new-api`; of the dialect `videos`.
        api_version: in the paths of the dialect `interactions`.
        poll: `interval` and `timeout` in seconds, where they aren't the pipeline's.
        token_setup: what a key must be like, a sentence.
        description: what it is for, a sentence.
        source: where its figures are from.
        checked: the day (ISO) on which they were looked at.
    """

    name: str
    dialect: str
    models: Mapping[str, Model]
    base_url: str | None = None
    api_key_env: str = "VEOPIPE_API_KEY"
    status_endpoint: str = "videos"
    account_log: str = "one-api"
    api_version: str | None = None
    poll: Mapping[str, float] = field(default_factory=dict)
    token_setup: str = ""
    description: str = ""
    source: str = ""
    checked: str = ""

    @property
    def wants_account_user(self) -> bool:
        """Whether the account's log is shown only to who knows the account's number."""
        return self.account_log == "new-api"

    @property
    def sold(self) -> list[Model]:
        """The models that aren't announced as switched off."""
        return [model for model in self.models.values() if model.retired is None]
