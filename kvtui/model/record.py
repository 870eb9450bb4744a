"""``dataclass`` as the standard library's, for a program that must start fast.

The library writes the source text of six methods of every class and compiles it while the program starts: for the 106
classes behind ``kvtui ipvs`` that was a third of its time. Here ``__init__``, ``__eq__`` and ``__hash__`` are compiled
when they are called first, which for most classes of a run is never, and the others are shared by all classes. What
such a class is to ``dataclasses.replace`` and ``fields``, to ``match`` and to a type checker is what it is there.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - re-exported: a type checker knows it by its place

    Method = Callable[..., Any]
else:

    def dataclass(
        cls: type | None = None, /, *, frozen: bool = False, slots: bool = False, kw_only: bool = False
    ) -> Any:
        """See ``dataclasses.dataclass``; the parameters that kvtui uses."""

        def process(raw: type) -> type:
            return _process(raw, frozen=frozen, slots=slots, kw_only=kw_only)

        return process if cls is None else process(cls)


def _process(raw: type[Any], *, frozen: bool, slots: bool, kw_only: bool) -> type[Any]:
    raw.__doc__ = raw.__doc__ or raw.__name__  # else the library writes a signature there, which takes as long as all
    own = {name for name, value in raw.__dict__.items() if not (name == "__hash__" and value is None)}
    # only what is cheap: the fields, their slots, __match_args__
    cls = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(raw)
    methods: dict[str, Method | None] = {
        "__init__": _later(cls, "__init__", _init if not frozen else _frozen_init),
        "__repr__": _repr,
        "__eq__": _later(cls, "__eq__", _eq),
        "__hash__": _later(cls, "__hash__", _hash) if frozen else None,
    }
    if frozen:
        methods |= {"__setattr__": _set, "__delattr__": _delete, "__getstate__": _getstate, "__setstate__": _setstate}
    for name, method in methods.items():
        if name not in own:
            setattr(cls, name, method)
    return cls


def _later(cls: type[Any], name: str, compiled: Callable[[type[Any]], Method]) -> Method:
    """A method that makes itself when it is called first."""

    def first(*args: Any, **kwargs: Any) -> Any:
        method = compiled(cls)
        setattr(cls, name, method)
        return method(*args, **kwargs)

    first.__qualname__ = f"{cls.__qualname__}.{name}"
    return first


def _compile(cls: type[Any], name: str, parameters: str, body: list[str], known: dict[str, Any]) -> Method:
    text = f"def {name}({parameters}):\n    " + "\n    ".join(body or ["pass"])
    exec(text, known)  # noqa: S102 - as dataclasses does; of outside text there is none, only names of fields
    method: Method = known[name]
    method.__qualname__ = f"{cls.__qualname__}.{name}"
    return method


def _init(cls: type[Any]) -> Method:
    return _initializer(cls, lambda name, value: f"self.{name} = {value}", {})


def _frozen_init(cls: type[Any]) -> Method:
    """By each slot's own setter: quicker than ``object.__setattr__``, which looks its name up."""
    known: dict[str, Any] = {"set_": object.__setattr__}
    for field in dataclasses.fields(cls):
        if setter := getattr(cls.__dict__.get(field.name), "__set__", None):
            known[f"set_{field.name}"] = setter

    def line(name: str, value: str) -> str:
        return f"set_{name}(self, {value})" if f"set_{name}" in known else f"set_(self, {name!r}, {value})"

    return _initializer(cls, line, known)


def _initializer(cls: type[Any], line: Callable[[str, str], str], known: dict[str, Any]) -> Method:
    known["MISSING"] = dataclasses.MISSING
    positional, by_name, body = ["self"], ["*"], []
    for field in dataclasses.fields(cls):
        parameter = value = name = field.name
        if field.default is not dataclasses.MISSING:
            known[f"default_{name}"] = field.default
            parameter = f"{name}=default_{name}"
        elif field.default_factory is not dataclasses.MISSING:
            known[f"factory_{name}"] = field.default_factory
            parameter, value = f"{name}=MISSING", f"factory_{name}() if {name} is MISSING else {name}"
        (by_name if field.kw_only else positional).append(parameter)
        body.append(line(name, value))
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(positional + (by_name if len(by_name) > 1 else []))
    return _compile(cls, "__init__", parameters, body, known)


def _values(cls: type[Any], whose: str) -> str:
    """A tuple of what makes two objects equal."""
    return "(" + "".join(f"{whose}.{f.name}, " for f in dataclasses.fields(cls) if f.compare) + ")"


def _eq(cls: type[Any]) -> Method:
    body = [
        f"if other.__class__ is self.__class__: return {_values(cls, 'self')} == {_values(cls, 'other')}",
        "return NotImplemented",
    ]
    return _compile(cls, "__eq__", "self, other", body, {})


def _hash(cls: type[Any]) -> Method:
    return _compile(cls, "__hash__", "self", [f"return hash({_values(cls, 'self')})"], {})


def _repr(self: Any) -> str:
    shown = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{type(self).__qualname__}({shown})"


def _set(self: Any, name: str, value: object) -> None:
    del self, value
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _delete(self: Any, name: str) -> None:
    del self
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _getstate(self: Any) -> list[Any]:
    return [getattr(self, f.name) for f in dataclasses.fields(self)]


def _setstate(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
