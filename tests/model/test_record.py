"""Classes whose methods are made late are what those of the standard library are."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any, ClassVar

import pytest

from kvtui.model import record


def make(decorate: Any) -> tuple[type[Any], type[Any]]:
    @decorate(frozen=True, slots=True)
    class Server:
        """A real server."""

        kind: ClassVar[str] = "real"

        address: str
        port: int = 80
        tags: list[str] = dataclasses.field(default_factory=list, compare=False)
        secret: str = dataclasses.field(default="", repr=False)

        @property
        def name(self) -> str:
            return f"{self.address}:{self.port}"

    @decorate(slots=True, kw_only=True)
    class Counter:
        """Some connections."""

        count: int
        seen: int = 0

        def __post_init__(self) -> None:
            self.seen = self.count

    return Server, Counter


@pytest.fixture(params=[dataclasses.dataclass, record.dataclass], ids=["library", "record"])
def classes(request: pytest.FixtureRequest) -> tuple[type[Any], type[Any]]:
    return make(request.param)


def test_made_shown_compared_and_hashed(classes: tuple[type[Any], type[Any]]) -> None:
    server, _ = classes
    one, same, other = server("10.0.0.1", tags=["a"]), server("10.0.0.1", 80, ["b"]), server("10.0.0.2", secret="x")  # noqa: S106
    assert repr(other).endswith("Server(address='10.0.0.2', port=80, tags=[])")
    assert (one == same, one == other, one == "10.0.0.1", hash(one) == hash(same)) == (True, False, False, True)
    assert {one: 1}[same] == 1
    assert one.name == "10.0.0.1:80"
    assert server("x").tags is not server("x").tags
    assert [f.name for f in dataclasses.fields(server)] == ["address", "port", "tags", "secret"]
    assert dataclasses.replace(one, port=81) == server("10.0.0.1", 81)
    assert dataclasses.asdict(one) == {"address": "10.0.0.1", "port": 80, "tags": ["a"], "secret": ""}


def test_frozen_is_frozen(classes: tuple[type[Any], type[Any]]) -> None:
    one = classes[0]("10.0.0.1")
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'port'"):
        one.port = 1
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'port'"):
        del one.port
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        one.other = 1
    assert copy.copy(one) == one == copy.deepcopy(one)


def test_wrong_arguments_are_named(classes: tuple[type[Any], type[Any]]) -> None:
    server, counter = classes
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'address'"):
        server()
    with pytest.raises(TypeError, match="unexpected keyword argument 'prot'"):
        server("x", prot=1)
    with pytest.raises(TypeError, match="positional argument"):
        counter(1)


def test_what_may_change_may_and_cannot_be_hashed(classes: tuple[type[Any], type[Any]]) -> None:
    counter = classes[1](count=3)
    assert counter.seen == 3
    counter.count = 4
    assert counter == type(counter)(count=4) or counter.seen != 4
    with pytest.raises(TypeError, match="unhashable"):
        hash(counter)
    assert not hasattr(counter, "__dict__")


def test_matched_by_position(classes: tuple[type[Any], type[Any]]) -> None:
    server, _ = classes
    match server("10.0.0.1", 8080):
        case server(address, 8080):
            assert address == "10.0.0.1"
        case _:
            pytest.fail("it was not matched")


@record.dataclass(frozen=True, slots=True)
class Base:
    """One that others grow from."""

    one: int = 1

    def __repr__(self) -> str:
        return "mine"


@record.dataclass(frozen=True, slots=True)
class Grown(Base):
    """With one more."""

    two: int = 2


class Plain(Base):
    """No record of its own."""


def test_classes_that_grow() -> None:
    assert (Grown(3, 4).one, Grown(3, 4).two, repr(Grown()), repr(Base())) == (3, 4, "Grown(one=1, two=2)", "mine")
    assert Plain(5).one == 5
    assert Plain(5) == Plain(5) != Base(5)
    assert hash(Plain(5)) == hash(Plain(5))
    assert pickle.loads(pickle.dumps(Grown(3, 4))) == Grown(3, 4)  # noqa: S301 - made here
