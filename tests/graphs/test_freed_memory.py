"""What the C library keeps of freed memory goes back to the system."""

import subprocess
import sys

import pytest

from edgeq.graphs.freed_memory import _malloc_trim

FREES_ALL_BUT_THE_LAST = """
import numpy as np
from edgeq.graphs.freed_memory import _resident, give_back

del_first = np.ones(30 << 20, np.uint8)
del del_first  # glibc now keeps blocks of up to 30 MB
arrays = [np.ones(1 << 20, np.uint8) for _ in range(500)]
last = arrays[-1]
del arrays
before = _resident()
give_back()
print(before >> 20, _resident() >> 20)
"""


@pytest.mark.skipif(_malloc_trim() is None, reason="the C library is not glibc")
def test_a_large_process_shrinks_to_what_it_holds() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FREES_ALL_BUT_THE_LAST], capture_output=True, text=True, check=True
    )
    before, after = map(int, ran.stdout.split())
    assert before > 500
    assert after < 100
