#!/usr/bin/python3
"""Records requests of mc-chat in all their forms, as TypeScript.

usage: record.py BIN_DIR WORK_DIR >requests.ts

Each request that the tools in BIN_DIR send to the scripted server becomes a constant with
the vendor's type, so that the compiler checks it as a literal: what is missing, what is
unknown, and what has another type.
"""

import json
import os
import pathlib
import subprocess
import sys

BIN, WORK = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
SERVER = pathlib.Path(__file__).resolve().parent.parent / "server.py"

TYPES = {"anthropic": "Anthropic", "openai": "OpenAI", "openai-compatible": "OpenAICompatible",
         "google": "Google"}

FILES = {
    "picture.png": b"\x89PNG\r\n\x1a\n0000", "picture.jpg": b"\xff\xd8\xff\xe0\0\x10JFIF\0",
    "picture.webp": b"RIFF\x10\0\0\0WEBPVP8 ", "picture.gif": b"GIF89a\1\0\1\0",
    "paper.pdf": b"%PDF-1.4\n%%EOF\n", "notes.txt": "Größe: 5\n".encode(), "blank.txt": b"\n",
}

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"],
          "additionalProperties": False}


def events(*objects):
    return {"steps": [{"event": o} for o in objects]}


ROUTES = {
    "/v1/chat/completions": [{"steps": [{"text": "Well, yes."}, {"finish": "stop"}, {"done": True}]}],
    "/v1/messages": [events(
        {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0,
         "content_block": {"type": "thinking", "thinking": "Hm.", "signature": "EqQ="}},
        {"type": "content_block_start", "index": 1,
         "content_block": {"type": "redacted_thinking", "data": "EmQ="}},
        {"type": "content_block_start", "index": 2, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Well, yes."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"})],
    "/v1/responses": [events(
        {"type": "response.output_text.delta", "delta": "Well, yes."},
        {"type": "response.completed", "response": {"status": "completed", "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA=="},
            {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
                {"type": "output_text", "annotations": [], "logprobs": [], "text": "Well, "}]},
            {"id": "rs_2", "type": "reasoning", "summary": [], "encrypted_content": "gBBB=="}]}})],
    "/v1beta/models/": [events(
        {"candidates": [{"content": {"parts": [
            {"text": "Well, yes."}, {"text": "", "thoughtSignature": "CsQ="}]}, "finishReason": "STOP"}]})],
}

# Models with something of their own.
MODELS = {
    "anthropic": ["claude-opus-5-5", "claude-opus-4-6", "claude-haiku-4-5", "claude-3-haiku-20240307"],
    "openai": ["gpt-6.2-sol", "gpt-5.1", "gpt-4.1"],
    "openai-compatible": ["some-model"],
    "google": ["gemini-3.8-flash", "gemini-2.5-flash", "gemma-3-27b-it"],
}

OPTIONS = {
    "temperature": ["-o", "temperature=0.5"], "top_p": ["-o", "top_p=0.9"],
    "limit": ["-o", "max_tokens=5000"], "stop": ["-o", "stop=END"], "stops": ["-o", 'stop=["A","B"]'],
    "seed": ["-o", "seed=7"], "none": ["-o", "reasoning_effort=none"],
    "minimal": ["-o", "reasoning_effort=minimal"], "low": ["-o", "reasoning_effort=low"],
    "high": ["-o", "reasoning_effort=high"], "max": ["-o", "reasoning_effort=max"],
    "reasoning": ["--reasoning"], "whole": ["--no-stream"], "schema": ["--schema", "schema.json"],
    "everything": ["--reasoning", "--no-stream", "--schema", "schema.json", "-o", "max_tokens=5000",
                   "-o", "reasoning_effort=low", "-S", "Be kind."],
}
# What a provider has no word for, or does not take.
NOT = {"anthropic": ["seed"], "openai": ["seed", "stop", "stops"], "openai-compatible": [],
       "google": ["picture.gif"]}


class Recorder:
    def __init__(self, log):
        self.log = log
        self.seen = 0
        self.numbers = {}

    def run(self, what, provider, *args, tool="mc-chat"):
        """Runs a tool; its requests are printed as constants that `what` names."""
        done = subprocess.run([BIN / tool, *args], cwd=WORK, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False, env=ENV)
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        requests = [json.loads(line) for line in lines[self.seen:]]
        self.seen = len(lines)
        requests = [r for r in requests if r["method"] == "POST"]
        if done.returncode or not requests:
            sys.exit(f"record.py: {provider}: {what}: {done.stderr or 'no request was sent'}")
        for request in requests:
            n = self.numbers[provider] = self.numbers.get(provider, 0) + 1
            print(f"// {provider}: {what}")
            print(f"export const {TYPES[provider]}{n}: t.{TYPES[provider]} =",
                  json.dumps(request["body"], ensure_ascii=False) + ";\n")


def interrupt(session):
    """Adds an exchange that was interrupted after a part of its answer."""
    path = WORK / "sessions" / session / "history.jsonl"
    last = json.loads(path.read_text().splitlines()[-1])
    last |= {"id": last["id"][:-1] + ("0" if last["id"][-1] != "0" else "1"), "status": "interrupted",
             "parent": last["id"], "timestamp": last["timestamp"] + 1, "query": "And then?", "answer": "Then there"}
    last.pop("native", None)
    with path.open("a") as file:
        file.write(json.dumps(last, separators=(",", ":"), ensure_ascii=False) + "\n")


def record(rec, provider, model):
    name = f"{provider}-{model}".replace(".", "-")
    who = ["-p", provider, "-m", model]
    alone = ["--no-stdin", "--no-save", *who]

    rec.run("a prompt", provider, *alone, "hi")
    rec.run("a system prompt", provider, *alone, "-S", "Be kind.", "hi")
    for option, words in OPTIONS.items():
        if option not in NOT[provider]:
            rec.run(option, provider, *alone, *words, "hi")
    for file in FILES:
        if file not in NOT[provider]:
            rec.run(file, provider, *alone, "-a", file, "what is this?")
    rec.run("many files", provider, *alone, "-a", "picture.png", "-a", "paper.pdf", "-a", "notes.txt", "hi")

    rec.run("the first turn", provider, "--no-stdin", "-n", "-s", name, *who, "-S", "Be kind.", "-a",
            "picture.png", "one")
    rec.run("the second turn", provider, "--no-stdin", "-s", name, "two")
    interrupt(name)
    rec.run("an interrupted past", provider, "--no-stdin", "-s", name, "-a", "notes.txt", "three")
    for words in ("four", "five", "six"):
        rec.run("a long past", provider, "--no-stdin", "-s", name, "--reasoning", words)
    rec.run("the request for a summary", provider, "-k", "1", name, tool="mc-session-compact")
    rec.run("a past with a summary", provider, "--no-stdin", "-s", name, "seven")


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    for name, data in FILES.items():
        (WORK / name).write_bytes(data)
    (WORK / "schema.json").write_text(json.dumps(SCHEMA))
    (WORK / "script.json").write_text(json.dumps({"routes": ROUTES}))
    log = WORK / "requests.jsonl"
    log.unlink(missing_ok=True)

    server = subprocess.Popen([sys.executable, SERVER, WORK / "script.json", log], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    ENV.update({"MC_BASE_URL": base + "/v1", "OPENAI_BASE_URL": base + "/v1",
                "ANTHROPIC_BASE_URL": base, "GOOGLE_GEMINI_BASE_URL": base})
    try:
        print('import type * as t from "./types";\n')
        rec = Recorder(log)
        for provider, models in MODELS.items():
            for model in models:
                record(rec, provider, model)
    finally:
        server.stdin.close()
        server.wait()


ENV = {"PATH": os.environ["PATH"], "HOME": str(WORK), "MC_SESSIONS_DIR": str(WORK / "sessions"),
       "LC_ALL": "C.UTF-8", "MC_RETRIES": "0", "ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k",
       "GEMINI_API_KEY": "k"}

if __name__ == "__main__":
    main()
