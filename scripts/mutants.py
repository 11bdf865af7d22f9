"""Mutation testing: make small wrong changes, and see which the tests notice.

    scripts/mutants                              # all of MODULES, 30 mutants of each
    scripts/mutants rnncls/nn/kernels.py --sample 1000
    scripts/mutants --again                      # only what survived the last time

The changes are those of mutmut, and two of our own (see `mutants_source.py`). mutmut's
own runner is not used: it skips functions with a decorator. The tests of each mutant
run in a process forked from this one, which has imported torch but not rnncls, so that
a mutant costs little more than its tests.

The first step runs all tests under coverage; `--measure` takes the last coverage, and
that of the named files anew. A mutant's tests are those that execute
its line, the tests of its module first, the fastest first, for at most so many
seconds. The results are in build/mutants.json and build/mutants.md.
"""

import argparse
import gc
import importlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import Any

import coverage
import pytest
from mutants_source import Mutant, sample_mutants

RESULTS = Path("build/mutants.json")
TABLE = Path("build/mutants.md")
BASELINE = Path("build/mutants-baseline.json")
EQUIVALENT = Path("scripts/mutants-equivalent.txt")
MEMORY_BYTES = 16 << 30
IMPORTED = (
    *("torch", "torch.distributed", "torch.testing", "sympy", "numpy", "scipy.stats"),
    *("pydantic.main", "pydantic.json_schema", "annotated_types", "yaml", "typer"),
    *("pyarrow.csv", "safetensors.torch", "safetensors.numpy", "rich.table", "tqdm"),
    *("sklearn.metrics", "sklearn.model_selection", "torchtext.data.utils", "loky"),
    *("filelock", "hypothesis.strategies", "pdb"),
)
"""What each test process finds imported already."""
MODULES = {
    "training step": [
        "rnncls/training/trainer.py",
        "rnncls/training/step_data.py",
        "rnncls/training/epochs.py",
        "rnncls/training/epoch_sums.py",
        "rnncls/training/schedule.py",
        "rnncls/training/ema.py",
    ],
    "objective": [
        "rnncls/training/loss.py",
        "rnncls/training/classification.py",
    ],
    "optimiser": [
        "rnncls/training/optimizer.py",
        "rnncls/training/network_optimizer.py",
        "rnncls/training/row_optimizer.py",
    ],
    "batching": [
        "rnncls/text/batching.py",
        "rnncls/text/batch_plans.py",
        "rnncls/text/encoded_texts.py",
    ],
    "recurrent layers": [
        "rnncls/nn/kernels.py",
        "rnncls/nn/encoder.py",
        "rnncls/nn/grid_lstm.py",
        "rnncls/nn/unroll.py",
        "rnncls/nn/states.py",
        "rnncls/nn/dropout.py",
        "rnncls/nn/plain_poolings.py",
        "rnncls/nn/attention.py",
        "rnncls/nn/classifier.py",
        "rnncls/nn/language_model.py",
    ],
    "evaluation": [
        "rnncls/evaluation/metrics.py",
        "rnncls/evaluation/calibration.py",
    ],
    "run folder": [
        "rnncls/runs/folder.py",
        "rnncls/runs/manifest.py",
        "rnncls/runs/weights.py",
        "rnncls/runs/metric_rows.py",
        "rnncls/runs/run.py",
        "rnncls/training/saved_state.py",
        "rnncls/training/resume.py",
    ],
}
TESTS = [
    *("tests/nn", "tests/text/test_batching.py", "tests/text/test_batch_plans.py"),
    *("tests/text/test_encoded_texts.py", "tests/training", "tests/runs"),
    *("tests/evaluation", "tests/integration/test_resume.py"),
    *("tests/integration/test_damage.py", "tests/integration/test_train_predict.py"),
]


class MutantLoader(SourceFileLoader):
    """Load a module from a changed source, and tracebacks from its file."""

    source = ""

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - as inherited
        """Compile the changed source."""
        return compile(self.source, self.path, "exec", dont_inherit=True)


class MutantFinder:
    """Find one module in its changed form, before any other finder is asked."""

    def __init__(self, mutant: Mutant) -> None:
        self.name = mutant.path.removesuffix(".py").replace("/", ".")
        self.mutant = mutant

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        if name != self.name:
            return None
        loader = MutantLoader(name, self.mutant.path)
        loader.source = self.mutant.source
        return spec_from_file_location(name, self.mutant.path, loader=loader)


class SelectTests:
    """A pytest plugin: run these tests only, in this order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.order = {name: position for position, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])


class MeasureTests:
    """A pytest plugin: note the seconds of each test and the lines it executes."""

    def __init__(self, measured: coverage.Coverage) -> None:
        self.measured = measured
        self.seconds: dict[str, float] = {}
        self.failed: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.measured.switch_context(item.nodeid)
        return (yield)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        earlier_s = self.seconds.get(report.nodeid, 0.0)
        self.seconds[report.nodeid] = earlier_s + report.duration
        if report.outcome != "passed":
            self.failed.add(report.nodeid)


def main() -> None:
    """Run the mutants, and write what became of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*", help="files; default: all of the list")
    parser.add_argument("--sample", type=int, default=30, help="mutants of a module")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--again", action="store_true", help="only those that survived")
    parser.add_argument(
        "--test-seconds", type=float, default=10.0, help="of tests for each mutant"
    )
    parser.add_argument(
        "--measure", nargs="*", metavar="TESTS", help="files to take coverage of anew"
    )
    options = parser.parse_args()
    # pytest's plugins would be imported again for each mutant.
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()  # pytest collects garbage several times
    listed = [path for paths in MODULES.values() for path in paths]
    baseline = load_baseline(listed, options.measure)
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    equivalent = load_equivalent()
    for path in options.modules or listed:
        seed = f"{options.seed} {path}"
        mutants, num_possible = sample_mutants(path, options.sample, seed)
        earlier = results.get(path, {}).get("mutants", {})
        outcomes: dict[str, str] = {}
        for mutant in mutants:
            outcome = earlier.get(mutant.name)
            is_open = outcome == "survived" and mutant.name not in equivalent
            if not options.again or outcome is None or is_open:
                outcome = run_mutant(mutant, baseline, options.test_seconds)
            outcomes[mutant.name] = outcome
        results[path] = {"possible": num_possible, "mutants": outcomes}
        RESULTS.write_text(json.dumps(results, indent=1))
        report_module(path, outcomes)
    TABLE.write_text(build_table(results))


def load_baseline(paths: list[str], tests: list[str] | None) -> dict[str, Any]:
    """Return the lines that each test executes, and its seconds.

    Args:
        paths: The modules.
        tests: The files to measure anew; None: all. The others are as last measured.
    """
    if tests is None:
        measured = measure_tests(paths, TESTS)
    else:
        measured = json.loads(BASELINE.read_text())
        if tests:
            newer = measure_tests(paths, tests)
            measured["seconds"] |= newer["seconds"]
            for path, lines in newer["lines"].items():
                for line, names in lines.items():
                    measured["lines"][path].setdefault(line, []).extend(names)
    BASELINE.write_text(json.dumps(measured))
    return measured


def measure_tests(paths: list[str], tests: list[str]) -> dict[str, Any]:
    """Run tests, and return which lines of the modules each executes."""
    BASELINE.parent.mkdir(exist_ok=True)
    output = BASELINE.with_suffix(".new.json")

    def run() -> int:
        include = [str(Path(path).resolve()) for path in paths]
        measured = coverage.Coverage(data_file=None, include=include, config_file=False)
        plugin = MeasureTests(measured)
        measured.start()
        run_pytest(tests, plugin)
        measured.stop()
        data = measured.get_data()
        lines = {
            path: data.contexts_by_lineno(file)
            for path, file in zip(paths, include, strict=True)
        }
        seconds = {
            name: value
            for name, value in plugin.seconds.items()
            if name not in plugin.failed
        }
        output.write_text(json.dumps({"lines": lines, "seconds": seconds}))
        print(f"{len(seconds)} tests pass, {len(plugin.failed)} do not or are skipped")
        return 0

    if fork_and_wait(run, 1800.0, is_silent=False) != 0:
        sys.exit("the tests could not be measured")
    measured: dict[str, Any] = json.loads(output.read_text())
    output.unlink()
    return measured


def run_mutant(mutant: Mutant, baseline: dict[str, Any], max_test_s: float) -> str:
    """Return `killed`, `timeout` or `survived`."""
    names, expected_s = select_tests(mutant, baseline, max_test_s)
    if not names:
        return "survived"

    def run() -> int:
        sys.meta_path.insert(0, MutantFinder(mutant))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        return run_in_stages(names, own_test_file(mutant.path))

    code = fork_and_wait(run, 10.0 + 2 * expected_s)
    if code is None:
        return "timeout"
    return "survived" if code == 0 else "killed"


def select_tests(
    mutant: Mutant, baseline: dict[str, Any], max_test_s: float
) -> tuple[list[str], float]:
    """Return the tests that execute the lines of a mutant, and their seconds."""
    contexts = baseline["lines"][mutant.path]
    seconds = baseline["seconds"]
    own_file = own_test_file(mutant.path)
    lines = range(mutant.first_line, mutant.last_line + 1)
    covering = {name for line in lines for name in contexts.get(str(line), [])}
    if "" in covering:  # executed by the import of the module
        covering |= {name for found in contexts.values() for name in found}
        covering |= {name for name in seconds if name.startswith(own_file)}
    ordered = sorted(
        (name for name in covering if name in seconds),
        key=lambda name: (not name.startswith(own_file), seconds[name], name),
    )
    names: list[str] = []
    total_s = 0.0
    for name in ordered:
        total_s += seconds[name]
        if names and total_s > max_test_s:
            break
        names.append(name)
    return names, min(total_s, max_test_s)


def own_test_file(path: str) -> str:
    """Return the file of a module's own tests."""
    _, room, module = Path(path).parts
    return f"tests/{room}/test_{module}"


def run_in_stages(names: list[str], own_file: str) -> int:
    """Run the module's own tests, then the others; return pytest's exit code."""
    own = [name for name in names if name.startswith(own_file)]
    others = [name for name in names if not name.startswith(own_file)]
    code = 0
    for stage in (own, others):
        files = list(dict.fromkeys(name.partition("::")[0] for name in stage))
        if stage and code == 0:
            code = run_pytest(["-x", *files], SelectTests(stage))
    return code


def run_pytest(arguments: list[str], plugin: object) -> int:
    """Run tests in this process, with their files in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["-q", "-p", "no:cacheprovider"]
        options += ["--no-header", "--tb=no", "--basetemp", f"{folder}/pytest"]
        return int(pytest.main([*options, *arguments], plugins=[plugin]))


def fork_and_wait(
    run: Callable[[], int], limit_s: float, *, is_silent: bool = True
) -> int | None:
    """Return the exit code of a function in a forked process; None: a timeout.

    Args:
        run: The function.
        limit_s: Seconds of CPU time, and a fifth of the time that it may wait: on a
            busy machine, a test that waits for a core has not failed.
        is_silent: Whether to discard its output.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        # Should this process be killed, the other ends too.
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit_s), int(limit_s) + 1))
        code = 1
        try:
            if is_silent:
                devnull = os.open(os.devnull, os.O_WRONLY)
                os.dup2(devnull, 1)
                os.dup2(devnull, 2)
            code = run()
            sys.stdout.flush()
        except BaseException:  # noqa: BLE001 - the child must end here
            traceback.print_exc()
        finally:
            os._exit(code)
    end = time.monotonic() + 5 * limit_s
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return None


def load_equivalent() -> dict[str, str]:
    """Return the mutants that change nothing a test could see, and the reasons."""
    reasons: dict[str, str] = {}
    names: list[str] = []
    for line in EQUIVALENT.read_text().splitlines():
        if line.startswith("= "):
            reasons |= dict.fromkeys(names, line.removeprefix("= "))
            names = []
        elif line and not line.startswith("#"):
            names.append(line)
    return reasons


def report_module(path: str, outcomes: dict[str, str]) -> None:
    """Print the mutants that survived without a reason."""
    reasons = load_equivalent()
    survivors = [
        name
        for name, outcome in outcomes.items()
        if outcome == "survived" and name not in reasons
    ]
    print(f"{path}: {len(survivors)} of {len(outcomes)} survived", flush=True)
    for name in survivors:
        print(f"  {name}", flush=True)


def build_table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    reasons = load_equivalent()
    titles = "module", "mutants", "tried", "equivalent", "killed", "survived", "share"
    rows = [f"| {' | '.join(titles)} |", "|---|--:|--:|--:|--:|--:|--:|"]
    totals = [0] * 5
    for paths in MODULES.values():
        for path in paths:
            if path not in results:
                continue
            counts = count_outcomes(results[path], reasons)
            totals = [
                total + count for total, count in zip(totals, counts, strict=True)
            ]
            rows.append(format_row(f"`{path.removeprefix('rnncls/')}`", counts))
    rows.append(format_row("all", totals))
    return "\n".join(rows) + "\n"


def count_outcomes(result: dict[str, Any], reasons: dict[str, str]) -> list[int]:
    """Return the mutants: possible, tried, equivalent, killed, survived."""
    outcomes = result["mutants"]
    survivors = [name for name, outcome in outcomes.items() if outcome == "survived"]
    num_equivalent = sum(name in reasons for name in survivors)
    num_killed = len(outcomes) - len(survivors)
    num_survived = len(survivors) - num_equivalent
    return [result["possible"], len(outcomes), num_equivalent, num_killed, num_survived]


def format_row(name: str, counts: list[int]) -> str:
    """Return a row of the table."""
    num_killed, num_survived = counts[3:]
    share = num_killed / max(1, num_killed + num_survived)
    return f"| {name} | {' | '.join(map(str, counts))} | {100 * share:.0f}% |"


if __name__ == "__main__":
    main()
