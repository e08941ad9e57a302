"""OpenAI's own Python client: an answer that is an object of a class of yours, whatever the model.

pip install openai; then 'rushlight serve' in another terminal.
"""

import os
from typing import Literal

from openai import OpenAI
from pydantic import BaseModel


class Match(BaseModel):
    """What the model has to tell."""

    home: str
    away: str
    winner: Literal["home", "away", "draw"]


url = os.environ.get("RUSHLIGHT_URL", "http://127.0.0.1:8080")
client = OpenAI(base_url=f"{url}/v1", api_key=os.environ.get("RUSHLIGHT_API_KEY", "none"))
answer = client.chat.completions.parse(
    model=os.environ.get("RUSHLIGHT_MODEL", "smollm2"),
    messages=[{"role": "user", "content": "Bern beat Davos 4:2 at home. Tell home, away and the winner."}],
    response_format=Match,
    max_tokens=100,
    temperature=0,
)
print(answer.choices[0].message.parsed)
