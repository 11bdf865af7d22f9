"""The words of a training step: which are dropped, and which rows they need.

Shapes: B texts in a batch, T tokens in the longest of them, V rows of the embedding, E
embedding_dim.
"""

import torch

from rnncls.text.batching import drop_words, unique_words
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import Vocab
from rnncls.training.vector_forms import VectorFormFinder
from rnncls.training.word_forms import BatchWords, build_form_finder


class WordFinder:
    """Drops words of batches, and finds the rows of the embedding that they need."""

    def __init__(self, vocab: Vocab, texts: EncodedTexts, device: torch.device) -> None:
        """Prepare the forms of words, if there are any.

        Args:
            vocab: The words of the model.
            texts: The training texts, encoded with it.
            device: The device of the model.
        """
        self.ngram_forms = build_form_finder(vocab, texts, device)
        self.vector_forms: VectorFormFinder | None = None
        if vocab.num_vector_words:
            self.vector_forms = VectorFormFinder(vocab.num_vector_words)
        # A CUDA device would run out of work until the host has queued more.
        self.may_wait = device.type != "cuda"

    def find(
        self,
        token_ids: torch.Tensor,
        embedding: torch.Tensor,
        drop_prob: float,
        generator: torch.Generator,
    ) -> BatchWords:
        """Drop words, and return the rows that a batch needs.

        Args:
            token_ids: [B, T] int64.
            embedding: [V, E].
            drop_prob: About which fraction of the words is dropped.
            generator: Draws the words.
        """
        if self.vector_forms is not None:
            return self.vector_forms.find_forms(
                token_ids, embedding, drop_prob, generator, may_wait=self.may_wait
            )
        kept_ids = drop_words(token_ids, drop_prob, generator)  # [B, T]
        if self.ngram_forms is not None:
            return self.ngram_forms.find_forms(token_ids, kept_ids)
        rows = unique_words(kept_ids, len(embedding), may_wait=self.may_wait)
        return BatchWords(*rows)
