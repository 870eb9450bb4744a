"""Verifies a reload: that keepalived has the config, and what changed, for the outcome and the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from kvtui.actions.core.outcome_watch import watch_outcome
from kvtui.actions.core.runner import Verification
from kvtui.actions.core.watch import Watch, until
from kvtui.model.ipvs import endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from kvtui.actions.core.backend import ActionBackend
    from kvtui.actions.core.preflight import Preflight
    from kvtui.model.conf import Conf
    from kvtui.model.observation import Observation
    from kvtui.model.vrrp import VrrpInstance
    from kvtui.rules.vrrp.consequence import Consequence

TIMEOUT = 5.0
"""Seconds for the evidence of a reload."""
SETTLING = 0.5
"""Seconds: the checker child reloads beside the VRRP child; its IPVS changes come within this."""
DIED = (
    "keepalived {pid} ended at the reload; its VIPs may still be on the interface, where another node has them too: "
    "fix the config, start keepalived again, and check with `ip addr`"
)

Rows = list[dict[str, Any]]
Weights = dict[tuple[str, str], int]
"""By virtual server and real server."""


class ReloadVerifier(Struct):
    """Looks for evidence that keepalived loaded the config, and compares before with after."""

    before: Observation
    preflight: Preflight
    watch: Watch
    backend: ActionBackend
    expected: Sequence[Consequence]
    generation: Hashable | None = None
    transitions: dict[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.generation = self.backend.conf_generation(self.preflight.keepalived)
        self.transitions = {i.name: i.last_transition for i in self.before.snapshot.instances or ()}

    async def __call__(self, say: Callable[[str], None]) -> Verification:
        dumps = self.backend.dumps(self.preflight.keepalived)
        say("asking keepalived for its instances")
        wanted = {i.name: i.priority for i in self.preflight.conf.instances} if self.preflight.conf else {}
        answer = await dumps.until(lambda found: [found] if self._is_complete(found, wanted) else None, TIMEOUT)
        dumped = answer[0] if answer else await dumps.instances()
        if dumps.ended():
            return Verification(ok=False, detail=DIED.format(pid=self.preflight.keepalived.pid))
        if lost := self._lost_child():
            return Verification(ok=False, detail=f"keepalived's {lost} child ended at the reload: see its log")
        facts, after = await self._facts(dumped)
        present = {i.name for i in (after.vrrp_instances or () if dumped is None else dumped)}
        missing = sorted(wanted.keys() - present)
        if missing and (dumped is not None or after.vrrp_instances is not None):
            return Verification(None, f"reloaded, but not seen yet: {', '.join(missing)}", facts)
        evidence = self._evidence(dumped)
        if evidence is None:
            why = f"SIGHUP was sent, but there is no evidence that keepalived reloaded: {dumps.error}"
            return Verification(None, why, facts)
        verification = await watch_outcome(self.before, self.expected, self.watch, say)
        drains = ", ".join(facts["undone_drains"])
        undone = f"; this undid the drain of {drains}: drain again" if drains else ""
        detail = f"reloaded: {evidence}{undone}; {verification.detail}{await self._lost_servers(facts)}"
        return replace(verification, detail=detail, facts=facts)

    def _is_complete(self, found: tuple[VrrpInstance, ...], wanted: dict[str, int | None]) -> bool:
        """Whether the dump is from after the reload: the parent reads the file before the VRRP child does."""
        after = all(i.base_priority == wanted.get(i.name) or self._counts_anew(i) for i in found)
        return after and {i.name for i in found} == wanted.keys() and self._evidence(found) is not None

    def _counts_anew(self, instance: VrrpInstance) -> bool:
        return instance.last_transition != self.transitions.get(instance.name)

    def _evidence(self, dumped: tuple[VrrpInstance, ...] | None) -> str | None:
        """Returns the evidence that keepalived reloaded; None when there is none."""
        keepalived, conf = self.preflight.keepalived, self.preflight.conf
        now = self.backend.conf_generation(keepalived)
        if now is not None and now != self.generation:
            running = self.backend.running_conf(keepalived)
            if running is not None and conf is not None and running.digest == conf.digest:
                return "the config that runs is the file"
        if any(self._counts_anew(instance) for instance in dumped or ()):
            return "keepalived reset its transition times"
        return None

    def _lost_child(self) -> str | None:
        children, conf = self.preflight.keepalived.children, self.preflight.conf
        if conf is None:
            return None
        for name, pid, blocks in (
            ("VRRP", children.vrrp, conf.instances),
            ("checker", children.checker, conf.virtual_servers),
        ):
            if pid is not None and blocks and not self.backend.is_running(pid):
                return name
        return None

    async def _facts(self, dumped: tuple[VrrpInstance, ...] | None) -> tuple[dict[str, Any], Observation]:
        seen: list[Observation] = []

        def settled(observation: Observation) -> bool:
            seen.append(observation)
            return observation.snapshot.time - seen[0].snapshot.time > SETTLING

        await until(self.watch, settled, 2 * SETTLING)
        before, after = weights(self.before), weights(seen[-1])
        facts: dict[str, Any] = {
            "vrrp": vrrp_rows(self.before, seen[-1], dumped),
            "ipvs": ipvs_rows(before, after),
            "undone_drains": undone_drains(before, after),
        }
        return facts, seen[-1]

    async def _lost_servers(self, facts: dict[str, Any]) -> str:
        """Returns which real servers of the new config left the kernel meanwhile."""
        before, now = weights(self.before), weights(await self.watch())
        facts["ipvs"] = ipvs_rows(before, now)
        wanted = configured_weights(self.preflight.conf) if self.preflight.conf else {}
        lost = [f"{r} in {v}" for v, r in before if (v, r) in wanted and (v, r) not in now]
        return f"; not in the kernel any more: {', '.join(lost)}: see the health check" if lost else ""


def vrrp_rows(before: Observation, after: Observation, dumped: tuple[VrrpInstance, ...] | None = None) -> Rows:
    """Returns a row per instance: state, priority and VIPs; None where there is none. ``dumped`` is newest."""
    old = {i.name: i for i in before.vrrp_instances or ()}
    new = {i.name: i for i in after.vrrp_instances or ()} if dumped is None else {}
    exact_rows = {i.name: i for i in dumped or ()}
    rows: Rows = []
    for name in dict.fromkeys([*old, *new, *exact_rows]):
        was, now, exact = old.get(name), new.get(name), exact_rows.get(name)
        rows.append(
            {
                "instance": name,
                "state_before": was.state.value if was else None,
                "state_after": exact.state.value if exact else now.state.value if now else None,
                "priority_before": was.priority if was else None,
                "priority_after": exact.base_priority if exact else now.priority if now else None,
                "vips_before": _held(before, name),
                "vips_after": _held(after, name),
            }
        )
    return rows


def _held(observation: Observation, instance: str) -> list[str]:
    return [v.address for v in observation.vips or () if v.instance == instance and v.present]


def weights(observation: Observation) -> Weights:
    table = observation.snapshot.ipvs
    return {
        (virtual.name, endpoint(real.address, real.port)): real.weight
        for virtual in (table.virtual_servers if table else ())
        for real in virtual.real_servers
    }


def configured_weights(conf: Conf) -> dict[tuple[str, str], str]:
    """Returns each real server's weight in words, by the same keys as ``weights``."""
    found: dict[tuple[str, str], str] = {}
    for virtual in conf.virtual_servers:
        address = endpoint(virtual.address or "", virtual.port or 0)
        name = address if virtual.fwmark is None else f"fwmark {virtual.fwmark}"
        for real in virtual.real_servers:
            found[name, endpoint(*virtual.key_of(real))] = f"weight {real.initial_weight}"
    return found


def ipvs_rows(before: Weights, after: Weights) -> Rows:
    """Returns a row per real server: its weight, None where it is not in the table."""
    return [
        {
            "virtual_server": virtual,
            "real_server": real,
            "weight_before": before.get((virtual, real)),
            "weight_after": after.get((virtual, real)),
        }
        for virtual, real in dict.fromkeys([*before, *after])
    ]


def undone_drains(before: Weights, after: Weights) -> list[str]:
    """Returns the real servers that had weight 0 and have another now."""
    return [
        f"{real} in {virtual} (weight {after[virtual, real]} again)"
        for (virtual, real), weight in before.items()
        if weight == 0 and after.get((virtual, real), 0) > 0
    ]
