"""The errors a user can cause, as opposed to errors in the program.

A `UserError` is printed as one line without a traceback. Everything else keeps its traceback.
"""


class UserError(Exception):
    """Something the user gave cannot be used. The message says what, where, and what would be accepted."""

    exit_code = 1


class UsageError(UserError):
    """The command itself is wrong (unknown verb, key or value); nothing was started."""

    exit_code = 2
