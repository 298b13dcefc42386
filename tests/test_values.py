"""Values are what the standard library would have made of the same classes."""

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
from dataclasses import FrozenInstanceError, field, fields, replace

import pytest

import veopipe
from veopipe.values import dataclass


class Plain:
    """A class as it is written."""

    name: str
    size: int = 3
    parts: list[int] = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)
    made: int = field(init=False, default=7)


class Partly:
    """Hashed by a part of it."""

    name: str
    parts: dict[str, int] = field(default_factory=dict, hash=False)
    note: str = field(default="", compare=False, hash=True)


class Named:
    """Arguments by name."""

    size: int
    name: str = "x"


class Checked:
    """Looks at itself."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("below zero")


class Empty:
    """Without fields."""


class Spelt:
    """With an equality of its own."""

    name: str

    def __eq__(self, other: object) -> bool:
        return other.__class__ is self.__class__ and other.name.lower() == self.name.lower()

    def __hash__(self) -> int:
        return hash(self.name.lower())

    def __repr__(self) -> str:
        return f"<{self.name}>"


def both(cls: type, **more: bool) -> tuple[type, type]:
    """The class by us and by the library."""
    ours = dataclass(type(cls.__name__, (), dict(cls.__dict__)), frozen=True, slots=True, **more)
    return ours, dataclasses.dataclass(type(cls.__name__, (), dict(cls.__dict__)), frozen=True, slots=True, **more)


CASES = [
    (Plain, {}, [("a",), ("a", 4), ("a", 4, [1]), ("a", 4, [1], "other")], {"name": "b"}),
    (Partly, {}, [("a",), ("a", {"b": 1}), ("a", {}, "other")], {"name": "b"}),
    (Named, {"kw_only": True}, [{"size": 1}, {"size": 1, "name": "y"}], {"size": 2}),
    (Checked, {}, [(1,), (2,)], {"size": 5}),
    (Empty, {}, [()], {}),
    (Spelt, {}, [("a",), ("A",), ("b",)], {"name": "c"}),
]


def made(cls, arguments):
    return cls(**arguments) if isinstance(arguments, dict) else cls(*arguments)


@pytest.mark.parametrize(("cls", "more", "given", "change"), CASES, ids=[case[0].__name__ for case in CASES])
def test_a_value_is_what_the_library_makes(cls, more, given, change):
    ours, theirs = both(cls, **more)

    assert [str(p).partition("=")[0] for p in inspect.signature(ours).parameters.values()] == [
        str(p).partition("=")[0].partition(":")[0] for p in inspect.signature(theirs).parameters.values()
    ]
    assert [f.name for f in fields(ours)] == [f.name for f in fields(theirs)]
    assert ours.__slots__ == theirs.__slots__
    for one in given:
        assert repr(made(ours, one)) == repr(made(theirs, one))
        assert repr(replace(made(ours, one), **change)) == repr(replace(made(theirs, one), **change))
        assert copy.copy(made(ours, one)) == made(ours, one)
        assert copy.deepcopy(made(ours, one)) == made(ours, one)
        for other in given:
            assert (made(ours, one) == made(ours, other)) == (made(theirs, one) == made(theirs, other))
    assert made(ours, given[0]) != made(theirs, given[0]) or cls is Spelt


def test_a_list_that_is_made_anew_is_no_other_value_s():
    ours, _ = both(Plain)

    assert ours("a").parts is not ours("a").parts


@pytest.mark.parametrize("wrong", [(), ("a", 1, [], "", 7), ("a", 1, [], "", 7, 8)])
def test_arguments_that_don_t_fit_are_refused_alike(wrong):
    for cls in both(Plain):
        with pytest.raises(TypeError):
            cls(*wrong)


def test_nothing_of_a_value_can_be_changed():
    for cls in both(Plain):
        value = cls("a")
        with pytest.raises(FrozenInstanceError):
            value.name = "b"
        with pytest.raises(FrozenInstanceError):
            del value.name
        with pytest.raises((AttributeError, TypeError)):
            value.other = 1


def test_equal_values_have_one_hash_and_what_can_t_be_hashed_has_none():
    ours, _ = both(Checked)

    assert len({ours(1), ours(1), ours(2)}) == 2
    for partly in both(Partly):
        assert hash(partly("a", {"b": 1})) == hash(partly("a"))
        assert hash(partly("a", note="other")) != hash(partly("a"))
    with pytest.raises(TypeError, match="unhashable"):
        hash(both(Plain)[0]("a"))


def test_what_a_value_checks_is_checked():
    for cls in both(Checked):
        with pytest.raises(ValueError, match="below zero"):
            cls(-1)


def test_a_class_that_can_be_changed_is_the_library_s():
    @dataclass(slots=True)
    class Open:
        size: int = 1

    opened = Open()
    opened.size = 2

    assert opened == Open(2)
    assert Open.__hash__ is None


def values() -> list[type]:
    """Every value class of veopipe."""
    found = {}
    for module in pkgutil.walk_packages(veopipe.__path__, "veopipe."):
        if module.name.endswith(("__main__", ".editors")):
            continue
        for _, cls in inspect.getmembers(importlib.import_module(module.name), inspect.isclass):
            if dataclasses.is_dataclass(cls) and cls.__module__.startswith("veopipe") and cls.__setattr__ is REFUSE:
                found[f"{cls.__module__}.{cls.__qualname__}"] = cls
    return list(found.values())


REFUSE = both(Empty)[0].__setattr__


def test_every_value_of_veopipe_is_one():
    assert len(values()) > 150
    for cls in values():
        assert [f.name for f in fields(cls) if f.init and not f.kw_only] == [
            name for name, p in inspect.signature(cls).parameters.items() if p.kind is p.POSITIONAL_OR_KEYWORD
        ], cls


def test_a_value_survives_a_pickle():
    from veopipe.errors import Problem

    problem = Problem("a.yaml", 1, 2, "error", "rule", "said", "key")

    assert pickle.loads(pickle.dumps(problem)) == problem
