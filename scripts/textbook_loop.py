"""The training loop of textbooks, as a baseline for the speed.

It prints one JSON object with samples and tokens per second.

A DataLoader that tokenises in its collate, batches of 16, a ragged PackedSequence, a
dense embedding, torch.optim.Adam.

    python scripts/textbook_loop.py data/ag_news/train.csv --seconds 10
"""

import argparse
import csv
import json
import time
from collections import Counter
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchtext.data.utils import get_tokenizer

Row = tuple[int, str]


class Classifier(nn.Module):
    """Embedding, LSTM over packed sequences, last state, linear."""

    def __init__(self, vocab_size: int, embedding_dim: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, batch_first=True)
        self.linear = nn.Linear(hidden_size, 4)

    def forward(self, token_ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        embedded = self.embedding(token_ids)
        packed = nn.utils.rnn.pack_padded_sequence(
            embedded, lengths, batch_first=True, enforce_sorted=False
        )
        _, (hidden, _) = self.lstm(packed)
        logits: torch.Tensor = self.linear(hidden[-1])
        return logits


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path, help="a file in AG News's form")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--embedding-dim", type=int, default=64)
    parser.add_argument("--hidden-size", type=int, default=32)
    arguments = parser.parse_args()
    print(
        json.dumps(
            measure(
                arguments.file,
                arguments.seconds,
                arguments.embedding_dim,
                arguments.hidden_size,
            )
        )
    )


def measure(
    file: Path, seconds: float, embedding_dim: int, hidden_size: int
) -> dict[str, float]:
    """Train for `seconds` after ten warm-up steps; return samples and tokens per s."""
    tokenize = get_tokenizer("basic_english")
    with file.open(encoding="utf-8", newline="") as stream:
        rows: list[Row] = [
            (int(row[0]) - 1, f"{row[1]} {row[2]}") for row in csv.reader(stream)
        ]
    counts = Counter(token for _, text in rows for token in tokenize(text))
    ids = {token: number for number, token in enumerate(counts, start=1)}

    def collate(batch: list[Row]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        token_ids = [
            torch.tensor([ids[token] for token in tokenize(text)] or [0])
            for _, text in batch
        ]
        lengths = torch.tensor([len(text) for text in token_ids])
        padded = nn.utils.rnn.pad_sequence(token_ids, batch_first=True)
        return padded, lengths, torch.tensor([label for label, _ in batch])

    model = Classifier(len(ids) + 1, embedding_dim, hidden_size)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss_of = nn.CrossEntropyLoss()
    num_samples = num_tokens = 0
    start = time.perf_counter()
    loader: DataLoader[Row] = DataLoader(
        rows,  # type: ignore[arg-type]
        batch_size=16,
        shuffle=True,
        collate_fn=collate,
    )
    for step, (token_ids, lengths, labels) in enumerate(loader):
        if step == 10:
            num_samples, num_tokens, start = 0, 0, time.perf_counter()
        loss = loss_of(model(token_ids, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        num_samples += len(labels)
        num_tokens += int(lengths.sum())
        if time.perf_counter() - start > seconds and step > 10:
            break
    elapsed_s = time.perf_counter() - start
    return {
        "samples_per_s": num_samples / elapsed_s,
        "tokens_per_s": num_tokens / elapsed_s,
    }


if __name__ == "__main__":
    main()
