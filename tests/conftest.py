"""Helpers that assert for several test files say what differs, as the tests themselves do."""

import pytest

HELPERS = ("methods.scene", "replay.episodes", "replay.logs", "verbs.refusal")

pytest.register_assert_rewrite(*(f"tests.{helper}" for helper in HELPERS))
