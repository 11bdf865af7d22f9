"""Find the files of a data set: the training file, and others beside it."""

from pathlib import Path

from rnncls import DataError
from rnncls.data.file_sets import class_folders, data_ending, list_files, missing_file
from rnncls.data.splits import Split

Files = dict[Split, Path]
SPLIT_NAMES: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}
"""What the files, or folders, of the splits are called."""
_DATA_ENDINGS = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx"}


def find_files(path: Path) -> Files:
    """Return the training file of a data set, and its validation and test files.

    Args:
        path: The training file; or a folder that holds it, or data files of one
            format, or a subfolder per class; or a pattern such as `parts/*.csv`.

    Raises:
        DataError: There is no training file.
    """
    if not path.exists():
        if list_files(path) == [path]:
            raise missing_file(path, "file or folder")
        return {"train": path}
    if path.is_file():
        return _with_siblings(path)
    train = _find_train(path)
    if train is not None:
        return _with_siblings(train)
    if len(class_folders(path)) >= 2:
        return {"train": path}
    data_files = [
        file
        for file in path.iterdir()
        if file.is_file() and data_ending(file) in _DATA_ENDINGS
    ]
    if len(data_files) == 1:
        return {"train": data_files[0]}
    if data_files and len(list_files(path)) > 1:
        return {"train": path}
    raise DataError(
        f"{path}: a folder with neither a train file nor a subfolder per class: name"
        " the file to train on"
    )


def _find_train(folder: Path) -> Path | None:
    """Return the first file, or else folder, that has the name of training data."""
    for name in SPLIT_NAMES["train"]:
        files = sorted(path for path in folder.glob(f"{name}.*") if path.is_file())
        if files:
            return files[0]
        if (folder / name).is_dir():
            return folder / name
    return None


def _with_siblings(train: Path) -> Files:
    """Return a training file or folder, and those of the other splits beside it.

    There are others only if the name of the training data says so.
    """
    files: Files = {"train": train}
    file_name = train.name.lower()
    for word in reversed(SPLIT_NAMES["train"]):
        if word in file_name:
            break
    else:
        return files
    for split in ("valid", "test"):
        for name in SPLIT_NAMES[split]:
            path = train.with_name(file_name.replace(word, name))
            if path.exists() and path.is_dir() == train.is_dir():
                files.setdefault(split, path)
    return files
