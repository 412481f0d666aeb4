#!/bin/sh -e
# What `make run` does after the installation: the starter model, the server, one answer.
cd "$(dirname "$0")/.."
model=SmolLM2-135M-Instruct.Q4_1
kronk=.venv/bin/kronk

"$kronk" catalog pull "$model" --local

# Stopped before the end, it leaves no server behind that it started itself.
running=$(.venv/bin/python -P -c '
from kronk.cli.client import find_base_path
from kronk.cli.halt import read_lock
print(read_lock(find_base_path()).held)')
stop() {
    trap '' INT TERM
    [ "$running" = True ] || "$kronk" server stop
    exit 130
}
trap stop INT TERM
"$kronk" server start -d --reuse

echo
echo "> Explain in two sentences what a language model is."
"$kronk" run "$model" "Explain in two sentences what a language model is." --max-tokens 120

url=$(.venv/bin/python -P -c 'from kronk.cli.client import find_server; print(find_server().url)')
cat <<END

Kronk runs at $url: open it in a browser, or try:

  curl $url/v1/chat/completions -H 'Content-Type: application/json' \\
    -d '{"model": "$model", "messages": [{"role": "user", "content": "Hello!"}]}'
  $kronk run $model
  $kronk ps

\`make stop\` ends it.
END
