"""Pretrain a language model on texts without labels.

A classifier of the same shape can start from its weights (Dai and Le 2015; Howard and
Ruder 2018, ULMFiT).
"""

from pathlib import Path
from typing import Any

from rnncls import ConfigError
from rnncls.config.sections import (
    Config,
    ModelSection,
    PretrainSection,
    TextSection,
    TrainSection,
)
from rnncls.data.loading import TrainingData, load_language_data
from rnncls.machine.files import write_json
from rnncls.machine.processes import SINGLE
from rnncls.machine.threads import start_workers
from rnncls.nn.language_model import LanguageModel
from rnncls.runs.companions import load_vocab
from rnncls.runs.folder import LANGUAGE_MODEL, RunFolder
from rnncls.runs.pretrained import choose_cleaning
from rnncls.training.initialization import copy_vectors, explain_sizes, prepare_torch
from rnncls.training.language_modeling import LanguageModelTask
from rnncls.training.open_run import open_run
from rnncls.training.options import TrainOptions
from rnncls.training.recording import record_training
from rnncls.training.resume import NEW_RUN, ResumeOptions
from rnncls.training.summary import summarise
from rnncls.training.trainer import Trainer


def pretrain(
    config: Config,
    path: Path,
    options: ResumeOptions = NEW_RUN,
    *,
    use_cache: bool = True,
) -> dict[str, Any]:
    """Train a language model and save it at `path`, for `model.pretrained`.

    Args:
        config: All settings.
        path: The folder.
        options: Whether to continue the training at `path`, and how.
        use_cache: Read and write the cache of tokenised files (rnncls.data.cache).

    Returns:
        The summary.

    Raises:
        RnnclsError: The config, the data, the device or the folder is wrong.
        Interrupted: The user stopped it; it is saved and can be resumed.
    """
    config = config.replace(text=choose_cleaning(config.text, path))
    settings = config.model_dump()
    with open_run(settings, path, SINGLE, options, weights=LANGUAGE_MODEL) as run:
        check_starts_fresh(config.model.pretrained, path)
        check_text_section(config.text)
        check_model_section(config.model)
        device = prepare_torch(
            config.device,
            config.seed,
            config.model,
            config.train,
            deterministic=config.deterministic,
        )
        is_learned = config.text.tokenizer == "subwords"
        keeps_words = run.is_resumed and (options.may_change or is_learned)
        vocab = load_vocab(path) if keeps_words else None
        data = load_language_data(config.data_settings, vocab, use_cache=use_cache)
        model = build_language_model(
            config.model,
            config.pretrain,
            config.text.vectors,
            data,
            is_fresh=not run.is_resumed,
        )
        trainer = build_language_model_trainer(
            config.pretrain, config.train, config.seed, model.to(device), data
        )
        run.begin(trainer)
        with record_training(trainer, path) as record:
            for step in trainer.steps():
                record(step)
        summary = summarise(trainer, path, ("loss", "perplexity"))
        write_json(RunFolder(path).summary, summary)
    return summary


def check_starts_fresh(pretrained: str | None, path: Path) -> None:
    """Check that a language model is not to start from another one.

    Raises:
        ConfigError: `model.pretrained` names another folder than `path`.
    """
    if pretrained and Path(pretrained).resolve() != path.resolve():
        raise ConfigError(
            "model.pretrained: a language model cannot start from another one: remove"
            f" the key, or set it to --out, {path}"
        )


def check_text_section(section: TextSection) -> None:
    """Check that a language model can read the texts.

    Raises:
        ConfigError: It is to have vectors of character n-grams.
    """
    if section.char_ngrams is not None:
        raise ConfigError(
            "text.char_ngrams: a language model has no vectors of n-grams: set it to"
            " null"
        )


def check_model_section(section: ModelSection) -> None:
    """Check that the network can be a language model.

    Raises:
        ConfigError: It has no recurrent layer, or its states depend on the words to
            predict.
    """
    if section.cell == "none":
        raise ConfigError(
            "model.cell: none cannot predict the next word from the words before: use"
            " rnn, lstm or gru"
        )
    mixes_directions = section.cell != "grid_lstm" and section.bidirectional
    if mixes_directions and section.num_layers > 1:
        raise ConfigError(
            "model.num_layers: a second layer over both directions would see the word"
            " that it has to predict: pretrain with num_layers: 1, or with"
            " bidirectional: false"
        )


def build_language_model(
    model: ModelSection,
    pretrain: PretrainSection,
    vectors: str | None,
    data: TrainingData,
    *,
    is_fresh: bool,
) -> LanguageModel:
    """Return the language model with its first weights.

    Args:
        model: The shape of the network.
        pretrain: Gives the dropout.
        vectors: The pretrained word vectors, as `text.vectors` names them.
        data: For the vocabulary.
        is_fresh: Whether the embedding starts from pretrained vectors, if there are; a
            resumed run loads its own weights.

    Raises:
        ConfigError: The network does not fit into memory, or the vectors are too wide.
    """
    section = model.replace(
        dropout=pretrain.dropout, word_dropout=pretrain.word_dropout
    )
    with explain_sizes():
        network = LanguageModel(section, len(data.vocab))
    if vectors is not None and is_fresh:
        copy_vectors(network.embedding, vectors, data.vocab)
    return network


def build_language_model_trainer(
    pretrain: PretrainSection,
    train: TrainSection,
    seed: int,
    model: LanguageModel,
    data: TrainingData,
) -> Trainer[LanguageModel]:
    """Return a trainer of a language model on its device, in a single process.

    Raises:
        ConfigError: `train.precision` does not fit the device.
        DataError: There is no word to predict.
    """
    workers = start_workers(model.embedding.weight.device)
    task = LanguageModelTask(model, data, train.precision, workers)
    options = TrainOptions.from_pretrain(pretrain, train)
    return Trainer(task, options, seed, workers, SINGLE)
