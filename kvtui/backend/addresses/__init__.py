"""Addresses and interfaces of a network namespace, kept current by rtnetlink events."""

from kvtui.backend.addresses.addresses import Addresses, read_once

__all__ = ["Addresses", "read_once"]
