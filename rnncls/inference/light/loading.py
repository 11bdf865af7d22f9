"""Load a run for the light runtime."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rnncls import RnnclsError
from rnncls.config.sections import Config
from rnncls.inference.light.support import find_unsupported
from rnncls.machine.accelerators import is_surely_cpu
from rnncls.runs.companions import load_run_config
from rnncls.runs.portable import (
    Array,
    PortableClassifier,
    build_portable,
    load_verified_arrays,
)


def load_light(path: Path, device: str | None) -> PortableClassifier | None:
    """Load and verify a run, unless its predictions need torch.

    Args:
        path: The run folder.
        device: The device that the user asks for; None: the one in the run's config.

    Returns:
        The classifier; None if the device may be another than the CPU, or if the run
        has a setting that the light runtime does not know.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    if device is not None and not is_surely_cpu(device):
        return None
    weights, config = load_weights_and_config(path)
    if not is_surely_cpu(device or config.device):
        return None
    if find_unsupported(config.text, config.model) is not None:
        return None
    return build_portable(path, weights, config.text, config.model, config.data)


def load_weights_and_config(path: Path) -> tuple[dict[str, Array], Config]:
    """Verify the weights in a thread while the config is parsed.

    Computing the checksum of the weights does not hold Python's lock.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    with ThreadPoolExecutor(1) as thread:
        loading = thread.submit(load_verified_arrays, path)
        try:
            config = load_run_config(path)
        except RnnclsError:
            loading.result()  # that the config is not the run's own is said first
            raise
        return loading.result(), config
