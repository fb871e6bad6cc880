"""Calls the Python SDKs as told on standard input.

One JSON object {client, scenario, base} per line, one line of JSON with the outcome back. The outcome
is what an application would see.
"""

import hashlib
import json
import sys

import anthropic
import langchain_openai
import openai

MESSAGES = [{"role": "user", "content": "Wie heißt der Fluss in Maribor? 🏞"}]
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_time",
            "description": "Local time",
            "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
        },
    }
]


def plain(value):
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else value


def events(stream):
    return [plain(e) for e in stream]


def digest(data):
    return {"length": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def openai_scenarios(base):
    client = openai.OpenAI(api_key="sk-test-py", base_url=base, max_retries=0)

    def chat(**extra):
        return client.chat.completions.create(**{"model": "gpt-4o-mini", "messages": MESSAGES, **extra})

    streamed = {"stream": True, "stream_options": {"include_usage": True}}
    return {
        "chat": lambda: plain(chat()),
        "stream": lambda: events(chat(**streamed)),
        "tools": lambda: events(chat(tools=TOOLS, **streamed)),
        "large": lambda: plain(chat(messages=[{"role": "user", "content": "abcdefgh " * 250_000}])),
        "embeddings": lambda: plain(
            client.embeddings.create(model="text-embedding-3-small", input=["one", "two"], encoding_format="float")
        ),
        "responses": lambda: events(client.responses.create(model="gpt-5-mini", input="Hi", stream=True)),
        "models": lambda: [plain(m) for m in client.models.list()],
        "transcription": lambda: plain(
            client.audio.transcriptions.create(
                model="gpt-4o-mini-transcribe",
                file=("speech.mp3", bytes(i * 7919 % 256 for i in range(60_000))),
            )
        ),
        "speech": lambda: digest(
            client.audio.speech.create(model="tts-1", voice="alloy", input="Good morning").content
        ),
    }


def anthropic_scenarios(base):
    client = anthropic.Anthropic(api_key="sk-ant-test", base_url=base, max_retries=0)

    def create(**extra):
        return client.messages.create(**{"model": "claude-test-1", "max_tokens": 64, "messages": MESSAGES, **extra})

    tools = [{"name": "get_time", "description": "Local time", "input_schema": {"type": "object", "properties": {}}}]
    return {
        "chat": lambda: plain(create()),
        "stream": lambda: events(create(stream=True)),
        "tools": lambda: events(create(stream=True, tools=tools)),
        "count": lambda: plain(client.messages.count_tokens(model="claude-test-1", messages=MESSAGES)),
    }


def langchain_scenarios(base):
    chat = langchain_openai.ChatOpenAI(model="gpt-4o-mini", api_key="sk-test-py", base_url=base, max_retries=0)
    # The check of lengths would fetch the tokenizer's vocabulary from the internet.
    embeddings = langchain_openai.OpenAIEmbeddings(
        model="text-embedding-3-small", api_key="sk-test-py", base_url=base, max_retries=0,
        check_embedding_ctx_length=False, model_kwargs={"encoding_format": "float"},
    )

    def seen(message):  # the message has an id of its own in each call
        return {k: getattr(message, k) for k in ("content", "usage_metadata", "response_metadata")}

    text = MESSAGES[0]["content"]
    return {
        "chat": lambda: seen(chat.invoke(text)),
        "stream": lambda: [seen(m) for m in chat.stream(text)],
        "embeddings": lambda: embeddings.embed_documents(["one", "two"]),
    }


CLIENTS = {"openai": openai_scenarios, "anthropic": anthropic_scenarios, "langchain": langchain_scenarios}


def outcome(client, scenario, base):
    try:
        return {"result": CLIENTS[client](base)[scenario]()}
    except Exception as e:  # what an application would catch is what is compared
        return {
            "error": {
                "name": type(e).__name__,
                "status": getattr(e, "status_code", None),
                "body": getattr(e, "body", None),
                "message": str(e),
            }
        }


for line in sys.stdin:
    print(json.dumps(outcome(**json.loads(line))), flush=True)
