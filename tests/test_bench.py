"""``rushlight bench``: what it measures on a tiny model, and what it makes of the numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from rushlight.backends.cpu.cost import StepCost
from rushlight.backends.cpu.peaks import Peaks
from rushlight.bench import BenchPlan, BenchResult, run_bench
from rushlight.cli import main
from rushlight.cli.bench import table
from rushlight.errors import InvalidParameter, ModelNotFound

TINY = Path(__file__).parent / "data" / "tiny" / "llama-mix.gguf"
RESULT = BenchResult(
    model="m",
    file="m.gguf",
    file_bytes=900,
    backend="cpu",
    target="x86-64-v3",
    processor="znver3",
    threads=2,
    plan=BenchPlan(n_prompt=10, n_decode=4, n_sequences=2),
    prefill=(40.0, 10.0, 20.0),
    decode=(6.0, 8.0, 100.0),
    load_seconds=0.5,
    peak_bytes=1500,
    kv_bytes=100,
    prefill_peaks=tuple(
        Peaks(n_threads=2, read_bytes=1.0, dot_macs=n, fma_flops=1.0) for n in (8e3, 4e3, 4e3)
    ),
    decode_peaks=tuple(
        Peaks(n_threads=2, read_bytes=n, dot_macs=1.0, fma_flops=1.0) for n in (800.0, 800.0, 1e3)
    ),
    cost=StepCost(weight_bytes=100, token_macs=90, output_macs=100),
)


def test_shares_are_of_the_limits_around_each_repetition() -> None:
    # A token is 90 MACs and a tenth of 100: 40, 10 and 20 tokens a second are 1/2, 1/4 and 1/2 of the limits.
    assert RESULT.prefill_share == pytest.approx(20 * 100 / 4000)
    # 6, 8 and 100 tokens a second are 3, 4 and 50 steps of 2 sequences.
    assert RESULT.decode_share == pytest.approx(4 * 100 / 800)
    assert RESULT.memory_ratio == 1.5
    found = RESULT.as_dict()
    assert (found["prefill_median"], found["decode_median"], found["prefill_share"]) == (20.0, 8.0, 0.5)
    assert json.loads(json.dumps(found))["decode_peaks"][2]["read_bytes"] == 1000.0
    assert found["peaks"]["n_threads"] == 2


def test_the_table_tells_them() -> None:
    lines = table(RESULT).splitlines()
    words = [" ".join(line.split()) for line in lines[-2:]]
    assert words[0] == "prefill 10 20.0 tokens/s 50% of the dot product's peak"
    assert words[1] == "decode 4, 2 sequences 8.0 tokens/s 50% of memory bandwidth"
    reference = replace(
        RESULT, target=None, cost=None, backend="reference", prefill=(), prefill_peaks=(), decode_peaks=()
    )
    assert table(reference).endswith(" tokens/s\n")
    assert "limits" not in table(reference) and "prefill" not in table(reference)


def test_a_tiny_model_is_measured() -> None:
    result = run_bench(str(TINY), BenchPlan(n_prompt=16, n_decode=8, repetitions=2), n_threads=1)
    assert result.backend == "cpu" and result.threads == 1
    assert len(result.prefill) == len(result.decode) == 2
    assert min(*result.prefill, *result.decode) > 0
    assert result.file_bytes == TINY.stat().st_size and result.kv_bytes > 0
    assert result.prefill_share is not None and 0 < result.prefill_share < 1
    assert result.decode_share is not None and result.decode_share > 0


def test_depth_and_sequences_on_the_reference_backend() -> None:
    plan = BenchPlan(n_prompt=0, n_decode=3, depth=40, n_sequences=3, repetitions=1, warmup=False)
    result = run_bench(str(TINY), plan, backend="reference")
    assert result.prefill == () and len(result.decode) == 1
    assert result.peaks is None and result.decode_share is None


def test_all_sequences_have_blocks_at_once() -> None:
    plan = BenchPlan(n_prompt=0, n_decode=40, n_sequences=1, repetitions=1, warmup=False)
    one, three = (
        run_bench(str(TINY), replace(plan, n_sequences=n), backend="reference").kv_bytes for n in (1, 3)
    )
    assert three == 3 * one


@pytest.mark.parametrize(
    "wrong", [{"n_prompt": -1}, {"repetitions": 0}, {"n_sequences": 0}, {"n_prompt": 0, "n_decode": 0}]
)
def test_a_plan_that_measures_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidParameter, match="must be at least"):
        BenchPlan(**wrong)


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(ModelNotFound):
        run_bench("no-such-file.gguf", BenchPlan())


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    size = ["-p", "8", "-n", "4", "-r", "1", "-t", "1"]
    assert main(["bench", "-m", str(TINY), *size, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["plan"]["n_prompt"], found["plan"]["n_decode"], found["plan"]["warmup"]) == (8, 4, True)
    assert found["decode_share"] > 0 and found["cost"]["weight_bytes"] > 0
    assert main(["bench", "-m", str(TINY), *size]) == 0
    assert "of memory bandwidth" in capsys.readouterr().out
    assert main(["bench", "-m", str(TINY), "-r", "0"]) == 2
    assert "repetitions is 0; it must be at least 1;" in capsys.readouterr().err
