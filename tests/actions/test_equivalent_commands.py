"""The equivalent command of a row: what an operator would type, with all text from outside quoted."""

from __future__ import annotations

import shlex

import pytest
from msgspec.structs import replace

from kvtui.actions.equivalent_commands import of_instance, of_mapping, of_server, of_vip
from kvtui.model.mapping import Mapping, MappingState
from kvtui.model.text import shell_word
from kvtui.model.vrrp import VrrpState
from tests.kit.views import demo

SEEN = demo()


def test_the_command_of_a_vip_shows_its_address() -> None:
    assert SEEN.vips is not None
    assert of_vip(SEEN, SEEN.vips[0]) == "ip addr show to 10.4.0.50"


def test_the_command_of_a_vip_on_a_backup_removes_it() -> None:
    assert SEEN.vips is not None
    left = replace(SEEN.vips[0], present=True, state=VrrpState.BACKUP, owner_is_self=False)
    assert of_vip(SEEN, left) == "ip addr del 10.4.0.50/32 dev eth0"


def test_the_command_enters_the_network_namespace_of_keepalived() -> None:
    assert SEEN.vips is not None
    keepalived = replace(SEEN.snapshot.keepalived[0], own_netns=False)
    elsewhere = replace(SEEN, snapshot=replace(SEEN.snapshot, keepalived=(keepalived,)))
    assert of_vip(elsewhere, SEEN.vips[0]) == "nsenter -t 4711 -n ip addr show to 10.4.0.50"


def test_the_command_of_a_real_server_has_the_kernels_options() -> None:
    assert SEEN.virtual_servers is not None
    view = SEEN.virtual_servers[0]
    assert of_server(SEEN, view, None) == "ipvsadm -Ln -t 10.4.0.50:80"
    assert of_server(SEEN, view, view.real_servers[0].key) == ("ipvsadm -e -t 10.4.0.50:80 -r 10.2.68.5:8080 -m -w 1")


def test_a_server_that_is_only_in_the_config_has_no_command() -> None:
    assert SEEN.virtual_servers is not None
    view = SEEN.virtual_servers[0]
    assert of_server(SEEN, replace(view, port=81), None) is None
    assert of_server(SEEN, view, ("10.9.9.9", 1)) is None


def test_an_instance() -> None:
    assert SEEN.vrrp_instances is not None
    assert of_instance(SEEN, SEEN.vrrp_instances[0]) == "tcpdump -vni eth0 'ip proto 112 or ip6 proto 112'"


def test_a_mapping() -> None:
    entry = Mapping("10.4.0.50", "default/nginx", "default", "nginx", "masq", MappingState.OK)
    assert of_mapping(SEEN, entry) == "kubectl -n default get service/nginx endpoints/nginx"
    alone = Mapping("10.4.0.60", "", None, None, None, MappingState.VIP_ONLY)
    assert of_mapping(SEEN, alone) == "kubectl -n default get configmap vip-configmap -o yaml"


@pytest.mark.parametrize("name", ["x; rm -rf /", "$(reboot)", "a'b", "a\nb", "\x1b]52;c;eA==\a", "", "-n"])
def test_a_name_from_outside_stays_one_word_that_only_prints(name: str) -> None:
    assert shell_word(name).isprintable()
    assert len(shlex.split(f"kubectl get {shell_word(name)}")) == 3
