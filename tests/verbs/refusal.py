"""What a refused command line looks like."""

REACH = "env=arm_reach"


def assert_refused(outcome, code, verb, says):
    assert outcome.code == code, outcome.err
    assert outcome.err.startswith(f"porl-robot {verb}".rstrip() + ": ")
    assert says in outcome.err
    assert outcome.err.count("\n") == 1
    assert outcome.out == ""


def contents(folder):
    return {p: (p.stat().st_mtime_ns, p.read_bytes()) for p in sorted(folder.rglob("*")) if p.is_file()}
