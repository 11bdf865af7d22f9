"""The section `data` of the config, and the base class of all sections."""

from typing import Annotated, Any, Literal, Self

from annotated_types import MinLen
from pydantic import BaseModel, ConfigDict, model_validator

from rnncls.config.field_types import Fraction, Seed, Text, Texts

DATA_SOURCE_HINT = (
    "set data.name to a built-in data set, or data.train to your own file"
)


class Section(BaseModel):
    """A group of keys that cannot be changed after it was validated."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        defer_build=True,  # what checks a section alone is built when it is needed
    )

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values for some keys, validated as a new section.

        Use this instead of pydantic's `model_copy`, which does not validate.

        Raises:
            pydantic.ValidationError: A key is unknown, or a value is wrong.
        """
        return self.model_validate({**dict(self), **changes})


class DataSection(Section):
    """The rows to train on, validate with and test."""

    name: Literal["ag_news", "quickstart"] | None = None
    """A built-in data set, or null to use the files below."""
    root: Text = "data"
    """Folder of the built-in data sets: `ag_news` is read from
    `<root>/ag_news/{train,test}.csv`."""
    train: Text | None = None
    """Your training file: .csv, .tsv, .jsonl or .parquet. `rnncls init` writes a config
    for these and other formats."""
    valid: Text | None = None
    """Your validation file. Without one, `valid_fraction` of the training rows is held
    out."""
    test: Text | None = None
    """Your test file. Only `rnncls eval` reads it."""
    unlabelled: list[Text] = []
    """More texts for `rnncls pretrain`: .csv, .tsv, .jsonl, .parquet, or any other file
    with one text per line."""
    text: Texts = ["title", "description"]
    """Columns of the text. Several columns are joined with a space."""
    label: Text | Texts = "label"
    """Column of the label. For `model.task: several_labels`: a column of lists, a
    column of labels with `label_separator` between them, or a list of columns, one for
    each label, with 1 for yes and 0 for no."""
    label_separator: Annotated[Text, MinLen(1)] | None = None
    """What separates several labels in the column of the label, such as `;`. null: the
    column has one label a row, or lists as in JSON lines and Parquet."""
    delimiter: Literal["comma", "semicolon", "tab", "pipe"] | None = None
    """Delimiter between the columns of your files, whatever their file extension. null:
    a comma in .csv, a tab in .tsv."""
    columns: Texts | None = None
    """Names of all columns, in order, for .csv and .tsv files without a header row."""
    valid_fraction: Fraction = 0.05
    """Fraction of the training rows that is held out for validation, stratified by
    class."""
    split: Literal["rows", "texts"] = "rows"
    """What is drawn for validation, testing and the folds of cross-validation. `rows`:
    single rows. `texts`: all copies of a text together, so that no text is in two
    splits; case, white space and HTML do not matter. `rnncls init` writes `texts`."""
    split_seed: Seed | None = None
    """Random seed for the choice of validation rows. Set it to keep them the same for
    runs with different seeds. null: use `seed`."""
    test_fraction: Fraction | None = None
    """Fraction of the training file that is held out as the test set when there is no
    test file, stratified by class. The choice of rows does not depend on any seed.
    null: no test set."""

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns that the labels are read from."""
        return (self.label,) if isinstance(self.label, str) else tuple(self.label)

    @property
    def has_several_labels(self) -> bool:
        """Whether a row has a set of labels instead of one label."""
        return self.label_separator is not None or not isinstance(self.label, str)

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        has_files = bool(self.train or self.valid or self.test)
        if self.name is None and self.train is None:
            raise ValueError(DATA_SOURCE_HINT)
        if self.name is not None and has_files:
            raise ValueError(
                f"data.name: {self.name} has its own files: set data.name to null"
                " to use yours"
            )
        if self.test_fraction is not None and (self.name or self.test):
            raise ValueError(
                "data.test_fraction: the data already has a test file: to use the file,"
                " set data.test_fraction=null"
            )
        return self

    @model_validator(mode="after")
    def _check_columns(self) -> Self:
        names = [*self.text, *self.label_columns]
        if len(set(names)) < len(names):
            raise ValueError(
                "data.text and data.label must name different columns, each once"
            )
        if len(self.label_columns) > 1 and self.label_separator is not None:
            raise ValueError(
                "data.label_separator: data.label has a column for each label, whose"
                " values are 1 and 0: set it to null"
            )
        if self.name is not None and (self.delimiter or self.columns):
            raise ValueError(
                f"data.name: {self.name} has its own file format: remove"
                " data.delimiter and data.columns"
            )
        columns_needed = {*(self.columns or []), *names}
        if self.columns is not None and sorted(columns_needed) != sorted(self.columns):
            raise ValueError(
                "data.columns must list every column once, including those of"
                " data.text and data.label"
            )
        return self
