"""Property tests judge answers, never how long a busy machine took for them. A plugin of pytest's.

Every run draws new examples, but where `CI` is set: what lands is judged by the same examples each time.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
settings.load_profile("untimed")
