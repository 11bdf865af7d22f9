"""Word vectors of a step with character n-grams, against a loop over the words."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnncls.config.sections import Config
from rnncls.evaluation.evaluator import compute_logits
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batching import assemble
from rnncls.text.char_ngrams import CharNgrams
from rnncls.text.encoded_texts import EncodedTexts, encode_pieces
from rnncls.text.tokenizer import TokenizedTexts
from rnncls.text.vocab import PAD_ID, UNK_ID, Vocab
from rnncls.training.classification import ClassificationTask
from rnncls.training.step_data import StepInputs
from rnncls.training.trainer import Trainer
from rnncls.training.word_forms import build_form_finder
from tests.builders import build_trainer

MakeConfig = Callable[..., Config]
NGRAMS = ("text.char_ngrams=[3, 4]", "text.ngram_buckets=40", "text.max_vocab=6")
PLAIN = ("model.dropout=0.0", "train.label_smoothing=0.0")
WORDS = ["known", "a", "unknown", "<unk>", "knowing", "b", "known"]
VOCAB = Vocab(["<pad>", "<unk>", "known", "a"], CharNgrams(4, 5, 11))
ROWS = np.array([3, 0, 8, 5])


def encode_words() -> EncodedTexts:
    """Return `WORDS` as one text."""
    word_ids = np.arange(len(WORDS), dtype=np.int32)
    return encode_pieces(TokenizedTexts(word_ids, np.array([len(WORDS)]), WORDS), VOCAB)


def compose_by_hand(embedding: torch.Tensor, word: str, own_row: int) -> torch.Tensor:
    """Return the vector of a word: a row and the mean of the rows of its n-grams."""
    assert VOCAB.char_ngrams is not None
    rows = VOCAB.char_ngrams.hash_words([word], len(VOCAB)).rows.tolist()
    vector = embedding[own_row]
    if rows and word != "<unk>":
        vector = vector + torch.stack([embedding[row] for row in rows]).mean(dim=0)
    return vector


@pytest.mark.parametrize("dropped", [[], [0], [0, 2, 3], list(range(len(WORDS)))])
def test_a_word_is_its_row_and_the_mean_of_its_ngrams(dropped: list[int]) -> None:
    texts = encode_words()
    finder = build_form_finder(VOCAB, texts, torch.device("cpu"))
    assert finder is not None
    token_ids = torch.from_numpy(texts.token_ids).long()[None]  # [1, T]
    kept_ids = token_ids.clone()
    kept_ids[0, dropped] = UNK_ID
    rows, forms, parts = finder.find_forms(token_ids, kept_ids)
    assert parts is not None
    embedding = torch.randn(VOCAB.num_rows, 3, generator=torch.manual_seed(1))
    found = parts.compose(embedding[rows])[forms[0]]  # [T, E]
    for position, word in enumerate(WORDS):
        is_read = word in VOCAB.words and position not in dropped
        own_row = VOCAB.words.index(word) if is_read else UNK_ID
        expected = compose_by_hand(embedding, word, own_row)
        torch.testing.assert_close(found[position], expected)


def test_rows_are_distinct_and_ascending() -> None:
    texts = encode_words()
    finder = build_form_finder(VOCAB, texts, torch.device("cpu"))
    assert finder is not None
    token_ids = torch.from_numpy(texts.token_ids).long()[None]  # [1, T]
    rows, _, _ = finder.find_forms(token_ids, token_ids)
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert rows.max() < VOCAB.num_rows


def test_a_vocabulary_without_ngrams_has_no_forms() -> None:
    vocab = Vocab(["<pad>", "<unk>", "a"])
    words = TokenizedTexts(np.zeros(1, np.int32), np.ones(1, np.int64), ["b"])
    texts = encode_pieces(words, vocab)
    assert build_form_finder(vocab, texts, torch.device("cpu")) is None


def prepare(trainer: Trainer[TextClassifier]) -> StepInputs:
    return trainer._prepare_inputs(assemble(trainer.data.train.texts, ROWS))


def test_a_step_reads_words_as_the_finished_model_does(
    make_config: MakeConfig,
) -> None:
    trainer = build_trainer(make_config(*NGRAMS, *PLAIN))
    inputs, data = prepare(trainer), trainer.data
    assert data.train.texts.is_unknown().any()
    labels = torch.from_numpy(data.train.labels[ROWS])
    logits = compute_logits(trainer.eval_model, data.train.texts.select(ROWS))
    expected = F.cross_entropy(logits, labels, reduction="sum")
    torch.testing.assert_close(trainer.task.compute_loss(inputs).loss, expected)


def test_the_gradient_is_that_of_the_complete_embedding(
    make_config: MakeConfig,
) -> None:
    trainer = build_trainer(make_config(*NGRAMS, *PLAIN))
    inputs = prepare(trainer)
    loss = trainer.task.compute_loss(inputs).loss
    (found,) = torch.autograd.grad(loss, inputs.word_vectors)  # [R, E]

    embedding = trainer.model.embedding.weight
    assert inputs.forms is not None
    vectors = inputs.forms.compose(embedding[inputs.word_ids])
    batch = inputs.batch
    logits = trainer.model(
        inputs.word_rows, batch.lengths, is_ragged=batch.is_ragged, word_vectors=vectors
    )
    labels = torch.from_numpy(trainer.data.train.labels[ROWS])
    dense_loss = F.cross_entropy(logits, labels, reduction="sum")
    (dense,) = torch.autograd.grad(dense_loss, embedding)  # [V, E]
    torch.testing.assert_close(dense[inputs.word_ids], found)
    others = torch.ones(len(dense), dtype=torch.bool)
    others[inputs.word_ids] = False
    assert not dense[others].any()


def test_parts_of_a_batch_sum_to_the_complete_one(make_config: MakeConfig) -> None:
    trainer = build_trainer(make_config(*NGRAMS, "model.word_dropout=0.5"))
    inputs = prepare(trainer)
    parts = [inputs[0::2], inputs[1::2], inputs]
    losses = [trainer.task.compute_loss(part).loss for part in parts]
    gradients = [torch.autograd.grad(loss, inputs.word_vectors)[0] for loss in losses]
    torch.testing.assert_close(losses[0] + losses[1], losses[2])
    torch.testing.assert_close(gradients[0] + gradients[1], gradients[2])


def test_a_step_changes_the_rows_of_the_batch_only(make_config: MakeConfig) -> None:
    trainer = build_trainer(make_config(*NGRAMS))
    before = trainer.model.embedding.weight.detach().clone()
    word_ids = prepare(trainer).word_ids
    trainer.train_step(assemble(trainer.data.train.texts, ROWS))
    after = trainer.model.embedding.weight.detach()
    has_changed = (before != after).any(dim=1)
    changed = set(has_changed.nonzero().flatten().tolist())
    assert changed == set(word_ids.tolist()) - {PAD_ID}


def test_the_trained_model_stays_as_it_is(make_config: MakeConfig) -> None:
    trainer = build_trainer(make_config(*NGRAMS))
    before = trainer.model.embedding.weight.detach().clone()
    finished = trainer.eval_model.embedding.weight.detach()
    num_words = len(trainer.data.vocab)
    assert torch.equal(trainer.model.embedding.weight, before)
    assert not torch.equal(finished[2:num_words], before[2:num_words])
    assert torch.equal(finished[:2], before[:2])
    assert torch.equal(finished[num_words:], before[num_words:])
    assert isinstance(trainer.task, ClassificationTask)
