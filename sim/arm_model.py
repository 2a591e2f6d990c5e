"""The training arm: five joints and a parallel gripper, built of primitives, with a table and a cube.

At zero the upper arm is vertical, the forearm horizontal and the gripper points down. World frame: x forward, z up,
origin on the table under the pan axis. Lengths [m], angles [rad], masses [kg].
"""

from __future__ import annotations

JOINTS = ("pan", "lift", "elbow", "wrist", "roll", "finger")
"""Actuated joints in the order of commands. "finger" is a slide that the second finger mirrors."""

CUBE_HALF_SIZE = 0.014

ARM_XML = """
<mujoco model="training_arm">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="0.005" integrator="implicitfast" cone="elliptic" impratio="5" iterations="20"/>
  <visual>
    <quality shadowsize="0" offsamples="0"/>
    <global offwidth="640" offheight="480"/>
  </visual>
  <default>
    <joint damping="0.3" armature="0.02" frictionloss="0.02"/>
    <geom contype="0" conaffinity="0" rgba=".55 .6 .66 1"/>
    <default class="contact">
      <geom contype="1" conaffinity="1"/>
    </default>
    <default class="finger">
      <joint type="slide" range="0.002 0.035" damping="2" armature="0.01" frictionloss="0.02"/>
      <geom type="box" size=".012 .004 .024" pos="0 .004 -.071" mass=".012"
            contype="1" conaffinity="1" friction="1.5 .02 .001" condim="4" rgba=".25 .27 .3 1"/>
    </default>
  </default>
  <worldbody>
    <light pos=".3 -.4 1" dir="-.1 .3 -1" diffuse=".8 .8 .8"/>
    <camera name="front" pos=".62 -.42 .38" xyaxes=".65 .76 0 -.34 .29 .89"/>
    <geom name="table" class="contact" type="plane" size="1 1 .05" friction="1 .005 .0001"
          rgba=".86 .85 .82 1"/>
    <body name="base" pos="0 0 .1">
      <geom type="cylinder" size=".035 .05" pos="0 0 -.05" mass=".3"/>
      <joint name="pan" axis="0 0 1" range="-1.9 1.9"/>
      <body name="upper" pos=".03 0 .02">
        <joint name="lift" axis="0 1 0" range="-1.7 1.7"/>
        <geom type="capsule" size=".014" fromto="0 0 0 0 0 .116" mass=".10"/>
        <body name="forearm" pos="0 0 .116">
          <joint name="elbow" axis="0 1 0" range="-1.7 1.7"/>
          <geom type="capsule" size=".012" fromto="0 0 0 .135 0 0" mass=".08"/>
          <body name="wrist" pos=".135 0 0">
            <joint name="wrist" axis="0 1 0" range="-1.7 1.7"/>
            <geom type="capsule" size=".011" fromto="0 0 0 0 0 -.05" mass=".05"/>
            <body name="hand" pos="0 0 -.06">
              <joint name="roll" axis="0 0 1" range="-2.7 2.7"/>
              <geom name="palm" class="contact" type="box" size=".016 .045 .014" pos="0 0 -.024"
                    mass=".05"/>
              <site name="tool" pos="0 0 -.085" size=".004" rgba=".1 .7 .2 1"/>
              <body name="left_finger">
                <joint name="finger" class="finger" axis="0 1 0"/>
                <geom name="left_pad" class="finger"/>
              </body>
              <body name="right_finger">
                <joint name="finger_mirror" class="finger" axis="0 -1 0"/>
                <geom name="right_pad" class="finger" pos="0 -.004 -.071"/>
              </body>
            </body>
          </body>
        </body>
      </body>
    </body>
    <body name="cube" pos=".2 0 .014">
      <freejoint name="cube"/>
      <geom name="cube" class="contact" type="box" size=".014 .014 .014" mass=".03"
            friction="1 .005 .0001" condim="4" rgba=".85 .3 .2 1"/>
    </body>
    <site name="goal" type="sphere" size=".012" rgba=".2 .45 .9 .5" pos=".2 0 .1"/>
  </worldbody>
  <equality>
    <joint joint1="finger_mirror" joint2="finger" polycoef="0 1 0 0 0"/>
  </equality>
  <actuator>
    <position name="pan" joint="pan" kp="90" kv="4" forcerange="-6 6"/>
    <position name="lift" joint="lift" kp="90" kv="4" forcerange="-6 6"/>
    <position name="elbow" joint="elbow" kp="90" kv="4" forcerange="-6 6"/>
    <position name="wrist" joint="wrist" kp="50" kv="2" forcerange="-6 6"/>
    <position name="roll" joint="roll" kp="20" kv=".8" forcerange="-6 6"/>
    <position name="finger" joint="finger" kp="300" kv="8" forcerange="-8 8"/>
  </actuator>
</mujoco>
"""
