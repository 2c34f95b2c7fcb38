#!/usr/bin/env bash
# check-examples.sh EXAMPLES - every example is run as a reader would run it, and leaves no process.
set -u
examples=${1:?where are they?}
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
suite=examples
. "$(dirname "${BASH_SOURCE[0]}")/../support/tap.sh"

no_actor_left () { # of these examples, whoever their parent is now
  local deadline=$((SECONDS + 3))
  while pgrep -f "^$examples/" >"$work/left"; do
    if ((SECONDS > deadline)); then
      echo "left:"
      pgrep -af "^$examples/"
      return 1
    fi
  done
}

expect () { # STATUS PATTERN COMMAND...
  local status=$1 pattern=$2 output
  shift 2
  output=$(timeout 60 "$@" 2>&1)
  local got=$?
  echo "$output"
  [[ $got -eq $status ]] || { echo "status $got instead of $status"; return 1; }
  grep -qE "$pattern" <<<"$output" || { echo "no line matches: $pattern"; return 1; }
  no_actor_left
}

tree_is_whole () {
  [[ $("$examples/nested_tree" | wc -l) -eq 15 ]] && no_actor_left
}

primes_are_the_same () {
  local host
  for host in builtin glib uv; do
    # Which worker takes which number is chance.
    "$examples/primes" --host $host 17 18 19 112272535095293 x | sed 's/worker-[0-9]*/worker/' >"$work/$host"
  done
  cat "$work/builtin"
  cmp "$work/builtin" "$work/glib" && cmp "$work/builtin" "$work/uv" &&
    [[ $(wc -l <"$work/uv") -eq 5 ]] && grep -q '^112272535095293 is prime$' "$work/uv" && no_actor_left
}

# The numbers are so large that the workers are at it when it happens.
long_primes () {
  printf '# long ones\n9223372036854775783 9223372036854775643\n' >"$work/numbers"
  "$examples/primes" --host "$1" -f "$work/numbers" >"$work/out" 2>&1 &
  pid=$!
  until [[ $(pgrep -c -P $pid) -eq 2 ]]; do
    kill -0 $pid || return 1
  done
}

worker_is_killed () {
  long_primes "$1" || return 1
  pkill -KILL -P $pid -f 'worker-1$'
  wait $pid
  [[ $? -eq 1 ]] && cat "$work/out" && grep -q "'worker-1'.*killed by signal 9" "$work/out" && no_actor_left
}

is_interrupted () {
  long_primes "$1" || return 1
  kill -INT $pid
  wait $pid
  [[ $? -eq 130 ]] && grep -q 'interrupted after 0 of 2' "$work/out" && no_actor_left
}

root_is_killed () {
  long_primes "$1" || return 1
  kill -KILL $pid
  wait $pid 2>/dev/null
  no_actor_left
}

error_is_relayed () {
  expect 1 '^relay:  inspector@' "$examples/error_propagation" >"$work/error" || { cat "$work/error"; return 1; }
  cat "$work/error"
  [[ $(grep -c '^watcher-[12] was cancelled$' "$work/error") -eq 2 ]] &&
    grep -q "^text:   actor 'disk': block 17 cannot be read$" "$work/error" &&
    [[ $(grep -c '^\(origin\|relay\): *disk@' "$work/error") -eq 2 ]] &&
    grep -q '^so it is the disk' "$work/error"
}

pipeline_is_fast () { # N ARGUMENT...: it ends within 3 s, after so many items
  local started=$EPOCHREALTIME output n=$1
  shift
  output=$("$examples/pipeline" "$@") || return 1
  echo "$output"
  ((${EPOCHREALTIME/[.,]/} - ${started/[.,]/} < 3000000)) && grep -q "^$n items$" <<<"$output" && no_actor_left
}

everybody_gets_everything () {
  local output
  output=$(expect 0 . "$examples/fan_out") || { echo "$output"; return 1; }
  echo "$output"
  [[ $(grep -c '^screen: ' <<<"$output") -eq 7 && $(grep -c '^log: ' <<<"$output") -eq 7 ]]
}

payloads_are_held_to_their_spec () {
  "$examples/typed_payloads" >"$work/typed" && no_actor_left && diff "$work/typed" - <<'EOF'
here: 52.50, 4.75
now: 1700000000.000000250
An item from actor 'mapper': expected '(sv)', got a string
EOF
}

primes_are_left_early () {
  expect 0 '^29$' "$examples/one_way_stream" >"$work/primes" || { cat "$work/primes"; return 1; }
  cat "$work/primes"
  grep -q '^the generator leaves: Cancelled' "$work/primes" && [[ $(wc -l <"$work/primes") -eq 12 ]]
}

programs_are_run () { # HOST
  local line
  expect 0 'compiler:err\] a warning' "$examples/external_program" --host "$1" >"$work/out" ||
    { cat "$work/out"; return 1; }
  cat "$work/out"
  for line in 'compiler:out\] another$' '^the probe took too long, and is gone$' '^line 2: 20%$' \
    'failed with status 7: .* wrote: no route to host$'; do
    grep -q "$line" "$work/out" || return 1
  done
}

ask_server () { # LINE...: prints the answers
  /usr/bin/python3 - "$work/socket" "$@" <<'PYTHON'
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
lines = sys.argv[2:]
s.sendall(''.join(l + '\n' for l in lines).encode())
f = s.makefile()
for _ in lines:
    print(f.readline().strip())
PYTHON
}

server_answers () {
  local pid answers
  env --default-signal=PIPE "$examples/uv_server" "$work/socket" >"$work/out" 2>&1 &
  pid=$!
  until grep -q ready "$work/out"; do kill -0 $pid || return 1; done
  answers=$(ask_server 15 17 banana | sort)
  echo "$answers"
  grep -q '^3$' <<<"$answers" && grep -q '^17$' <<<"$answers" && grep -q banana <<<"$answers" || return 1
  # Ones that read no answer: the next to come gets all the same what it asks for. And one that is gone before the
  # answer, which takes seconds.
  /usr/bin/python3 - "$work/socket" <<'PYTHON' || return 1
import socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(20)
    s.connect(sys.argv[1])
    return s
for _ in range(4):
    deaf = connect()
    deaf.shutdown(socket.SHUT_RD)
    deaf.sendall(b'15\nbanana\n')
    s = connect()
    s.sendall(b'49\n')
    assert s.makefile().readline() == '7\n'
connect().sendall(b'9223372036854775783\n')
PYTHON
  kill -TERM $pid
  wait $pid || return 1
  no_actor_left
}

cluster_keeps_the_order () {
  "$examples/cluster" -w 3 outlives a task >"$work/words" && no_actor_left &&
    sed 's/worker_[0-9]/worker/' "$work/words" | diff - <(
      printf '%s, by root.worker\n' 'outlives: seviltuo' 'a: a' 'task: ksat')
}

actor_comes_back () { # what it knew is gone, the portal is not
  expect 0 '^total 5$' "$examples/supervisor" 2 >"$work/out" || { cat "$work/out"; return 1; }
  cat "$work/out"
  [[ $(grep -c '^the call has failed: .*killed by signal 9' "$work/out") -eq 2 ]] &&
    [[ $(grep -c '^total 1$' "$work/out") -eq 2 ]]
}

subscribers_get_their_topics () {
  expect 0 '^bank: gold is at' "$examples/topics" >"$work/out" || { cat "$work/out"; return 1; }
  cat "$work/out"
  [[ $(grep -c '^bank: rye is at' "$work/out") -eq 3 && $(grep -c '^baker: rye is at' "$work/out") -eq 3 ]] &&
    ! grep -q '^baker: gold' "$work/out"
}

make_address () { # unix|tcp: one where nobody is
  case $1 in
    unix) echo "unix:$work/registry.sock" ;;
    tcp) /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0))
print("tcp://127.0.0.1:%d" % s.getsockname()[1])' ;;
  esac
}

service_is_found () { # unix|tcp
  local address pid tree status
  address=$(make_address "$1")
  "$examples/service_discovery" serve "$address" &
  pid=$!
  # Twice: the first may have to be the registrar, which is gone by then.
  "$examples/service_discovery" ask "$address" greeter >"$work/first" &&
    "$examples/service_discovery" ask "$address" greeter >"$work/second" || return 1
  cat "$work/first" "$work/second"
  grep -q "^greeter answers: process $pid, " "$work/first" && grep -q "process $pid, " "$work/second" || return 1
  timeout 20 "$examples/watch_tree" "$address" greeter >"$work/tree" 2>&1 &
  tree=$!
  within 10 grep -q "^greeter, process $pid, runs$" "$work/tree" || cat "$work/tree"
  kill -INT $pid
  wait $pid
  status=$?
  wait $tree # it may be the registrar, and whoever asks while it ends is told something else
  [[ $status -eq 130 ]] && expect 1 "^No actor 'greeter' has registered in time$" \
    "$examples/service_discovery" ask "$address" greeter && grep -q "^greeter, process $pid, runs$" "$work/tree"
}

# An example in Python, without what differs each time. The registry is at ADDRESS.
run_python () { # PROGRAM ADDRESS ARGUMENTS...
  local program=$1 address=${2#//}

  shift 2
  REGISTRY=$address PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$source/tests/interop/stand-ins \
    /usr/bin/python3 "$source/examples/python_peer/$program" "$@" | sed -E 's/@.*//; s/(process) .*/\1/'
}

python_calls_c () { # unix|tcp
  local address pid
  address=$(make_address "$1")
  "$examples/python_peer" "$address" &
  pid=$!
  run_python client.py "${address#*:}" >"$work/client"
  diff - "$work/client" <<'EXPECTED' || return 1
3.0
<class 'ValueError'>
g-option-context-error-quark 1: mean() needs numbers
failed first in cstats
in mean(), process
1
4
9
16
25
100
101
103
in the end 103
EXPECTED
  kill -TERM $pid
  wait $pid
  [[ $? -eq 143 ]] && no_actor_left
}

python_has_a_child_in_c () { # unix|tcp
  local address
  address=$(make_address "$1")
  [[ $(run_python parent.py "${address#*:}" "$examples/python_peer") == 3.0 ]] && no_actor_left
}

readme_shows_the_example () {
  awk '/^```c$/{p=1;next} /^```$/{if(p)exit} p' "$source/README.md" >"$work/readme.c"
  sed -n '/^#include <tractor-builtin.h>/,$p' "$source/examples/single_call.c" | diff - "$work/readme.c"
}

# What parent and child talk over, and where they listen.
for transport in unix tcp; do
  export TRACTOR_TRANSPORT=$transport
  check "single_call/$transport" expect 0 "^process [0-9]+ got \{'sum': <int64 42>" "$examples/single_call"
  check "nested_tree/$transport" tree_is_whole
  check "nested_tree-fails/$transport" \
    expect 1 'came by way of root.2.2.2@.* -> root.2.2@.* -> root.2@' "$examples/nested_tree" --fail
  check "glib_app/$transport" expect 0 'the clock ticked on meanwhile' "$examples/glib_app"
  check "uv_server/$transport" server_answers
  check "error_propagation/$transport" error_is_relayed
  check "bidirectional_stream/$transport" expect 0 '^the sum is 42$' "$examples/bidirectional_stream" 17 4 21
  check "bidirectional_stream-fails/$transport" \
    expect 1 "^actor 'adder': .* is not a signed number" "$examples/bidirectional_stream" 1 x
  check "fan_out/$transport" everybody_gets_everything
  check "typed_payloads/$transport" payloads_are_held_to_their_spec
  check "one_way_stream-left-early/$transport" primes_are_left_early
  check "one_way_stream-to-its-end/$transport" expect 0 '^that is all$' "$examples/one_way_stream" --all 3
  check "cluster/$transport" cluster_keeps_the_order
  check "cluster-fails/$transport" \
    expect 1 "^actor 'root.worker_[0-9]': 'm4il' is not a word$" "$examples/cluster" -w 2 a m4il slow
  check "supervisor/$transport" actor_comes_back
  check "topics/$transport" subscribers_get_their_topics
  check "primes/$transport" primes_are_the_same
  for host in builtin glib uv; do
    check "pipeline/$transport/$host" pipeline_is_fast 500 --host $host
    check "pipeline-cancelled/$transport/$host" pipeline_is_fast 250 --cancel --host $host
  done
  unset TRACTOR_TRANSPORT
  check "service_discovery/$transport" service_is_found $transport
  check "python_peer/$transport" python_calls_c $transport
  check "python_peer-as-child/$transport" python_has_a_child_in_c $transport
done
check packed_call expect 0 '^as values: 49$' "$examples/packed_call"
check shared_memory expect 0 '^1000 windows, the loudest from sample 749000$' "$examples/shared_memory"
[[ -x $examples/sd_event_app ]] &&
  check sd_event_app expect 0 'the sum is 500000500000' "$examples/sd_event_app" &&
  check sd_event_app-loop-goes-on expect 0 'timer beat on meanwhile' "$examples/sd_event_app"
check primes-bad-number expect 1 '^x: bad: ' "$examples/primes" x 3
check primes-no-file expect 2 'No such file' "$examples/primes" -f /no/such/file
check primes-bad-host expect 2 'builtin, glib or uv' "$examples/primes" --host qt
check supervisor-gives-up expect 1 '^After 2 restarts in 60.0 s: ' "$examples/supervisor" 3
for host in builtin glib uv; do
  check "primes-worker-killed/$host" worker_is_killed $host
  check "primes-interrupted/$host" is_interrupted $host
  check "primes-root-killed/$host" root_is_killed $host
  check "external_program/$host" programs_are_run $host
done
check watch_tree expect 0 '^    right, process [0-9]+, runs$' "$examples/watch_tree"
check watch_tree-nobody-there expect 1 "^No actor 'nobody' has registered in time$" \
  "$examples/watch_tree" "$(make_address unix)" nobody
check watch_tree-usage expect 2 '^usage: watch_tree' "$examples/watch_tree" what
check readme readme_shows_the_example
echo "1..$n"
