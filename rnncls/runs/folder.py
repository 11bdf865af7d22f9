"""The run folder: the name of every file in it, and where the newest run is.

    config.yaml              the resolved config              ┐
    vocab.txt                one word per line                │ these four predict,
    labels.json              the classes, in the model's order│ anywhere
    model.safetensors        the best epoch's weights         ┘
    vector-words.txt         further words, of text.vectors (text.vector_words)
    tokenizer.json           tokenizer and words, for Hugging Face tokenizers
    from.json                which run this one continues, and which rows it uses
    metrics.jsonl            one row per validation
    summary.json             data, versions, scores; written last
    README.md                the model card
    last/state.safetensors   all that an exact resume needs
    last/lock                held by the process that trains here
    last/launch              which call of torchrun trains here, if one does
    last/overrides.json      the config keys that the user set apart from the file
    events/                  the rows for TensorBoard (train.tensorboard)
    eval-*.json              what `rnncls eval` printed
    confusion-*.csv          the confusion matrix of each eval-*.json
    label-issues.json        what `rnncls eval --label-issues` found
    label-issues.csv         the same as a table, with all rows
    report.html              what `rnncls report` wrote on the test rows
    report-*.html            and on others
    bag-of-words/            the baseline that `rnncls order` trains

A folder of `rnncls pretrain` has `language_model.safetensors` instead of
`model.safetensors`, and no labels or model card.
"""

import contextlib
import itertools
import logging
import os
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rnncls import ConfigError, RunError
from rnncls.machine.files import TEMPORARY

logger = logging.getLogger(__name__)

UNFINISHED = (
    "the training has not finished: this is the best epoch so far, and its"
    " probabilities are not calibrated"
)
RUNS_DIR = Path("runs")
LATEST = "latest"
CONFIG, VOCAB, LABELS = "config.yaml", "vocab.txt", "labels.json"
TOKENIZER, VECTOR_WORDS = "tokenizer.json", "vector-words.txt"
CONTINUATION = "from.json"
MODEL, LANGUAGE_MODEL = "model.safetensors", "language_model.safetensors"
STATE = "last/state.safetensors"


@dataclass(frozen=True)
class RunFolder:
    """The files of a run.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / CONFIG

    @property
    def vocab(self) -> Path:
        """The words, one per line."""
        return self.path / VOCAB

    @property
    def vector_words(self) -> Path:
        """Words that only `text.vectors` has; their token ids follow `vocab`'s."""
        return self.path / VECTOR_WORDS

    @property
    def tokenizer(self) -> Path:
        """The tokenizer and the words in the format of Hugging Face tokenizers.

        Runs of earlier versions lack it for `basic_english` and `whitespace`.
        """
        return self.path / TOKENIZER

    @property
    def continuation(self) -> Path:
        """Which run it continues, and which rows it uses; only such runs have it."""
        return self.path / CONTINUATION

    @property
    def labels(self) -> Path:
        """The classes, in the order of the logits."""
        return self.path / LABELS

    @property
    def model(self) -> Path:
        """The classifier's weights of the best epoch."""
        return self.path / MODEL

    @property
    def language_model(self) -> Path:
        """The language model's weights of the best epoch."""
        return self.path / LANGUAGE_MODEL

    @property
    def metrics(self) -> Path:
        """One row per validation."""
        return self.path / "metrics.jsonl"

    @property
    def summary(self) -> Path:
        """Data, versions and scores. A run that has it is finished."""
        return self.path / "summary.json"

    @property
    def card(self) -> Path:
        """The model card."""
        return self.path / "README.md"

    @property
    def state(self) -> Path:
        """All that an exact resume needs."""
        return self.path / STATE

    @property
    def lock(self) -> Path:
        """The lock of the process that trains here."""
        return self.path / "last/lock"

    @property
    def launch(self) -> Path:
        """The id of the call of torchrun that trains here."""
        return self.path / "last/launch"

    @property
    def overrides(self) -> Path:
        """The config keys that the user set apart from the config file."""
        return self.path / "last/overrides.json"

    @property
    def events(self) -> Path:
        """The folder of the TensorBoard event files."""
        return self.path / "events"

    def evaluation(self, name: str) -> Path:
        """Return the file for the result of `rnncls eval` on a split or data file."""
        return self.path / f"eval-{name}.json"

    def confusion(self, name: str) -> Path:
        """Return the CSV file of the confusion matrix on a split or data file."""
        return self.path / f"confusion-{name}.csv"

    @property
    def label_issues(self) -> Path:
        """Training rows that are probably mislabelled."""
        return self.path / "label-issues.json"

    @property
    def label_issue_table(self) -> Path:
        """The same as a CSV table, with all rows."""
        return self.path / "label-issues.csv"

    def report(self, name: str = "test") -> Path:
        """Return the report page on a split or data file."""
        suffix = "" if name == "test" else f"-{name}"
        return self.path / f"report{suffix}.html"

    @property
    def bag_of_words(self) -> Path:
        """The run folder of the baseline that `rnncls order` trains."""
        return self.path / "bag-of-words"

    def results(self) -> list[Path]:
        """Return the existing files and folders that describe the current weights.

        They are outdated as soon as better weights replace these.
        """
        files = [self.summary, self.card, self.label_issues, self.label_issue_table]
        files += [self.bag_of_words, self.report()]
        for pattern in ("eval-*.json", "confusion-*.csv", "report-*.html"):
            files += sorted(self.path.glob(pattern))
        return [file for file in files if file.exists()]

    def delete_results(self) -> None:
        """Delete the files that describe the current weights.

        Those that other commands than the training wrote are named in the log.

        Raises:
            RunError: A file cannot be deleted.
        """
        results = self.results()
        others = [file for file in results if file not in (self.summary, self.card)]
        if others:
            logger.info(
                "%s: deleted, since the run is trained further: %s",
                self.path,
                ", ".join(file.name for file in others),
            )
        for file in results:
            try:
                if file.is_dir():
                    shutil.rmtree(file)
                else:
                    file.unlink(missing_ok=True)
            except OSError as error:
                raise RunError(
                    f"{file}: cannot be deleted: {error.strerror}"
                ) from error

    def is_run(self) -> bool:
        """Whether the folder has the files that every run begins with."""
        return self.config.is_file() and self.vocab.is_file()

    def has_no_checkpoint(self) -> bool:
        """Whether the folder has only the files of a run before its first save."""
        if not self.path.is_dir():
            return False
        before_first_save = {
            self.config,
            *(self.vocab, self.vector_words),
            self.tokenizer,
            self.continuation,
            self.labels,
            *(self.lock.parent, self.lock),
            *(self.launch, self.overrides),
        }
        existing = {item for item in self.path.rglob("*") if not item.match(TEMPORARY)}
        return existing <= before_first_save

    def check_is_free(
        self, advice: str = "choose another folder, or resume the run in it"
    ) -> None:
        """Check that a new run can be written here; the advice ends the message.

        Raises:
            ConfigError: The path is a file, or a folder that is not empty.
        """
        path = self.path
        if path.exists() and (path.is_file() or any(path.iterdir())):
            raise ConfigError(
                f"{path}: already exists; {advice}", {"out": "FOLDER", "resume": ""}
            )

    def create(self) -> None:
        """Create the folder, and `last/` in it, if they do not exist.

        Raises:
            ConfigError: The path is that of the link to the newest run.
            RunError: The folder cannot be created.
        """
        if self.path.absolute() == (RUNS_DIR / LATEST).absolute():
            raise ConfigError(
                f"{self.path}: is the link to the newest run; choose another folder",
                {"out": "FOLDER"},
            )
        try:
            self.state.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                f"{self.path}: the run folder cannot be created: {error.strerror}"
            ) from error


def find_owner(path: Path) -> Path | None:
    """Return the run folder whose file a path is; None if no run has it."""
    folder = RunFolder(path.parent)
    files = {
        folder.config,
        *(folder.vocab, folder.vector_words),
        folder.tokenizer,
        folder.continuation,
        folder.labels,
        folder.model,
        *(folder.language_model, folder.metrics),
        folder.summary,
        folder.card,
        folder.label_issues,
        folder.label_issue_table,
    }
    if path in files and folder.is_run():
        return folder.path
    for parent in path.parents:
        folder = RunFolder(parent.parent)
        subfolders = {folder.state.parent, folder.events, folder.bag_of_words}
        if parent in subfolders and folder.is_run():
            return folder.path
    return None


def claim_new_folder(stem: str, parent: Path) -> Path:
    """Create an empty folder STEM-DATE-TIME, which no other process gets as well.

    Raises:
        RunError: The folder cannot be created.
    """
    name = f"{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    for number in itertools.count(1):
        path = parent / (name if number == 1 else f"{name}-{number}")
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunError(f"{path}: cannot be created: {error.strerror}") from error
        return path
    raise AssertionError


def release_if_empty(path: Path) -> None:
    """Delete a claimed folder if nothing was written into it."""
    with contextlib.suppress(OSError):
        path.rmdir()


def find_launched(launch: str | None, out: Path | None) -> Path | None:
    """Return the run folder that a call of torchrun has already created, or None.

    Args:
        launch: The id of the call.
        out: The run folder; None: any folder under `runs/`.
    """
    paths = RUNS_DIR.glob("*/") if out is None else [out]
    for path in paths:
        note = RunFolder(path).launch
        has_note = not path.is_symlink() and note.is_file()
        if has_note and note.read_text("utf-8") == launch:
            return path
    return None


def find_run(path: Path | None) -> Path:
    """Return a run folder that has a trained model; by default the newest finished one.

    A note is logged if the training of the run has not finished.

    Raises:
        RunError: No such run exists, or it has no trained model.
    """
    chosen = RUNS_DIR / LATEST if path is None else path
    folder = RunFolder(chosen)
    if path is None and not chosen.exists():
        raise RunError(
            f"no finished run at {chosen}: train one with 'rnncls train CONFIG', or"
            " name its folder"
        )
    if not chosen.is_dir():
        from rnncls.runs.wrong_paths import build_no_run_error  # it imports pydantic

        raise build_no_run_error(chosen)
    if folder.language_model.is_file():
        raise RunError(
            f"{chosen}: a language model, not a classifier: use it with 'rnncls train"
            f" --set model.pretrained={chosen}' first"
        )
    exported = chosen / "model.onnx"
    if not folder.model.is_file() and exported.is_file():
        raise RunError(
            f"{chosen}: an exported folder, not a run folder: predict with {exported},"
            " or name the run folder that it was exported from"
        )
    if not folder.model.is_file():
        raise RunError(
            f"{chosen}: has no {MODEL}: not a run folder, or stopped before its first"
            " validation"
        )
    if not folder.summary.is_file():
        logger.info("%s: %s", chosen, UNFINISHED)
    return chosen.resolve() if path is None else chosen


def point_latest_at(path: Path) -> None:
    """Make the link `runs/latest` point at a run folder.

    Raises:
        RunError: The link cannot be created.
    """
    link = RUNS_DIR / LATEST
    temporary = RUNS_DIR / f".{LATEST}-{os.getpid()}"
    try:
        RUNS_DIR.mkdir(exist_ok=True)
        target = path.resolve()
        is_inside = target.parent == RUNS_DIR.resolve()
        link_text = target.name if is_inside else target
        try:
            temporary.unlink(missing_ok=True)
            temporary.symlink_to(link_text, target_is_directory=True)
            temporary.replace(link)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise RunError(
            f"{link}: cannot be made to point at {path}, which is complete:"
            f" {error.strerror}"
        ) from error
