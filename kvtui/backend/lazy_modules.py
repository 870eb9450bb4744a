"""Lets libraries import what kvtui seldom uses without loading it: it is loaded when something of it is used.

``import asyncio`` imports ssl, which maps all of OpenSSL: 18 ms of the 138 ms of CPU of ``kvtui ipvs``, and a tenth of
a second in the lab's kernel. Only the try-out of an SSL_GET check speaks TLS in kvtui's own process.
``importlib.util.LazyLoader`` does not serve: a second ``import ssl`` looks at the module's ``__spec__``, and loads it.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.abc import Loader
    from importlib.machinery import ModuleSpec

LAZY = frozenset({"ssl", "asyncio.sslproto", "bz2", "lzma", "locale", "tempfile", "tokenize", "glob"})
"""Besides those that speak TLS, what shutil, subprocess, ctypes, linecache and psutil import and seldom use: 3 ms."""
OPENSSL_DIGESTS = "_hashlib"
"""Is not there for hashlib and hmac, which then use Python's own digests: it would map OpenSSL as ssl does."""
SHA_2 = ("_sha2",) if sys.version_info >= (3, 12) else ("_sha256", "_sha512")
OWN_DIGESTS = ("_md5", "_sha1", "_sha3", "_blake2", *SHA_2)
"""Not every Python has them: Fedora's is built without."""
ABSENT = ("typing_extensions",)
"""msgspec takes what it needs from typing where this is not there, which on Python 3.11 is the same: 4 ms."""

_loading = RLock()


def install() -> None:
    """Makes the modules lazy in this process, unless they are loaded already; imports msgspec."""
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)
    if all(name in sys.builtin_module_names or PathFinder.find_spec(name) for name in OWN_DIGESTS):
        sys.modules.setdefault(OPENSSL_DIGESTS, None)  # type: ignore[arg-type] # None marks a missing module (importlib)
    absent = [name for name in ABSENT if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # as above
    try:
        import msgspec  # noqa: F401, PLC0415 - while they are absent
    finally:
        for name in absent:
            del sys.modules[name]


class Finder:
    """Comes first in ``sys.meta_path``."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in LAZY else None
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Later(spec.loader))
        return spec


class _Later:
    """Takes the place of a module's loader until the module is used."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        module.__class__ = LazyModule


class LazyModule(ModuleType):
    """A module that is not loaded yet; it becomes a common one."""

    def __getattr__(self, name: str) -> object:
        with _loading:  # another thread waits until it is whole
            later = getattr(self.__spec__, "loader", None)
            if self.__spec__ is not None and isinstance(later, _Later):
                self.__loader__ = self.__spec__.loader = later.loader
                later.loader.exec_module(self)
                self.__class__ = ModuleType  # type: ignore[assignment] # mypy has a __getattr__ in its ModuleType
        return object.__getattribute__(self, name)
