"""Fingerprints of data: what tells one data file, or one split, from another."""

from typing import Any

from rnncls.config.sections import DataSection
from rnncls.data.datasets import LabelledTexts
from rnncls.data.sources import Sources, split_seed
from rnncls.data.splits import split_test_rows
from rnncls.machine.files import sha256_of
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import Vocab


def describe_file(source: LabelledTexts) -> dict[str, Any]:
    """Return the path, the checksum and the number of rows of a data file."""
    return {
        "path": str(source.path),
        "sha256": source.sha256,
        "num_rows": len(source.labels),
    }


def compute_fingerprint(
    sources: Sources,
    section: DataSection,
    seed: int,
    texts: EncodedTexts,
    vocab: Vocab,
) -> dict[str, Any]:
    """Return what identifies the data of a run.

    Args:
        sources: The training and validation files.
        section: Which rows are used.
        seed: The seed of the run.
        texts: The training texts.
        vocab: The vocabulary.
    """
    words = "\n".join(vocab.words).encode("utf-8", "surrogatepass")
    files = {"train": describe_file(sources.train)}
    if not sources.is_one_file:
        files["valid"] = describe_file(sources.valid)
    return {
        "files": files,
        "split": _describe_split(sources, section, seed),
        "num_train_rows": len(texts),
        "num_valid_rows": len(sources.valid_rows),
        "num_train_tokens": int(texts.lengths.sum()),
        "vocab_size": len(vocab),
        "vocab_sha256": sha256_of(words),
    }


def _describe_split(
    sources: Sources, section: DataSection, seed: int
) -> dict[str, Any]:
    """Return how rows were drawn, and a checksum of their numbers.

    The settings alone are not enough: the rows depend on the labels of the file too.
    """
    split: dict[str, Any] = {}
    if section.split != "rows":
        split["split"] = section.split
    if sources.is_one_file:
        split["seed"] = split_seed(section, seed)
        split["valid_fraction"] = section.valid_fraction
        split["valid_rows_sha256"] = sha256_of(sources.valid_rows.tobytes())
    if section.test_fraction is not None:
        _, test_rows = split_test_rows(
            sources.train.labels, section.test_fraction, sources.train.text_ids
        )
        split["test_fraction"] = section.test_fraction
        split["test_rows_sha256"] = sha256_of(test_rows.tobytes())
    return split
