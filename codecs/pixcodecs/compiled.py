"""How functions are compiled: cached on disk, without the interpreter's lock, and with the arithmetic of NumPy.

Everything compiled computes with integers, or with floats that hold integers, so what it gives is what NumPy gives.
"""

from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
