"""OpenAI's own Python client: a streamed answer, and what it took.

pip install openai; then 'rushlight serve' in another terminal.
"""

import os

from openai import OpenAI

url = os.environ.get("RUSHLIGHT_URL", "http://127.0.0.1:8080")
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("RUSHLIGHT_API_KEY", "none"))
model = client.models.list().data[0].id

stream = client.chat.completions.create(
    model=model,
    messages=[{"role": "user", "content": "Write a haiku about ice hockey"}],
    max_tokens=60,
    temperature=0.7,
    seed=1,
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    if chunk.choices:
        print(chunk.choices[0].delta.content or "", end="", flush=True)
    if chunk.usage:
        print(f"\n({chunk.usage.completion_tokens} tokens)")
