"""The panel of one VRRP instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kvtui.model.text import plain
from kvtui.presenters.vrrp import instance_text
from kvtui.screens.panel import Panel

if TYPE_CHECKING:
    from kvtui.model.observation import Observation
    from kvtui.screens.host import Host


class InstanceDetail(Panel):
    """One VRRP instance."""

    def __init__(self, host: Host, name: str) -> None:
        super().__init__(host)
        self._instance_name = name
        self.heading = f"VRRP instance {plain(name)}"

    def text(self, observation: Observation | None) -> str:
        instances = observation.vrrp_instances or () if observation else ()
        instance = next((i for i in instances if i.name == self._instance_name), None)
        if observation is None or instance is None:
            return "keepalived and its config do not have this instance any more."
        return instance_text(instance, observation.snapshot.time)
