"""Acting on the demo: the same plans and verifications, with hands that reach the demo's world only."""

from kvtui.actions.demo.site import DemoSite

__all__ = ["DemoSite"]
