"""What is still to be created: what waits for a take of another shot goes when that is verified, or not in this run."""

from __future__ import annotations

from decimal import Decimal

from veopipe.plan.plan import Action, Item, Plan, Source
from veopipe.run.creating.queue import Queue
from veopipe.takes.order import Order
from veopipe.takes.status import Status

ORDER = Order("veo-3.1-fast-generate-preview", "A lighthouse", 8, "720p", "16:9", None, None, (), 1)


def create(shot: str, *producers: str) -> Item:
    sources = tuple(Source("input_reference", producer, 1, "last", "f") for producer in producers)
    return Item(shot, Action.CREATE, "new", 1, shot, ORDER, Decimal("0.3"), sources=sources)


def ready(queue: Queue) -> list[str]:
    found = []
    while queue:
        found.append(queue.pop().shot)
    return found


def test_a_consumer_goes_when_all_that_it_needs_is_verified() -> None:
    queue = Queue.of(Plan((create("d", "b", "c"), create("b", "a"), create("c", "a"), create("a"))))
    assert ready(queue) == ["a"]
    queue.ended("a", 1, usable=True)
    assert ready(queue) == ["b", "c"]
    queue.ended("c", 1, usable=True)
    assert ready(queue) == []
    queue.ended("b", 1, usable=True)
    assert ready(queue) == ["d"]


def test_a_chain_breaks_at_what_cant_be_used_and_all_behind_it_is_left() -> None:
    queue = Queue.of(Plan((create("a"), create("b", "a"), create("c", "b"), create("x"))))
    assert ready(queue) == ["a", "x"]
    queue.ended("a", 1, usable=False)
    for shot in "abc":
        queue.ended(shot, 1, usable=True)
    assert ready(queue) == []


def test_what_is_on_record_is_waited_for_only_while_it_is_carried_on() -> None:
    carried = Item("a", Action.CONTINUE, "", 1, "a", ORDER, Decimal("0.3"), status=Status.RENDERING)
    kept = Item("k", Action.KEEP, "", 1, "k", ORDER, Decimal("0.3"), status=Status.VERIFIED)
    queue = Queue.of(Plan((carried, kept, create("b", "a"), create("c", "k"))))
    assert ready(queue) == ["c"]
    queue.ended("a", 1, usable=True)
    assert ready(queue) == ["b"]


def test_another_attempt_of_a_producer_is_waited_for_again() -> None:
    queue = Queue.of(Plan((create("a"), create("b", "a"))))
    assert ready(queue) == ["a"]
    queue.append(create("a"))  # it failed, and is tried again
    assert ready(queue) == ["a"]
    queue.ended("a", 1, usable=True)
    assert ready(queue) == ["b"]


def test_one_bad_producer_is_enough_whichever_ends_first() -> None:
    queue = Queue.of(Plan((create("fast"), create("slow"), create("both", "slow", "fast"), create("after", "both"))))
    assert ready(queue) == ["fast", "slow"]
    queue.ended("fast", 1, usable=False)
    queue.ended("slow", 1, usable=True)
    assert ready(queue) == []
