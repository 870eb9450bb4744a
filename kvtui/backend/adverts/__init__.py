"""VRRP adverts on the wire: capture, decode, track."""

from kvtui.backend.adverts.adverts import Adverts
from kvtui.backend.adverts.capture import CaptureError

__all__ = ["Adverts", "CaptureError"]
