#!/bin/sh
# curl: is the server up, which model has it, an answer, and a streamed one.
# 'rushlight serve' in another terminal.
set -eu
url=${RUSHLIGHT_URL:-http://127.0.0.1:8080}

curl --silent --show-error --fail "$url/health"
echo
curl --silent --show-error --fail "$url/v1/models"
echo
curl --silent --show-error --fail "$url/v1/chat/completions" \
    --header "Content-Type: application/json" \
    --header "Authorization: Bearer ${RUSHLIGHT_API_KEY:-none}" \
    --data '{"messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 20, "temperature": 0}'
echo
curl --silent --show-error --fail --no-buffer "$url/v1/chat/completions" \
    --header "Content-Type: application/json" \
    --header "Authorization: Bearer ${RUSHLIGHT_API_KEY:-none}" \
    --data '{"messages": [{"role": "user", "content": "Say hello"}], "max_tokens": 20, "temperature": 0, "stream": true}'
