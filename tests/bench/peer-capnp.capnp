# SPDX-License-Identifier: LGPL-2.1-or-later
@0xb5a3e1c7d94f6021;

interface Echo {
  number @0 (n :Int64) -> (n :Int64);
}
