"""The speed of an exported page: its own scripts, in Node.js.

Node.js runs JavaScript with the engine of Chromium, and needs no window.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from rnncls.cli.reporting.benchmark.latency import choose_texts
from rnncls.inference.export.page.template import MODEL_SCRIPTS, read_scripts

_PROGRAM = """
const { readFileSync } = require("node:fs");
const [page, text] = process.argv.slice(2);
const html = readFileSync(page, "utf8");

/** Return what stands in the script element with this id. */
function readElement(id) {
  const start = html.indexOf(">", html.indexOf(` id="${id}">`)) + 1;
  return html.slice(start, html.indexOf("</script>", start));
}

const model = JSON.parse(readElement("model"));
const arrays = readArrays(model.arrays, decodeText(readElement("weights")));
const tokenizer = new Tokenizer(model.tokenizer, model.words);
const network = new Network(model, arrays);

function classify(text) {
  const { tokens, tokenIds } = tokenizer.tokenize(text);
  return network.toProbs(network.read(tokenIds, tokens));
}

function measure(text) {
  const start = performance.now();
  classify(text);
  return (performance.now() - start) / 1000;
}

if (text !== undefined) {
  console.log(JSON.stringify([...classify(text)]));
} else {
  console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(measure)));
}
"""


def write_page_command(page: Path, folder: Path) -> list[str] | None:
    """Write a program that runs a page, and return the command that starts it.

    With a text as its argument, the program prints the probability of each class.
    Without, it reads a JSON list of texts from its input, and prints the seconds that
    each takes.

    Args:
        page: The exported page.
        folder: Where the program is written.

    Returns:
        None if Node.js is not installed.
    """
    node = shutil.which("node")
    if node is None:
        return None
    program = folder / "page.js"
    program.write_text(f"{read_scripts(*MODEL_SCRIPTS)}\n{_PROGRAM}", "utf-8")
    return [node, str(program), str(page)]


def measure_durations(command: Sequence[str], texts: Sequence[str]) -> list[float]:
    """Return the seconds from a text to its probabilities, after a warm-up.

    Args:
        command: What `write_page_command` returned.
        texts: The texts; they are used in turn, one after another in one process.
    """
    warm_up, timed = choose_texts(texts)
    request = json.dumps([*warm_up, *timed]).encode()
    done = subprocess.run(command, input=request, capture_output=True, check=True)
    durations: list[float] = json.loads(done.stdout)
    return durations[len(warm_up) :]
