#!/usr/bin/env bash
# check-headers.sh - every public header compiles alone, as C11 and as C++17, and with all others in a C++ program,
# which tests/guest/test-cxx.cc is.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
flags="-Iguest -Isrc -Ihosts/glib/objects -Ihosts/builtin -Ihosts/glib -Ihosts/uv -Ihosts/virtual
       $(pkg-config --cflags gio-2.0 libuv) -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only"
for header in guest/tractor-*.h src/tractor*.h hosts/*/tractor-*.h hosts/glib/objects/tractor-*.h; do
  echo "$header"
  grep -q "^#include \"$(basename "$header")\"$" tests/guest/test-cxx.cc || {
    echo "tests/guest/test-cxx.cc does not include it"
    exit 1
  }
  for compiler in "gcc -std=c11 -x c" "clang -std=c11 -x c" "g++ -std=c++17 -x c++" "clang++ -std=c++17 -x c++"; do
    echo "#include <$(basename "$header")>" | $compiler $flags -
  done
done
