"""What providers ask for and what they hear, over real HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest

from activities.contracts import ToolCalled, Usage
from activities.failing import Failing
from activities.models.dialect import is_strict
from activities.models.protocol import Message, Tool, Unspoken
from tests.activities.models.stub import KEY, KINDS, Asking, Reply, Said, Stub, ask, complaint, nobody, stream

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"boat": {"type": "string"}},
    "required": ["boat"],
    "additionalProperties": False,
}
BOAT = Said(pieces=('{"boat":', ' "Ahoy"}'))
LOOK = Tool("look", "Looks at it.", {"type": "object", "properties": {"what": {"type": "string"}}})
FORCED = {"tool_choice": {"type": "tool"}}
PROMPTED = ("openai_compatible", "anthropic", "ollama")
TALK = (
    Message("system", "You look at boats."),
    Message("user", "Which?"),
    Message("assistant", "Let me see.", calls=(ToolCalled(id="c0", tool="look", arguments={"what": "x"}),)),
    Message("tool", "no boat", id="c0", tool="look", failed=True),
    Message("user", "Mind the tide.", by="ann"),
)


def usage_of(kind: str, said: Said) -> Usage:
    counted = {"tokens_in": said.tokens_in, "tokens_out": said.tokens_out}
    return Usage(**counted) if kind == "ollama" else Usage(**counted, cached=said.cached, reasoning=said.reasoning)


async def body(kind: str, *messages: Message, **more: Any) -> Any:
    """What the server of a kind is sent."""
    async with Stub() as stub, Asking(kind, stub.url) as provider:
        await provider.answer(ask(*messages, **more), nobody)
    return stub.asked[0].body


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_is_heard_piece_by_piece(kind: str) -> None:
    pieces: list[str] = []
    async with Stub(Reply(chunked=True)) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(), pieces.append)
        again = await provider.answer(ask(), nobody)
    assert (pieces, heard.text) == (["", "Ahoy, ", "märi!"], "Ahoy, märi!")
    assert (heard.model, heard.finish, heard.calls) == ("m-1", "stop", ())
    assert heard.usage == again.usage == usage_of(kind, Said())
    assert stub.asked[0].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("kind", KINDS)
async def test_calls_of_tools_are_heard_with_their_arguments(kind: str) -> None:
    said = Said(calls=(("look", {"what": "a"}), ("look", {"what": {"deep": [1, 2.5, None, "ü"]}})))
    async with Stub(Reply(said=said)) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(tools=(LOOK,)), nobody)
    assert [(each.tool, each.arguments) for each in heard.calls] == list(said.calls)
    assert len({each.id for each in heard.calls}) == 2
    assert heard.text == "Ahoy, märi!"


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_at_its_limit_says_so(kind: str) -> None:
    async with Stub(Reply(said=Said(finish="length"))) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(), nobody)
    assert heard.finish == "length"


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "anthropic"])
async def test_a_refusal_is_a_failure_that_was_paid_for(kind: str) -> None:
    async with Stub(Reply(said=Said(finish="content_filter"))) as stub, Asking(kind, stub.url) as provider:
        with pytest.raises(Failing, match="refuses to answer: Ahoy") as failed:
            await provider.answer(ask(), nobody)
    assert (failed.value.type, failed.value.usage) == ("refusal", usage_of(kind, Said()))


def called(arguments: str, finish: str) -> Reply:
    delta = {"tool_calls": [{"index": 0, "id": "c0", "function": {"name": "look", "arguments": arguments}}]}
    chunks = [{"choices": [{"index": 0, "delta": delta}]}, {"choices": [{"delta": {}, "finish_reason": finish}]}]
    return Reply(body=b"".join(b"data: %s\n\n" % json.dumps(each).encode() for each in chunks))


@pytest.mark.parametrize("kind", ["openai", "openai_compatible"])
@pytest.mark.parametrize(
    ("arguments", "category"),
    [('{"what": ', "json_syntax"), ("[1]", "json_major"), ('{"x": "\\ud800"}', "json_syntax")],
)
async def test_arguments_that_are_no_object_fail_with_what_was_used(kind: str, arguments: str, category: str) -> None:
    async with Stub(called(arguments, "tool_calls")) as stub, Asking(kind, stub.url) as provider:
        with pytest.raises(Failing, match="calls 'look' with what is no") as failed:
            await provider.answer(ask(tools=(LOOK,)), nobody)
    assert failed.value.type == category
    assert failed.value.usage is not None
    assert failed.value.usage.tokens_out > 0


@pytest.mark.parametrize("kind", ["openai", "openai_compatible"])
async def test_an_event_may_have_several_lines_and_others_beside_it(kind: str) -> None:
    first = 'data: {"model": "m-2",\r\ndata: "choices": [{"delta": {"content": "ahoy"}}]}\r\n\r\n'
    last = 'event: message\nid: 7\ndata:{"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\ndata:[DONE]\n\n'
    body = f": hello\n\n{first}{last}".encode()
    async with Stub(Reply(body=body)) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(), nobody)
    assert (heard.text, heard.model, heard.finish) == ("ahoy", "m-2", "stop")


async def test_arguments_that_are_cut_off_are_half_an_answer() -> None:
    async with Stub(called('{"what": ', "length")) as stub, Asking("openai", stub.url) as provider:
        with pytest.raises(Failing, match="m-1 was cut off at 100 tokens") as failed:
            await provider.answer(ask(tools=(LOOK,)), nobody)
    assert failed.value.type == "context"


# --- schemas


@pytest.mark.parametrize("kind", KINDS)
async def test_a_schema_is_asked_for_in_the_provider_s_own_way(kind: str) -> None:
    pieces: list[str] = []
    async with Stub(Reply(said=BOAT)) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(schema=SCHEMA), pieces.append)
    asked = stub.asked[0].body
    match kind:
        case "anthropic":
            assert asked["tool_choice"] == {"type": "tool", "name": "answer"}
            assert [each["input_schema"] for each in asked["tools"]] == [SCHEMA]
        case "ollama":
            assert asked["format"] == SCHEMA
        case _:
            form = {"name": "answer", "schema": SCHEMA, "strict": True}
            assert asked["response_format"] == {"type": "json_schema", "json_schema": form}
    assert (heard.text, heard.calls) == ('{"boat": "Ahoy"}', ())
    assert "".join(pieces) == heard.text


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_in_schema_is_whole_when_the_line_breaks_after_it(kind: str) -> None:
    whole = stream({"anthropic": "/v1/messages", "ollama": "/api/chat"}.get(kind, "/v1/chat/completions"), FORCED, BOAT)
    reply = Reply(said=BOAT, cut=len(whole) - 3 * (kind != "ollama"), chunked=True)
    async with Stub(reply) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(schema=SCHEMA), nobody)
    assert (heard.text, heard.calls) == ('{"boat": "Ahoy"}', ())


@pytest.mark.parametrize("kind", PROMPTED)
async def test_beside_tools_a_schema_is_told_in_words(kind: str) -> None:
    asked = await body(kind, tools=(LOOK,), schema=SCHEMA)
    assert "fits this JSON Schema" in json.dumps(asked["messages"][0])
    assert not {"format", "response_format", "tool_choice"} & asked.keys()
    assert len(asked["tools"]) == 1


async def test_openai_takes_a_schema_beside_tools() -> None:
    asked = await body("openai", tools=(LOOK,), schema=SCHEMA)
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert asked["tools"][0]["function"]["name"] == "look"


async def test_a_server_that_takes_no_schemas_is_asked_only_once() -> None:
    refuses = Reply(status=400, body=complaint("", "invalid", "response_format is not supported"))
    async with Stub(refuses, Reply(said=BOAT)) as stub, Asking("openai_compatible", stub.url) as provider:
        texts = [(await provider.answer(ask(schema=SCHEMA), nobody)).text for _ in range(2)]
    assert texts == ['{"boat": "Ahoy"}'] * 2
    assert ["response_format" in each.body for each in stub.asked] == [True, False, False]
    assert "fits this JSON Schema" in stub.asked[1].body["messages"][0]["content"]


async def test_a_model_that_takes_no_orders_is_asked_for_its_format_and_at_last_in_words() -> None:
    no_order = Reply(status=400, body=complaint("anthropic", "invalid_request_error", "tool_choice is not supported"))
    no_format = Reply(status=400, body=complaint("anthropic", "invalid_request_error", "output_config: unknown"))
    async with Stub(no_order, no_format, Reply(said=BOAT)) as stub, Asking("anthropic", stub.url) as provider:
        texts = [(await provider.answer(ask(schema=SCHEMA), nobody)).text for _ in range(2)]
    assert texts == ['{"boat": "Ahoy"}'] * 2
    ways = [{"tool_choice", "output_config"} & each.body.keys() for each in stub.asked]
    assert ways == [{"tool_choice"}, {"output_config"}, set(), set()]


async def test_a_server_that_reads_over_the_order_to_call_a_tool_is_told_the_schema_in_words() -> None:
    unforced = Reply(body=stream("/v1/messages", {}, Said(pieces=("Ahoy",))), media="text/event-stream")
    async with Stub(unforced) as stub, Asking("anthropic", stub.url) as provider:
        heard = [await provider.answer(ask(schema=SCHEMA), nobody) for _ in range(2)]
    assert [each.text for each in heard] == ["Ahoy", "Ahoy"]
    assert [{"tool_choice", "output_config"} & each.body.keys() for each in stub.asked] == [{"tool_choice"}, set()]
    assert "JSON Schema" in stub.asked[1].body["messages"][0]["content"][0]["text"]


async def test_of_an_answer_that_is_a_call_only_the_first_call_is_heard() -> None:
    pieces: list[str] = []
    said = Said(pieces=("Well: ",), calls=(("answer", {"boat": "Ahoy"}), ("answer", {"boat": "again"})))
    reply = Reply(body=stream("/v1/messages", {}, said), media="text/event-stream")
    async with Stub(reply) as stub, Asking("anthropic", stub.url) as provider:
        heard = await provider.answer(ask(schema=SCHEMA), pieces.append)
    assert (json.loads(heard.text), heard.calls) == ({"boat": "Ahoy"}, ())
    assert "".join(each for each in pieces if not isinstance(each, Unspoken)) == heard.text


async def test_the_address_of_the_other_protocol_of_a_server_will_do() -> None:
    async with Stub() as stub, Asking("anthropic", f"{stub.url}/v1") as provider:
        await provider.answer(ask(), nobody)
    assert stub.asked[0].path == "/v1/messages"


@pytest.mark.parametrize("kind", ["openai", "openai_compatible", "anthropic"])
async def test_a_model_that_takes_no_temperature_is_asked_without(kind: str) -> None:
    refuses = Reply(status=400, body=complaint(kind, "invalid_request_error", "temperature: not for this model"))
    async with Stub(refuses, Reply()) as stub, Asking(kind, stub.url) as provider:
        for _ in range(2):
            await provider.answer(ask(temperature=0.5), nobody)
    assert [each.body.get("temperature") for each in stub.asked] == [0.5, None, None]


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (SCHEMA, True),
        ({**SCHEMA, "required": []}, False),
        ({**SCHEMA, "additionalProperties": True}, False),
        ({**SCHEMA, "patternProperties": {}}, False),
        ({"type": "array", "items": SCHEMA}, False),
        ({**SCHEMA, "properties": {"boat": {"type": "array", "items": {"type": "object"}}}}, False),
        ({**SCHEMA, "properties": {"boat": {"anyOf": [SCHEMA, {"type": "null"}]}}}, True),
    ],
)
def test_openai_holds_an_answer_only_to_closed_schemas(schema: dict[str, Any], strict: bool) -> None:
    assert is_strict(schema) is strict


# --- conversations


@pytest.mark.parametrize(("kind", "limit"), [("openai", "max_completion_tokens"), ("openai_compatible", "max_tokens")])
async def test_a_conversation_is_told_to_openai_and_its_kin(kind: str, limit: str) -> None:
    asked = await body(kind, *TALK, tools=(LOOK,), temperature=0.5)
    arguments = {"name": "look", "arguments": '{"what": "x"}'}
    calls = [{"id": "c0", "type": "function", "function": arguments}]
    assert asked["messages"] == [
        {"role": "system", "content": "You look at boats."},
        {"role": "user", "content": "Which?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": calls},
        {"role": "tool", "content": "no boat", "tool_call_id": "c0"},
        {"role": "user", "content": "ann: Mind the tide."},
    ]
    assert (asked[limit], asked["temperature"]) == (100, 0.5)
    assert asked["stream_options"] == {"include_usage": True}


async def test_a_conversation_is_told_to_anthropic_in_turns_with_marks_for_its_cache() -> None:
    asked = await body("anthropic", *TALK, tools=(LOOK,), temperature=1.5)
    kept = {"cache_control": {"type": "ephemeral"}}
    result = {"type": "tool_result", "tool_use_id": "c0", "content": "no boat", "is_error": True}
    call = {"type": "tool_use", "id": "c0", "name": "look", "input": {"what": "x"}}
    assert asked["system"] == [{"type": "text", "text": "You look at boats.", **kept}]
    assert asked["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Which?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "Let me see."}, call]},
        {"role": "user", "content": [result, {"type": "text", "text": "ann: Mind the tide.", **kept}]},
    ]
    assert (asked["max_tokens"], asked["temperature"]) == (100, 1.0)


async def test_a_conversation_is_told_to_ollama_with_the_context_that_it_needs() -> None:
    asked = await body("ollama", *TALK, tools=(LOOK,))
    call = {"function": {"name": "look", "arguments": {"what": "x"}}}
    assert asked["messages"][2:4] == [
        {"role": "assistant", "content": "Let me see.", "tool_calls": [call]},
        {"role": "tool", "content": "no boat", "tool_name": "look"},
    ]
    assert asked["options"] == {"num_predict": 100, "num_ctx": 8192}
    assert (asked["truncate"], asked["shift"]) == (False, False)


def test_a_message_in_a_transcript_is_the_message_again() -> None:
    assert [Message.of(json.loads(json.dumps(each.as_json()))) for each in TALK] == list(TALK)
    assert TALK[1].as_json() == {"role": "user", "text": "Which?"}


@pytest.mark.parametrize("kind", KINDS)
async def test_characters_that_were_cut_in_two_are_whole_again(kind: str) -> None:
    said = Said(pieces=("\ud83d", "\ude00 and \ud83d"))
    async with Stub(Reply(said=said)) as stub, Asking(kind, stub.url) as provider:
        heard = await provider.answer(ask(), nobody)
    assert heard.text == "😀 and �"
