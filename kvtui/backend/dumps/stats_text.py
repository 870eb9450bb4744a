"""keepalived.stats (vrrp/vrrp_print.c): the VRRP counters as text, for builds without JSON."""

from __future__ import annotations

from kvtui.backend.dumps.text import Incomplete, whole_number

# (heading, line) → the same counter's name in the JSON dump
NAMES = {
    ("Advertisements", "Received"): "advert_rcvd",
    ("Advertisements", "Sent"): "advert_sent",
    ("", "Became master"): "become_master",
    ("", "Released master"): "release_master",
    ("Packet Errors", "Length"): "packet_len_err",
    ("Packet Errors", "TTL"): "ip_ttl_err",
    ("Packet Errors", "Invalid Type"): "invalid_type_rcvd",
    ("Packet Errors", "Advertisement Interval"): "advert_interval_err",
    ("Packet Errors", "Address List"): "addr_list_err",
    ("Authentication Errors", "Invalid Type"): "invalid_authtype",
    ("Authentication Errors", "Type Mismatch"): "authtype_mismatch",
    ("Authentication Errors", "Failure"): "auth_failure",
    ("Priority Zero", "Received"): "pri_zero_rcvd",
    ("Priority Zero", "Sent"): "pri_zero_sent",
}
LAST = "pri_zero_sent"
INSTANCE = "VRRP Instance: "


def parse_stats(text: str) -> dict[str, dict[str, int]]:
    """Instance → counter → count. Lines that are not known are skipped.

    Raises:
        Incomplete: the last instance's counters are not all there.
    """
    instances: dict[str, dict[str, int]] = {}
    counters: dict[str, int] = {}
    heading = ""
    for line in text.splitlines():
        if line.startswith(INSTANCE):
            counters = instances.setdefault(line.removeprefix(INSTANCE), {})
            continue
        name, _, value = line.strip().partition(":")
        indent = len(line) - len(line.lstrip(" "))
        if indent == 2:
            heading = "" if value else name
        counter = NAMES.get((heading if indent == 4 else "", name))
        number = whole_number(value)
        if counter is not None and number is not None:
            counters[counter] = number
    if not text.endswith("\n") or (instances and LAST not in counters):
        raise Incomplete("the statistics end before the last instance's counters do")
    return instances
