"""The config of a command that takes a config, a run folder or a data file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from rnncls.cli.options import YAML_ENDINGS
from rnncls.machine.imports import fast_imports
from rnncls.text.display import printable_lines

if TYPE_CHECKING:
    from rnncls.config.sections import Config


class ConfigSource(NamedTuple):
    """A config, and where it comes from.

    Attributes:
        config: The config.
        folder: The temporary folder of the files that a data file was converted to;
            None: the config is not drafted.
    """

    config: "Config"
    folder: Path | None = None


@contextmanager
def open_config(
    source: Path, overrides: Sequence[str], draft_overrides: Sequence[str] = ()
) -> Iterator[ConfigSource]:
    """Load a config, or draft one for a data file, as `rnncls init` does.

    The converted files of a draft exist until the end of the context.

    Args:
        source: The config, a run folder, or the data.
        overrides: Changes to keys of the config.
        draft_overrides: Changes to keys of a drafted config, before `overrides`.

    Raises:
        RnnclsError: The config or the data is wrong.
    """
    import tempfile

    from rnncls.config.loading import load_config, parse_config
    from rnncls.runs.folder import RunFolder

    folder = RunFolder(source)
    if folder.is_run():
        yield ConfigSource(load_config(folder.config, overrides))
        return
    if source.suffix.lower() in YAML_ENDINGS:
        yield ConfigSource(load_config(source, overrides))
        return
    with fast_imports():
        from rnncls.data.conversion import ConversionOptions
        from rnncls.data.init_config import draft_config

    with tempfile.TemporaryDirectory() as name:
        options = ConversionOptions(is_temporary=True)
        draft = draft_config(str(source), Path(name) / "config.yaml", options=options)
        for note in draft.notes:
            typer.echo(printable_lines(note), err=True)
        changes = [*draft_overrides, *overrides]
        config = parse_config(draft.text, "the drafted config", changes)
        yield ConfigSource(config, Path(name))
