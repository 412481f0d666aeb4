"""More of what models of each family write, and what a client shall see of it."""

# ruff: noqa: RUF001 - DeepSeek's markers are written with full-width bars.

from __future__ import annotations

from .transcripts import Transcript

PARIS = '{"city": "Paris"}'
NOW = (("now", "{}"),)
ONE = (("get_weather", PARIS),)
BOTH = (("get_weather", PARIS), ("now", "{}"))


def same(title: str, raw: str, retracted: int = 0) -> Transcript:
    """An answer without calls: the client sees what the model wrote."""
    return Transcript(title, raw, raw, retracted=retracted)


def _kimi(name: str, arguments: str, number: int = 0) -> str:
    return (
        f"<|tool_call_begin|>{name}:{number}<|tool_call_argument_begin|>{arguments}"
        "<|tool_call_end|>"
    )


KIMI_OPEN, KIMI_CLOSE = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
KIMI_NOW = f"{KIMI_OPEN}{_kimi('functions.now', '{}')}{KIMI_CLOSE}"
KIMI_RM = _kimi("functions.rm", '{"x": "' + _kimi("functions.now", "{}") + '"}')
KIMI = (
    same("plain text", "Hello <|tool|> there.\n"),
    Transcript(
        "one call", f"{KIMI_OPEN}{_kimi('functions.get_weather', PARIS)}{KIMI_CLOSE}", "", ONE
    ),
    Transcript(
        "text, two calls, text",
        f"Let me see. \n{KIMI_OPEN}{_kimi('functions.get_weather', PARIS)}\n"
        f"{_kimi('functions.now', '{}', 1)}{KIMI_CLOSE}\n So.",
        "Let me see.So.",
        BOTH,
    ),
    Transcript("no section and no prefix", _kimi("now", " {}"), "", NOW),
    Transcript(
        "no number",
        "<|tool_call_begin|>now<|tool_call_argument_begin|>{}<|tool_call_end|>",
        "",
        NOW,
    ),
    Transcript(
        "the closing markers are missing", KIMI_NOW.partition("<|tool_call_end|>")[0], "", NOW
    ),
    Transcript(
        "an unknown tool is text, and so is a call in its arguments",
        f"{KIMI_OPEN}{KIMI_RM}{_kimi('functions.now', '{}', 1)}{KIMI_CLOSE}",
        f"{KIMI_OPEN}{KIMI_RM}",
        NOW,
    ),
    Transcript(
        "markers in a string are data",
        _kimi("functions.get_weather", '{"city": "<|tool_call_end|><|tool_call_begin|>now:1"}'),
        "",
        (("get_weather", '{"city": "<|tool_call_end|><|tool_call_begin|>now:1"}'),),
    ),
    Transcript(
        "a malformed call is text, the next one is a call",
        f"{_kimi('functions.get_weather', '{city: 1}')} {_kimi('functions.now', '{}')}",
        _kimi("functions.get_weather", "{city: 1}"),
        NOW,
        retracted=1,
    ),
    same("arguments that are no object", _kimi("functions.now", "[1]"), 1),
    same("cut off in the name", f"Hm.\n{KIMI_OPEN}<|tool_call_begin|>functions.get_we"),
    same("cut off in the arguments", f"Hm. {KIMI_OPEN}{_kimi('now', PARIS)}"[:-23], 1),
)

V3_OPEN, V3_CLOSE = "<｜tool▁calls▁begin｜>", "<｜tool▁calls▁end｜>"


def _v3(name: str, arguments: str) -> str:
    return (
        f"<｜tool▁call▁begin｜>function<｜tool▁sep｜>{name}\n```json\n{arguments}\n```"
        "<｜tool▁call▁end｜>"
    )


def _v31(name: str, arguments: str) -> str:
    return f"<｜tool▁call▁begin｜>{name}<｜tool▁sep｜>{arguments}<｜tool▁call▁end｜>"


DEEPSEEK = (
    same("plain text", "The <｜tool｜> is\n```json\n{}\n```"),
    Transcript("V3.1: one call", f"{V3_OPEN}{_v31('get_weather', PARIS)}{V3_CLOSE}", "", ONE),
    Transcript("V3: one call", f"{V3_OPEN}{_v3('get_weather', PARIS)}{V3_CLOSE}", "", ONE),
    Transcript(
        "V3.1: text, two calls, text",
        f"So:\n{V3_OPEN}{_v31('get_weather', PARIS)}{_v31('now', '{}')}{V3_CLOSE}\nDone",
        "So:Done",
        BOTH,
    ),
    Transcript(
        "V3: two calls",
        f"{V3_OPEN}{_v3('get_weather', PARIS)}\n{_v3('now', '{}')}{V3_CLOSE}",
        "",
        BOTH,
    ),
    Transcript("R1's own spelling", f"<｜tool▁calls｜>{_v3('now', '{}')}{V3_CLOSE}", "", NOW),
    Transcript(
        "markers and fences in a string are data",
        _v3("get_weather", '{"city": "```<｜tool▁call▁end｜>' + _v31("now", "{}") + '"}'),
        "",
        (("get_weather", '{"city": "```<｜tool▁call▁end｜>' + _v31("now", "{}") + '"}'),),
    ),
    Transcript(
        "an unknown tool is text, and so is a call in its arguments",
        _v31("rm", '{"x": "' + _v31("now", "{}") + '"}') + _v31("now", "{}"),
        _v31("rm", '{"x": "' + _v31("now", "{}") + '"}'),
        NOW,
    ),
    Transcript(
        "a malformed call is text, the next one is a call",
        f"{_v31('get_weather', '{1}')}{_v31('now', '{}')}",
        _v31("get_weather", "{1}"),
        NOW,
        retracted=1,
    ),
    same("the fence does not close", _v3("now", "{}").replace("\n```<", "<"), 1),
    same("no arguments", f"{V3_OPEN}<｜tool▁call▁begin｜>now<｜tool▁call▁end｜>{V3_CLOSE}"),
    same("cut off in the name", f"{V3_OPEN}<｜tool▁call▁begin｜>function<｜tool▁sep｜>get"),
    same("cut off in the arguments", f"{V3_OPEN}{_v3('get_weather', PARIS)}"[:-28], 1),
)


def _glm(name: str, *pairs: tuple[str, str], between: str = "\n") -> str:
    arguments = between.join(
        f"<arg_key>{key}</arg_key>{between}<arg_value>{value}</arg_value>" for key, value in pairs
    )
    return f"<tool_call>{name}{between}{arguments}{between}</tool_call>"


GLM_NOW = _glm("now")
GLM = (
    same("plain text", "a <tool> b </tool_call>"),
    Transcript("one call", f"\n{_glm('get_weather', ('city', 'Paris'))}", "", ONE),
    Transcript(
        "without line breaks",
        f"Hm.{_glm('get_weather', ('city', 'Paris'), between='')}{GLM_NOW}.",
        "Hm..",
        BOTH,
    ),
    Transcript(
        "values by the schema's types",
        _glm("get_weather", ("city", '12"\n'), ("days", " 3 "), ("exact", "true"), ("unit", "C")),
        "",
        (("get_weather", '{"city": "12\\"\\n", "days": 3, "exact": true, "unit": "C"}'),),
    ),
    Transcript(
        "arrays, null, and a key that the schema does not know",
        _glm(
            "write_file",
            ("path", ""),
            ("tags", '["a", "b"]'),
            ("mode", "null"),
            ("x", "1 2"),
        ),
        "",
        (("write_file", '{"path": "", "tags": ["a", "b"], "mode": null, "x": "1 2"}'),),
    ),
    Transcript(
        "markers in a string are data",
        _glm("get_weather", ("city", f"</arg_key></tool_call>{GLM_NOW.replace('arg', 'x')}")),
        "",
        (("get_weather", '{"city": "</arg_key></tool_call><tool_call>now\\n\\n</tool_call>"}'),),
    ),
    Transcript(
        "markers in a string of an array are data",
        _glm("write_file", ("tags", '["</arg_value></tool_call>", "\\\\"]')),
        "",
        (("write_file", '{"tags": ["</arg_value></tool_call>", "\\\\"]}'),),
    ),
    Transcript(
        "an unknown tool is text, and so is a call in its arguments",
        f"{_glm('rm', ('x', f'a</tool_call>{GLM_NOW}'))}\n{GLM_NOW}",
        _glm("rm", ("x", f"a</tool_call>{GLM_NOW}")),
        NOW,
    ),
    Transcript(
        "a malformed call is text to its end, the next one is a call",
        f"<tool_call>now\n<arg_key>a</arg_key>b{_glm('now')}{_glm('now')}",
        f"<tool_call>now\n<arg_key>a</arg_key>b{_glm('now')}",
        NOW,
        retracted=1,
    ),
    same("a key twice", _glm("now", ("a", "1"), ("a", "2")), 1),
    same("no name", "<tool_call>\n<arg_key>a</arg_key>"),
    same("JSON in the place of a name", 'The <tool_call>{"name": "now"}</tool_call>'),
    same("cut off in the name", "<tool_call>get_w"),
    same("cut off in a value", _glm("get_weather", ("city", "Paris"))[:-20], 1),
)


def _gemma(name: str, inside: str) -> str:
    return f"<|tool_call>call:{name}{{{inside}}}<tool_call|>"


GEMMA_NOW = _gemma("now", "")
GEMMA_PARIS = _gemma("get_weather", 'city:<|"|>Paris<|"|>')
GEMMA_RM = _gemma("rm", f'x:<|"|>{GEMMA_NOW}<|"|>')
GEMMA_4 = (
    same("plain text", "A <|tool> call:now{}"),
    Transcript("one call", GEMMA_PARIS, "", ONE),
    Transcript(
        "text, two calls, the hand-over",
        f"Hm.\n{GEMMA_PARIS}{GEMMA_NOW}<|tool_response>",
        "Hm.",
        BOTH,
    ),
    Transcript(
        "all kinds of values",
        _gemma(
            "write_file",
            'path:<|"|>a"b\\n,}<|"|>, n:-1.50,t:true,o:{a:null,<|"|>b c<|"|>:[]},l:[1,[{}],'
            '<|"|>x<|"|>]',
        ),
        "",
        (
            (
                "write_file",
                '{"path": "a\\"b\\\\n,}", "n": -1.50, "t": true, "o": {"a": null, "b c": []}, '
                '"l": [1, [{}], "x"]}',
            ),
        ),
    ),
    Transcript(
        "quoted as in JSON",
        _gemma("get_weather", '"city": "Pa\\"ri\\u0073 😀\\ud83d\\ude00"'),
        "",
        (("get_weather", '{"city": "Pa\\"ris 😀😀"}'),),
    ),
    Transcript(
        "markers in a string are data",
        _gemma("get_weather", f'city:<|"|>{GEMMA_NOW}<|"|>'),
        "",
        (("get_weather", f'{{"city": "{GEMMA_NOW}"}}'),),
    ),
    Transcript(
        "an unknown tool is text, and so is a call in its arguments",
        f"{GEMMA_RM} {GEMMA_NOW}",
        GEMMA_RM,
        NOW,
    ),
    Transcript("the closing marker is missing", "<|tool_call>call:now{}", "", NOW),
    Transcript(
        "a malformed call is text to its end, the next one is a call",
        f"{_gemma('get_weather', 'city:Paris')}{GEMMA_NOW}",
        _gemma("get_weather", "city:Paris"),
        NOW,
        retracted=1,
    ),
    same("a key twice", _gemma("now", "a:1,a:2"), 1),
    same("no call", "<|tool_call>now{}<tool_call|>"),
    same("cut off in the name", "<|tool_call>call:get_w"),
    same("cut off in a string", 'Hm. <|tool_call>call:get_weather{city:<|"|>Par', 1),
    same("cut off in a nested value", "<|tool_call>call:now{a:[{b:1", 1),
    same("too deep", f"<|tool_call>call:now{{a:{'[' * 200}", 1),
)


def _function(name: str, inside: str) -> str:
    return f"<start_function_call>call:{name}{{{inside}}}<end_function_call>"


FUNCTION_GEMMA = (
    same("plain text", "Sure. <start_function>"),
    Transcript("one call", _function("get_weather", "city:<escape>Paris<escape>"), "", ONE),
    Transcript(
        "two calls and the hand-over",
        f"{_function('get_weather', 'city:<escape>Paris<escape>')}{_function('now', '')}"
        "<start_function_response>",
        "",
        BOTH,
    ),
    same("cut off", "<start_function_call>call:get_weather{city:<escape>Par<esc", 1),
)

GEMMA_3 = (
    same("plain text", "```python\nnow()\n```"),
    Transcript("one call", '```tool_code\nget_weather(city="Paris")\n```', "", ONE),
    Transcript(
        "printed, several, with text",
        "Let me.\n```tool_code\nprint(get_weather(city='Paris'))\nnow()\n```\nSo.",
        "Let me.So.",
        BOTH,
    ),
    same("other code", "```tool_code\nx = now()\n```"),
    Transcript(
        "an unknown function, then a call",
        "```tool_code\nrm(x='now()')\n```\n```tool_code\nnow()\n```",
        "```tool_code\nrm(x='now()')\n```",
        NOW,
    ),
    same("an argument without a name", "```tool_code\nget_weather('Paris')\n```", 1),
    same("cut off", "```tool_code\nget_weather(city='Par", 1),
)

_LITERALS = (
    r"""write_file(path='it\'s "a"\n\x41\u00e9\U0001F600\q', text="", tags=['a', "b",], """
    r"""mode=None, n=-.5, e=1e3, f=2., t=True, u=false, d={'k': {}, "l": []})"""
)
_LITERALS_JSON = (
    r'{"path": "it' + "'" + r's \"a\"\nAé😀\\q", "text": "", "tags": ["a", "b"], "mode": null, '
    r'"n": -0.5, "e": 1e3, "f": 2.0, "t": true, "u": false, "d": {"k": {}, "l": []}}'
)

PYTHONIC = (
    same("plain text", "Hello [now()] there."),
    same("only white space", " \n"),
    same("a list that is none of calls", "[1] says so."),
    same("a link", " [now](http://x)"),
    same("an unknown function", "[rm(x=1)]"),
    Transcript("one call", '[get_weather(city="Paris")]', "", ONE),
    Transcript("white space and text around", " \n[ now ( ) ] \nSo [now()].", "So [now()].", NOW),
    Transcript("two calls", "[get_weather(city='Paris'), now()]", "", BOTH),
    Transcript("a comma at the end", "[now(),]", "", NOW),
    Transcript("literals", f"[{_LITERALS}]", "", (("write_file", _LITERALS_JSON),)),
    Transcript(
        "calls in a string are data",
        "[get_weather(city=')] [now()]')]",
        "",
        (("get_weather", '{"city": ")] [now()]"}'),),
    ),
    Transcript(
        "an unknown function among known ones",
        "[now(), rm(x='now()'), now()]",
        ", rm(x='now()')",
        NOW + NOW,
    ),
    Transcript(
        "Llama 4's markers",
        "Hm. <|python_start|>[now()]<|python_end|> So.",
        "Hm.So.",
        NOW,
    ),
    Transcript(
        "what follows a malformed call is text",
        "[now(), get_weather(city=Paris), now()]",
        ", get_weather(city=Paris), now()]",
        NOW,
        retracted=1,
    ),
    same("an argument without a name", "[get_weather('Paris')]", 1),
    same("an argument twice", "[now(a=1, a=2)]", 1),
    same("half a character", r"[now(a='\ud83d')]", 1),
    same("a number that Python does not know", "[now(a=01)]", 1),
    same("an expression", "[now(a=1 + 2)]", 1),
    same("keys that are no strings", "[now(a={1: 2})]", 1),
    same("cut off in the name", "[get_w"),
    same("cut off in a string", "[get_weather(city='Par\\", 1),
    same("too deep", f"[now(a={'{' * 200}", 1),
)

LFM = (
    same("plain text", "[now()]"),
    Transcript(
        "one call", '<|tool_call_start|>[get_weather(city="Paris")]<|tool_call_end|>', "", ONE
    ),
    Transcript(
        "two calls and text",
        "Hm. <|tool_call_start|>[get_weather(city='Paris'), now()]<|tool_call_end|>\nChecking.",
        "Hm.Checking.",
        BOTH,
    ),
    Transcript(
        "in JSON",
        f'<|tool_call_start|>[{{"name": "get_weather", "arguments": {PARIS}}}, '
        '{"name": "now"}]<|tool_call_end|>',
        "",
        BOTH,
    ),
    Transcript(
        "an unknown function is text, and so is a call in its arguments",
        "<|tool_call_start|>[rm(x='<|tool_call_end|><|tool_call_start|>[now()]')]<|tool_call_end|>"
        "<|tool_call_start|>[now()]<|tool_call_end|>",
        "<|tool_call_start|>[rm(x='<|tool_call_end|><|tool_call_start|>[now()]')]<|tool_call_end|>",
        NOW,
    ),
    Transcript(
        "a malformed call is text to its end, the next one is a call",
        "<|tool_call_start|>[get_weather(city='it's')]<|tool_call_end|>"
        "<|tool_call_start|>[now()]<|tool_call_end|>",
        "<|tool_call_start|>[get_weather(city='it's')]<|tool_call_end|>",
        NOW,
        retracted=1,
    ),
    same("no call", "<|tool_call_start|>[]<|tool_call_end|>"),
    same("cut off", "Hm.\n<|tool_call_start|>[get_weather(city='P", 1),
)

ANALYSIS = "<|channel|>analysis<|message|>Let me \nthink.<|end|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"


def _harmony(name: str, arguments: str, start: str = "<|start|>assistant") -> str:
    return (
        f"{start}<|channel|>commentary to=functions.{name} <|constrain|>json<|message|>"
        f"{arguments}<|call|>"
    )


HARMONY = (
    same("text without a header", "Hello."),
    Transcript("text", "<|channel|>final<|message|> Hello.\n<|return|>", " Hello.\n"),
    Transcript(
        "thinking, then text",
        f"{ANALYSIS}{FINAL}Hello.<|return|>",
        "Hello.",
        reasoning="Let me \nthink.",
    ),
    Transcript(
        "thinking, a preamble, a call",
        f"{ANALYSIS}<|start|>assistant<|channel|>commentary<|message|>I look.<|end|>"
        f"{_harmony('get_weather', PARIS)}",
        "I look.",
        ONE,
        "Let me \nthink.",
    ),
    Transcript("a call at once", _harmony("get_weather", PARIS, start=""), "", ONE),
    Transcript(
        "the marker that ends the answer is not in it",
        _harmony("get_weather", PARIS).removesuffix("<|call|>"),
        "",
        ONE,
    ),
    Transcript(
        "the recipient before the channel",
        f" to=functions.get_weather<|channel|>commentary json<|message|>{PARIS}<|call|>",
        "",
        ONE,
    ),
    Transcript(
        "the recipient in the role, several calls",
        f"<|start|>assistant to=functions.get_weather<|channel|>analysis<|message|>{PARIS}"
        f"<|call|>{_harmony('now', '{}')}",
        "",
        BOTH,
    ),
    Transcript(
        "markers in a string are data",
        _harmony("get_weather", '{"city": "<|call|><|start|>assistant<|end|>"}'),
        "",
        (("get_weather", '{"city": "<|call|><|start|>assistant<|end|>"}'),),
    ),
    Transcript(
        "thinking is cut off",
        "<|channel|>analysis<|message|>Let me <|en",
        reasoning="Let me <|en",
    ),
    Transcript(
        "a missing end",
        f"<|channel|>analysis<|message|>Let me{FINAL}Hello",
        "Hello",
        reasoning="Let me",
    ),
    Transcript(
        "an unknown tool is text",
        f"<|channel|>analysis to=python code<|message|>print(1)<|call|>{_harmony('now', '{}')}",
        "<|channel|>analysis to=python code<|message|>print(1)<|call|>",
        NOW,
    ),
    Transcript(
        "malformed arguments are text, the next call is one",
        f"{_harmony('now', '{a}')}{_harmony('now', '{}')}",
        _harmony("now", "{a}").removesuffix("<|call|>"),
        NOW,
        retracted=1,
    ),
    same("the header of another's turn", "<|start|>user<|message|>Hello"),
    same("a header that goes on and on", "<|channel|>final Hello there, how are you"),
    same("cut off in the header", "<|channel|>commentary to=functions.get_w"),
    same("cut off in the arguments", _harmony("get_weather", PARIS)[:-10], 1),
)
