"""LangChain's ChatOpenAI: a prompt template, a model and a parser in a chain, streamed.

pip install langchain-openai; then 'rushlight serve' in another terminal.
"""

import os

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

url = os.environ.get("RUSHLIGHT_URL", "http://127.0.0.1:8080")
model = ChatOpenAI(
    base_url=f"{url}/v1",
    api_key=os.environ.get("RUSHLIGHT_API_KEY", "none"),
    model=os.environ.get("RUSHLIGHT_MODEL", "smollm2"),
    max_completion_tokens=60,
    temperature=0,
)
prompt = ChatPromptTemplate([("system", "You write {form}s."), ("user", "One about {topic}, please.")])
chain = prompt | model | StrOutputParser()

for piece in chain.stream({"form": "haiku", "topic": "ice hockey"}):
    print(piece, end="", flush=True)
print()
