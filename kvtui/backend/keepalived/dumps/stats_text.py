"""Parses keepalived.stats (vrrp_print.c): the counters of a keepalived that writes no JSON, under JSON's names."""

from __future__ import annotations

from kvtui.backend.keepalived.dumps.text import IncompleteDumpError, whole_number

SECTIONS = {
    "": {"Became master": "become_master", "Released master": "release_master"},
    "Advertisements": {"Received": "advert_rcvd", "Sent": "advert_sent"},
    "Packet Errors": {
        "Length": "packet_len_err",
        "TTL": "ip_ttl_err",
        "Invalid Type": "invalid_type_rcvd",
        "Advertisement Interval": "advert_interval_err",
        "Address List": "addr_list_err",
    },
    "Authentication Errors": {
        "Invalid Type": "invalid_authtype",
        "Type Mismatch": "authtype_mismatch",
        "Failure": "auth_failure",
    },
    "Authentication Extension Errors": {
        "Missing": "auth_ext_missing",
        "Malformed": "auth_ext_malformed",
        "Unknown Key": "auth_ext_unknown_key",
        "Invalid HMAC": "auth_ext_invalid_hmac",
        "Stale": "auth_ext_stale",
        "Replay": "auth_ext_replay",
    },
    "Priority Zero": {"Received": "pri_zero_rcvd", "Sent": "pri_zero_sent"},
}
LAST = "pri_zero_sent"


def parse_stats(text: str) -> dict[str, dict[str, int]]:
    """Returns instance → counters. Raises IncompleteDumpError if the last instance is cut off."""
    found: dict[str, dict[str, int]] = {}
    counters: dict[str, int] = {}
    section = ""
    for line in text.split("\n"):
        name, colon, value = line.strip().partition(":")
        if line.startswith("VRRP Instance:"):
            counters = found.setdefault(value.strip(), {})
        elif colon and not value:
            section = name
        elif (number := whole_number(value.strip())) is not None:
            key = SECTIONS.get(section if line.startswith("    ") else "", {}).get(name)
            if key is not None:
                counters[key] = number
    if not text.endswith("\n") or (found and LAST not in counters):
        raise IncompleteDumpError("keepalived.stats is cut off")
    return found
