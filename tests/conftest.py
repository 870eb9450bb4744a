"""What every test shares."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine is no failure: how long an example takes is no business of a test.
settings.register_profile("kvtui", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("kvtui")
