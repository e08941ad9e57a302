#!/bin/sh
# The command-line tool llm (https://llm.datasette.io): Rushlight is a plug-in of it; no server is needed.
# pip install llm, where rushlight is installed.
set -eu
model=${RUSHLIGHT_MODEL:-smollm2}

llm models list --query rushlight
llm --model "rushlight/$model" --option temperature 0 --option max_tokens 40 "Write a haiku about ice hockey"
llm --continue --option max_tokens 40 "Now about the sea"
