# tap.sh - for scripts that test programs as a user would run them; to be sourced. Sets $work, a directory that goes
# away with the script and all that it has started; the caller sets $suite.
# shellcheck shell=bash
work=$(mktemp -d)
n=0
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT

check () { # NAME COMMAND...: the end of $work/out, and what it says, is shown if it fails
  local name=$1
  shift
  n=$((n + 1))
  if "$@" >"$work/log" 2>&1; then
    echo "ok $n /$suite/$name"
  else
    [[ ! -f $work/out ]] || tail -n 20 "$work/out" | sed 's/^/# /'
    sed 's/^/# /' "$work/log" # last, for that is why
    echo "not ok $n /$suite/$name"
  fi
}

# As harness_get_patience(): more by the clock where other things run beside.
within () { # SECONDS COMMAND...: waits until it is so
  local end=$((SECONDS + $1 * ${TRACTOR_TEST_LOAD:-1} + 1)) # SECONDS is cut off
  shift
  until "$@"; do
    ((SECONDS < end)) || { echo "in vain: $*"; return 1; }
    sleep 0.02
  done
}
