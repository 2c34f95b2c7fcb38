/* bench-peers.c - others who do what a row of ours does, measured in the same run (--peers).
 *
 * A peer is a program of its own beside this one, peer-NAME, so that its libraries are not in this one's memory and
 * start. It is built where its library or compiler is, else its row says that it is not there. It is told what to do and
 * how often, and prints the nanoseconds of one operation. D-Bus's are in bench-dbus.c.
 *
 * These are no targets: the ratio says who is ahead. Below 1, it is us. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

typedef struct {
  const char *row; /* of ours */
  const char *program;
  const char *what;
  guint n;
} Peer;

static double
measure_ours (gconstpointer data)
{
  const BenchRow *row = bench_find_row (((const Peer *) data)->row);

  return row->measure (row->data);
}

static double
measure_program (gconstpointer data)
{
  const Peer *peer = data;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *directory = g_path_get_dirname (self);
  g_autofree char *path = g_build_filename (directory, peer->program, NULL);
  g_autofree char *n = g_strdup_printf ("%u", peer->n);
  const char *argv[] = { path, peer->what, n, NULL };
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status;

  if (!g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
    return -1;
  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &output, NULL,
                     &status, &error) ||
      !g_spawn_check_wait_status (status, &error))
    g_error ("%s %s: %s", peer->program, peer->what, error->message);
  return g_ascii_strtod (output, NULL);
}

#define A_NUMBER "call, an int64 there and back, builtin"

static const Peer bus = { A_NUMBER, NULL, NULL, 0 };
static const Peer zeromq = { A_NUMBER, "peer-zeromq", "call", 10000 };
static const Peer capnp = { A_NUMBER, "peer-capnp", "call", 10000 };
static const Peer go_yield = { "checkpoint, 2 tasks of different code", "peer-go", "yield",
                               1000000 };
static const Peer go_spawn = { "spawn and join, one", "peer-go", "spawn", 500000 };
static const Peer go_spawn_1000 = { "spawn and join, 1,000 in a nursery", "peer-go", "spawn-1000",
                                    500 };
static const Peer go_channel = { "channel, there and back", "peer-go", "channel", 500000 };

const BenchRow bench_peer_rows[] = {
  { "int64 call, beside sd-bus", BENCH_USEC, "sd-bus (libsystemd-dev)", 1, TRUE, 7, measure_ours,
    bench_measure_sd_bus_number, &bus, TRUE },
  { "int64 call, beside GDBus", BENCH_USEC, "GDBus", 1, TRUE, 7, measure_ours,
    bench_measure_gdbus_number, &bus, TRUE },
  { "int64 call, beside ZeroMQ", BENCH_USEC, "ZeroMQ (libzmq3-dev)", 1, TRUE, 7, measure_ours,
    measure_program, &zeromq, TRUE },
  { "int64 call, beside Cap'n Proto", BENCH_USEC, "Cap'n Proto (libcapnp-dev)", 1, TRUE, 7,
    measure_ours, measure_program, &capnp, TRUE },
  { "checkpoint of 2, beside Go", BENCH_NSEC, "Go (golang-go)", 1, TRUE, 7, measure_ours,
    measure_program, &go_yield, TRUE },
  { "spawn and join of one, beside Go", BENCH_NSEC, "Go (golang-go)", 1, TRUE, 7, measure_ours,
    measure_program, &go_spawn, TRUE },
  { "spawn and join of 1,000, beside Go", BENCH_NSEC, "Go (golang-go)", 1, TRUE, 7, measure_ours,
    measure_program, &go_spawn_1000, TRUE },
  { "channel, beside Go", BENCH_NSEC, "Go (golang-go)", 1, TRUE, 7, measure_ours, measure_program,
    &go_channel, TRUE },
  { NULL },
};
