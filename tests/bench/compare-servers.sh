#!/usr/bin/env bash
# compare-servers.sh BUILD [SECONDS] - requests a second of examples/uvserver, beside a libuv server that does the
# same with workers forked by hand. Both in turn, three times; the medians count. Needs wrk.
set -eu
build=${1:?which build?}
seconds=${2:-3}
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT

measure () { # PROGRAM [ARGUMENT...]: prints requests a second
  : >"$work/out"
  "$@" >"$work/out" 2>&1 &
  local pid=$!
  until grep -q '^http://' "$work/out"; do kill -0 $pid; sleep 0.02; done
  wrk -t 1 -c 32 -d "$seconds" "$(cat "$work/out")factor?n=10403" >"$work/wrk"
  kill $pid
  wait $pid 2>/dev/null || true
  ! grep -E 'Socket errors|Non-2xx' "$work/wrk" >&2
  awk '/^Requests\/sec/ { print int ($2) }' "$work/wrk"
}

for round in 1 2 3; do
  measure "$build/examples/uvserver" --port 0 --workers 2 >>"$work/ours"
  measure "$build/tests/bench/plain-server" >>"$work/plain"
done
ours=$(sort -n "$work/ours" | sed -n 2p)
plain=$(sort -n "$work/plain" | sed -n 2p)
awk -v ours="$ours" -v plain="$plain" 'BEGIN {
  printf "uvserver %d requests/s, workers forked by hand %d, ratio %.2f\n", ours, plain, ours / plain }'
