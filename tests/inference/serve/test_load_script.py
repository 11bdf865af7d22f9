"""What scripts/load reads from the output of wrk, and writes for it."""

import shutil
import subprocess
from pathlib import Path

import load
import pytest
from load import iter_batches, parse_wrk, start, write_script

OUTPUT = """Running 10s test @ http://127.0.0.1:8000/predict
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     9.46ms    3.67ms  28.29ms   76.11%
    Req/Sec     0.85k    81.56     0.98k    57.50%
  Latency Distribution
     50%  865.00us
     75%   11.02ms
     90%   14.44ms
     99%    1.04s
  2500 requests in 10.00s, 1.29MB read
  Non-2xx or 3xx responses: 500
Requests/sec:    250.00
"""


def test_the_output_of_wrk_is_read() -> None:
    found = parse_wrk(OUTPUT)
    assert found.requests_per_s == pytest.approx(200)
    assert found.p50_ms == pytest.approx(0.865)
    assert found.p99_ms == pytest.approx(1040)
    assert found.num_refused == 500


def test_texts_are_sent_in_turn() -> None:
    batches = iter_batches(["a", "b", "c"], 2)
    assert [next(batches) for _ in range(3)] == [["a", "b"], ["c", "a"], ["b", "c"]]


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.slow
def test_wrk_sends_the_texts(tmp_path: Path) -> None:
    script = tmp_path / "requests.lua"
    write_script(script, [['quote " and \\ and \n and 東京']])
    with start([load.__file__, "--echo"]) as address:
        command = ["wrk", "-t1", "-c1", "-d1s", "-s", str(script)]
        done = subprocess.run(
            [*command, f"{address}predict"], capture_output=True, text=True, check=True
        )
    assert "requests in" in done.stdout
    assert "Non-2xx" not in done.stdout
