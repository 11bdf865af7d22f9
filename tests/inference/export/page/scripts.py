"""The scripts of the page in node, so that they can be compared with the package."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from rnncls.inference.export.page.document import describe_model
from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.template import MODEL_SCRIPTS, read_scripts
from rnncls.runs.portable import PortableClassifier

FLOAT32 = VectorFormat("float32")
NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed")
_DRIVER = """
const actions = {
  load({ model, weights }) {
    this.tokenizer = new Tokenizer(model.tokenizer, model.words);
    this.network = new Network(model, readArrays(model.arrays, decodeText(weights)));
  },
  tokenize: ({ texts }) => texts.map((text) => actions.tokenizer.tokenize(text)),
  probs: ({ tokenIds }) => {
    const logits = actions.network.read(Int32Array.from(tokenIds));
    return [...actions.network.toProbs(logits)];
  },
  read: ({ tokenIds }) => [...actions.network.read(Int32Array.from(tokenIds))],
  classify: ({ texts }) => texts.map((text) => {
    const { tokens, tokenIds } = actions.tokenizer.tokenize(text);
    return [...actions.network.read(tokenIds, tokens)];
  }),
  fits: ({ texts }) => texts.map((text) => {
    const { tokens, tokenIds, isEmpty } = actions.tokenizer.tokenize(text);
    const isUnknown = Array.from(tokenIds, (tokenId) => tokenId === UNKNOWN_ID);
    const logits = actions.network.read(tokenIds, tokens);
    return actions.network.decideFits(logits, isUnknown, isEmpty);
  }),
  hash: ({ words, charNgrams }) => {
    const ngrams = new CharNgrams(charNgrams);
    return words.map((word) => ngrams.hash(word));
  },
  decodeText: ({ text }) => [...decodeText(text)],
  decode: ({ bytes, code }) => [...decodeAscending(Uint8Array.from(bytes), code)],
  occlusions: () => [...actions.network.occlusions()].map((logits) => [...logits]),
  prefixes: () => [...actions.network.prefixes()].map((logits) => [...logits]),
  find: ({ pattern, sets, texts }) => {
    const written = sets.map((ranges) => writeSet(decodeRanges(ranges)));
    const built = buildPattern(pattern, written);
    return texts.map((text) => [...text.matchAll(built)].map(([match]) => match));
  },
};
const { createInterface } = require("node:readline");
createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  const answer = actions[request.action](request) ?? null;
  process.stdout.write(`${JSON.stringify(answer)}\\n`);
});
"""


class Scripts:
    """A process that runs the scripts."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        script = Path(self._folder.name) / "scripts.js"
        script.write_text(f"{read_scripts(*MODEL_SCRIPTS)}\n{_DRIVER}", "utf-8")
        self._process = subprocess.Popen(
            [str(NODE), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def run(self, action: str, **values: object) -> Any:
        """Return the answer of one of the driver's actions."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"action": action, **values}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def load(
        self, classifier: PortableClassifier, vectors: VectorFormat = FLOAT32
    ) -> None:
        """Load a classifier."""
        model, weights = describe_model(classifier, vectors)
        self.run("load", model=model, weights=weights)

    def tokenize(self, texts: list[str]) -> list[list[str]]:
        """Return the tokens of each text."""
        return [answer["tokens"] for answer in self.run("tokenize", texts=texts)]
