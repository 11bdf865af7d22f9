"""From what the lesson's runs came to, to docs/understand/lesson.md and its pictures.

Whether a claim of the lesson holds is said by the intervals, not by hand: see
`Comparison`.

Shapes: N test rows, V words, C classes, K words of one class.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from lesson_runs import LESSON, SEEDS, SHAPES, Result, list_epochs
from matplotlib.figure import Figure
from scipy.stats import t as student

from rnncls.cli.reporting.plotting import (
    COLORS,
    new_figure,
    save_picture,
    use_log_scale,
)
from rnncls.data.builtin import BUILT_INS
from rnncls.data.loading import EncodedSplit, load_split
from rnncls.evaluation.metrics import wilson_interval
from rnncls.inference.insight.gradients import FLOOR, Measured
from rnncls.inference.insight.word_order import (
    AS_WRITTEN,
    BAG,
    WordOrderResult,
    best_without_order,
    describe_word_order,
    resample_mean,
)
from rnncls.machine.files import write_atomic
from rnncls.runs.run import load_run
from rnncls.text.vocab import Vocab
from rnncls.training.initialization import initial_model_of

NAMES = {
    "bag": "bag of words",
    "rnn": "RNN, mean of its states",
    "rnn_last": "RNN, last state",
    "lstm_packed": "LSTM",
    "lstm_padded": "LSTM that reads padding",
    "gru": "GRU",
    "bidirectional": "LSTM, two directions",
    "two_layers": "LSTM, two layers",
    "quickstart": "LSTM, quickstart",
    "quickstart_bag": "bag of words, quickstart",
    "capacity_1x1": "one direction, one layer",
    "capacity_2x1": "two directions, one layer",
    "capacity_1x2": "one direction, two layers",
    "capacity_1x3": "one direction, three layers",
}
CLAIMS = (
    (
        1,
        (
            "where order decides, a network that reads it beats a bag of words"
            " (quickstart)"
        ),
        "quickstart",
        "quickstart_bag",
    ),
    (1, "on AG News too the LSTM beats a bag of words", "lstm_packed", "bag"),
    (
        3,
        "the last state of an RNN, which has read all words in order, beats their mean",
        "rnn_last",
        "bag",
    ),
    (
        3,
        "the mean of an RNN's states beats its last one, which must carry everything",
        "rnn",
        "rnn_last",
    ),
    (
        6,
        "by its last state an LSTM classifies better than an RNN",
        "lstm_packed",
        "rnn_last",
    ),
    (7, "a GRU is better than an LSTM, with fewer parameters", "gru", "lstm_packed"),
    (
        8,
        "a second direction of the same hidden size helps",
        "bidirectional",
        "lstm_packed",
    ),
    (
        8,
        "a second direction helps at the same number of parameters",
        "capacity_2x1",
        "capacity_1x1",
    ),
    (9, "a second layer of the same hidden size helps", "two_layers", "lstm_packed"),
    (
        9,
        "a second layer helps at the same number of parameters",
        "capacity_1x2",
        "capacity_1x1",
    ),
    (
        9,
        "three layers help at the same number of parameters",
        "capacity_1x3",
        "capacity_1x1",
    ),
    (
        10,
        "the last state before the padding is better than the one after it",
        "lstm_packed",
        "lstm_padded",
    ),
)
"""In which section it is claimed that which network is better than which other."""
CELLS = {"rnn_last": "RNN", "lstm_packed": "LSTM", "gru": "GRU"}
MUCH = 0.05
"""What a data set that needs order loses at least, as a share of its rows, when nothing
but words is seen."""
TORCHS, OURS, TRAINED = (
    "torch's first weights",
    "the first weights here",
    "after training",
)
FEWEST_USES, CLEAR_SHARE, NUM_NEIGHBOURS = 50, 0.6, 3


@dataclass(frozen=True)
class Findings:
    """All that the page reports.

    Attributes:
        results: Of each experiment, a seed each.
        curves: Gradients through time, of first and trained weights.
        torchs: The same with torch's own first weights.
        orders: By data set, how its rows are judged in each order.
        command: What writes the page again.
    """

    results: dict[str, list[Result]]
    curves: list[Measured]
    torchs: list[Measured]
    orders: dict[str, list[WordOrderResult]]
    command: str


@dataclass(frozen=True)
class Comparison:
    """The difference between two networks in points, and whether it is significant.

    Attributes:
        points: Difference of the mean test accuracies over the seeds.
        by_seed: 95% interval for other seeds (Student 1908, pooled variance).
        by_row: 95% interval for other test rows (paired bootstrap, Efron 1979).
    """

    points: float
    by_seed: tuple[float, float]
    by_row: tuple[float, float]

    @property
    def sign(self) -> int:
        """1: better, -1: worse, 0: undecided, because an interval contains zero."""
        if min(self.by_seed[0], self.by_row[0]) > 0:
            return 1
        return -1 if max(self.by_seed[1], self.by_row[1]) < 0 else 0


def compare(one: Sequence[Result], other: Sequence[Result]) -> Comparison:
    """Compare two networks of the same test rows, of two seeds or more each."""
    accuracies = [
        [100 * result.accuracy for result in results] for results in (one, other)
    ]
    freedom = sum(len(own) - 1 for own in accuracies)
    variance = (
        sum((len(own) - 1) * statistics.variance(own) for own in accuracies) / freedom
    )
    half = float(student.ppf(0.975, freedom)) * math.sqrt(
        variance * sum(1 / len(own) for own in accuracies)
    )
    points = statistics.mean(accuracies[0]) - statistics.mean(accuracies[1])
    means = [
        np.mean([result.right for result in results], axis=0)
        for results in (one, other)
    ]
    low, high = resample_mean(means[0] - means[1])
    return Comparison(points, (points - half, points + half), (100 * low, 100 * high))


VERDICTS = {1: "holds", 0: "is undecided", -1: "is reversed"}


def judge_claims(results: dict[str, list[Result]], section: int) -> list[str]:
    """Return the claims of a section with the measured values and their verdicts."""
    return [
        judge_claim(claim, compare(results[better], results[worse]))
        for number, claim, better, worse in CLAIMS
        if number == section
    ]


def judge_claim(claim: str, found: Comparison) -> str:
    """Return a claim, what was found, and what the intervals say of it."""
    seeds, rows = (
        f"{low:+.1f} to {high:+.1f}" for low, high in (found.by_seed, found.by_row)
    )
    return (
        f"Claim: {claim}. Measured: {found.points:+.1f} points (95% interval {seeds}"
        f" over seeds, {rows} over test rows): the claim **{VERDICTS[found.sign]}**"
        " here."
    )


def list_claims(results: dict[str, list[Result]]) -> str:
    """Return all claims at a glance."""
    rows = []
    for number, claim, better, worse in CLAIMS:
        found = compare(results[better], results[worse])
        rows.append([claim, str(number), f"{found.points:+.1f}", VERDICTS[found.sign]])
    header = [
        "claim",
        "section",
        "difference (percentage points of accuracy)",
        "the claim, measured here",
    ]
    return table(header, rows)


def write_page(findings: Findings, out: Path) -> None:
    """Write `lesson.md` and the pictures in `lesson/` into a folder."""
    pictures = out / "lesson"
    pictures.mkdir(parents=True, exist_ok=True)
    save_picture(pictures / "order.png", draw_orders(findings.orders))
    save_picture(
        pictures / "training.png", draw_training(findings.results["quickstart"])
    )
    save_picture(pictures / "gradients.png", plot_gradients(findings))
    save_picture(pictures / "capacity.png", draw_capacity(findings.results))
    save_picture(pictures / "accuracy.png", plot_accuracies(findings.results))
    sections = [
        tell_start(findings),
        tell_bag(findings),
        tell_embeddings(findings),
        tell_rnn(findings),
        tell_training(findings),
        tell_vanishing(findings),
        tell_lstm(findings),
        tell_gru(findings),
        tell_directions(findings),
        tell_layers(findings),
        tell_padding(findings),
        tell_keras(findings),
    ]
    text = (
        "\n\n".join(paragraph for section in sections for paragraph in section) + "\n"
    )
    write_atomic(out / "lesson.md", text.encode())


def tell_start(findings: Findings) -> list[str]:
    """Return the introduction: what was measured, where, and how claims are tested."""
    results = findings.results
    lstm, small = results["lstm_packed"][0], results["capacity_1x1"][0]
    published = BUILT_INS["ag_news"].files["train"].num_rows
    return [
        "# A lesson on recurrent networks, measured",
        (
            "Each section tests claims of the lesson that this program grew out of."
            f" `{findings.command}` writes this page, with all numbers and conclusions."
        ),
        (
            "The lesson's networks (`configs/lesson/`) are trained for one epoch on"
            f" {lstm.num_rows:,} of the {published:,} published rows of AG News and"
            f" tested on {len(lstm.right):,} rows; the networks of equal size are"
            f" trained on {small.num_rows:,}. With fewer rows, the figures differ from"
            " the published ones. Accuracies are means ±"
            f" standard deviations over the seeds {', '.join(map(str, SEEDS))}."
        ),
        (
            "A claim that one network is better than another **holds** where both 95%"
            " intervals of the difference are above zero: the interval over seeds"
            " (Student's, pooled) and the interval over test rows (paired bootstrap)."
            " It **is reversed** where both are below zero, and **is undecided**"
            " otherwise."
        ),
        list_claims(results),
        picture(
            "accuracy",
            "Test accuracies of the lesson's networks: a dot a seed, a bar at their"
            " mean.",
        ),
    ]


def tell_bag(findings: Findings) -> list[str]:
    """Return what order is worth, by data set."""
    results = findings.results
    parts = [
        "## 1. A bag of words ignores order",
        (
            "A bag of words is the mean of a text's word vectors. It cannot tell *a"
            " sues b* from *b sues a*, and whether that matters is a question to the"
            " data (`rnncls order RUN`)."
        ),
        picture(
            "order",
            "Test accuracy by the order in which the words are read; whiskers are 95%"
            " intervals.",
        ),
    ]
    for data, readings in findings.orders.items():
        rows = [
            [
                each.name,
                f"{each.accuracy:.2%}",
                span(each.interval),
                points(each, written=each.name == AS_WRITTEN),
            ]
            for each in readings
        ]
        parts.append(f"**{data}**, one run and one bag of words of the same embedding:")
        parts.append(
            table(
                [
                    "words",
                    "test accuracy",
                    "95% interval",
                    "points lost (95% interval)",
                ],
                rows,
            )
        )
        parts.append(
            f"{' '.join(describe_word_order(readings))}"
            f" {say_need(data, best_without_order(readings))}"
        )
    if "movie reviews" not in findings.orders:
        parts.append("The film reviews were not at hand (`movie_reviews/all.csv`).")
    return parts + judge_claims(results, 1)


def say_need(data: str, blind: WordOrderResult) -> str:
    """Return how much word order is worth on a data set.

    The trained run is compared with the best result without order.
    """
    low, high = blind.loss_interval
    if low > MUCH:
        return f"So {data} needs order."
    if low > 0:
        return (
            f"So {data} gains from order, by {100 * low:.1f} to {100 * high:.1f}"
            " points: most needs words alone."
        )
    return (
        f"So no need of order is seen in {data}; that this run has not learnt it does"
        " not say that there is none."
    )


def tell_embeddings(findings: Findings) -> list[str]:
    """Return whether words of one class have moved together."""
    run = load_run(findings.results["lstm_packed"][0].path)
    split, _ = load_split(
        run.config.data_settings,
        "train",
        run.classifier.vocab,
        run.classifier.label_names,
    )
    words, classes = find_clear_words(
        split, len(run.classifier.vocab), len(run.classifier.label_names)
    )
    title = "## 2. Embeddings: words that do the same work move together"
    if len(words) <= NUM_NEIGHBOURS:
        return [
            title,
            (
                f"Only {len(words)} words are frequent and of one class here: too few"
                " to say anything."
            ),
        ]
    first = find_neighbours(initial_model_of(run).embedding.weight.detach()[words])
    trained = find_neighbours(run.classifier.model.embedding.weight.detach()[words])
    before, after = (
        int((classes[own[:, 0]] == classes).sum()) for own in (first, trained)
    )
    low, high = wilson_interval(after, len(words))
    chance = float(
        (np.bincount(classes) / len(classes)) @ (np.bincount(classes) / len(classes))
    )
    verdict = (
        "holds"
        if low > max(chance, wilson_interval(before, len(words))[1])
        else "is undecided"
    )
    rows = show_neighbours(
        run.classifier.vocab, words, classes, trained, run.classifier.label_names
    )
    return [
        title,
        (
            f"{len(words):,} words occur at least {FEWEST_USES} times in the training"
            f" rows and at least {CLEAR_SHARE:.0%} of the time in one class (each class"
            " counted as equally large). Before training, the nearest of them to each"
            f" (by cosine) is of its class for {before / len(words):.0%}; after the"
            f" LSTM's one epoch, for {after / len(words):.0%} (95% interval"
            f" {span((low, high))}); by chance it would be {chance:.0%}. The claim"
            f" **{verdict}** here."
        ),
        table(["word", "its class", "nearest words after training"], rows),
    ]


def tell_rnn(findings: Findings) -> list[str]:
    """Return whether a state beats a mean of word vectors."""
    results = findings.results
    return [
        "## 3. The simple RNN cell: a state that carries what was read",
        result_table(results, ["bag", "rnn", "rnn_last"]),
        *judge_claims(results, 3),
    ]


def tell_training(findings: Findings) -> list[str]:
    """Return how loss and accuracy go over the epochs on the embedded data."""
    epochs = list_epochs(findings.results["quickstart"][0].path)
    first, last = epochs[0], epochs[-1]
    best = max(epochs, key=lambda row: row["valid_accuracy"])
    rows = [
        [
            str(int(row["epoch"])),
            f"{row['train_loss']:.3f}",
            f"{row['valid_loss']:.3f}",
            f"{row['valid_accuracy']:.2%}",
        ]
        for row in epochs
    ]
    falls = "falls" if last["train_loss"] < first["train_loss"] else "does not fall"
    return [
        "## 4. Training: forward, loss, gradient, step",
        (
            f"On the embedded data the training loss {falls} from"
            f" {first['train_loss']:.3f} to {last['train_loss']:.3f} nats in"
            f" {len(epochs)} epochs (label smoothing keeps it above zero; dropout makes"
            " it higher than on the validation rows). The best validation accuracy,"
            f" {best['valid_accuracy']:.2%}, is that of epoch {int(best['epoch'])},"
            " whose weights are kept."
        ),
        table(
            ["epoch", "training loss", "validation loss", "validation accuracy"], rows
        ),
        picture("training", "Loss and validation accuracy by epoch, a line a seed."),
    ]


def tell_vanishing(findings: Findings) -> list[str]:
    """Return the memories of three cells under three sets of weights.

    Also return whether plain RNNs forget.
    """
    memories = find_memories(findings)
    rows = [
        [cell, *(memories[cell, state] for state in (TORCHS, OURS, TRAINED))]
        for cell in CELLS.values()
    ]
    return [
        "## 5. Vanishing gradients",
        (
            "How much the loss depends on the state after a word, by the distance of"
            " that word from the end: the length of the gradient of the loss with"
            " respect to the state, by that at the last word, median over"
            f" {findings.curves[0].curve.num_texts[0]:,} test texts (`rnncls gradient"
            " RUN …`). The effective memory is the least distance at which it is below"
            f" {FLOOR:.0%}. All three networks classify by their last state alone."
        ),
        picture(
            "gradients",
            "The gradient's length by distance from the end, cut off below 0.000001;"
            " dotted: the floor of the memory.",
        ),
        table(
            [
                "cell",
                *(f"{state}: memory, tokens" for state in (TORCHS, OURS, TRAINED)),
            ],
            rows,
        ),
        *(tell_memory(findings, state) for state in (TORCHS, OURS, TRAINED)),
    ]


def find_memories(findings: Findings) -> dict[tuple[str, str], str]:
    """Return each memory in tokens, by cell and weights."""
    found: dict[tuple[str, str], str] = {}
    for state, own in list_states(findings).items():
        found |= {
            (cell, state): each.memory_shown
            for cell, each in zip(CELLS.values(), own, strict=True)
        }
    return found


def list_states(findings: Findings) -> dict[str, list[Measured]]:
    """Return the curves of the three cells by their weights."""
    return {
        TORCHS: findings.torchs,
        OURS: [each for each in findings.curves if each.weights == "first"],
        TRAINED: [each for each in findings.curves if each.weights == "trained"],
    }


def tell_memory(findings: Findings, state: str) -> str:
    """Return whether the LSTM reaches further back than the RNN with some weights."""
    rnn, lstm, _ = list_states(findings)[state]
    far = min(len(rnn.curve.shares), len(lstm.curve.shares)) - 1
    own, other = (
        math.inf if each.curve.memory is None else each.curve.memory
        for each in (lstm, rnn)
    )
    words = (
        "is **confirmed**"
        if own > other
        else "is **not confirmed**"
        if own == other
        else "is **contradicted**"
    )
    return (
        f"{'After training' if state == TRAINED else f'With {state}'}, that an LSTM"
        f" remembers longer than an RNN {words}: {lstm.memory_shown} tokens against"
        f" {rnn.memory_shown}; {far} tokens from the end {lstm.curve.shares[far]:.2g}"
        f" of the LSTM's gradient is left, and {rnn.curve.shares[far]:.2g} of the"
        " RNN's."
    )


def tell_lstm(findings: Findings) -> list[str]:
    """Return whether gates help the accuracy."""
    results = findings.results
    return [
        "## 6. LSTM: gates that keep, write and show",
        (
            "Here an LSTM's forget gates start open (a bias of one), and the recurrent"
            " weights of every cell orthogonal: that is what sets the second column of"
            " the table above apart from the first."
        ),
        result_table(results, ["rnn_last", "lstm_packed"]),
        *judge_claims(results, 6),
    ]


def tell_gru(findings: Findings) -> list[str]:
    """Return whether a GRU is as good with less."""
    results = findings.results
    gru, lstm = results["gru"], results["lstm_packed"]
    return [
        "## 7. GRU: two gates instead of three",
        result_table(results, ["lstm_packed", "gru"]),
        (
            f"Without the embedding it has {gru[0].num_inner:,} parameters,"
            f" {gru[0].num_inner / lstm[0].num_inner:.0%} of the LSTM's"
            f" {lstm[0].num_inner:,}."
        ),
        *judge_claims(results, 7),
    ]


def tell_directions(findings: Findings) -> list[str]:
    """Return what a second direction brings, with more parameters and with as many."""
    results = findings.results
    same, matched = judge_claims(results, 8)
    return [
        "## 8. Two directions",
        result_table(results, ["lstm_packed", "bidirectional"]),
        same,
        (
            "That network has more parameters. With as many (the embedding left out,"
            " within 1%):"
        ),
        capacity_table(results),
        picture(
            "capacity",
            "Networks of one size: test accuracy by directions and layers, a dot a"
            " seed.",
        ),
        matched,
    ]


def tell_layers(findings: Findings) -> list[str]:
    """Return what more layers bring, with more parameters and with as many."""
    results = findings.results
    return [
        "## 9. Stacked layers",
        result_table(results, ["lstm_packed", "two_layers"]),
        "Networks of one size are in the table of section 8.",
        *judge_claims(results, 9),
    ]


def tell_padding(findings: Findings) -> list[str]:
    """Return what it costs that the last state is the one after the padding."""
    results = findings.results
    return [
        "## 10. Padded and packed sequences",
        (
            "In a padded batch the last state is the one after the padding. No network"
            " of this program reads padding; to measure what that is worth, one was"
            " given texts in which a word stands for it, as many times as the lesson's"
            " batches of 16 would pad them, in training and in test."
        ),
        "The lesson's own figures:",
        "\n".join(
            f"- `configs/lesson/{name}.yaml`: {read_header(name)}"
            for name in ("lstm", "lstm_packed")
        ),
        result_table(results, ["lstm_padded", "lstm_packed"]),
        *judge_claims(results, 10),
    ]


def tell_keras(findings: Findings) -> list[str]:
    """Return the networks of the lesson's other notebook."""
    rows = []
    for path in sorted(LESSON.glob("keras_*.yaml")):
        own = findings.results[path.stem]
        rows.append(
            [
                f"`{path.stem}`",
                read_header(path.stem),
                f"{own[0].num_rows:,}",
                spread(own),
            ]
        )
    return [
        "## The lesson's other notebook",
        (
            "Its networks, beside what the lesson prints; an epoch here has fewer rows,"
            " and so fewer steps."
        ),
        table(
            [
                "config",
                "what the lesson says",
                "training rows here",
                "test accuracy here",
            ],
            rows,
        ),
    ]


def read_header(name: str) -> str:
    """Return what the comment at the top of one of the lesson's configs says."""
    lines = (LESSON / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    return " ".join(
        line.removeprefix("#").strip() for line in lines if line.startswith("#")
    )


def result_table(results: dict[str, list[Result]], names: Sequence[str]) -> str:
    """Return the accuracies of some networks."""
    rows = [
        [
            NAMES[name],
            f"{results[name][0].num_parameters:,}",
            f"{results[name][0].num_inner:,}",
            f"{statistics.mean(result.train_accuracy for result in results[name]):.2%}",
            spread(results[name]),
        ]
        for name in names
    ]
    head = [
        "network",
        "parameters",
        "without the embedding",
        "training accuracy",
        f"test accuracy, {len(SEEDS)} seeds",
    ]
    return table(head, rows)


def capacity_table(results: dict[str, list[Result]]) -> str:
    """Return the networks of one size."""
    rows = []
    for directions, layers in SHAPES:
        own = results[f"capacity_{directions}x{layers}"]
        size = load_run(own[0].path).config.model.hidden_size
        rows.append(
            [
                str(directions),
                str(layers),
                str(size),
                f"{own[0].num_inner:,}",
                spread(own),
            ]
        )
    head = [
        "directions",
        "layers",
        "hidden size",
        "parameters without the embedding",
        "test accuracy",
    ]
    return table(head, rows, num_texts=0)


def spread(results: Sequence[Result]) -> str:
    """Return the mean and the standard deviation of the test accuracies."""
    accuracies = [result.accuracy for result in results]
    return (
        f"{statistics.mean(accuracies):.2%} ± {100 * statistics.stdev(accuracies):.2f}"
    )


def table(
    head: Sequence[str], rows: Sequence[Sequence[str]], num_texts: int = 1
) -> str:
    """Return a table in Markdown.

    Columns after the first texts hold numbers, unless a cell there is none.
    """
    numeric = [
        place >= num_texts and all(row[place][:1] in "0123456789>+-" for row in rows)
        for place in range(len(head))
    ]
    lines = [head, ["--:" if own else "---" for own in numeric], *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |"
        for line in lines
    )


def picture(name: str, caption: str) -> str:
    """Return an image in Markdown, with its caption as the alternative text."""
    return f"![{caption}](lesson/{name}.png)\n\n*{caption}*"


def span(interval: tuple[float, float]) -> str:
    """Return an interval of shares."""
    return f"{interval[0]:.2%} to {interval[1]:.2%}"


def points(reading: WordOrderResult, *, written: bool) -> str:
    """Return what a reading loses."""
    low, high = (100 * end for end in reading.loss_interval)
    return "" if written else f"{100 * reading.loss:.1f} ({low:.1f} to {high:.1f})"


def find_clear_words(
    split: EncodedSplit, vocab_size: int, num_classes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return frequent words that occur mostly in one class, and that class.

    Returns:
        [K] and [K] int64.
    """
    texts = split.texts
    counts = np.zeros((vocab_size, num_classes))
    for start, length, label in zip(
        texts.starts, texts.lengths, split.labels, strict=True
    ):
        np.add.at(counts[:, label], texts.token_ids[start : start + length], 1)
    shares = counts / counts.sum(axis=0)
    shares /= np.maximum(shares.sum(axis=1, keepdims=True), 1e-12)
    words = np.flatnonzero(
        (counts.sum(axis=1) >= FEWEST_USES) & (shares.max(axis=1) >= CLEAR_SHARE)
    )
    words = words[words > 1]  # <pad> and <unk>
    return words, shares[words].argmax(axis=1)


def find_neighbours(vectors: torch.Tensor) -> npt.NDArray[np.int64]:
    """Return each vector's three nearest others by cosine. [K, E] -> [K, 3]."""
    unit = F.normalize(vectors, dim=1)
    cosines = (unit @ unit.t()).fill_diagonal_(-2.0)  # [K, K]
    nearest: npt.NDArray[np.int64] = cosines.topk(NUM_NEIGHBOURS, dim=1).indices.numpy()
    return nearest


def show_neighbours(
    vocab: Vocab,
    words: npt.NDArray[np.int64],
    classes: npt.NDArray[np.int64],
    nearest: npt.NDArray[np.int64],
    label_names: Sequence[str],
) -> list[list[str]]:
    """Return the two most frequent words of each class with those nearest to them."""
    rows = []
    for number, name in enumerate(label_names):
        for place in np.flatnonzero(classes == number)[
            :2
        ]:  # a lower id is a more frequent word
            near = ", ".join(f"{vocab.words[words[other]]}" for other in nearest[place])
            rows.append([vocab.words[words[place]], name, near])
    return rows


def draw_orders(orders: dict[str, list[WordOrderResult]]) -> Figure:
    """Return the accuracies by order, a panel a data set."""
    figure = new_figure(width=9.0, height=3.0)
    panels = figure.subplots(1, len(orders), sharey=True, squeeze=False)[0]
    for axes, (data, readings) in zip(panels, orders.items(), strict=True):
        values = np.array([reading.accuracy for reading in readings])
        ends = np.array([reading.interval for reading in readings]).T
        colors = [
            COLORS[1] if reading.name == BAG else COLORS[0] for reading in readings
        ]
        axes.barh(
            [reading.name for reading in readings],
            values,
            xerr=np.abs(ends - values),
            color=colors,
            capsize=2,
        )
        for place, value in enumerate(values):
            axes.text(
                0.02,
                place,
                f"{value:.1%}",
                va="center",
                color="white",
                fontsize="small",
            )
        axes.set(title=data, xlim=(0, 1), xlabel="test accuracy")
    panels[0].invert_yaxis()
    return figure


def draw_training(results: Sequence[Result]) -> Figure:
    """Return loss and accuracy by epoch, a line a seed."""
    figure = new_figure(width=8.0, height=3.2)
    left, right = figure.subplots(1, 2)
    for number, result in enumerate(results):
        rows = list_epochs(result.path)
        epochs = [row["epoch"] for row in rows]
        names = ("training", "validation") if number == 0 else ("_", "_")
        left.plot(
            epochs, [row["train_loss"] for row in rows], color=COLORS[0], label=names[0]
        )
        left.plot(
            epochs,
            [row["valid_loss"] for row in rows],
            "--",
            color=COLORS[1],
            label=names[1],
        )
        right.plot(
            epochs,
            [row["valid_accuracy"] for row in rows],
            "--",
            color=COLORS[1],
            label=names[1],
        )
    left.set(xlabel="epoch", ylabel="loss (nats)")
    right.set(xlabel="epoch", ylabel="validation accuracy")
    left.legend()
    return figure


def plot_gradients(findings: Findings) -> Figure:
    """Return the curves of three cells, a panel a set of weights."""
    figure = new_figure(width=9.0, height=3.4)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (state, own) in zip(panels, list_states(findings).items(), strict=True):
        for color, style, cell, each in zip(
            COLORS, ("-", "--", "-."), CELLS.values(), own, strict=False
        ):
            axes.plot(each.curve.shares, style, color=color, label=cell)
        axes.axhline(FLOOR, color="#666666", linewidth=0.8, linestyle=":")
        use_log_scale(axes)
        axes.set(title=state, ylim=(1e-6, 3), xlabel="tokens before the last")
    panels[0].set_ylabel("gradient's length by that\nat the last token (median)")
    panels[0].legend()
    return figure


def draw_capacity(results: dict[str, list[Result]]) -> Figure:
    """Return the accuracies of the networks of one size."""
    return draw_dots(
        {NAMES[name]: results[name] for name in results if name.startswith("capacity_")}
    )


def plot_accuracies(results: dict[str, list[Result]]) -> Figure:
    """Return the accuracies of the lesson's networks on AG News."""
    names = [
        "bag",
        "rnn",
        "rnn_last",
        "lstm_packed",
        "gru",
        "bidirectional",
        "two_layers",
        "lstm_padded",
    ]
    return draw_dots({NAMES[name]: results[name] for name in names})


def draw_dots(named: dict[str, list[Result]]) -> Figure:
    """Return a dot a seed and a bar at the mean, a row a network."""
    figure = new_figure(height=0.8 + 0.35 * len(named))
    axes = figure.add_subplot()
    for place, results in enumerate(named.values()):
        accuracies = [result.accuracy for result in results]
        axes.plot(
            accuracies, [place] * len(accuracies), "o", color=COLORS[0], alpha=0.6
        )
        axes.plot(
            [statistics.mean(accuracies)],
            [place],
            "|",
            color=COLORS[1],
            markersize=18,
            markeredgewidth=2,
        )
    axes.set_yticks(range(len(named)), list(named))
    axes.set(xlabel="test accuracy", ylim=(len(named) - 0.5, -0.5))
    axes.grid(axis="x", alpha=0.3)
    return figure
