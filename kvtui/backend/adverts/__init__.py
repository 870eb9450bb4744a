"""VRRP adverts on the wire: captured, decoded, and concluded from."""

from kvtui.backend.adverts.adverts import Adverts
from kvtui.backend.adverts.capture import CaptureUnavailable

__all__ = ["Adverts", "CaptureUnavailable"]
