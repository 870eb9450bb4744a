"""keepalived.data and keepalived_check.data of several versions."""

from __future__ import annotations

import pytest

from kvtui.backend.keepalived.dumps.data_text import parse_check_data, parse_vrrp_data
from kvtui.backend.keepalived.dumps.text import IncompleteDumpError, virtual_address
from kvtui.model.vrrp import AddressFamily, RealServerCheck, Tracked, TrackFile, VirtualAddress, VrrpState
from tests.dumps.samples import DATA_SAMPLES, SECRET, sample

# Dumped by 2.2.7 just after its start, shortened. The master is not known yet; the dumped address is not a master's.
UNICAST = """\
------< Global definitions >------
 Router ID = kvproc
------< VRRP Topology >------
 VRRP Instance = VI 1
   VRRP Version = 2
   Sync group = G1
   State = BACKUP
   Master router = ff02::12
   Master priority = 0
   Flags:
     Using unicast
   Wantstate = BACKUP
   Interface = vrrp.51, vmac on kvp0
   Using src_ip = 10.99.1.1 (from configuration)
   Virtual Router ID = 51
   Priority = 100
   Effective priority = 100
   Advert interval = 1 sec
   Preempt = disabled
   Preempt delay = 2.5 secs
   Authentication type = SIMPLE_PASSWORD
   Password = s3cret
   Virtual IP (2):
     10.99.1.100/24 dev kvp0 scope global
     10.99.1.101 dev kvp0 scope global
   Virtual IP Excluded :
     10.99.1.102 dev kvp0 scope global
   Unicast Peer :
     10.99.1.2 min_ttl 0 max_ttl 255
     10.99.1.3 min_ttl 0 max_ttl 255
   Using smtp notification = no
------< Interfaces >------
 Name = lo
"""

# As vrrp_print.c of 1.2.24 writes it: NICs and scripts are not indented within their instance.
VERSION_1_2 = """\
------< VRRP Topology >------
 VRRP Instance = vips
 VRRP Version = 3
   State = BACKUP
   Master router = 10.4.0.5
   Master priority = 102
   Last transition = 1795526420 (Tue Nov 24 13:20:20 2026)
   Listening device = eth0
   Using src_ip = 10.4.0.3
   Virtual Router ID = 50
   Priority = 100
   Advert interval = 1000 milli-sec
   Preempt = disabled
   Authentication type = none
   Tracked interfaces = 1
------< NIC >------
 Name = eth0
 index = 2
 MTU = 1500
   Tracked scripts = 1
 VRRP Script = chk
   Command = /bin/true
   Interface weight 0
   Virtual IP = 2
     10.4.0.50/32 dev eth0 scope global
     10.4.0.51/32 dev eth0 scope global
------< VRRP Sync groups >------
 VRRP Sync Group = G, BACKUP
   monitor = vips
"""


@pytest.mark.parametrize(
    ("name", "priorities", "source"),
    [
        ("example-2.1.5.data", (80, 80), "10.99.0.3"),
        ("example-2.2.7-backup.data", (90, 90), "10.99.0.2"),
        ("example-2.3.4.data", (80, 70), "10.99.0.3"),
    ],
)
def test_a_backup_knows_its_master(name: str, priorities: tuple[int, int], source: str) -> None:
    instance = parse_vrrp_data(sample(name))[0]
    assert (instance.name, instance.state, instance.wanted_state) == ("VI_1", VrrpState.BACKUP, VrrpState.BACKUP)
    assert (instance.master_address, instance.master_priority) == ("10.99.0.1", 100)
    assert (instance.base_priority, instance.effective_priority) == priorities
    assert (instance.interface, instance.vrid, instance.version, instance.family) == ("eth0", 51, 2, AddressFamily.V4)
    assert (instance.unicast_source, instance.unicast_peers, instance.sync_group) == (source, (), None)
    assert (instance.nopreempt, instance.preempt_delay, instance.advert_interval) == (False, 0.0, 1.0)
    assert instance.auth_type == "PASS"
    assert instance.vips == (VirtualAddress("10.99.0.100", 24, "eth0", installed=False),)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("example-2.1.5.data", TrackFile("tf", "/tmp/tf", 0, 1)),
        ("example-2.2.7-backup.data", TrackFile("tf", "/mnt/r2/n2/tf", 0, 1)),
        ("example-2.3.4.data", TrackFile("tf", "/tmp/tf", -10, 1)),
    ],
)
def test_track_files_have_path_value_and_weight(name: str, file: TrackFile) -> None:
    assert parse_vrrp_data(sample(name))[0].track_files == (file,)


def test_an_ipv6_instance_of_version_3() -> None:
    instance = parse_vrrp_data(sample("example-2.2.7-backup.data"))[1]
    assert (instance.name, instance.version, instance.family) == ("VI_6", 3, AddressFamily.V6)
    assert (instance.master_address, instance.master_priority) == ("fe80::782a:4cff:fe89:d830", 100)
    assert (instance.advert_interval, instance.master_advert_interval) == (0.5, 0.5)
    assert instance.last_transition == 1795526420.619504
    assert (instance.track_files, instance.auth_type) == ((), None)


@pytest.mark.parametrize("name", ["example-2.2.7-master.data", "example-2.4.3.data"])
def test_a_master_holds_its_vips(name: str) -> None:
    instance = parse_vrrp_data(sample(name))[0]
    assert (instance.state, instance.master_address, instance.master_priority) == (VrrpState.MASTER, None, None)
    assert [vip.installed for vip in instance.vips] == [True]


def test_unicast_peers_sync_group_and_vmac() -> None:
    (instance,) = parse_vrrp_data(UNICAST)
    assert (instance.name, instance.interface) == ("VI 1", "vrrp.51")
    assert (instance.unicast_source, instance.unicast_peers) == ("10.99.1.1", ("10.99.1.2", "10.99.1.3"))
    assert (instance.sync_group, instance.nopreempt, instance.preempt_delay) == ("G1", True, 2.5)
    vips = [(vip.address, vip.prefixlen, vip.excluded) for vip in instance.vips]
    assert vips == [("10.99.1.100", 24, False), ("10.99.1.101", 32, False), ("10.99.1.102", 32, True)]
    assert instance.vmac == "vrrp.51"


def test_before_the_first_advert_the_master_is_unknown() -> None:
    (instance,) = parse_vrrp_data(UNICAST)
    assert (instance.master_address, instance.master_priority) == (None, None)


def test_version_1_2() -> None:
    (instance,) = parse_vrrp_data(VERSION_1_2)
    assert (instance.name, instance.version, instance.interface, instance.vrid) == ("vips", 3, "eth0", 50)
    assert (instance.master_address, instance.master_priority, instance.last_transition) == (
        "10.4.0.5",
        102,
        1795526420.0,
    )
    assert (instance.advert_interval, instance.nopreempt) == (1.0, True)
    assert [vip.address for vip in instance.vips] == ["10.4.0.50", "10.4.0.51"]


def test_track_files_of_version_2_0() -> None:
    text = (
        sample("example-2.1.5.data")
        .replace("Tracked files :", "Tracked files = 1")
        .replace("Virtual IP :", "Virtual IP = 1")
    )
    text = text.replace(" Track file = tf", " VRRP Track file = tf")
    assert parse_vrrp_data(text) == parse_vrrp_data(sample("example-2.1.5.data"))


def test_a_keepalived_without_instances() -> None:
    assert parse_vrrp_data(sample("example-2.2.7-parent.data")) == ()


def test_every_cut_within_an_instance_is_detected() -> None:
    text = sample("example-2.2.7-backup.data")
    end = text.index("   Using smtp notification", text.index("VI_6"))
    for cut in range(text.index(" VRRP Instance = VI_6") + 30, end, 41):
        with pytest.raises(IncompleteDumpError):
            parse_vrrp_data(text[:cut])


def test_text_without_a_dump_is_incomplete() -> None:
    for text in ("", "\n", "hello\n"):
        with pytest.raises(IncompleteDumpError):
            parse_vrrp_data(text)
        with pytest.raises(IncompleteDumpError):
            parse_check_data(text)


def test_real_servers() -> None:
    assert parse_check_data(sample("example-2.2.7-check.data")) == (
        RealServerCheck("10.77.0.100:80", "10.77.0.11", 80, 5, 5, alive=True, failed_checkers=0),
        RealServerCheck("10.77.0.100:80", "10.77.0.12", 80, 8, 8, alive=True, failed_checkers=0),
    )


def test_a_failed_real_server() -> None:
    text = sample("example-2.2.7-check.data")
    place = text.index("RIP = 10.77.0.12")
    text = text[:place] + text[place:].replace("alive = 1", "alive = 0", 1).replace("checkers = 0", "checkers = 2", 1)
    assert [(c.alive, c.failed_checkers) for c in parse_check_data(text)] == [(True, 0), (False, 2)]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (" VS FWMARK = 7", ["fwmark 7"]),
        (" VS VIP = FD00:0::50, VPORT = 443", ["[fd00::50]:443"]),
        (" VS GROUP = [unknown]:0", ["group unknown"]),
        (" VS GROUP = [web]:0", ["10.0.0.1:80", "10.0.0.5:81", "10.0.0.6:81", "fwmark 9"]),
    ],
)
def test_virtual_servers_are_named_as_in_the_kernel(line: str, names: list[str]) -> None:
    group = """\
 ------< Virtual server group >------
 Virtual Server Group = web, IPv4 = yes, IPv6 = no
   VIP = 10.0.0.1, VPORT = 80
     Alive: 1 tcp, 0 udp, 0 sctp
   VIP Range = 10.0.0.5-10.0.0.6, VPORT = 81
   FWMARK = 9
"""
    text = sample("example-2.2.7-check.data").replace(" VS VIP = 10.77.0.100, VPORT = 80", line)
    text = text.replace(" ------< Virtual server >", group + " ------< Virtual server >", 1)
    assert [c.virtual_server for c in parse_check_data(text) if c.address == "10.77.0.11"] == names


@pytest.mark.parametrize(
    ("members", "names"),
    [
        ("fd00::5-fd00::6", ["[fd00::5]:81", "[fd00::6]:81"]),
        ("10.0.0.5-fd00::6", ["10.0.0.5:81"]),
        ("255.255.255.255-fd00::6", ["255.255.255.255:81"]),
    ],
)
def test_a_range_has_addresses_of_one_version(members: str, names: list[str]) -> None:
    text = sample("example-2.2.7-check.data").replace(" VS VIP = 10.77.0.100, VPORT = 80", " VS GROUP = [web]:0")
    group = f" Virtual Server Group = web, IPv4 = yes, IPv6 = no\n   VIP Range = {members}, VPORT = 81\n"
    text = text.replace(" ------< Virtual server >", group + " ------< Virtual server >", 1)
    assert [c.virtual_server for c in parse_check_data(text) if c.address == "10.77.0.11"] == names


def test_members_of_a_group_have_their_port_in_the_kernel() -> None:
    text = sample("example-2.2.7-check.data").replace(" VS VIP = 10.77.0.100, VPORT = 80", " VS GROUP = [web]:0")
    group = " Virtual Server Group = web, IPv4 = yes, IPv6 = no\n   VIP = 10.0.0.1, VPORT = 81\n   FWMARK = 9\n"
    text = text.replace(" ------< Virtual server >", group + " ------< Virtual server >", 1)
    text = text.replace("forwarding method = DR", "forwarding method = NAT").replace("method = NAT", "method = DR", 2)
    assert [(c.virtual_server, c.address, c.port) for c in parse_check_data(text)] == [
        ("10.0.0.1:81", "10.77.0.11", 81),
        ("fwmark 9", "10.77.0.11", 0),
        ("10.0.0.1:81", "10.77.0.12", 80),
        ("fwmark 9", "10.77.0.12", 80),
    ]


def test_no_virtual_servers() -> None:
    assert parse_check_data(sample("example-2.2.7-parent.data")) == ()


def test_a_cut_real_server_is_detected() -> None:
    text = sample("example-2.2.7-check.data")
    with pytest.raises(IncompleteDumpError):
        parse_check_data(text[: text.index("   num failed checkers", text.index("10.77.0.12"))])


@pytest.mark.parametrize("name", DATA_SAMPLES)
def test_the_password_is_dropped(name: str) -> None:
    text = sample(name)
    assert SECRET.search(text)
    assert not SECRET.search(repr(parse_vrrp_data(text)))


@pytest.mark.parametrize(
    "dump", ["10.9.0.51 dev vrrp.51@eth0 scope global set", "10.9.0.51/32 dev vrrp.51 scope global set"]
)
def test_an_address_on_a_vmac_is_on_that_interface(dump: str) -> None:
    assert virtual_address(dump) == VirtualAddress("10.9.0.51", 32, "vrrp.51", installed=True)


def test_a_failing_check_has_its_command_user_and_status() -> None:
    text = (
        sample("example-2.2.7-check.data")
        .replace("   Up = yes", "   Up = no", 1)
        .replace("status = 0", "status = 1", 1)
    )
    failing = {c.address: c.failing for c in parse_check_data(text)}
    assert failing == {
        "10.77.0.11": ("MISC_CHECK '/tmp/chk.sh' '1', uid:gid 0:0, last status 1",),
        "10.77.0.12": (),
    }


SCRIPTS = """------< VRRP Scripts >------
 VRRP Script = chk
   Command = '/bin/chk'
   Timeout = 2 sec
   Weight = 0
   Init state = unknown
   Status = BAD
   Script uid:gid = 99:99
   State = idle
 VRRP Script = new
   Command = '/bin/new'
   Init state = INIT
   Status = BAD
"""


def test_tracked_objects_have_results_and_weights() -> None:
    """As keepalived 2.2.7 wrote it for a real FAULT."""
    listed = (
        "   Tracked interfaces :\n     eth1 weight 0\n   Tracked scripts :\n     chk weight 0\n"
        "     new weight -5 reverse\n"
        "   Using smtp notification"
    )
    text = sample("example-2.2.7-master.data").replace("   Using smtp notification", listed, 1) + SCRIPTS
    first, second = parse_vrrp_data(text)
    assert first.tracked == (
        Tracked("interface", "eth1"),
        Tracked("script", "chk", good=False, detail="'/bin/chk', uid:gid 99:99, timeout 2 sec"),
        Tracked("script", "new", weight=-5, reverse=True, detail="'/bin/new'"),
    )
    assert (second.tracked, second.group, second.strict, second.accept) == ((), "ff02::12", False, True)
