"""Fast imports: what they leave out, and that it is as usual afterwards."""

import _imp
import gc
import importlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rnncls.machine.imports import import_meanwhile, one_blas_thread


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


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a module that does not exist yet, `new_module`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "new_module", raising=False)
    return tmp_path / "new_module.py"


def test_a_block_runs_while_another_thread_imports(module: Path) -> None:
    file = module.parent / "written by the block"
    module.write_text(
        "import threading, time, pathlib\n"
        "thread = threading.current_thread()\n"
        f"while not pathlib.Path({str(file)!r}).exists(): time.sleep(0.01)\n"
    )
    with import_meanwhile("new_module"):
        file.touch()
    assert sys.modules["new_module"].thread is not threading.current_thread()
    assert gc.isenabled()


def test_the_next_import_of_a_module_raises_its_error(module: Path) -> None:
    module.write_text("1 / 0")
    with import_meanwhile("new_module"):
        pass
    with pytest.raises(ZeroDivisionError):
        importlib.import_module("new_module")


def test_an_error_of_the_block_is_raised_once_the_module_is_imported(
    module: Path,
) -> None:
    module.write_text("")
    with pytest.raises(KeyError), import_meanwhile("new_module"):
        raise KeyError
    assert "new_module" in sys.modules


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


def test_ctrl_c_within_an_import_does_not_stop_the_other_thread(module: Path) -> None:
    module.write_text("")

    def import_package() -> None:
        _imp.acquire_lock()  # CPython may be interrupted before it releases it
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), import_meanwhile("new_module"):
        import_package()
    assert "new_module" in sys.modules
