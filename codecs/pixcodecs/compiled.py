"""Settings for compiled functions: cached on disk, without the interpreter's lock, and with NumPy's arithmetic.

All compiled functions compute with integers or integer-valued floats, so the results equal NumPy's.
"""

from numba import njit

compiled = njit(cache=True, nogil=True, error_model="numpy")
