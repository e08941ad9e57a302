"""``--json-schema``, ``--regex`` and ``--grammar``."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_llm import Script

from rushlight.cli import main


def test_a_constraint_arrives_as_text_or_from_a_file(script: Script, tmp_path: Path) -> None:
    schema, grammar = tmp_path / "schema.json", tmp_path / "answer.lark"
    schema.write_text('\ufeff{"type": "null"}', encoding="utf-8")
    grammar.write_text('start: "é"', encoding="utf-8")
    for flags, want in (
        (["--json-schema", '{"type": "null"}'], ('{"type": "null"}', None, None)),
        (["--json-schema", str(schema)], ('{"type": "null"}', None, None)),
        (
            ["--json-schema", '{"title": "' + "x" * 5000 + '"}'],
            ('{"title": "' + "x" * 5000 + '"}', None, None),
        ),
        (["--regex", str(schema)], (None, str(schema), None)),
        (["--grammar", str(grammar)], (None, None, 'start: "é"')),
        (["--grammar", 'root ::= "a"'], (None, None, 'root ::= "a"')),
    ):
        assert main(["run", *flags, "Hi"]) == 0
        params = script.asked[-1][1]
        assert (params.json_schema, params.regex, params.grammar) == want


def test_wrong_constraints_are_wrong_usage(
    script: Script, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe{")
    for flags, word in (
        (["--json-schema", "nothing.json"], "no JSON object"),
        (["--grammar", str(binary)], "cannot be read"),
        (["--regex", "a", "--grammar", "b"], "not allowed with"),
    ):
        assert main(["run", *flags, "Hi"]) == 2
        assert word in capsys.readouterr().err
    assert not script.asked
