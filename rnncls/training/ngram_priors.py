"""How large each weight of the n-gram part may become, by what its n-gram says.

An n-gram that occurs equally often in all classes says nothing, whatever its weight in
a fit of few texts. Naive Bayes weighs it by the logarithm of the ratio of its
frequencies. Wang and Manning (2012, "NBSVM") multiply the features of a linear
classifier by this ratio, which is the same as to penalise large ratios less. Here the
variance of each parameter's prior is proportional to the absolute log-odds ratio: it
is fitted like the others, and stays near 0 if its n-gram says nothing.

Shapes: N texts, K n-grams, P parameters (n-grams and character n-grams), C classes or
labels.
"""

import torch
import torch.nn.functional as F

from rnncls.training.sparse_matrix import SparseMatrix

_PSEUDO_COUNT = 0.3
"""So many occurrences in each class, on average, are added to those of an n-gram."""


def compute_prior_scales(
    texts: SparseMatrix, expand: SparseMatrix, probs: torch.Tensor
) -> torch.Tensor:
    """Return the standard deviation of the prior of each parameter.

    Args:
        texts: [N, K], with a value for each occurrence of an n-gram in a text.
        expand: [K, P], with a value for each parameter of an n-gram.
        probs: [N, C], the probability of each class or label.

    Returns:
        [P, C] float32. The mean of the squares over all occurrences is 1.
    """
    with_total = F.pad(probs, (0, 1), value=1.0)  # [N, C + 1]
    ngram_counts = texts.transposed.count().multiply(with_total)  # [K, C + 1]
    counts = expand.transposed.count().multiply(ngram_counts)  # [P, C + 1]
    class_counts = ngram_counts.sum(dim=0)  # [C + 1]
    ratios = compute_log_odds_ratios(counts, class_counts).abs()  # [P, C]
    weights = counts[:, -1]  # [P]
    mean = (weights @ ratios).mean() / weights.sum()  # []
    if mean == 0:  # no n-gram says anything
        return torch.ones_like(ratios)
    return (ratios / mean).sqrt()


def compute_log_odds_ratios(
    counts: torch.Tensor, class_counts: torch.Tensor
) -> torch.Tensor:
    """Return the log-odds of each class given an n-gram, minus those of the class.

    Args:
        counts: [P, C + 1], how often each n-gram occurs in the texts of each class, and
            in all texts.
        class_counts: [C + 1], how many n-grams the texts of each class have, and all
            texts.

    Returns:
        [P, C].
    """
    num_classes = len(class_counts) - 1
    shares = (class_counts[:-1] + 1) / (class_counts[-1] + num_classes)  # [C]
    added = _PSEUDO_COUNT * num_classes
    probs = (counts[:, :-1] + added * shares) / (counts[:, -1:] + added)  # [P, C]
    return probs.logit(eps=1e-6) - shares.logit(eps=1e-6)
