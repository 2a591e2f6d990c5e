"""One line about a name that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from porl_robot.errors import UsageError


def unknown(what: str, name: str, known: Collection[str]) -> UsageError:
    """The error for `name` not being among `known`; it names the few most similar ones and counts the rest."""
    similar = difflib.get_close_matches(name, known, n=4, cutoff=0.3)
    hint = f"nearest: {', '.join(similar)}" if similar else f"for example {min(known)}"
    return UsageError(f"{what} {name!r} is unknown; {hint} ({len(known)} exist)")
