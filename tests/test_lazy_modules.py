"""Modules that libraries import are loaded at their first use and then work as usual."""

from __future__ import annotations

import subprocess
import sys

MODULES = "'asyncio', 'asyncio.sslproto', 'bz2', 'lzma', 'ssl', '_ssl', '_hashlib', 'typing_extensions'"


BEGIN = "import sys\nfrom kvtui.backend import lazy_modules\nlazy_modules.install()\n"


def printed(code: str, begin: str = BEGIN) -> list[str]:
    """Runs code in another Python and returns its output lines."""
    done = subprocess.run([sys.executable, "-c", begin + code], capture_output=True, text=True, check=True, timeout=60)
    return done.stdout.splitlines()


def test_importing_asyncio_does_not_load_openssl() -> None:
    code = (
        "import asyncio, shutil, hashlib, hmac, pathlib\n"
        "asyncio.run(asyncio.sleep(0))\n"
        f"print(*(type(sys.modules[m]).__name__ for m in ({MODULES}) if m in sys.modules))\n"
        "print([l for l in pathlib.Path('/proc/self/maps').read_text().splitlines() if 'libcrypto' in l])\n"
    )
    lazy = " ".join(["LazyModule"] * 4)
    assert printed(code) == [f"module {lazy} NoneType", "[]"]


def test_a_module_is_complete_once_it_is_used() -> None:
    code = (
        "import asyncio, ssl, importlib, inspect\n"
        "print(ssl.create_default_context().verify_mode.name, type(ssl).__name__)\n"
        "print(ssl.__loader__ is ssl.__spec__.loader)\n"
        "print(inspect.getsource(ssl)[:3] == open(ssl.__file__).read()[:3], importlib.reload(ssl) is ssl)\n"
        "import bz2, lzma, hashlib\n"
        "print(bz2.decompress(bz2.compress(b'a')), lzma.decompress(lzma.compress(b'b')))\n"
        "print(hashlib.sha256(b'').hexdigest()[:8])\n"
        "from asyncio.sslproto import SSLProtocol\n"
        "print(SSLProtocol.__module__, asyncio.sslproto.SSLProtocol is SSLProtocol, hasattr(ssl, 'no_such'))\n"
    )
    assert printed(code) == [
        "CERT_REQUIRED module",
        "True",
        "True True",
        "b'a' b'b'",
        "e3b0c442",
        "asyncio.sslproto True False",
    ]


def test_asyncio_can_use_tls() -> None:
    code = (
        "import asyncio, ssl\n"
        "async def answer(reader, writer):\n"
        "    print((await reader.read(1)).hex())\n"  # a handshake (RFC 8446 5.1)
        "    writer.write(b'HTTP/1.0 400 Bad Request'); writer.close()\n"
        "async def main():\n"
        "    server = await asyncio.start_server(answer, '127.0.0.1', 0)\n"
        "    context = ssl.create_default_context()\n"
        "    try:\n"
        "        await asyncio.open_connection(*server.sockets[0].getsockname(), ssl=context)\n"
        "    except ssl.SSLError:\n"
        "        print('no TLS')\n"
        "asyncio.run(main())\n"
    )
    assert printed(code) == ["16", "no TLS"]


def test_concurrent_first_uses_find_a_complete_module() -> None:
    code = (
        "import threading, ssl\n"
        "start, found = threading.Barrier(8), []\n"
        "def use():\n"
        "    start.wait()\n"
        "    found.append(ssl.get_default_verify_paths is not None and ssl.SSLContext.__name__)\n"
        "threads = [threading.Thread(target=use) for _ in range(8)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(found == ['SSLContext'] * 8)\n"
    )
    assert printed(code) == ["True"]


def test_a_python_without_builtin_digests_keeps_openssl() -> None:
    begin = BEGIN.replace(
        "lazy_modules.install", "lazy_modules.OWN_DIGESTS = ('_md5', '_no_such')\nlazy_modules.install"
    )
    code = "import hashlib\nprint(hashlib.sha256(b'').hexdigest()[:8], hashlib.sha256.__module__)\n"
    assert printed(code, begin) == ["e3b0c442 _hashlib"]


def test_a_loaded_module_stays_loaded() -> None:
    code = (
        "import ssl, hashlib, asyncio, sys\n"
        "from kvtui.backend import lazy_modules\n"
        "lazy_modules.install(); lazy_modules.install()\n"
        "import ssl, _hashlib\n"
        "print(type(ssl).__name__, type(_hashlib).__name__, sys.meta_path.count(lazy_modules.Finder))\n"
    )
    assert printed(code, begin="") == ["module module 1"]
