"""
A simulated ECG board on a real pseudo-terminal, in real time, with the truth beside it.

What reads it cannot tell it from a board by its bytes: packets leave a line of the
board's baud rate, arrive in bursts as a USB adapter hands them over, cut anywhere;
what nobody reads in time is lost. Beside it lies what no board gives: the true
instant of every sample. The physical side (pulling the cable, a stuck hub) is in
verbs that a test can call.

Not reproduced: the baud rate set by the reader (a pseudo-terminal only stores it),
modem lines, the low-latency switch, the radio between a Cyton and its dongle, an
adapter handing over early because its 62 bytes are full or losing bytes because it is
not asked in time, bit errors in a packet.
"""

from edge.simulator.board import FTDI_BURST_MS, SimulatedBoard, Tally
from edge.simulator.truth import Truth, read_truth

__all__ = ["FTDI_BURST_MS", "SimulatedBoard", "Tally", "Truth", "read_truth"]
