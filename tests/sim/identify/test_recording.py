"""A recording comes back as it was, or is refused in one line."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hardware.description import Gains
from hardware.errors import HardwareError
from sim.identify.excitation import Block
from sim.identify.recording import load_recording

WATCHED = ("commanded", "position", "velocity", "load", "current", "voltage")


def test_a_recording_comes_back(recording, pendulum, tmp_path):
    path = tmp_path / "recording.npz"
    recording.save(path)
    loaded = load_recording(path, pendulum)
    assert loaded.header == recording.header
    for name in ("time", *WATCHED):
        assert np.array_equal(getattr(loaded, name), getattr(recording, name))


def refused(path, robot, says):
    with pytest.raises(HardwareError) as error:
        load_recording(path, robot)
    assert says in str(error.value)
    assert str(error.value).startswith(f"log={path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"robot": "so101"}, "is of robot=so101; expected robot=pendulum"),
        ({"joints": ("elbow",)}, "its joints are elbow; robot=pendulum has hinge"),
        ({"gains": Gains(32, 0, 32)}, "was recorded under Gains(p=32"),
        ({"blocks": (Block("elbow", 0, 500), Block(None, 500, 900))}, "moves joint elbow, which it does not have"),
        (
            {"blocks": (Block(None, 0, 150),)},
            "block 0 to 150 has 49 samples after its first second and its gaps, 100 are",
        ),
        ({"blocks": (Block(None, 0, 10**6),)}, "block 0 to 1000000 is none of its "),
        ({"blocks": (Block(None, 50, 50),)}, "block 50 to 50 is none of its "),
        ({"blocks": (Block("hinge", 0, 500),)}, "no block is held out"),
    ],
)
def test_what_its_header_says_is_checked(recording, pendulum, tmp_path, changes, says):
    path = tmp_path / "recording.npz"
    header = dataclasses.replace(recording.header, **changes)
    dataclasses.replace(recording, header=header).save(path)
    refused(path, pendulum, says)


def with_value(values, sample, value):
    changed = values.copy()
    changed[sample] = value
    return changed


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (
            "position",
            lambda each: with_value(each, 7, np.nan),
            "position is not finite in 1 samples, first in sample 7",
        ),
        ("commanded", lambda each: with_value(each, 3, np.inf), "commanded is not finite"),
        ("time", lambda each: with_value(each, 5, np.nan), "time is not finite"),
        ("time", lambda each: with_value(each, 5, each[4]), "time does not ascend after sample 4"),
        ("voltage", lambda each: each[:-1], "voltage has shape"),
        ("load", lambda each: np.tile(each, 2), "load has shape"),
    ],
)
def test_its_values_are_checked(recording, pendulum, tmp_path, name, change, says):
    path = tmp_path / "recording.npz"
    dataclasses.replace(recording, **{name: change(getattr(recording, name))}).save(path)
    refused(path, pendulum, says)


def test_damage_is_seen_wherever_it_is(recording, pendulum, tmp_path):
    path = tmp_path / "recording.npz"
    recording.save(path)
    whole = path.read_bytes()
    for at in np.linspace(60, len(whole) - 60, 25).astype(int):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        try:
            read = load_recording(path, pendulum)
        except HardwareError as error:
            assert "no recording that can be read" in str(error)
        else:  # a byte that means nothing, in the archive's own headers
            assert np.array_equal(read.position, recording.position)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not at all", b"\x93NUMPY\x01\x00"])
def test_other_files_are_refused(pendulum, tmp_path, content):
    path = tmp_path / "recording.npz"
    path.write_bytes(content)
    refused(path, pendulum, "no recording that can be read")


def test_a_cut_file_is_refused(recording, pendulum, tmp_path):
    path = tmp_path / "recording.npz"
    recording.save(path)
    path.write_bytes(path.read_bytes()[:-100])
    refused(path, pendulum, "no recording that can be read")


def test_other_archives_and_versions_are_refused(pendulum, tmp_path):
    path = tmp_path / "recording.npz"
    np.savez(path, time=np.zeros(3))
    refused(path, pendulum, "no recording that can be read")
    np.savez(path, header=np.array('{"version": 9}'))
    refused(path, pendulum, "format version 9, this program reads 1")
    np.save(tmp_path / "one.npy", np.zeros(3))
    refused(tmp_path / "one.npy", pendulum, "no recording that can be read")


def test_a_missing_file_and_a_folder_are_refused(pendulum, tmp_path):
    refused(tmp_path / "none.npz", pendulum, "no such file")
    refused(tmp_path, pendulum, "is a folder")


def test_what_follows_a_gap_is_not_compared(recording):
    block = Block("hinge", 0, 600)
    whole = recording.compared(block)
    assert not whole[:99].any() and whole[101:].all()
    kept = np.r_[0:300, 305:900]
    arrays = {name: getattr(recording, name)[kept] for name in WATCHED}
    gappy = dataclasses.replace(recording, time=recording.time[kept], **arrays)
    left_out = np.flatnonzero(~gappy.compared(block))
    assert left_out[-1] == pytest.approx(330, abs=1)
    assert {*range(300, 330)} <= set(left_out) and not set(left_out) & {*range(101, 300)}


def test_a_recording_that_is_mostly_gaps_is_refused(recording, pendulum, tmp_path):
    path = tmp_path / "recording.npz"
    thin = slice(None, None, 4)
    blocks = tuple(Block(block.joint, block.start // 4, block.stop // 4) for block in recording.header.blocks)
    arrays = {name: getattr(recording, name)[thin] for name in ("time", *WATCHED)}
    dataclasses.replace(recording, header=dataclasses.replace(recording.header, blocks=blocks), **arrays).save(path)
    refused(path, pendulum, "has 0 samples after its first second and its gaps")
