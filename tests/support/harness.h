/* harness.h - every test in a process of its own, and checked for what it leaves behind.
 *
 * On top of GTest. Each test runs in a forked process under a runner that is a subreaper, so that
 * no descendant can escape. Before and after it the harness compares open descriptors, threads,
 * Unix sockets, files in a private runtime directory and in /dev/shm, and afterwards there must be
 * no child left, dead or alive. A test that hangs has its tasks and stacks printed, and fails. A
 * test on a host is besides watched for a moment after its end: it must not use the processor.
 *
 * A program with many tests that wait can be run in parts at the same time: with TEST_PART=2/3 it has the
 * second test, the fifth, and so on. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-host.h"

/* Whether this is built with one that sees to faults itself. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HARNESS_HAS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HARNESS_HAS_SANITIZER 1
#endif
#endif
#ifndef HARNESS_HAS_SANITIZER
#define HARNESS_HAS_SANITIZER 0
#endif

typedef void (*HarnessFunc) (void);

typedef struct {
  const char *name;
  TractorRunFunc run;
  gboolean has_real_time;
} HarnessHost;

/* builtin, glib, uv, virtual; a NULL name ends them. */
extern const HarnessHost harness_hosts[];

/* The host that the running test is on. */
const HarnessHost *harness_get_host (void);

/* Call first in main(), after tractor_child_main() where there are actors. */
void harness_init (int *argc, char ***argv);
/* A test that brings its own loop, or needs none. */
void harness_add (const char *path, HarnessFunc func);
/* A test in the main task of a fresh run, on every host: "path/builtin", "path/glib", ... */
void harness_add_task (const char *path, TractorTaskFunc func);
/* The same on the hosts whose time is real: for tests with other processes. */
void harness_add_real_task (const char *path, TractorTaskFunc func);
/* The same, of several that differ in a value: @func is given @row, and @path says which it is. */
void harness_add_real_row (const char *path, TractorTaskFunc func, gconstpointer row);
/* The same on GLib's host only: for what only that has. */
void harness_add_glib_task (const char *path, TractorTaskFunc func);
/* And on libuv's. */
void harness_add_uv_task (const char *path, TractorTaskFunc func);
/* For tests of GIO: in each test's process, @func makes what GIO makes once and keeps, before it is
 * written down what is there; GLib's own threads, which come and go, are not looked at any more. */
void harness_set_prepare (HarnessFunc func);
int harness_run (void);

/* How many times slower than usual: 1; more under sanitizers and Valgrind. */
guint harness_get_slowness (void);
/* How many times longer, by the clock, something may take than it does on a machine with nothing else to do: as
 * much more for what else is running there, the tests beside (TRACTOR_TEST_LOAD, which Meson sets for those that
 * run at the same time). */
guint harness_get_patience (void);
gboolean harness_has_tsan (void);
/* Runs @main to its end on a virtual host, its tasks in an order that is @seed's. */
void harness_run_shuffled (TractorTaskFunc main, gpointer data, guint64 seed);
/* For another thread: until the main thread, which runs the host, sleeps in the kernel. */
void harness_wait_until_host_sleeps (void);
/* CPU time of this process so far, in usec. */
gint64 harness_get_cpu_usec (void);
/* For tests with guests of their own: what to dump when they hang. */
void harness_set_guest (TractorGuest *guest);

#define harness_assert_error(error, domain, code)                                                  \
  G_STMT_START                                                                                     \
  {                                                                                                \
    g_assert_error ((error), (domain), (code));                                                    \
    g_clear_error (&(error));                                                                      \
  }                                                                                                \
  G_STMT_END
