"""Bytes on the wire and the frames they mean, for both ends of a bus. Pure: nothing here reads or writes a port."""
