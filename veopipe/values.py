"""`dataclass` as the standard library has it, made in a third of the time where a class is frozen and has slots.

veopipe's values are such classes. Before Python 3.13 the library compiles six functions for each of them one by one,
and that was a third of what a short command took. Here one is compiled; the others are the same for all values.
They differ in nothing else: fields, defaults, `__post_init__`, `replace`, equality, hash and order of arguments; only
`InitVar` isn't known.

Source: https://docs.python.org/3/library/dataclasses.html; DECISIONS.md, 47.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # for whoever checks types it is the library's
else:

    def dataclass(cls=None, /, *, frozen=False, slots=False, **more):
        """The class as a dataclass; all arguments are the library's."""

        def made(cls: type) -> type:
            if frozen and slots and not more.keys() - {"kw_only"}:
                return _value(cls, **more)
            return dataclasses.dataclass(frozen=frozen, slots=slots, **more)(cls)

        return made if cls is None else made(cls)


def _value(cls: type, *, kw_only: bool = False) -> type:
    bare: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(cls)
    fields: tuple[Field[Any], ...] = dataclasses.fields(bare)
    content = _content(field.name for field in fields if field.compare)
    hashed = _content(field.name for field in fields if (field.compare if field.hash is None else field.hash))

    def __eq__(self: object, other: object) -> Any:
        return content(self) == content(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: object) -> int:
        return hash((hashed(self),))

    methods: dict[str, Any] = {
        "__init__": _initializer(bare, fields),
        "__repr__": _shown,
        "__eq__": __eq__,
        "__hash__": __hash__,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__getstate__": _state,
        "__setstate__": _restore,
    }
    for name, method in methods.items():
        if cls.__dict__.get(name) is None:  # its own goes first; one without a hash of its own has None
            setattr(bare, name, method)
    made: type = bare
    return made


def _initializer(cls: type, fields: tuple[Field[Any], ...]) -> Callable[..., None]:
    """`__init__`, compiled: it sets each field by its slot, past `__setattr__`."""
    set_here = [field for field in fields if field.init or _has_default(field)]
    lines = [f" _set_{field.name}(self, {_given(field)})" for field in set_here]
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    names: dict[str, Any] = {"_MISSING": MISSING}
    for field in set_here:
        names[f"_set_{field.name}"] = getattr(cls, field.name).__set__
        names[f"_default_{field.name}"] = field.default
        names[f"_make_{field.name}"] = field.default_factory
    exec(f"def __init__({_parameters(fields)}):\n" + ("\n".join(lines) or " pass"), names)
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _parameters(fields: tuple[Field[Any], ...]) -> str:
    plain = [_parameter(field) for field in fields if field.init and not field.kw_only]
    named = [_parameter(field) for field in fields if field.init and field.kw_only]
    return ", ".join(["self", *plain, *(["*", *named] if named else [])])


def _has_default(field: Field[Any]) -> bool:
    return field.default is not MISSING or field.default_factory is not MISSING


def _parameter(field: Field[Any]) -> str:
    if field.default is not MISSING:
        return f"{field.name}=_default_{field.name}"
    return f"{field.name}=_MISSING" if field.default_factory is not MISSING else field.name


def _given(field: Field[Any]) -> str:
    """What a field is set to."""
    name = field.name
    if field.default_factory is not MISSING:
        return f"_make_{name}() if {name} is _MISSING else {name}" if field.init else f"_make_{name}()"
    return name if field.init else f"_default_{name}"


def _content(names: Iterable[str]) -> Callable[[object], Any]:
    """What gives these fields of a value."""
    known = tuple(names)
    if len(known) == 1:
        only = attrgetter(*known)
        return lambda value: (only(value),)
    return attrgetter(*known) if known else _nothing


def _nothing(_: object) -> None:
    """What a class without fields is compared by."""


def _shown(self: Any) -> str:
    told = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(told)})"


def _refuse(self: object, name: str, *_: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _restore(self: Any, state: list[Any]) -> None:
    for field, content in zip(dataclasses.fields(self), state, strict=True):
        getattr(self.__class__, field.name).__set__(self, content)
