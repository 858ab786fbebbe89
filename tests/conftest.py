"""Settings of all tests."""

from hypothesis import settings

# The machine decides how long an example takes; a slow one is not a failure.
settings.register_profile("tfmbs", deadline=None)
settings.load_profile("tfmbs")
