"""What the Kubernetes API says, for the node that kvtui runs on; without an API."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
from typing import TYPE_CHECKING

from kvtui.model.kube import Resource
from kvtui.model.source import Source, SourceName, SourceState, UnavailableReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from kvtui.backend.kube.discovery import ApiPlace
    from kvtui.backend.kube.process import ApiProcess
    from kvtui.backend.kube.timing import Timing
    from kvtui.model.keepalived import Keepalived
    from kvtui.model.kube import Kube, NamespacedName
    from kvtui.model.settings import KubeSettings

CONNECTING = "connecting to the Kubernetes API"
MAX_START_SECONDS = 30.0  # for a single reading: until the process that speaks to the API has started
RETRY_FIND = 5.0  # seconds until a kubeconfig that was missing is looked for again
NO_CONFIGMAP = (
    "which ConfigMap maps VIPs is not known: no controller with --services-configmap was found here; "
    "name it with --configmap NS/NAME"
)


class Throttle:
    """Calls ``function`` soon after it is asked to, and at most once an interval however often it is asked."""

    def __init__(self, function: Callable[[], None], interval: float) -> None:
        self._function, self._interval = function, interval
        self._timer: asyncio.TimerHandle | None = None
        self._last = float("-inf")

    def __call__(self) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._last + self._interval), self._fire)

    def _fire(self) -> None:
        self._timer = None
        self._last = asyncio.get_running_loop().time()
        self._function()

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class KubeLayer:
    """Finds the API, and mirrors what the mappings need of it. Nothing here blocks or raises."""

    def __init__(
        self,
        settings: KubeSettings,
        changed: Callable[[], None],
        *,
        timing: Timing | None = None,
        environ: Mapping[str, str] | None = None,
        place: ApiPlace | None = None,
        report: Callable[[Exception], str] = str,
    ) -> None:
        self._report = report
        self._settings, self._changed, self._timing, self._place = settings, changed, timing, place
        self._environ = os.environ if environ is None else environ
        self._process: ApiProcess | None = None
        self._found: ApiPlace | None = None
        self._task: asyncio.Task[None] | None = None
        self._throttle: Throttle | None = None
        self._begun = asyncio.Event()
        self._look_again = asyncio.Event()
        self._error = CONNECTING
        self._reason: UnavailableReason | None = None
        self._configmap = _pair(settings.configmap)
        self._pod = _pair(f"{self._environ.get('POD_NAMESPACE', '')}/{self._environ.get('POD_NAME', '')}")
        self._controllers: tuple[int, ...] = ()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="kube")

    async def _run(self) -> None:
        """Finds the API; again when another controller runs here, or when a file that was missing may have come."""
        from kvtui.backend.kube.discovery import find  # noqa: PLC0415 - the first frame does without
        from kvtui.backend.kube.errors import AccessError, NotConfiguredError, NotWantedError  # noqa: PLC0415

        while True:
            wait: float | None = None
            self._look_again.clear()
            try:
                place = self._place
                if place is None:
                    place = await asyncio.to_thread(find, self._settings, self._environ, controllers=self._controllers)
                await self._use(place)
            except NotWantedError as error:
                self._error, self._reason = str(error), UnavailableReason.UNWANTED
            except NotConfiguredError as error:
                await self._drop()
                self._error, self._reason = str(error), UnavailableReason.ABSENT
            except AccessError as error:
                self._error, self._reason, wait = str(error), None, RETRY_FIND
            except Exception as error:  # noqa: BLE001 - a bug in one source must not end it, nor the others
                self._error, self._reason, wait = self._report(error), None, RETRY_FIND
            self._begun.set()
            self._changed()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._look_again.wait()

    async def _use(self, place: ApiPlace) -> None:
        if place == self._found:
            return
        # in a thread, and only where there is an API: the first frame does not wait for it
        await asyncio.to_thread(importlib.import_module, "kvtui.backend.kube.process")
        from kvtui.backend.kube.process import ApiProcess  # noqa: PLC0415
        from kvtui.backend.kube.timing import Timing  # noqa: PLC0415

        await self._drop()
        timing = self._timing or Timing()
        self._throttle = Throttle(self._changed, timing.publish)
        self._process = ApiProcess(place, timing, self._throttle)
        self._process.set_targets(self._configmap, self._pod)
        self._process.start()
        self._found, self._reason, self._error = place, None, CONNECTING

    async def _drop(self) -> None:
        process, self._process, self._found = self._process, None, None
        if process is not None:
            await process.close()
        if self._throttle is not None:
            self._throttle.cancel()

    def notice(self, found: Iterable[Keepalived], chosen: Keepalived | None) -> None:
        """Takes the ConfigMap, and the pod whose DaemonSet is read, from the controllers that run here."""
        order = sorted(found, key=lambda k: k is not chosen)
        controllers = [k.controller for k in order if k.controller is not None]
        named = next((p for c in controllers if (p := _pair(c.configmap))), None)
        self._configmap = _pair(self._settings.configmap) or named or self._configmap
        self._pod = next((p for c in controllers if (p := _pair(c.pod))), None) or self._pod
        pids = tuple(c.pid for c in controllers)
        if pids != self._controllers:
            self._controllers = pids
            self._look_again.set()
        if self._process is not None:
            self._process.set_targets(self._configmap, self._pod)

    async def settle(self, timeout: float) -> None:
        """Waits for the first lists, at most ``timeout`` seconds; returns at once where there is no API.

        The time until the process that speaks to the API has started does not count: on a busy machine it is long.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_START_SECONDS):
                await self._begun.wait()
                if self._process is not None:
                    await self._process.imported.wait()
            async with asyncio.timeout(timeout):
                if self._process is not None:
                    await self._process.settled.wait()

    def kube(self, now: float) -> Kube | None:
        """Returns what is known; None where there is no API, or nothing was sent yet."""
        return self._process.mirror.kube(now) if self._process else None

    def source(self, kube: Kube | None) -> Source:
        if kube is None:
            detail = (self._process.error if self._process else "") or self._error
            return Source(SourceName.KUBERNETES, SourceState.UNAVAILABLE, detail, reason=self._reason)
        state, detail = _summary(kube)
        read_at = min((r.read_at for r in kube.resources if r.read_at is not None), default=None)
        return Source(SourceName.KUBERNETES, state, detail, read_at)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._drop()


def _summary(kube: Kube) -> tuple[SourceState, str]:
    bad = [r for r in kube.resources if r.state is not SourceState.OK]
    nodes = kube.resource(Resource.NODES)  # they are read under any name of the ConfigMap
    if kube.configmap_name is None and nodes and nodes.state is SourceState.OK:
        return SourceState.DEGRADED, NO_CONFIGMAP
    if not bad:
        if kube.configmap_missing:
            wanted = "/".join(kube.configmap_name or ())
            return SourceState.DEGRADED, f"there is no ConfigMap {wanted}: create it, or name another with --configmap"
        return SourceState.OK, ""
    details = {r.detail for r in bad}
    cause = next((r.detail for r in bad if not r.detail.startswith("not read")), bad[0].detail)  # not what waits for it
    if all(r.read_at is None for r in kube.resources):
        return SourceState.UNAVAILABLE, CONNECTING if details == {"not read yet"} else cause
    return SourceState.DEGRADED, f"{', '.join(r.resource for r in bad)}: {cause}"


def _pair(text: str | None) -> NamespacedName | None:
    namespace, slash, name = (text or "").partition("/")
    return (namespace, name) if slash and namespace and name and "/" not in name else None
