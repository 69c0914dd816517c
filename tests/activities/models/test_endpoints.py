"""Where models are and with which keys: found at this place, and never told."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from activities.failing import Failing
from activities.models.endpoints import Endpoints
from activities.models.secrets import Secrets
from tests.activities.models.stub import KEY, KINDS, Stub, ask, nobody, spec


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "secrets"
    path.touch(0o600)
    return path


def said(secrets: Secrets, kind: str = "openai", **more: Any) -> str:
    """What is wrong with a model, here."""
    with pytest.raises(Failing) as failed:
        Endpoints(secrets).provider("main", spec(kind, "http://127.0.0.1:9", **more))
    assert failed.value.type == "engine"
    return failed.value.message


@pytest.mark.parametrize("kind", KINDS)
async def test_the_address_and_the_key_come_from_the_environment(kind: str) -> None:
    async with Stub() as stub:
        at = spec(kind, stub.url).base_url
        endpoints = Endpoints(Secrets({"KEY": KEY, "WHERE": at}))
        model = spec(kind, stub.url, base_url={"env": "WHERE"})
        first, again = endpoints.provider("main", model), endpoints.provider("spare", model)
        await first.answer(ask(), nobody)
        await endpoints.close()
    assert first is again
    assert stub.asked[0].headers["authorization"] == f"Bearer {KEY}"


async def test_many_threads_share_one_provider() -> None:
    endpoints = Endpoints(Secrets({"KEY": KEY}))
    model = spec("ollama", "http://127.0.0.1:9")
    found = await asyncio.gather(*(asyncio.to_thread(endpoints.provider, "main", model) for _ in range(8)))
    await endpoints.close()
    assert len({id(each) for each in found}) == 1


async def test_a_model_without_a_key_is_asked_without_one() -> None:
    async with Stub() as stub:
        endpoints = Endpoints(Secrets({"OPENAI_API_KEY": KEY, "ANTHROPIC_API_KEY": KEY}))
        for kind in KINDS:
            await endpoints.provider("main", spec(kind, stub.url, api_key=None)).answer(ask(), nobody)
        await endpoints.close()
    assert KEY not in f"{stub.asked}"


@pytest.mark.parametrize(
    "text",
    [f'{{"KEY": "{KEY}"}}', f"# Keys\n\nOTHER=1\nKEY={KEY}\n", f'KEY = "{KEY}"', f"KEY='{KEY}'"],
)
def test_secrets_may_stand_in_a_file(kept: Path, text: str) -> None:
    kept.write_text(text)
    assert Secrets({}, kept).named("KEY", "it") == KEY


def test_the_environment_goes_first(kept: Path) -> None:
    kept.write_text("KEY=old")
    assert Secrets({"KEY": "new"}, kept).named("KEY", "it") == "new"


def test_what_is_missing_is_named_and_where_to_set_it(kept: Path) -> None:
    for secrets, where in ((Secrets({}), "HAULAGE_SECRETS"), (Secrets({"KEY": ""}, kept), str(kept))):
        message = said(secrets)
        assert "'main' wants the secret KEY: set it in the environment of this worker" in message
        assert where in message
    secrets = Secrets({"KEY": KEY})
    assert "'main' wants WHERE: set it in the environment" in said(secrets, base_url={"env": "WHERE"})
    assert "'main' wants a key" in said(secrets, "anthropic", base_url=None, api_key=None)
    assert "give it a base_url" in said(secrets, "openai_compatible", base_url=None)


def test_a_setting_has_its_default() -> None:
    endpoints = Endpoints(Secrets({"KEY": KEY}))
    wrong = spec("ollama", "", base_url={"env": "WHERE", "default": "not an address"})
    with pytest.raises(Failing, match="the address of the model 'main' is http://"):
        endpoints.provider("main", wrong)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://host",
        "host:80",
        "http://",
        "http://me:pw@host",
        "http://h:0",
        "http://h:x",
        "http://h/?a=b",
        "http://a b",
    ],
)
def test_what_is_no_address_is_not_quoted(address: str) -> None:
    message = said(Secrets({"KEY": KEY}), base_url=address)
    assert "the address of the model 'main' is http:// or https://" in message
    assert address.removeprefix("http://") == "" or address not in message


@pytest.mark.parametrize("key", ["two words", "line\nbreak", "ключ", "x" * 5000])
def test_a_key_that_no_header_carries_is_not_quoted(key: str) -> None:
    message = said(Secrets({"KEY": key}))
    assert "the secret KEY holds" in message
    assert key not in message


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_file_that_others_may_read_is_refused(kept: Path, mode: int) -> None:
    kept.write_text(f"KEY={KEY}")
    kept.chmod(mode)
    message = said(Secrets({}, kept))
    assert f"chmod 600 {kept}" in message


@pytest.mark.parametrize("text", [f"{{{KEY}", f'{{"KEY": ["{KEY}"]}}', f"{KEY}\n", "\udcff"])
def test_a_file_that_cannot_be_read_is_not_quoted(kept: Path, text: str) -> None:
    kept.write_bytes(text.encode("utf-8", "surrogateescape"))
    message = said(Secrets({}, kept))
    assert "neither a JSON object of texts nor lines of NAME=VALUE" in message
    assert KEY not in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'none'} cannot be read" in said(Secrets({}, tmp_path / "none"))


def test_no_repr_holds_a_secret() -> None:
    assert KEY not in repr(Secrets({"KEY": KEY}))
