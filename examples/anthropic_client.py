"""Anthropic's own Python client: how many tokens a prompt has, and a streamed answer.

pip install anthropic; then 'rushlight serve' in another terminal.
"""

import os

from anthropic import Anthropic

url = os.environ.get("RUSHLIGHT_URL", "http://127.0.0.1:8080")
client = Anthropic(base_url=url, api_key=os.environ.get("RUSHLIGHT_API_KEY", "none"))
model = os.environ.get("RUSHLIGHT_MODEL", "smollm2")
messages = [{"role": "user", "content": "Write a haiku about ice hockey"}]

greedy = {"temperature": 0}  # a field that newer versions of the client have no name for

count = client.messages.count_tokens(model=model, messages=messages)
print(f"({count.input_tokens} tokens)")
with client.messages.stream(model=model, messages=messages, max_tokens=60, extra_body=greedy) as stream:
    for text in stream.text_stream:
        print(text, end="", flush=True)
print()
