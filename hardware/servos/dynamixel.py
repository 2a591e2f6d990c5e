"""Dynamixel X servos. Facts from the vendor's manual; see `parse_table` for the columns.

A count of velocity is 0.229 rev/min, of acceleration 214.577 rev/min^2, of PWM 1/885 of the supply.
"""

from __future__ import annotations

from hardware.servos.model import ServoModel, parse_table

BAUDS = {0: 9_600, 1: 57_600, 2: 115_200, 3: 1_000_000, 4: 2_000_000, 5: 3_000_000, 6: 4_000_000}

FAULTS = {0x01: "voltage", 0x04: "overheat", 0x08: "encoder", 0x10: "electrical shock", 0x20: "overload"}
"""Bits of `status` (the manual's hardware error status) and of `shutdown`."""

_X = """
model_number             0 2 r  eprom -  -                 ?
model_information        2 4 r  eprom -  -                 ?
firmware_version         6 1 r  eprom -  -                 ?
id                       7 1 rw eprom -  -                 1    0..252
baud_rate                8 1 rw eprom -  -                 1    0..6
return_delay             9 1 rw eprom -  2e-6*s            250  0..254
# Bit 0 reverses the direction.
drive_mode              10 1 rw eprom -  -                 0    0..5
# 0 current, 1 velocity, 3 position, 4 extended position, 5 current-based position, 16 PWM.
operating_mode          11 1 rw eprom -  -                 3    0..16
shadow_id               12 1 rw eprom -  -                 255
protocol_type           13 1 rw eprom -  -                 2
# Present = actual + offset. Ignored outside +-1024 in mode 3.
homing_offset           20 4 rw eprom 2c tick              0    -1044479..1044479
moving_threshold        24 4 rw eprom -  0.0239808*rad/s   10   0..1023
max_temperature         31 1 rw eprom -  degC              ?    0..100
max_voltage             32 2 rw eprom -  0.1*V             ?
min_voltage             34 2 rw eprom -  0.1*V             ?
pwm_limit               36 2 rw eprom -  1.12994e-3*-      885  0..885
velocity_limit          44 4 rw eprom -  0.0239808*rad/s   ?
max_position            48 4 rw eprom -  tick              4095 0..4095
min_position            52 4 rw eprom -  tick              0    0..4095
startup_configuration   60 1 rw eprom -  -                 0
shutdown                63 1 rw eprom -  -                 52
torque_enable           64 1 rw ram   -  -                 0    0..1
led                     65 1 rw ram   -  -                 0    0..1
status_level            68 1 rw ram   -  -                 2    0..2
registered              69 1 r  ram   -  -                 0
status                  70 1 r  ram   -  -                 0
velocity_i              76 2 rw ram   -  -                 ?    0..16383
velocity_p              78 2 rw ram   -  -                 ?    0..16383
position_d              80 2 rw ram   -  -                 0    0..16383
position_i              82 2 rw ram   -  -                 0    0..16383
position_p              84 2 rw ram   -  -                 ?    0..16383
feedforward_2           88 2 rw ram   -  -                 0    0..16383
feedforward_1           90 2 rw ram   -  -                 0    0..16383
# Reads -1 once it has tripped; only 0 clears it.
bus_watchdog            98 1 rw ram   2c 0.02*s            0    0..127
goal_pwm               100 2 rw ram   2c 1.12994e-3*-      ?
goal_velocity          104 4 rw ram   2c 0.0239808*rad/s   ?
acceleration           108 4 rw ram   -  0.374508*rad/s2   0    0..32767
profile_velocity       112 4 rw ram   -  0.0239808*rad/s   0    0..32767
goal_position          116 4 rw ram   2c tick              ?
tick                   120 2 r  ram   -  0.001*s           -
moving                 122 1 r  ram   -  -                 0
moving_status          123 1 r  ram   -  -                 0
present_pwm            124 2 r  ram   2c 1.12994e-3*-      -
present_velocity       128 4 r  ram   2c 0.0239808*rad/s   -
present_position       132 4 r  ram   2c tick              -
velocity_trajectory    136 4 r  ram   2c 0.0239808*rad/s   -
position_trajectory    140 4 r  ram   2c tick              -
present_voltage        144 2 r  ram   -  0.1*V             -
present_temperature    146 1 r  ram   -  degC              -
backup_ready           147 1 r  ram   -  -                 ?
"""

_LOAD = "present_load 126 2 r ram 2c 0.001*- -"
_CURRENT = """
current_limit   38 2 rw eprom -  {ampere}*A {limit} 0..{limit}
goal_current   102 2 rw ram   2c {ampere}*A ?
present_current 126 2 r ram   2c {ampere}*A -
"""
_PWM_SLOPE = "pwm_slope 62 1 rw eprom - 1.977*V/s 140 1..255"


def _indirect(address: int, data: int, count: int) -> str:
    """The first block of indirect addressing: slot k reads and writes the byte whose address it holds."""
    lines = [f"indirect_address_{k + 1} {address + 2 * k} 2 rw ram - - {data + k}" for k in range(count)]
    lines += [f"indirect_data_{k + 1} {data + k} 1 rw ram - - 0" for k in range(count)]
    return "\n".join(lines)


def _x(name: str, number: int, *more: str, **defaults: int) -> ServoModel:
    # Old firmware knows neither fast sync read (before about 45, not verified) nor the watchdog (before 38).
    return ServoModel(
        name=name,
        number=number,
        protocol="dynamixel",
        order="little",
        resolution=4096,
        registers=parse_table("\n".join((_X, *more)), {"model_number": number, **defaults}),
        bauds=BAUDS,
        faults=FAULTS,
        eprom_guard="torque_enable",
        acknowledging=2,
        has_fast_sync_read=True,
        has_watchdog=True,
    )


_SMALL = (_CURRENT.format(ampere=0.001, limit=1750), _PWM_SLOPE, _indirect(168, 208, 20))
_LARGE = _indirect(168, 224, 28)

XL330_M077 = _x(
    "XL330-M077", 1190, *_SMALL,
    max_temperature=70, max_voltage=70, min_voltage=35, velocity_limit=1620, shutdown=53,
    velocity_i=400, velocity_p=40, position_i=400, position_p=400,
)  # fmt: skip
XL330_M288 = _x(
    "XL330-M288", 1200, *_SMALL,
    max_temperature=70, max_voltage=70, min_voltage=35, velocity_limit=445, shutdown=53,
    velocity_i=1600, velocity_p=180, position_p=400,
)  # fmt: skip
XL430 = _x(
    "XL430", 1060, _LOAD, _LARGE,
    max_temperature=72, max_voltage=140, min_voltage=60, velocity_limit=265,
    velocity_i=1000, velocity_p=100, position_d=4000, position_p=640,
)  # fmt: skip
XC430 = _x(
    "XC430", 1070, _LOAD, _LARGE,
    max_temperature=80, max_voltage=160, min_voltage=60, velocity_limit=460, moving_threshold=20,
    velocity_i=1920, velocity_p=100, position_p=460,
)  # fmt: skip
XM430 = _x(
    "XM430", 1020, _CURRENT.format(ampere=0.00269, limit=1193), _LARGE,
    max_temperature=80, max_voltage=160, min_voltage=95, velocity_limit=200,
    velocity_i=1920, velocity_p=100, position_p=800,
)  # fmt: skip
XM540 = _x(
    "XM540", 1120, _CURRENT.format(ampere=0.00269, limit=2047), _LARGE,
    max_temperature=80, max_voltage=160, min_voltage=95, velocity_limit=128,
    velocity_i=1920, velocity_p=100, position_p=800,
)  # fmt: skip
