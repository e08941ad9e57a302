"""Check on this machine that Rushlight writes the words of words.json, bit for bit.

    python tests/goldens/check_words.py [--models NAME ...] [--requests NAME ...] [--scenarios NAME ...]

Without names, all of them. ``RUSHLIGHT_TARGET`` forces one of the kernel targets that the processor runs. It
needs Rushlight and no more, prints a line for each model and scenario, and exits with 1 where a bit differs.
"""

from __future__ import annotations

import argparse
import time

from words import SCENARIOS, differences, load_words, run

from rushlight.backends.cpu.target import detect_target


def main() -> int:
    """Run what the command line names."""
    models = load_words()
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", nargs="+", choices=models, default=list(models))
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=list(SCENARIOS))
    parser.add_argument("--requests", nargs="+", default=None)
    args = parser.parse_args()
    detection = detect_target()
    print(f"{detection.processor}, {detection.name}", flush=True)
    n_different = n_equal = 0
    for name in args.models:
        for scenario in args.scenarios:
            started = time.perf_counter()
            found = run(models[name], SCENARIOS[scenario], args.requests)
            lines = differences(models[name], found)
            seconds = time.perf_counter() - started
            n_different += len(lines)
            n_equal += len(found.words) - len(lines)
            verdict = "differs" if lines else "equal"
            print(f"{name} {scenario}: {len(found.words)} requests, {verdict}, {seconds:.1f} s", flush=True)
            for line in lines:
                print(f"  {line}")
    print(f"{n_equal} answers equal, {n_different} different")
    return int(n_different > 0 or n_equal == 0)


if __name__ == "__main__":
    raise SystemExit(main())
