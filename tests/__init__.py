"""Tests of both packages.

Kernels get at least two threads, even on a machine with one core, because tests compare one thread with two. Threads
of OpenMP that have nothing to do sleep, because processes of the tests share the cores. Libraries read both when they
are imported, so they are set here, before any other module of the tests.
"""

import os

#: Number of cores that this process may use.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

os.environ.setdefault("NUMBA_NUM_THREADS", str(max(2, CORES)))
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
