#!/usr/bin/env bash
# check-conformance.sh - every requirement A1-A117 and B1-B63, every row 1-120 of the acceptance table
# of the actor layer, and every fault of the lists P, S, I, C, D and G, is named by a test, or explained
# in docs/conformance.md, and not both in its tables. A test in Python is named for it by its function, or by its path.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bad=0
paths=$(grep -rhoE '"[A-Za-z0-9/_%-]+"' tests --include='*.c')
tested=$(
  grep -E '^"/' <<<"$paths" | grep -oE '\b[AB][0-9]+\b'
  grep -oE '\brow-[0-9]+\b|\b[PSICD]-[0-9]{2}\b' <<<"$paths"
  grep -rhoE '^def [A-Za-z0-9_]+|/tools/[A-Za-z0-9/_-]+' tests --include='*.py' | tr _ - | grep -oE 'row-[0-9]+\b|G-[0-9]{2}\b'
)
explained=$(grep -oE '^\| ([AB][0-9]+|row-[0-9]+|[PSICDG]-[0-9]{2}) \|' docs/conformance.md | tr -d '| ')
tested=$(sort -u <<<"$tested")

check() {
  local name=$1 is_tested is_explained

  is_tested=$(grep -cx -- "$name" <<<"$tested" || true)
  is_explained=$(grep -cx -- "$name" <<<"$explained" || true)
  if ((is_tested + is_explained == 0)); then
    echo "$name is neither named by a test nor in docs/conformance.md"
    bad=1
  elif ((is_tested + is_explained > 1)); then
    echo "$name is named by a test, and in docs/conformance.md as if it were not, or there twice"
    bad=1
  fi
}

for name in $(printf 'A%s\n' $(seq 117)) $(printf 'B%s\n' $(seq 63)) $(printf 'row-%s\n' $(seq 120)) \
  $(printf 'P-%02d\n' $(seq 23)) $(printf 'S-%02d\n' $(seq 16)) $(printf 'I-%02d\n' $(seq 21)) \
  $(printf 'C-%02d\n' $(seq 14)) $(printf 'D-%02d\n' $(seq 9)) $(printf 'G-%02d\n' $(seq 4)); do
  check "$name"
done
# What the page names must be there.
for path in $(grep -oE '`/[A-Za-z0-9/_-]+`' docs/conformance.md | tr -d '`' | sort -u); do
  grep -rqF "\"$path\"" tests || { echo "docs/conformance.md names $path, which is no test"; bad=1; }
done
exit $bad
