"""The command line: one verb, one module, errors in one line."""

from __future__ import annotations

import errno
import importlib
import logging
import sys
from collections.abc import Callable
from types import ModuleType

from porl_robot.errors import UserError

APPS = ("demo", "collect", "pretrain", "import-policy", "finetune", "evaluate", "compare", "calibrate", "identify")
"""Verbs that take Hydra overrides."""

COMMANDS = ("log", "scan", "virtual-arm")
"""Verbs with arguments of their own."""

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO)
"""What a disk is to blame for, not the program."""

_VERBS = f"there are {', '.join((*APPS, *COMMANDS))}"


def run(arguments: list[str]) -> int:
    """Runs one command line; returns the exit code: 0 ok, 1 failed, 2 wrong usage."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    logging.getLogger("hardware").setLevel(logging.INFO)  # what an arm says is for the operator
    if not arguments:
        return _fail("porl-robot", f"a verb is missing; {_VERBS}; porl-robot --help says what each does", 2)
    verb, rest = arguments[0], arguments[1:]
    if verb in ("-h", "--help"):
        print(_overview())
        return 0
    if verb not in (*APPS, *COMMANDS):
        return _fail(f"porl-robot {verb}", f"no such verb; {_VERBS}", 2)
    return _reported(verb, rest)


def _reported(verb: str, rest: list[str]) -> int:
    """Runs the verb; what went wrong becomes one line, unless the program is to blame."""
    try:
        return _run_verb(verb, rest)
    except UserError as error:
        return _fail(f"porl-robot {verb}", str(error), error.exit_code)
    except OSError as error:
        if error.filename is None or error.errno not in _UNWRITABLE:
            raise
        return _fail(f"porl-robot {verb}", f"{error.filename}: cannot be written ({error.strerror})", 1)
    except KeyboardInterrupt:
        return _fail(f"porl-robot {verb}", "interrupted", 1)


def _run_verb(verb: str, rest: list[str]) -> int:
    module = _module(verb)
    if verb in COMMANDS:
        command: Callable[[list[str]], int] = module.run
        return command(rest)
    from porl_robot.verbs import compose, multirun, schema

    if "-h" in rest or "--help" in rest:
        print(schema.help_text(verb, module.__doc__ or ""))
        return 0
    if "-m" in rest or "--multirun" in rest:
        return multirun.run(verb, module.run, [r for r in rest if r not in ("-m", "--multirun")])
    app: Callable[..., int] = module.run
    return app(compose.load(verb, rest))


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"porl_robot.verbs.{verb.replace('-', '_')}")


def _overview() -> str:
    lines = ["porl-robot VERB [group=option] [key=value] ...", "", "Fine-tunes a robot policy by acting.", ""]
    for verb in (*APPS, *COMMANDS):
        lines.append(f"  {verb:13} {(_module(verb).__doc__ or '').splitlines()[0]}")
    return "\n".join(
        [*lines, "", "porl-robot VERB --help lists its keys; -m runs a sweep over comma-separated values."]
    )


def _fail(command: str, message: str, code: int) -> int:
    print(f"{command}: {message}", file=sys.stderr)
    return code
