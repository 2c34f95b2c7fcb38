/* tractor-process.h - what a child process is given. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <sys/resource.h>

#include <glib.h>

G_BEGIN_DECLS

/* --- what a child process is given ------------------------------------------------------------- */

/**
 * TractorFdMapping:
 * @here: a descriptor of ours; close-on-exec or not, it stays ours
 * @there: the number that the child has it under
 *
 * A descriptor for a child process. It is the same open file: its position and O_NONBLOCK are
 * shared. A child has its stdin, stdout and stderr, what is mapped, and nothing else of ours.
 */
typedef struct {
  int here;
  int there;
} TractorFdMapping;

/**
 * TractorResourceLimit:
 * @resource: one of RLIMIT_*
 *
 * A limit of a child process, as for setrlimit().
 */
typedef struct {
  int resource;
  rlim_t soft;
  rlim_t hard;
} TractorResourceLimit;

G_END_DECLS
