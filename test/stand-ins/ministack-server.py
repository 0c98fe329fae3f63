"""Runs ministack, a stand-in for SQS, by the time that a test sets: ms in 8 bytes of a mapped file, 0 for the real time."""

import mmap
import os
import struct
import sys
import time

with open(os.environ["HOLDFAST_TIME_FILE"], "rb") as file:
    cell = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
real_time = time.time


def shared_time():
    (now_ms,) = struct.unpack("<q", cell[:8])
    # Without the added microsecond 1.005 s would become 1004 ms, since ministack cuts off the fraction.
    return now_ms / 1000 + 1e-6 if now_ms else real_time()


time.time = shared_time

from ministack.app import main  # noqa: E402

sys.exit(main())
