"""The global options of one call, and the source and observer that they choose."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.cli.output import Format
from kvtui.model.config import ColourMode, Config, Theme
from kvtui.model.settings import ClusterSettings, KubeSettings, names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kvtui.backend.source import SnapshotSource
    from kvtui.model.finding import Finding
    from kvtui.model.observation import Observation
    from kvtui.model.settings import UiSettings
    from kvtui.model.snapshot import Snapshot
    from kvtui.observer import Observer

DEFAULT_LISTEN_SECONDS = 1.2
"""Longer than the default interval of adverts (``advert_int 1``)."""
FIELDS = {"ascii_only": "ascii", "output": "form"}
KUBE_OPTIONS = frozenset({"no_kube", "kubeconfig", "kube_context", "configmap"})


class Invocation(Struct, frozen=True):
    """The global options of one call.

    Attributes:
        dry_run: shows the plan of an action and stops; kvtui also sends keepalived no signal for a dump.
        at_once: the first reading waits for nothing, so that the terminal UI can draw; slow sources follow.
        hold: an action waits for the commit of a kvtui that coordinates several nodes.
        peers: other nodes of the target, as that kvtui knows them: ADDRESS=PRIORITY,...
    """

    read_only: bool = False
    pid: int | None = None
    demo: bool = False
    ascii: bool = False
    mouse: bool = False
    form: Format = Format.TEXT
    interval: float = 1.0
    dry_run: bool = False
    yes: bool = False
    reason: str = ""
    kube: KubeSettings | None = None
    theme: Theme = Theme.AUTO
    color: ColourMode = ColourMode.AUTO
    hosts: str | None = None
    config: Config = field(default_factory=Config)
    at_once: bool = False
    hold: bool = False
    peers: str = ""

    def with_options(self, given: Mapping[str, Any]) -> Invocation:
        kube = {"wanted" if n == "no_kube" else n.removeprefix("kube_"): given[n] for n in KUBE_OPTIONS & given.keys()}
        if "wanted" in kube:
            kube["wanted"] = not kube["wanted"]
        own = {FIELDS.get(n, n): v for n, v in given.items() if n not in KUBE_OPTIONS and n != "debug"}
        for name, kind in (("form", Format), ("color", ColourMode)):
            if name in own:
                own[name] = kind(own[name])  # Typer makes the enum only where it calls a function
        return replace(self, **own, kube=replace(self.kube or KubeSettings(), **kube))

    @property
    def cluster(self) -> ClusterSettings:
        value, kube = self.config.value, self.kube or KubeSettings()
        return ClusterSettings(
            hosts=names(self.hosts),
            command=str(value("cluster.command")),
            ssh=str(value("cluster.ssh")),
            ignore=self.config.triage.ignore,
            kubeconfig=kube.kubeconfig,
            context=kube.context,
        )

    def source(self) -> SnapshotSource:
        if self.demo:
            from kvtui.backend.demo import Demo  # noqa: PLC0415 - only --demo needs it

            return Demo(read_only=self.read_only)
        from kvtui.actions.core.state_folder import folder  # noqa: PLC0415 - the demo has none
        from kvtui.backend.node import Node  # noqa: PLC0415 - --help, --version and schema do without

        return Node(
            pid=self.pid,
            read_only=self.read_only,
            signals=not self.dry_run,
            kube=self.kube,
            at_once=self.at_once,
            state_folder=folder(),
        )

    def observer(self, *, triage: bool = False) -> Observer:
        """With ``triage`` the observations have findings, those from the journal included."""
        from kvtui.observer import Observer  # noqa: PLC0415 - asyncio; --help and --version do without

        return Observer(
            self.source(),
            interval=self.interval,
            triage=triage,
            triage_settings=self.config.triage,
            also=self.journal_findings() if triage else None,
        )

    def observe(self, timeout: float | None) -> Observation:
        """Returns one observation; see ``Observer.observe``."""
        from kvtui.cli import event_loop  # noqa: PLC0415 - asyncio; --help and --version do without

        observer = self.observer()

        async def read() -> Observation:
            try:
                return await observer.observe(timeout=timeout)
            finally:
                await observer.close()

        return event_loop.run(read())

    def journal_findings(self) -> Callable[[Snapshot], tuple[Finding, ...]] | None:
        if self.demo:
            return None
        from kvtui.actions.journal_findings import JournalFindings  # noqa: PLC0415 - --help and --version do without

        return JournalFindings()

    def ui(self) -> UiSettings:
        from kvtui.model.settings import UiSettings  # noqa: PLC0415 - commands do without

        return UiSettings(
            ascii=self.ascii,
            mouse=self.mouse,
            source_label="demo" if self.demo else "lab" if os.environ.get("KVTUI_LAB") else "live",
            theme=self.theme,
            keys=self.config.keys,
            notices=self.config.problems,
            cluster=self.cluster,
        )
