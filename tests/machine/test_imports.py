"""Fast imports: what they leave out, and that it is as usual afterwards."""

import os
import subprocess
import sys

import pytest

from rnncls.machine.imports import one_blas_thread


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


def test_one_thread_is_requested_during_the_import_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    with one_blas_thread():
        assert os.environ["OPENBLAS_NUM_THREADS"] == "1"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_the_number_of_threads_that_the_user_has_set_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    with one_blas_thread():
        assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"
