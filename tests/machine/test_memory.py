"""The settings of malloc, in a new process, because they stay for the process."""

import ctypes
import subprocess
import sys

import pytest

HAS_MALLOPT = sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt")

COUNT_FAULTS = """
import ctypes, resource, sys, threading
from rnncls.machine.memory import tune_malloc

if "tuned" in sys.argv:
    tune_malloc()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
num_blocks, size = int(sys.argv[1]), int(sys.argv[2]) << 20


def use_blocks():
    blocks = [libc.malloc(size) for _ in range(num_blocks)]
    for block in blocks:
        ctypes.memset(block, 1, size)
    for block in blocks:
        libc.free(block)


def count_faults():
    use_blocks()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    use_blocks()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


if "thread" in sys.argv:
    thread = threading.Thread(target=count_faults)
    thread.start()
    thread.join()
else:
    count_faults()
"""


def count_faults(*arguments: str) -> int:
    """Return the pages that the second use of some blocks of memory had to fault in."""
    command = [sys.executable, "-c", COUNT_FAULTS, *arguments]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(process.stdout)


@pytest.mark.skipif(not HAS_MALLOPT, reason="a setting of glibc")
@pytest.mark.parametrize(
    ("where", "num_blocks", "mebibytes"),
    [("main", "1", "48"), ("thread", "1", "48"), ("thread", "5", "16")],
)
def test_freed_memory_is_kept_for_the_next_step(
    where: str, num_blocks: str, mebibytes: str
) -> None:
    without = count_faults(num_blocks, mebibytes, where)
    assert without > 0
    assert count_faults(num_blocks, mebibytes, where, "tuned") < without / 4
