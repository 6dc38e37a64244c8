"""Tests of both packages.

Kernels get two threads at least, also on a machine of one core, where tests compare one thread with two. numba reads
their number when it is imported, so it is set here, before any other module of the tests.
"""

import os

#: Cores that this process may use.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

os.environ.setdefault("NUMBA_NUM_THREADS", str(max(2, CORES)))
