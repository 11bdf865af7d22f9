"""Fast imports: no garbage collection during them, and as usual afterwards."""

import subprocess
import sys


def test_the_imports_of_the_program_are_not_garbage_collected_but_all_else_is() -> None:
    command = (
        "import gc, rnncls.__main__; assert gc.isenabled(); before ="
        " gc.get_freeze_count(); assert before > 10_000; from rnncls.machine.imports"
        " import fast_imports\n"
        "with fast_imports():\n    assert not gc.isenabled(); import torch\n"
        "assert gc.isenabled(); assert gc.get_freeze_count() > before + 100_000"
    )
    subprocess.run([sys.executable, "-c", command], check=True)


def test_a_garbage_collector_that_was_disabled_stays_disabled() -> None:
    command = (
        "import gc; from rnncls.machine.imports import fast_imports; gc.disable()\n"
        "with fast_imports():\n    import json\n"
        "assert not gc.isenabled()"
    )
    subprocess.run([sys.executable, "-c", command], check=True)
