/* bench-counts.h - what the processes of a row count together. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* Where the page below is; in the environment of all processes of a row that is counted. */
#define BENCH_COUNTS_VARIABLE "TRACTOR_BENCH_COUNTS"

typedef struct {
  uint64_t n_system_calls;
  uint64_t n_allocations;
  double per_operation; /* what came of it */
} BenchCounts;
