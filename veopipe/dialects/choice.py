"""Which dialect: by the name that a pipeline chooses, and that attempts record. The only place that knows them all.

Source: docs/design.md, 2 and 5 (Which gateway).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING

from veopipe.takes.origin import INTERACTIONS, VIDEOS
from veopipe.values import dataclass

if TYPE_CHECKING:
    from veopipe.dialects.dialect import Dialect

NAMES = frozenset({VIDEOS, INTERACTIONS})
"""Of all dialects."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What a provider says of its gateway's addresses; each dialect takes what is its own.

    Attributes:
        status_endpoint: of `videos`: where status is asked for.
        api_version: of `interactions`: the first part of its paths; None: the usual one.
        lean: of `videos`: models that take a lean form.
        pictures: of `videos`: model → role of a picture → its field, where it isn't the document's.
        account_user: of `videos`: the account's number, where its log wants it.
    """

    status_endpoint: str = "videos"
    api_version: str | None = None
    lean: frozenset[str] = frozenset()
    pictures: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    account_user: int | None = None


AS_USUAL = Settings()
"""What holds where no provider says otherwise."""


def dialect(name: str, settings: Settings = AS_USUAL) -> Dialect:
    """The dialect of that name, imported now: most commands ask nothing of a gateway.

    Raises:
        ValueError: there is none.
    """
    if name not in NAMES:
        raise ValueError(f"there is no dialect {name!r}")
    if name == INTERACTIONS:
        from veopipe.dialects.interactions.dialect import Interactions

        return Interactions(settings.api_version) if settings.api_version else Interactions()
    from veopipe.dialects.videos.dialect import Videos

    return Videos(settings.status_endpoint, settings.lean, settings.pictures, settings.account_user)
