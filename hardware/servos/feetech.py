"""Feetech servos. Facts from the vendor's tables and LeRobot's; see `parse_table` for the columns.

Angles of the encoder are 1/4096 turn, so a step per second is 0.00153398 rad/s.
"""

from __future__ import annotations

from hardware.servos.model import ServoModel, parse_table

BAUDS = {0: 1_000_000, 1: 500_000, 2: 250_000, 3: 128_000, 4: 115_200}
"""Codes 5 to 7 mean different rates to the vendor and to LeRobot and are left out."""

FAULTS = {0x01: "voltage", 0x02: "encoder", 0x04: "overheat", 0x08: "over-current", 0x20: "overload"}
"""Bits of the error byte, of `status`, `unload_condition` and `led_alarm`."""

_STS = """
firmware_major         0 1 r  eprom -   -               ?
firmware_minor         1 1 r  eprom -   -               ?
endianness             2 1 r  eprom -   -               0
model_number           3 2 r  eprom -   -               ?
id                     5 1 rw eprom -   -               1
baud_rate              6 1 rw eprom -   -               0
return_delay           7 1 rw eprom -   2e-6*s          0
status_level           8 1 rw eprom -   -               1
min_position           9 2 rw eprom -   tick            0
max_position          11 2 rw eprom -   tick            4095
max_temperature       13 1 rw eprom -   degC            70
# 80 is the 7.4 V model's; a 12 V model comes with about 140 (not verified).
max_voltage           14 1 rw eprom -   0.1*V           80
min_voltage           15 1 rw eprom -   0.1*V           40
max_torque            16 2 rw eprom -   0.001*-         1000
# Bit 0 drive direction, 2 speed unit (1: step/s, 0: 50 step/s), 3 what speed 0 means, 4 multi-turn feedback,
# 7 feedback direction.
phase                 18 1 rw eprom -   -               12
unload_condition      19 1 rw eprom -   -               44
led_alarm             20 1 rw eprom -   -               47
position_p            21 1 rw eprom -   -               32   0..254
position_d            22 1 rw eprom -   -               32   0..254
position_i            23 1 rw eprom -   -               0    0..254
min_start_force       24 2 rw eprom -   0.001*-         16
dead_zone_cw          26 1 rw eprom -   tick            1
dead_zone_ccw         27 1 rw eprom -   tick            1
protection_current    28 2 rw eprom -   0.0065*A        500
angular_resolution    30 1 rw eprom -   -               1
homing_offset         31 2 rw eprom b11 tick            0
operating_mode        33 1 rw eprom -   -               0
protective_torque     34 1 rw eprom -   0.01*-          20
protection_time       35 1 rw eprom -   0.01*s          200
overload_torque       36 1 rw eprom -   0.01*-          80
velocity_p            37 1 rw eprom -   -               10
over_current_time     38 1 rw eprom -   0.01*s          200
velocity_i            39 1 rw eprom -   -               10
# 128 makes the present position 2048 by writing the offset.
torque_enable         40 1 rw ram   -   -               0
acceleration          41 1 rw ram   -   0.153398*rad/s2 0
goal_position         42 2 rw ram   b15 tick            ?
# In PWM mode the duty, with a sign bit that is 10 or 11 depending on whom one asks.
goal_time             44 2 rw ram   -   -               0
goal_velocity         46 2 rw ram   b15 1.53398e-3*rad/s ?
# Copied from max_torque at power-up.
torque_limit          48 2 rw ram   -   0.001*-         1000
lock                  55 1 rw ram   -   -               ?
present_position      56 2 r  ram   b15 tick            -
present_velocity      58 2 r  ram   b15 1.53398e-3*rad/s -
present_load          60 2 r  ram   b10 0.001*-         -
present_voltage       62 1 r  ram   -   0.1*V           -
present_temperature   63 1 r  ram   -   degC            -
registered            64 1 r  ram   -   -               0
status                65 1 r  ram   -   -               0
moving                66 1 r  ram   -   -               0
present_current       69 2 r  ram   b15 0.0065*A        -
goal_position_copy    71 2 r  ram   b15 tick            -
moving_threshold      80 1 r  ram   -   -               ?
sample_time           81 1 r  ram   -   0.001*s         ?
velocity_factor       82 1 r  ram   -   -               ?
hts                   83 1 r  ram   -   -               ?
max_velocity          84 1 r  ram   -   -               ?
max_acceleration      85 1 rw ram   -   0.153398*rad/s2 ?
acceleration_factor   86 1 r  ram   -   -               ?
"""

# Words are big-endian, the position goes to 1023. Signs and most defaults are not known.
_SCS = """
firmware_major         0 1 r  eprom -   -               ?
firmware_minor         1 1 r  eprom -   -               ?
model_number           3 2 r  eprom -   -               ?
id                     5 1 rw eprom -   -               1
baud_rate              6 1 rw eprom -   -               0
return_delay           7 1 rw eprom -   2e-6*s          ?
status_level           8 1 rw eprom -   -               1
min_position           9 2 rw eprom -   tick            ?
max_position          11 2 rw eprom -   tick            1023
max_temperature       13 1 rw eprom -   degC            ?
max_voltage           14 1 rw eprom -   0.1*V           ?
min_voltage           15 1 rw eprom -   0.1*V           ?
max_torque            16 2 rw eprom -   0.001*-         ?
phase                 18 1 rw eprom -   -               ?
unload_condition      19 1 rw eprom -   -               ?
led_alarm             20 1 rw eprom -   -               ?
position_p            21 1 rw eprom -   -               ?    0..254
position_d            22 1 rw eprom -   -               ?    0..254
position_i            23 1 rw eprom -   -               ?    0..254
min_start_force       24 2 rw eprom -   0.001*-         ?
dead_zone_cw          26 1 rw eprom -   tick            ?
dead_zone_ccw         27 1 rw eprom -   tick            ?
protective_torque     37 1 rw eprom -   -               ?
protection_time       38 1 rw eprom -   -               ?
torque_enable         40 1 rw ram   -   -               0
acceleration          41 1 rw ram   -   -               ?
goal_position         42 2 rw ram   -   tick            ?
goal_time             44 2 rw ram   -   -               ?
goal_velocity         46 2 rw ram   -   -               ?
lock                  48 1 rw ram   -   -               ?
present_position      56 2 r  ram   -   tick            -
present_velocity      58 2 r  ram   -   -               -
present_load          60 2 r  ram   -   -               -
present_voltage       62 1 r  ram   -   0.1*V           -
present_temperature   63 1 r  ram   -   degC            -
registered            64 1 r  ram   -   -               0
status                65 1 r  ram   -   -               0
moving                66 1 r  ram   -   -               0
"""


def _sts(name: str, number: int) -> ServoModel:
    return ServoModel(
        name=name,
        number=number,
        protocol="feetech",
        order="little",
        resolution=4096,
        registers=parse_table(_STS, {"model_number": number}),
        bauds=BAUDS,
        faults=FAULTS,
        eprom_guard="lock",
        acknowledging=1,
        has_readable_gaps=True,
    )


STS3215 = _sts("STS3215", 777)
STS3250 = _sts("STS3250", 2825)
"""Its addresses are the family's; its defaults are taken to be the STS3215's, which nobody has checked."""

SCS0009 = ServoModel(
    name="SCS0009",
    number=1284,
    protocol="feetech",
    order="big",
    resolution=1024,
    registers=parse_table(_SCS, {"model_number": 1284}),
    bauds=BAUDS,
    faults=FAULTS,
    eprom_guard="lock",
    acknowledging=1,
    has_sync_read=False,
    has_readable_gaps=True,
)
