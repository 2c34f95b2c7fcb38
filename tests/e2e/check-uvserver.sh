#!/usr/bin/env bash
# check-uvserver.sh EXAMPLES - the HTTP server, asked by curl and loaded by wrk while its workers are killed.
set -u
server=${1:?where is it?}/uvserver
suite=uvserver
. "$(dirname "${BASH_SOURCE[0]}")/../support/tap.sh"
slow=9223372036854775783 # a prime: hours

for program in curl wrk; do
  command -v $program >/dev/null || { echo "1..0 # SKIP there is no $program"; exit 0; }
done

has_line () { grep -q '^http://' "$work/out"; }
open_server () { # ARGUMENT...
  : >"$work/out"
  env --default-signal=PIPE "$server" --port 0 "$@" >"$work/out" 2>&1 &
  pid=$!
  within 10 has_line && url=$(grep -o '^http://.*' "$work/out")
}

ends_in_order () {
  kill -"$1" $pid
  wait $pid
  local got=$?
  [[ $got -eq 0 ]] || { echo "status $got"; return 1; }
  ! pgrep -af "^$server"
}

get () { curl -s -m 20 -o "$work/body" -w '%{http_code}' "$@"; } # prints the status
status_has () { curl -s -m 5 "${url}status" | grep -qE "$1"; }
answers () { # STATUS BODY ARGUMENT...
  local status=$1 body=$2 got
  shift 2
  got=$(get "$@")
  cat "$work/body"
  [[ $got == "$status" ]] || { echo "status $got"; return 1; }
  grep -qE "$body" "$work/body"
}

every_status () {
  answers 200 '^7$' "${url}factor?n=91" && answers 200 '^worker-1 pid [0-9]+ in flight 0$' "${url}status" &&
    answers 400 'is not an unsigned number' "${url}factor?n=x" && answers 400 'of which number' "${url}factor" &&
    answers 404 '/factor' "$url" && answers 405 'GET' -X DELETE "${url}factor?n=91" &&
    answers 413 'too much' -X POST --data-binary @/dev/stdin "${url}factor" < <(head -c 100000 /dev/zero)
}

raw () { # PYTHON: what a client says byte by byte; s is its socket
  /usr/bin/python3 - "${url#http://}" "$1" <<'PYTHON'
import socket, sys
host, port = sys.argv[1].rstrip('/').split(':')
def connect():
    s = socket.create_connection((host, int(port)))
    s.settimeout(20)
    return s
def read_all(s):
    data = b''
    while chunk := s.recv(65536):
        data += chunk
    return data
s = connect()
exec(sys.argv[2])
PYTHON
}

pipelined_in_order () {
  raw '
s.sendall(b"GET /factor?n=100000980001501 HTTP/1.1\r\nHost: a\r\n\r\n"
          b"GET /factor?n=15 HTTP/1.1\r\nHost: a\r\n\r\nGET /factor?n=49 HTTP/1.1\r\nConnection: close\r\n\r\n")
bodies = [part.split(b"\r\n\r\n")[1] for part in read_all(s).split(b"HTTP/1.1 200 OK")[1:]]
assert bodies == [b"10000019\n", b"3\n", b"7\n"], bodies'
}

byte_by_byte () {
  raw '
for byte in b"GET /factor?n=91 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n":
    s.sendall(bytes([byte]))
assert read_all(s).endswith(b"\r\n\r\n7\n")'
}

no_http () {
  raw '
s.sendall(b"EHLO you\r\n\r\n")
assert read_all(s).startswith(b"HTTP/1.1 400 ")' && answers 200 '^7$' "${url}factor?n=91"
}

# Who is gone, or reads no more, gets its answers one by one all the same.
deaf_clients () {
  raw '
ask = b"GET /status HTTP/1.1\r\nHost: a\r\n\r\n"
for _ in range(20):
    s.sendall(ask * 20)
    s.shutdown(socket.SHUT_RD)
    s.close()
    s = connect()' && answers 200 '^7$' "${url}factor?n=91" && kill -0 $pid
}

too_late () {
  local started=$EPOCHREALTIME
  answers 504 'too long' "${url}factor?n=$slow" || return 1
  ((${EPOCHREALTIME/[.,]/} - ${started/[.,]/} < 5000000)) && within 5 status_has '^worker-1 .* in flight 0$'
}

# What is asked of the actor ends with the client, long before the deadline.
gone_client_cancels () {
  raw "
s.sendall(b'GET /factor?n=$slow HTTP/1.1\r\nHost: a\r\n\r\n')
t = connect()
while True:
    t.sendall(b'GET /status HTTP/1.1\r\nHost: a\r\n\r\n')
    if b'in flight 1 of' in t.recv(65536):
        break
s.close()" && within 5 status_has '^in flight 0 of' && status_has '^given up [1-9]'
}

back_pressure () {
  raw "
busy = [connect() for _ in range(4)]
for b in busy:
    b.sendall(b'GET /factor?n=$slow HTTP/1.1\r\nHost: a\r\n\r\n')
while True:
    s.sendall(b'GET /status HTTP/1.1\r\nHost: a\r\n\r\n')
    if b'in flight 4 of 4' in s.recv(65536):
        break
s.sendall(b'GET /factor?n=15 HTTP/1.1\r\nHost: a\r\n\r\n')
answer = s.recv(65536)
assert answer.startswith(b'HTTP/1.1 503 ') and b'Retry-After: 1' in answer, answer" &&
    within 5 status_has '^in flight 0 of' && answers 200 '^3$' "${url}factor?n=15"
}

# Not one is lost or left hanging, nor is anything answered but what was asked for.
load_and_kill () {
  wrk -t 1 -c 32 -d 4 --timeout 15 "${url}factor?n=10403" >"$work/wrk" &
  local load=$! kills=0
  while kill -0 $load 2>/dev/null; do
    kill -KILL "$(pgrep -P $pid | shuf -n 1)" 2>/dev/null && kills=$((kills + 1))
    sleep 0.1 # a death every tenth of a second
  done
  wait $load
  cat "$work/wrk"
  curl -s "${url}status"
  echo "$kills kills"
  ((kills > 10)) && grep -qE '^ +[0-9]{3,} requests in' "$work/wrk" &&
    ! grep -qE 'Socket errors|Non-2xx' "$work/wrk" && within 5 status_has '^in flight 0 of' &&
    status_has '^asked again [1-9]'
}

stops_under_load () {
  wrk -t 1 -c 32 -d 30 --timeout 5 "${url}factor?n=1000000016000000063" >"$work/wrk" &
  local load=$!
  within 5 status_has '^worker-1 .* in flight [1-9]' && ends_in_order INT
  local result=$?
  kill $load
  return $result
}

port_is_taken () {
  "$server" --port "$(grep -oE '[0-9]+/$' <<<"$url" | tr -d /)" >"$work/second" 2>&1
  [[ $? -eq 2 ]] && grep -q 'cannot be had: address already in use' "$work/second"
}

bad_options () {
  "$server" --workers 0 >"$work/second" 2>&1
  [[ $? -eq 2 ]] && "$server" --help | grep -q -- '--deadline-ms'
}

check opens open_server --workers 2 --deadline-ms 60000
check every-status every_status
check pipelined-in-order pipelined_in_order
check byte-by-byte byte_by_byte
check no-http no_http
check deaf-clients deaf_clients
check gone-client-cancels gone_client_cancels
check port-is-taken port_is_taken
check loaded-while-workers-are-killed load_and_kill
check stops-under-load stops_under_load
check opens-with-limits open_server --workers 1 --max 4 --deadline-ms 300
check too-late too_late
check ends-when-told ends_in_order TERM
check opens-with-few open_server --workers 1 --max 4
check back-pressure back_pressure
check ends-again ends_in_order TERM
check bad-options bad_options
echo "1..$n"
