"""Finals come after drafts: a shot is ordered once its draft is picked, and only as it was picked. Pure.

A final isn't the draft in better quality: it is another roll of the dice. What was approved is the text.

Source: docs/design.md, 12 (Drafts and finals).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from veopipe.plan.chains import Producer
from veopipe.plan.plan import Draft, Wanted
from veopipe.takes.order import WORDS
from veopipe.takes.take import Take
from veopipe.takes.verdict import name_of

_TEXT = ("prompt", "negative_prompt", "seed", "aspect_ratio", "seconds")


def lack(draft: Draft, wanted: Wanted, picks: Sequence[Take], producers: Mapping[str, Producer]) -> str | None:
    """Why a shot can't be ordered yet, for people; None: it can.

    Args:
        draft: the pipeline whose picks are waited for.
        wanted: the shot.
        picks: of its takes, those that are picked in that pipeline's output folder.
        producers: of its frames, as far as they are planned.
    """
    if not picks:
        return f"no take of it made with the pipeline {draft.pipeline} is picked"
    if len(picks) > 1:
        return f"two picks among its drafts, {' and '.join(str(name_of(pick)) for pick in picks)}: leave one"
    differs = list(_differs(draft, wanted, picks[0], producers))
    return f"its text isn't that of the picked draft: {' and '.join(differs)} changed" if differs else None


def _differs(draft: Draft, wanted: Wanted, pick: Take, producers: Mapping[str, Producer]) -> Iterator[str]:
    """What differs between what is wanted and the picked draft, of what neither pipeline overrides."""
    for key in _TEXT:
        if key not in draft.overridden and getattr(wanted.order, key) != getattr(pick.order, key):
            yield WORDS.get(key, key)
    if list(_pictures(draft, wanted)) != list(_pictures_of(draft, pick, wanted, producers)):
        yield "pictures"


def _pictures(draft: Draft, wanted: Wanted) -> Iterator[tuple[str, str | None]]:
    """The pictures of a shot: what each is for, and its bytes, or the frame and the shot that it is of."""
    links = wanted.links or (None,) * len(wanted.order.pictures)
    for picture, shot in zip(wanted.order.pictures, links, strict=True):
        if picture.role not in draft.overridden:
            yield picture.role, picture.sha256 if shot is None else f"{picture.frame} of {shot}"


def _pictures_of(
    draft: Draft, pick: Take, wanted: Wanted, producers: Mapping[str, Producer]
) -> Iterator[tuple[str, str | None]]:
    """The same of a draft: a frame is of the shot that the list names now, if it was of a take of that shot."""
    names = wanted.producers
    for picture in pick.order.pictures:
        if picture.role not in draft.overridden:
            of = next((shot for shot in names if picture.of in producers[shot].made), None)
            yield picture.role, picture.sha256 if picture.frame is None else f"{picture.frame} of {of}"
