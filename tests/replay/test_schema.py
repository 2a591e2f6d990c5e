import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from porl_robot.replay.record import LogSpec, StepRecord
from porl_robot.replay.schema import (
    FIELDS,
    close_tail,
    decode_row,
    encode_row,
    episode_ends,
    row_dtype,
    spec_from_json,
    spec_to_json,
)


def test_every_attribute_of_a_record_has_its_array():
    names = {field.name for field in dataclasses.fields(StepRecord)} - {"final_observation"}
    assert {field.name for field in FIELDS} == names
    assert " ".join(field.key for field in FIELDS) == (
        "observation.state action action_requested log_prob next.reward next.terminated "
        "next.truncated next.success source is_intervention filters episode_index frame_index "
        "phase policy_version time.tick time.observed time.sent"
    )


@given(st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 8))
def test_a_record_survives_its_row(stream, seed, observation_size, action_size):
    spec = LogSpec("x", observation_size, action_size, 20.0, None, True, ())
    dtype = row_dtype(spec)
    for record in stream(spec, [3], seed=seed):
        row = np.frombuffer(encode_row(record, dtype), dtype)[0]
        back = decode_row(row, record.final_observation)
        for field in dataclasses.fields(StepRecord):
            mine, theirs = getattr(back, field.name), getattr(record, field.name)
            assert type(mine) is type(theirs)
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("name", ["observation", "action", "action_requested"])
@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_a_vector_of_another_shape_is_refused(spec, stream, name, shape):
    record = dataclasses.replace(next(stream(spec, [1])), **{name: np.zeros(shape)})
    with pytest.raises(ValueError, match=name):
        encode_row(record, row_dtype(spec))


def rows_of(spec, records):
    dtype = row_dtype(spec)
    return np.frombuffer(b"".join(encode_row(record, dtype) for record in records), dtype)


def test_an_open_tail_is_closed_as_truncated_with_unknown_end(spec, stream):
    rows = rows_of(spec, list(stream(spec, [2, 4]))[:5])
    finals = np.zeros((1, spec.observation_size), np.float32)
    closed, closed_finals = close_tail(rows, finals)
    assert episode_ends(closed).tolist() == [2, 5]
    assert closed["next.truncated"][-1] and not closed["next.terminated"][-1]
    assert np.isfinite(closed_finals).all(axis=1).tolist() == [True, False]
    assert not rows["next.truncated"][-1]


@pytest.mark.parametrize("lengths", [[], [3], [2, 4]])
def test_a_complete_tail_is_left_alone(spec, stream, lengths):
    rows = rows_of(spec, stream(spec, lengths))
    finals = np.zeros((len(lengths), spec.observation_size), np.float32)
    assert close_tail(rows, finals) == (rows, finals)


@pytest.mark.parametrize("bounds", [None, (-1.0, 0.25)])
def test_a_spec_survives_json(spec, bounds):
    spec = dataclasses.replace(spec, reward_bounds=bounds)
    assert spec_from_json(spec_to_json(spec)) == spec
