#!/bin/sh
# vm-guest.sh BUILD [SCOPE...] - what vm.sh runs in its machine: debug mode under each of the scopes of Yama, as nobody and, where
# that makes a difference, as root.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=$1
shift
status=0

run_tests() { # WHO COMMAND...
  echo "# kernel.yama.ptrace_scope $(cat /proc/sys/kernel/yama/ptrace_scope), $1"
  shift
  TEST_PATIENCE=300 "$@" "$here/test_rights.py" "$build/tests/debug/debug-tree" "$build/tools/debugger/tractor-debugger" /here ||
    status=1
}

for scope in ${*:-0 1 2 3}; do # there is no way back from 3
  echo "$scope" > /proc/sys/kernel/yama/ptrace_scope || exit 1
  run_tests nobody setpriv --reuid 65534 --regid 65534 --clear-groups
  [ "$scope" -lt 2 ] || run_tests root env
done
exit $status
