"""A port of a maker's SDK, open at a virtual arm. Both SDKs descend from one and have the same faces."""

from __future__ import annotations


def opened(sdk, arm):
    """The port of `arm`. It is patient: an SDK gives up 34 ms after a request even if the reply is there by then, where
    a busy machine kept it from looking.
    """

    class Patient(sdk.PortHandler):
        def setPacketTimeout(self, packet_length):
            super().setPacketTimeout(packet_length)
            self.packet_timeout += 500.0

    port = Patient(str(arm.link))
    port.openPort()
    port.setBaudRate(1_000_000)
    return port
