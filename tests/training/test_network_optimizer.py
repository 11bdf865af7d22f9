"""The optimiser of the network; test_optimizer compares its updates with torch's."""

import subprocess
import sys
from collections.abc import Callable

from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config


def test_a_training_does_not_import_torchs_compiler(
    make_config: Callable[..., Config],
) -> None:
    script = """
import sys
from pathlib import Path
from rnncls.config.loading import parse_config
from rnncls.training.run import train

train(parse_config(sys.argv[1], "toy"), Path("run"))
assert "torch._dynamo" not in sys.modules, "its import takes a second"
"""
    subprocess.run(
        [sys.executable, "-c", script, dump_config(make_config("train.max_epochs=1"))],
        check=True,
    )
