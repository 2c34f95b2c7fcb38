#!/usr/bin/env bash
# check-conformance.sh - every requirement A1-A117 and B1-B63 is named by a test, or explained in
# docs/conformance.md, and not both in its tables.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
bad=0
tested=$(grep -rhoE '"/[A-Za-z0-9/_-]+"' tests --include='*.c' | grep -oE '\b[AB][0-9]+\b' | sort -u)
explained=$(grep -oE '^\| [AB][0-9]+ \|' docs/conformance.md | grep -oE '[AB][0-9]+' | sort)

for number in $(printf 'A%s\n' $(seq 117)) $(printf 'B%s\n' $(seq 63)); do
  is_tested=$(grep -cx "$number" <<<"$tested" || true)
  is_explained=$(grep -cx "$number" <<<"$explained" || true)
  if ((is_tested + is_explained == 0)); then
    echo "$number is neither named by a test nor in docs/conformance.md"
    bad=1
  elif ((is_tested + is_explained > 1)); then
    echo "$number is named by a test, and in docs/conformance.md as if it were not"
    bad=1
  fi
done
# What the page names must be there.
for path in $(grep -oE '`/[A-Za-z0-9/_-]+`' docs/conformance.md | tr -d '`' | sort -u); do
  grep -rqF "\"$path\"" tests || { echo "docs/conformance.md names $path, which is no test"; bad=1; }
done
exit $bad
