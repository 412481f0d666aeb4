"""Chat templates tried without a model: what is said of them, here and by a process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kronk.shared.errors import InvalidArgument, ModelFailed, NotFound
from kronk.shared.model_config import ModelConfig
from kronk.shared.models.resolve import resolve
from kronk.shared.paths import BasePath
from kronk.shared.repositories import folder
from kronk.shared.repositories.fetch import Fetched
from kronk.shared.repositories.url import parse
from kronk.shared.templates import builtin, chosen, reader, update
from kronk.shared.templates.faults import fault_of, looks_like_go
from kronk.shared.wire.loading import AdapterSpec
from kronk.worker import template_check

TINY = Path(__file__).parents[1] / "models" / "tiny-chat-q8_0.gguf"
PLAIN = "{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}"


def checked(source: str) -> dict[str, Any]:
    return template_check.check(source, {"bos": "<s>", "eos": "</s>"})


def cases(source: str) -> dict[str, dict[str, Any]]:
    return {case["name"]: case for case in checked(source)["cases"]}


@pytest.mark.parametrize(
    ("source", "kind", "line", "column", "words"),
    [
        ("a\n{% for m in x %}{{ m.role | shout }}{% endfor %}", "syntax", 2, 29, "'shout'"),
        ("{{ a }}\n\n  {% frobnicate %}", "syntax", 3, 6, "unknown tag 'frobnicate'"),
        ("{% for m in messages %}", "syntax", 1, 4, "Unexpected end of template"),
        ("{{ x is odder }}", "syntax", 1, 9, "'odder'"),
        ("{{ if .System }}x{{ end }}", "go", 1, 1, "is a Go template, as Ollama has them"),
        ("line\n{{ .Prompt }}", "go", 2, 1, "name a Jinja template"),
        ("{{- range .Messages }}{{ .Content }}{{- end }}", "go", 1, None, "is a Go template"),
    ],
)
def test_what_is_no_template_is_said_with_its_place(
    source: str, kind: str, line: int, column: int | None, words: str
) -> None:
    fault = checked(source)["fault"]
    assert (fault["kind"], fault["line"]) == (kind, line)
    assert column is None or fault["column"] == column
    assert words in fault["words"]
    assert f"line {line}" in fault["words"] and fault["text"] in source


@pytest.mark.parametrize(
    "source",
    ["", "{{ messages }}", "{% raw %}{{ .X }}{% endraw %}", "{{ end }}{% if x %}{% endif %}"],
)
def test_jinja_is_not_taken_for_go(source: str) -> None:
    assert not looks_like_go(source)


def test_a_long_line_is_shown_around_what_is_wrong() -> None:
    found = fault_of("x" * 500 + "{{ m | shout }}" + "y" * 500, 1, "No filter named 'shout'.")
    assert found.column == 508 and "shout" in found.text and len(found.text) <= 120


def test_nesting_without_end_is_no_template() -> None:
    fault = checked("{% if x %}" + "{{ " + "(" * 20_000 + "1" + ")" * 20_000 + " }}{% endif %}")[
        "fault"
    ]
    assert "nested too deeply" in fault["words"]


def test_each_conversation_is_tried() -> None:
    found = cases(PLAIN)
    assert list(found) == [
        *("user", "system", "turns", "tools", "tool results"),
        *("thinking on", "thinking off", "image"),
    ]
    assert all(case["works"] for case in found.values())
    assert found["system"]["text"].startswith("[system]You are a helpful assistant.[user]")
    assert "get_weather" in found["tool results"]["text"]
    assert found["image"]["text"] == "[user]<__media__>What is this?"
    assert found["tools"]["note"] == "it knows no tools: Kronk writes them as text"
    assert found["thinking on"]["note"] == "makes no difference"
    assert found["user"]["note"] is None


def test_a_refusal_is_told_and_what_kronk_does_about_it() -> None:
    alternating = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + PLAIN
    )
    found = cases(alternating)
    assert found["system"]["works"]
    assert found["system"]["note"] == "it takes no system message: it is said in the user's turn"
    found = cases(
        PLAIN + "{% if messages | length > 2 %}{{ raise_exception('too long') }}{% endif %}"
    )
    assert not found["turns"]["works"] and "too long" in found["turns"]["error"]


@pytest.mark.parametrize(
    ("source", "code", "words"),
    [
        ("{{ strftime_now('%d %b %Y') }}" + PLAIN, "date", "tells the day (line 1)"),
        ("x\n{{ strftime_now('%H:%M') }}" + PLAIN, "time", "tells the time of day (line 2)"),
        (PLAIN + "{{ range(10**5) | random }}", "random", "is drawn anew for each prompt (line 1)"),
        (
            "{% if not day is defined %}{% set day = strftime_now('%d') %}{% endif %}{{ day }}"
            + PLAIN,
            "date",
            'send chat_template_kwargs {"day": "1 January 2025"}',
        ),
    ],
)
def test_prompts_that_differ_from_time_to_time_break_prefix_caching(
    source: str, code: str, words: str
) -> None:
    (note,) = checked(source)["notes"]
    assert note["code"] == code
    assert note["message"].startswith("breaks prefix caching: ") and words in note["message"]
    if "kwargs" not in words:
        assert "chat_template_file" in note["message"]


def test_a_clock_that_no_prompt_shows_is_no_matter() -> None:
    assert checked(PLAIN + "{% if custom %}{{ strftime_now('%d') }}{% endif %}")["notes"] == []


def test_functions_that_are_not_there_are_named() -> None:
    (note,) = checked(PLAIN + "\n{% if custom %}{{ shout(1) }}{% endif %}")["notes"]
    assert note == {
        "code": "function",
        "line": 2,
        "message": "calls shout() (line 2), which templates do not have here",
    }
    inner = "{% if custom %}{{ 1 | shout }}{{ 1 is odder }}{% endif %}"
    assert [note["message"] for note in checked(PLAIN + inner)["notes"]] == [
        "uses the filter shout (line 1), which templates do not have here",
        "uses the test odder (line 1), which templates do not have here",
    ]
    asking = "{% if shout is defined %}{{ shout(1) }}{% endif %}{{ range(2) }}{{ namespace() }}"
    assert checked(PLAIN + asking)["notes"] == []
    macro = "{% macro say(x) %}{{ x }}{% endmacro %}{{ say(1) }}"
    assert checked(macro + PLAIN)["notes"] == []


# The process


def test_a_process_of_its_own_says_the_same() -> None:
    assert reader.check(PLAIN, {"bos": "<s>", "eos": "</s>"}) == checked(PLAIN)


def test_a_template_that_takes_all_memory_is_given_up() -> None:
    with pytest.raises(InvalidArgument, match="ended without an answer"):
        reader.check("{% set x = 'x' * (10 ** 10) %}{{ x }}", {})


def test_one_that_takes_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_ANSWER_WITHIN", 2.0)
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"
    with pytest.raises(InvalidArgument, match=r"\(signal 9\); it takes too long"):
        reader.check(endless, {})


def test_one_that_is_too_large_is_not_tried() -> None:
    with pytest.raises(InvalidArgument, match="more than 1048576 characters"):
        reader.check("x" * (2**20 + 1), {})


# Which one a model has


@pytest.fixture
def base(tmp_path: Path) -> BasePath:
    found = BasePath(tmp_path / "base")
    (found.models / "o" / "r").mkdir(parents=True)
    (found.models / "o" / "r" / "m.gguf").symlink_to(TINY)
    found.templates.mkdir()
    return found


def of(base: BasePath, **config: Any) -> chosen.Chosen:
    return chosen.of_model(base, {"m": ModelConfig(**config)}, "m")


def put(base: BasePath, **files: str) -> None:
    texts = {f"templates/{name}.jinja": text.encode() for name, text in files.items()}
    with folder.changing(base.templates) as change:
        change.put(Fetched(parse("https://example.org/t"), texts, None), texts)


def test_it_is_the_ggufs_own_where_nothing_else_is_said(base: BasePath) -> None:
    found = of(base)
    assert (found.origin, found.path, found.reason) == ("model", None, None)
    assert "add_generation_prompt" in found.text and found.special["bos"]
    assert chosen.tried(found)[0] == found


def test_it_is_what_the_configuration_names(base: BasePath, tmp_path: Path) -> None:
    (tmp_path / "mine.jinja").write_text(PLAIN)
    found = of(base, chat_template_file=tmp_path / "mine.jinja")
    assert (found.text, found.origin, found.path) == (PLAIN, "file", str(tmp_path / "mine.jinja"))
    assert of(base, chat_template="chatml").text == builtin.CHATML
    with pytest.raises(ModelFailed, match="has 'nope'"):
        of(base, chat_template="nope")
    with pytest.raises(ModelFailed, match=r"gone\.jinja: cannot be read: No such file"):
        of(base, chat_template_file=tmp_path / "gone.jinja")
    with pytest.raises(NotFound):
        chosen.of_model(base, {}, "nope")


def test_a_name_is_found_in_the_folder_before_the_repository(base: BasePath) -> None:
    put(base, one="theirs", two="theirs")
    (base.templates / "one.jinja").write_text("mine")
    found = of(base, chat_template="one")
    assert (found.text, found.origin) == ("mine", "folder")
    found = of(base, chat_template="two.jinja")
    assert (found.text, found.origin) == ("theirs", "repository")
    assert found.path == str(base.templates / "repository" / "templates" / "two.jinja")
    put(base, two="newer")
    assert Path(found.path).read_text() == "newer"
    for name in ("../one", "repository/templates/two", ""):
        with pytest.raises(ModelFailed):
            of(base, chat_template=name)


def test_chatml_stands_in_for_one_of_the_ggufs_that_cannot_be_used() -> None:
    broken = chosen.Chosen("m", "{{ .System }}", "model", None, None, None, {})
    stand_in, report = chosen.tried(broken)
    assert (stand_in.origin, stand_in.text) == ("chatml", builtin.CHATML)
    assert stand_in.reason is not None and "is a Go template" in stand_in.reason
    assert report["fault"]["kind"] == "go" and all(case["works"] for case in report["cases"])


def test_an_adapter_is_found_by_its_name(base: BasePath, tmp_path: Path) -> None:
    base.adapters.mkdir()
    (base.adapters / "style.gguf").touch()
    (tmp_path / "beside.gguf").touch()
    asked = ("/etc/kronk/style.gguf", "/etc/kronk/style", f"{tmp_path}/beside.gguf", "/etc/nope")
    config = ModelConfig(adapters=tuple(AdapterSpec(path, 1.0) for path in asked))
    assert [one.path for one in resolve(base, {"m": config}, "m").adapters] == [
        str(base.adapters / "style.gguf"),
        str(base.adapters / "style.gguf"),
        f"{tmp_path}/beside.gguf",
        "/etc/nope",
    ]


# A repository of them


def fetched(**files: bytes) -> Fetched:
    texts = {name.replace("__", "/") + ".jinja": data for name, data in files.items()}
    return Fetched(parse("https://example.org/t"), texts, None)


def test_templates_of_a_repository_are_all_tried_first() -> None:
    good = PLAIN.encode()
    assert set(update.check(fetched(a=good, b=good))) == {"a.jinja", "b.jinja"}
    assert set(update.check(fetched(templates__a=good, b=b"{% x"))) == {"templates/a.jinja"}
    for files, complaint in (
        (fetched(), "has no templates"),
        (fetched(a=good, b=b"ok\n{{ .System }}"), r"b\.jinja is a Go template.*line 2"),
        (fetched(a=good, x__a=good), r"x/a\.jinja has the name of a\.jinja too"),
        (fetched(a=b"\xff"), r"a\.jinja: not UTF-8"),
    ):
        with pytest.raises(InvalidArgument, match=complaint):
            update.check(files)


# The command


def kronk(
    *arguments: str, base: BasePath, config: Path | str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "kronk.cli.main", "model", "template", *arguments],
        env={
            "KRONK_BASE_PATH": str(base.root),
            "KRONK_CATALOG_MODEL_CONFIG_FILE": str(config),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_shows_and_tries(base: BasePath, tmp_path: Path) -> None:
    shown = kronk("show", "m", "--local", base=base)
    assert shown.returncode == 0 and "add_generation_prompt" in shown.stdout
    assert shown.stderr == "template: the GGUF's own\n"
    (base.root / "m.yaml").write_text("models: {m: {chat_template: bad}}")
    (base.templates / "bad.jinja").write_text("{% for %}")
    shown = kronk("show", "m", "--local", base=base, config=base.root / "m.yaml")
    assert shown.stdout == "{% for %}\n"
    assert "warning: it is not valid Jinja, line 1" in shown.stderr
    bad = tmp_path / "bad.jinja"
    bad.write_text("{% for m in messages %}\n{{ m | shout }}{% endfor %}")
    done = kronk("test", str(bad), base=base)
    assert done.returncode == 1
    assert "is not valid Jinja, line 2, column 8" in done.stdout
    bad.write_text(PLAIN + "{{ strftime_now('%d') }}")
    done = kronk("test", str(bad), "--show", base=base)
    assert done.returncode == 0
    assert "warning: it breaks prefix caching" in done.stdout and "--- tools" in done.stdout


PIECES = [
    *("{{", "}}", "{%", "%}", "{#", "#}", " if ", " for ", " in ", " endif ", " endfor ", " set "),
    *(" macro ", " block ", " extends ", " include ", "break", "loop", "cycler()", "messages"),
    *(
        "tools",
        "m.role",
        "|tojson",
        "|random",
        "|list",
        "strftime_now",
        "('%d')",
        "(",
        ")",
        "[",
        "]",
    ),
    *(
        "**",
        "9999",
        "*",
        "-",
        ".",
        "'",
        '"',
        "\n",
        " is defined",
        "namespace()",
        "=",
        "%",
        "//",
        "0",
    ),
]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=14).map("".join)))
@settings(deadline=None, max_examples=100)
def test_whatever_a_template_is_something_is_said_of_it(source: str) -> None:
    report = json.loads(json.dumps(checked(source)))
    assert (report["fault"] is None) == bool(report["cases"])
