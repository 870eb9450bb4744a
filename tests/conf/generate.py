"""Generates configs from a seed, with common directives and with cases that keepalived reads in a surprising way."""

from __future__ import annotations

from functools import partial
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERFACES = ("eth0", "eth1", "bond0.7")
NUMBERS = ("1", "7", "100", "254", "255", "0", "256", "300", "-1", "+5", "12x", "abc", '"9"', "007", "1.5")
BOOLEANS = ("true", "no", "off", "yes", "maybe")


def config(seed: int) -> dict[str, str]:
    """Returns the files of a config as name → text; `keepalived.conf` is the main file."""
    return _Generator(Random(seed)).files()  # noqa: S311 - reproducible on purpose


class _Generator:
    def __init__(self, random: Random) -> None:
        self.random = random
        self.lines: list[str] = []
        self.more: dict[str, str] = {}
        self.depth = 0

    # --- pieces of text

    def often(self, percent: int) -> bool:
        return self.random.randrange(100) < percent

    def one(self, *choices: str) -> str:
        return self.random.choice(choices)

    def number(self, *usual: str, odd: int = 12) -> str:
        return self.random.choice(NUMBERS) if self.often(odd) else self.random.choice(usual)

    def address4(self) -> str:
        if self.often(4):
            return self.one("10.0.0.300", "10.0.0", "010.0.0.1", "host.example", "10.0.0.1.", "%eth0")
        return f"10.{self.random.randrange(3)}.0.{self.random.randrange(1, 30)}"

    def address6(self) -> str:
        return self.one("fd00::", "FD00:0:0::", "2001:db8::") + f"{self.random.randrange(1, 40):x}"

    def address(self, six: bool) -> str:
        other = self.often(5)
        return self.address6() if six is not other else self.address4()

    def line(self, text: str) -> None:
        """Adds a line in a random style: indented, with a comment, a macro or a condition."""
        if self.often(3):
            text = f"@{self.one('high', 'low', '^high', '^low')} {text}"
        if self.often(3):
            text = text.replace(" ", self.one("\t", "  ", " \t "))
        if self.often(1):
            text += self.one(' "', ' "x y"', ' "{"', ' "}"', "\\", " {", " }", " " * 1000 + "x" * 100)
        if self.often(4):
            text += self.one(" # why", " ! why", "!why", "  \t", "#", ' # "', " !} {", " \\# x")
        indent = self.one("", " ", "    ", "\t", " \t ") if self.often(20) else "    " * self.depth
        self.lines.append(indent + text)
        if self.often(3):
            self.lines.append(self.one("", "!", "# comment {", "   ", "\t# }"))

    def block(self, header: str, body: Callable[[], None]) -> None:
        """Adds a block with its braces at any place that keepalived accepts."""
        style = self.random.randrange(12)
        start = len(self.lines)
        if style == 0:
            self.line(header)
            self.line("{")
        elif style == 1:
            self.lines.append(f"{header}{{")
        else:
            self.lines.append("    " * self.depth + f"{header} {{")
        self.depth += 1
        body()
        self.depth -= 1
        if not self.often(1):
            self.lines.append("    " * self.depth + self.one("}", "}", "}", "} # end", "\t}"))
        if style == 2 and len(self.lines) - start < 6:  # the whole block on one line
            self.lines[start:] = [" ".join(line.strip() for line in self.lines[start:])]
        if self.often(1):
            self.lines.append("}")

    def maybe(self, percent: int, *texts: Callable[[], str]) -> None:
        for text in texts:
            if self.often(percent):
                self.line(text())

    def unknown(self) -> None:
        """Adds a line or block that keepalived does not know."""
        if self.often(6):
            self.line(self.one("colour blue", "nopremt", "virtual_ipadress 10.0.0.1", "priority_ 7", "Priority 7"))
        if self.often(3):
            self.block(
                self.one("TCP_CHEKC", "options", "real_servers 10.0.0.1"), lambda: self.line("connect_timeout 3")
            )

    # --- the complete config

    def files(self) -> dict[str, str]:
        self.macros()
        self.globals()
        parts: list[Callable[[], None]] = []
        count = self.random.randrange(4)
        parts += [lambda name=f"VI_{n}", n=n: self.instance(name, n) for n in range(count)]  # type: ignore[misc]
        parts += [self.virtual_server] * self.random.randrange(1, 5)
        if count and self.often(25):
            parts.append(lambda: self.sync_group(count))
        if self.often(25):
            parts.append(self.group)
        if count and self.often(50):
            parts.append(self.tracked)
        self.random.shuffle(parts)
        for part in parts:
            self.included(part) if self.often(8) else part()
        end = self.one("\n", "\n", "\n", "\r\n") if self.often(20) else "\n"
        return {"keepalived.conf": end.join(self.lines) + self.one(end, ""), **self.more}

    def included(self, part: Callable[[], None]) -> None:
        """Moves a part into an included file."""
        outside, self.lines = self.lines, []
        name = f"more/{len(self.more)}.conf"
        part()
        self.more[name] = "\n".join(self.lines) + "\n"
        self.lines = [*outside, f"include {name}"]

    def macros(self) -> None:
        for text in ("$NET=10.1.0", "$PRIO=120", "$BOTH=${NET}.9/24", "$VIPS= \\\n  10.2.0.77 \\\n  10.2.0.78/24"):
            self.lines.append(text)

    def globals(self) -> None:
        def body() -> None:
            self.line("router_id lab")
            self.maybe(25, lambda: f"vrrp_version {self.number('2', '3', '3')}", lambda: "vrrp_garp_master_delay 1")
            self.maybe(4, lambda: "vrrp_strict")
            self.maybe(5, lambda: f"default_interface {INTERFACES[0]}")
            self.unknown()

        if self.often(70):
            self.block("global_defs", body)

    # --- VRRP

    def instance(self, name: str, number: int) -> None:
        six = self.often(20)
        vrid = number + 10

        def body() -> None:
            texts = [
                f"interface {self.one(*INTERFACES)}",
                f"virtual_router_id {self.number(str(vrid), odd=2)}",
            ]
            options: list[tuple[int, Callable[[], str]]] = [
                (50, lambda: f"state {self.number('MASTER', 'BACKUP', 'BACKUP', odd=4)}"),
                (15, lambda: f"state {self.one('MASTER', 'BACKUP', 'master')}"),
                (80, lambda: f"priority {self.number('50', '100', '150', '$PRIO', '${PRIO}', '255')}"),
                (10, lambda: f"priority {self.number('77')}"),
                (60, lambda: f"advert_int {self.number('1', '2', '0.25', '1.6', '3', '41', '0.001', '1.', '.5')}"),
                (30, lambda: "nopreempt"),
                (6, lambda: "preempt"),
                (20, lambda: f"preempt_delay {self.number('5', '300', '1.5', '2000')}"),
                (25, lambda: f"version {self.number('2', '3', '3')}"),
                (8, lambda: f"strict_mode {self.one('no', 'off')}"),
                (5, lambda: "native_ipv6" if six else "accept"),
                (5, lambda: "dont_track_primary"),
                (5, lambda: "track_src_ip"),
                (5, lambda: f"garp_master_delay {self.number('1')}"),
            ]
            texts += [text() for percent, text in options if self.often(percent)]
            self.random.shuffle(texts)
            for text in texts:
                self.line(text)
            blocks: list[Callable[[], None]] = [lambda: self.vips("virtual_ipaddress", six)]
            if self.often(25):
                blocks.append(lambda: self.vips("virtual_ipaddress_excluded", self.often(50)))
            if self.often(25):
                blocks.append(lambda: self.unicast(six))
            if self.often(20):
                blocks.append(self.authentication)
            if self.often(15):
                blocks.append(lambda: self.block("track_interface", lambda: self.line(f"{INTERFACES[1]} weight -5")))
            if self.often(25):
                blocks += [lambda: self.tracks("script", "chk", "other"), lambda: self.tracks("file", "tf", "more")]
            self.random.shuffle(blocks)
            for block in blocks:
                block()
            self.unknown()

        header = f'vrrp_instance "{name}"' if self.often(8) else f"vrrp_instance {name}"
        self.block("vrrp_instance VI_0" if self.often(4) else header, body)

    def tracks(self, kind: str, *names: str) -> None:
        weights = ("", "", "weight 5", "weight -7", "weight 3 reverse", "weight 3 noreverse", "weight", "weight 999")
        self.block(f"track_{kind}", lambda: self.line(f"{self.one(*names)} {self.one(*weights)}".rstrip()))

    def tracked(self) -> None:
        """Adds scripts and files; instances above them do not find them."""

        def body(line: str) -> None:
            self.line(line)
            self.maybe(40, lambda: f"weight {self.number('2', '-3', '4 reverse')}")

        for name in ("chk", "other"):
            self.block(f"vrrp_script {name}", partial(body, "script /bin/true"))
        for name in ("tf", "more"):
            self.block(f"track_file {name}", partial(body, f"file /tmp/{name}"))

    def vips(self, keyword: str, six: bool) -> None:
        def body() -> None:
            for _ in range(self.random.randrange(1, 4)):
                self.line(self.vip(six))
            if not six:
                self.maybe(6, lambda: "$BOTH", lambda: "${NET}.44/28", lambda: "$VIPS")
                self.maybe(4, lambda: "~SEQ(N, 3, 6) ${NET}.2$N", lambda: "~LST(N, 31, 33) 10.2.0.$N/24")

        if self.often(3):
            self.lines.append(f"{keyword} {{ {self.vip(six)} {self.vip(six)} }}")
        else:
            self.block(keyword, body)

    def vip(self, six: bool) -> str:
        address = self.address(six)
        if self.often(60):
            address += "/" + self.number("24", "32", "64" if ":" in address else "16", odd=6)
        options = [
            (40, f"dev {self.one(*INTERFACES)}"),
            (20, f"scope {self.one('global', 'link', 'host', 'nowhere')}"),
            (15, f"{self.one('brd', 'broadcast')} {self.one('10.0.0.255', '+', '-', 'x')}"),
            (20, f"label {self.one('eth0:1', 'eth0:vip', 'aVeryLongLabel:12345')}"),
            (6, f"peer {self.one('10.9.9.9', '10.9.9.9/24', 'fd00::99')}"),
            (6, "no_track"),
            (5, self.one("home", "-nodad", "noprefixroute", "preferred_lft forever")),
            (3, self.one("nonsense", "10.0.0.5", "dev")),
        ]
        chosen = [text for percent, text in options if self.often(percent)]
        self.random.shuffle(chosen)
        return " ".join([address, *chosen])

    def unicast(self, six: bool) -> None:
        source = self.address(six)
        if self.often(70):
            self.line(f"unicast_src_ip {source}")

        def body() -> None:
            for _ in range(self.random.randrange(1, 4)):
                self.line(self.address(six) + (" min_ttl 1" if self.often(8) else ""))

        self.block("unicast_peer", body)

    def authentication(self) -> None:
        def body() -> None:
            self.line(f"auth_type {self.one('PASS', 'PASS', 'AH', 'pass')}")
            self.maybe(85, lambda: "auth_pass s3cret")

        self.block("authentication", body)

    def sync_group(self, count: int) -> None:
        def members() -> None:
            for number in range(count + self.often(10)):
                self.line(f"VI_{number}")

        def body() -> None:
            self.block("group", members)

        self.block("vrrp_sync_group G", body)

    # --- IPVS

    def virtual_server(self) -> None:
        six = self.often(20)
        port = self.one("80", "443", "53", "0", "")
        header = f"virtual_server {self.address(six)} {port}".rstrip()
        if self.often(12):
            header = f"virtual_server fwmark {self.number('3', '4', '5')}"
        elif self.often(8):
            header = f"virtual_server group {self.one('GRP', 'GRP', 'NONE')}"

        def body() -> None:
            options: list[tuple[int, Callable[[], str]]] = [
                (70, lambda: f"protocol {self.one('TCP', 'TCP', 'UDP', 'tcp', 'Udp', 'SCTP', 'ICMP')}"),
                (70, lambda: f"{self.one('lb_algo', 'lvs_sched')} {self.one('rr', 'wlc', 'sh', 'mh', 'WRR', 'xx')}"),
                (70, self.method_line),
                (15, self.method_line),
                (30, lambda: f"persistence_timeout {self.number('50', '1800', '3600')}"),
                (4, lambda: "persistence_timeout"),
                (5, lambda: f"persistence_granularity {'64' if six else '255.255.255.0'}"),
                (15, lambda: f"weight {self.number('3', '10')}"),
                (15, lambda: f"quorum {self.number('1', '2', '50')}"),
                (10, lambda: f"hysteresis {self.number('0', '1', '9')}"),
                (10, lambda: "inhibit_on_failure"),
                (50, lambda: f"delay_loop {self.number('6', '30')}"),
                (20, lambda: f"sorry_server {self.address(six)} {self.number('80', '8080', odd=3)}"),
                (6, lambda: "sorry_server_inhibit"),
                (6, lambda: f"sorry_server_lvs_method {self.one('NAT', 'DR', 'TUN')}"),
                (6, lambda: "alpha"),
                (6, lambda: "omega"),
                (4, lambda: "ops"),
                (4, lambda: f"virtualhost {self.one('www', 'example.com')}"),
            ]
            lines = [text() for percent, text in options if self.often(percent)]
            self.random.shuffle(lines)
            cut = self.random.randrange(len(lines) + 1)
            for text in lines[:cut]:
                self.line(text)
            for _ in range(self.random.randrange(5) if self.often(95) else 0):
                self.real_server(six)
            for text in lines[cut:]:
                self.line(text)
            self.unknown()

        self.block(header, body)

    def method_line(self) -> str:
        return f"{self.one('lb_kind', 'lvs_method')} {self.one('NAT', 'DR', 'TUN', 'NAT', 'DR', 'nat', 'PROXY')}"

    def real_server(self, six: bool) -> None:
        port = self.one("80", "443", "8080", "0", "", "99999") if self.often(60) else "80"

        def body() -> None:
            options: list[tuple[int, Callable[[], str]]] = [
                (70, lambda: f"weight {self.number('1', '5', '0', '100')}"),
                (10, lambda: f"lvs_method {self.one('NAT', 'DR', 'TUN', 'dr')}"),
                (10, lambda: f"uthreshold {self.number('100')}"),
                (10, lambda: f"lthreshold {self.number('10')}"),
                (10, lambda: "inhibit_on_failure" + (f" {self.one(*BOOLEANS)}" if self.often(30) else "")),
                (8, lambda: f"delay_loop {self.number('3')}"),
            ]
            lines = [text() for percent, text in options if self.often(percent)]
            self.random.shuffle(lines)
            for text in lines:
                self.line(text)
            for _ in range(self.random.choice((0, 1, 1, 1, 2))):
                self.check()
            self.unknown()

        self.block(f"real_server {self.address(six)} {port}".rstrip(), body)

    def check(self) -> None:
        def url() -> None:
            self.line("path /")
            self.line("status_code 200")

        kind = self.one(
            "TCP_CHECK", "TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "UDP_CHECK", "DNS_CHECK", "PING_CHECK"
        )

        def body() -> None:
            self.maybe(40, lambda: f"connect_timeout {self.number('3', '10')}", lambda: "retry 3")
            self.maybe(20, lambda: f"connect_port {self.number('80', '81')}", lambda: "delay_before_retry 3")
            if kind.endswith("_GET") and self.often(90):
                self.block("url", url)

        self.block(kind, body)

    def group(self) -> None:
        def body() -> None:
            for _ in range(self.random.randrange(1, 4)):
                self.line(
                    self.one(
                        f"{self.address4()} 80",
                        f"{self.address4()} 8080",
                        f"{self.address4()}",
                        "10.3.0.3-7 80",
                        "10.3.0.9-3 80",
                        "fwmark 9",
                    )
                )

        self.block("virtual_server_group GRP", body)


def configs(seeds: Sequence[int]) -> list[tuple[str, dict[str, str]]]:
    """Returns named configs, one for each seed."""
    return [(f"seed-{seed}", config(seed)) for seed in seeds]
