"""Reads virtual and real servers from the tree, with keepalived's defaults and corrections.

From ``check_parser.c``, ``check_data.c`` and ``validate_check_config`` (2.2.7): what the kernel gets, not what the
block says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from kvtui.backend.conf.addresses import is_six, plain_address, plain_port
from kvtui.backend.conf.groups import expanded, groups
from kvtui.backend.conf.numbers import integer, last_taken, unsigned
from kvtui.backend.conf.tree import is_built_in
from kvtui.model.conf import ConfRealServer, ConfVirtualServer
from kvtui.model.ipvs import LVS_METHODS, ForwardingMethod, Protocol

if TYPE_CHECKING:
    from kvtui.backend.conf.groups import Groups
    from kvtui.backend.conf.tree import Problems, Statement

DEFAULT_PERSISTENCE = 360
"""Seconds, when ``persistence_timeout`` has no value (IPVS_SVC_PERSISTENT_TIMEOUT in linux/ip_vs.h)."""
DEFAULT_SCHEDULER = "wlc"
SCHEDULERS = frozenset("rr wrr lc wlc lblc sh mh dh fo ovf lblcr sed nq twos".split())  # noqa: SIM905 - as one reads them
MAX_WEIGHT, MAX_UNSIGNED = 2**31 - 1, 2**32 - 1
MAX_PERSISTENCE = 31 * 86400

_PROTOCOLS = {p.value: p for p in (Protocol.TCP, Protocol.UDP, Protocol.SCTP)}
_SWITCHES = dict.fromkeys(("true", "on", "yes"), True) | dict.fromkeys(("false", "off", "no"), False)
Servers = tuple[ConfVirtualServer, ...]


def virtual_servers(root: Statement, problems: Problems) -> tuple[Servers, Servers]:
    """Reads all ``virtual_server`` blocks: ``ADDRESS [PORT]``, ``fwmark N`` or ``group NAME`` (one per member).

    Returns those that keepalived uses, and those that it ignores.
    """
    known = groups(root, problems)
    used: list[ConfVirtualServer] = []
    ignored: list[ConfVirtualServer] = []
    files: set[str | None] = set()
    for block in root.each("virtual_server", "track_file", "vrrp_track_file"):
        if block.keyword != "virtual_server":
            files.add(block.argument)
            continue
        server = _Reader(block, known, problems, frozenset(files)).read()
        if server is None:
            continue
        if server.real_servers and any(not r.sorry for r in server.real_servers):
            used.append(server)
        else:
            ignored.append(server)
            problems.invalid(f"{' '.join(block.words[:3])} has no real server: keepalived ignores it", block.at())
    return tuple(expanded(used, known)), tuple(expanded(ignored, known))


class _Reader:
    """Reads one ``virtual_server`` block."""

    def __init__(self, block: Statement, known: Groups, problems: Problems, files: frozenset[str | None]) -> None:
        self.block = block
        self.files = files  # names of the track files that are defined above
        self.problems = problems
        self.known = known
        self.inhibit = block.last("inhibit_on_failure") is not None
        self.six: bool | None = None  # of its addresses, once one is known
        self.method: ForwardingMethod | None = None  # the lines so far; a real server takes it from those above it

    def read(self) -> ConfVirtualServer | None:
        """Returns None where keepalived skips the block."""
        server = self._header()
        if server is None:
            return None
        reals, sorry = self._servers()
        method = self.method or ForwardingMethod.MASQ
        reals = [replace(r, method=r.method or method) for r in reals]
        weight = _last_unsigned(self.block, "weight", 1, MAX_WEIGHT) or 1
        reals = [replace(r, weight=weight if r.weight is None else r.weight) for r in reals]
        sorries = [replace(sorry, method=sorry.method or method)] if sorry else []
        server = replace(server, method=method, real_servers=tuple(self._ported(server, r) for r in [*sorries, *reals]))
        return self._with_quorum(self._with_persistence(server))

    def _header(self) -> ConfVirtualServer | None:
        block = self.block
        kind, name = [*block.words[1:3], "", ""][:2]
        server = ConfVirtualServer(
            at=block.at(),
            address=None,
            port=None,
            protocol=self._protocol(),
            scheduler=self._scheduler(),
            service=block.piece.service if block.piece else None,
        )
        if kind == "group":
            if name in self.known or is_built_in(name):
                return replace(server, group=name)
            self._invalid(f"virtual_server_group {name} is not defined: keepalived ignores this virtual server")
            return None
        if kind == "fwmark":
            mark = unsigned(name, 0, MAX_UNSIGNED, lenient=True)
            if mark is None and not is_built_in(name):
                self._invalid(f"'{name}' is not a firewall mark: keepalived skips this virtual server")
                return None
            return replace(server, fwmark=mark, protocol=Protocol.FWMARK)
        address = self._address(block)
        if address is None:
            return None
        port = self._port(block)
        self.six = is_six(address)
        return None if port is None else replace(server, address=address, port=port or None)

    def _servers(self) -> tuple[list[ConfRealServer], ConfRealServer | None]:
        """Returns the real servers, and the sorry server."""
        reals: dict[tuple[str, int | None], ConfRealServer] = {}
        sorry: ConfRealServer | None = None
        for line in self.block.children or ():
            if line.keyword in {"lb_kind", "lvs_method"}:
                self.method = _method(line, self.problems) or self.method
            elif line.keyword == "real_server":
                real = self._real(line)
                if real is None or not self._fits(real, line):
                    continue
                if (real.address, real.port) in reals:
                    self._invalid(f"{' '.join(line.words[:3])} is there twice: keepalived removes this one", line)
                else:
                    reals[real.address, real.port] = real
            else:
                sorry = self._sorry(line, sorry)
        if sorry is not None and not self._fits(sorry, self.block):
            sorry = None
        same = reals.get((sorry.address, sorry.port)) if sorry else None
        if sorry is not None and same is not None:
            sorry = replace(sorry, inhibit_on_failure=same.inhibit_on_failure)
        return list(reals.values()), sorry

    def _fits(self, real: ConfRealServer, line: Statement) -> bool:
        """Whether its addresses are of the virtual server's kind; only tunnels may mix them."""
        if is_built_in(real.address) or (real.method or self.method) is ForwardingMethod.TUNNEL:
            return True
        if self.six is None and self.block.argument != "group":
            self.six = is_six(real.address)
        if self.six not in {None, is_six(real.address)}:
            self._invalid(f"{real.address}: IPv4 and IPv6 do not mix: keepalived skips this server", line)
            return False
        return True

    def _real(self, line: Statement) -> ConfRealServer | None:
        """Reads a ``real_server``, whose defaults of weight and inhibit_on_failure are the virtual server's."""
        address, port = self._address(line), self._port(line)
        if address is None or port is None:
            return None
        method = self.method
        for child in line.each("lvs_method"):
            method = _method(child, self.problems) or method
        checks = [child for child in line.children or () if child.children is not None and self._is_used(child)]
        file_check = next((c for c in checks if c.keyword == "FILE_CHECK"), None)
        switches = (s.argument for s in line.each("inhibit_on_failure"))
        inhibit = last_taken(_SWITCHES.get(switch) if switch else True for switch in switches)
        return ConfRealServer(
            address=address,
            port=port,
            at=line.at(),
            weight=_last_unsigned(line, "weight", 0, MAX_WEIGHT),
            weight_unknown=is_built_in(line.value("weight")),
            method=method,
            upper_threshold=_last_unsigned(line, "uthreshold", 0, MAX_UNSIGNED),
            lower_threshold=_last_unsigned(line, "lthreshold", 0, MAX_UNSIGNED),
            inhibit_on_failure=self.inhibit if inhibit is None else inhibit,
            checks=tuple(check.keyword for check in checks),
            file_check=file_check.value("track_file") if file_check else None,
            file_check_weight=_file_check_weight(file_check),
        )

    def _is_used(self, check: Statement) -> bool:
        """Whether keepalived keeps a check: it drops those without their main value."""
        needed = {"MISC_CHECK": "misc_path", "HTTP_GET": "url", "SSL_GET": "url", "FILE_CHECK": "track_file"}
        line = check.last(needed.get(check.keyword, "name" if check.keyword == "BFD_CHECK" else ""))
        if check.keyword == "FILE_CHECK" and line and line.argument not in self.files:
            if not is_built_in(line.argument):
                self._invalid(f"track_file {line.argument} is not defined above: keepalived ignores this check", line)
            return False
        return line is not None or check.keyword not in {*needed, "BFD_CHECK"}

    def _sorry(self, line: Statement, sorry: ConfRealServer | None) -> ConfRealServer | None:
        """Reads ``sorry_server ADDRESS PORT`` and the lines about it that follow."""
        if line.keyword == "sorry_server":
            address, port = self._address(line), self._port(line)
            if address is not None and port is not None:
                return ConfRealServer(address=address, port=port, at=line.at(), method=self.method, sorry=True)
        elif sorry is not None and line.keyword == "sorry_server_inhibit":
            return replace(sorry, inhibit_on_failure=True)
        elif sorry is not None and line.keyword == "sorry_server_lvs_method":
            return replace(sorry, method=_method(line, self.problems) or sorry.method)
        return sorry

    def _address(self, line: Statement) -> str | None:
        """Returns the canonical address after the keyword; as written where only keepalived knows it."""
        text = line.argument
        if text is None or is_built_in(text):
            return text
        address = plain_address(text)
        if address is None:
            self._invalid(f"{line.keyword}: '{text}' is not an address: keepalived skips it", line, 1)
        return address

    def _port(self, line: Statement) -> int | None:
        """Returns the port, 0 without one; None when it is invalid, and keepalived skips the server."""
        text = line.words[2] if len(line.words) > 2 else None
        port = 0 if is_built_in(text) else plain_port(text)
        if port is None:
            self._invalid(f"'{text}' is not a port: keepalived skips {' '.join(line.words[:2])}", line, 2)
        return port

    def _ported(self, server: ConfVirtualServer, real: ConfRealServer) -> ConfRealServer:
        """Gives a real server the port that keepalived gives it: only NAT can change a port."""
        if server.group is not None:
            return replace(real, port=real.port or None)
        own = 0 if server.fwmark is not None else server.port or 0
        if real.method is ForwardingMethod.MASQ:
            kept = real.port or (0 if server.fwmark is not None or real.sorry else own)
            return replace(real, port=kept or None)
        written = real.port if real.port and real.port != own else None
        if written:
            message = f"{real.address} has port {written}, which only NAT can reach: keepalived uses {own}"
            self.problems.invalid(message, real.at)
        return replace(real, port=own or None, written_port=written)

    def _with_persistence(self, server: ConfVirtualServer) -> ConfVirtualServer:
        timeout: int | None = None
        for line in self.block.each("persistence_timeout", "persistence_granularity"):
            if line.keyword == "persistence_granularity":
                timeout = timeout or DEFAULT_PERSISTENCE
            elif line.argument is None:
                timeout = DEFAULT_PERSISTENCE
            else:
                timeout = unsigned(line.argument, 1, MAX_PERSISTENCE) or timeout
        targets = (server,) if server.group is None else self.known.get(server.group) or ()
        without_port = any(target.fwmark is None and not target.port for target in targets)
        return replace(server, persistence_timeout=timeout or (DEFAULT_PERSISTENCE if without_port else None))

    def _with_quorum(self, server: ConfVirtualServer) -> ConfVirtualServer:
        """A quorum above the sum of weights is lowered to that."""
        line = self.block.last("quorum")
        quorum = unsigned(self.block.value("quorum"), 1, MAX_UNSIGNED, lenient=True) or 1
        weight_sum = sum(r.weight or 0 for r in server.real_servers if not r.sorry)
        if line is not None and quorum > weight_sum:
            self._invalid(f"quorum {quorum} is above the sum of weights: keepalived uses {weight_sum}", line, 1)
        kept = min(quorum, weight_sum)
        hysteresis = unsigned(self.block.value("hysteresis"), 0, MAX_UNSIGNED, lenient=True) or 0
        return replace(
            server,
            quorum=kept if line or not weight_sum else None,
            hysteresis=min(hysteresis, max(0, kept - 1)),  # more than that is lowered
        )

    def _protocol(self) -> Protocol:
        protocol = Protocol.UDP  # keepalived's default
        for line in self.block.each("protocol"):
            found = _PROTOCOLS.get((line.argument or "").upper())
            if found is None and not is_built_in(line.argument):
                self._invalid(f"protocol '{line.argument}' is not TCP, UDP or SCTP: keepalived ignores it", line, 1)
            protocol = found or protocol
        return protocol

    def _scheduler(self) -> str:
        scheduler = DEFAULT_SCHEDULER
        for line in self.block.each("lb_algo", "lvs_sched"):
            if line.argument in SCHEDULERS or is_built_in(line.argument):
                scheduler = line.argument or scheduler
            else:
                self._invalid(f"{line.keyword} '{line.argument}' is unknown: keepalived ignores it", line, 1)
        return scheduler

    def _invalid(self, message: str, line: Statement | None = None, word: int = 0) -> None:
        self.problems.invalid(message, (line or self.block).at(word))


def _last_unsigned(block: Statement, keyword: str, low: int, high: int) -> int | None:
    """Returns the last number of that keyword that keepalived takes; None without one, or where only it knows that."""
    words = (line.argument for line in block.each(keyword) if not is_built_in(line.argument))
    return last_taken(unsigned(word, low, high, lenient=True) for word in words)


def _method(line: Statement, problems: Problems) -> ForwardingMethod | None:
    """Reads NAT, DR or TUN, in capitals; keepalived ignores any other word (measured with ``PROXY``)."""
    if is_built_in(line.argument):
        return None
    method = LVS_METHODS.get(line.argument or "")
    if method is None:
        problems.invalid(f"{line.keyword} '{line.argument}' is unknown: keepalived ignores it", line.at(1))
    return method


def _file_check_weight(check: Statement | None) -> int | None:
    """Reads ``weight W [reverse]`` (``track_file_weight_handler`` of keepalived's ``check_file.c``)."""
    line = check.last("weight") if check else None
    weight = integer(line.argument, -MAX_WEIGHT, MAX_WEIGHT) if line else None
    return -weight if weight is not None and line and line.words[2:3] == ["reverse"] else weight
