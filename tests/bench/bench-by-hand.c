/* bench-by-hand.c - a call on libuv's loop and on GLib's, beside programs that somebody wrote by hand for that loop.
 *
 * A loop has a price of its own, which nobody who lives in it can avoid: callbacks, lists of handles, a poll that
 * is not epoll. So what a host adds is seen beside the least that its loop can do, not beside bare epoll, which is
 * the floor of the rows in bench-actors.c. These programs watch the socket itself, receive once and send once. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <glib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#define N_CALLS       10000
#define REQUEST_BYTES 133
#define ANSWER_BYTES  104

typedef struct {
  int fd;
  gboolean is_asking;
  guint n_left;
  GMainLoop *loop; /* on GLib */
} End;

static void
say (const End *end)
{
  gsize n_bytes = end->is_asking ? REQUEST_BYTES : ANSWER_BYTES;
  char bytes[REQUEST_BYTES] = "";

  g_assert (send (end->fd, bytes, n_bytes, MSG_NOSIGNAL | MSG_DONTWAIT) == (gssize) n_bytes);
}

/* The socket is readable. FALSE: that was the last. */
static gboolean
go_on (End *end)
{
  char bytes[REQUEST_BYTES];

  g_assert (recv (end->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0);
  if (!end->is_asking)
    say (end);
  if (--end->n_left == 0)
    return FALSE;
  if (end->is_asking)
    say (end);
  return TRUE;
}

/* --- on libuv -------------------------------------------------------------------------------------- */

static void
on_readable_uv (uv_poll_t *poll, G_GNUC_UNUSED int status, G_GNUC_UNUSED int events)
{
  if (!go_on (poll->data))
    uv_poll_stop (poll);
}

static void
live_on_uv (End *end)
{
  uv_loop_t loop;
  uv_poll_t poll;

  uv_loop_init (&loop);
  uv_poll_init (&loop, &poll, end->fd);
  poll.data = end;
  uv_poll_start (&poll, UV_READABLE, on_readable_uv);
  if (end->is_asking)
    say (end);
  uv_run (&loop, UV_RUN_DEFAULT);
  uv_close ((uv_handle_t *) &poll, NULL);
  uv_run (&loop, UV_RUN_DEFAULT);
  uv_loop_close (&loop);
}

/* --- on GLib --------------------------------------------------------------------------------------- */

typedef struct {
  GSource source;
  gpointer tag;
} SocketSource;

static gboolean
check_socket (GSource *source)
{
  return g_source_query_unix_fd (source, ((SocketSource *) source)->tag) != 0;
}

static gboolean
dispatch_socket (G_GNUC_UNUSED GSource *source, GSourceFunc callback, gpointer data)
{
  return callback (data);
}

static gboolean
on_readable_glib (gpointer data)
{
  End *end = data;

  if (go_on (end))
    return G_SOURCE_CONTINUE;
  g_main_loop_quit (end->loop);
  return G_SOURCE_REMOVE;
}

static void
live_on_glib (End *end)
{
  static GSourceFuncs funcs = { .check = check_socket, .dispatch = dispatch_socket };
  g_autoptr (GMainContext) context = g_main_context_new ();
  g_autoptr (GMainLoop) loop = g_main_loop_new (context, FALSE);
  g_autoptr (GSource) source = g_source_new (&funcs, sizeof (SocketSource));

  end->loop = loop;
  ((SocketSource *) source)->tag = g_source_add_unix_fd (source, end->fd, G_IO_IN);
  g_source_set_callback (source, on_readable_glib, end, NULL);
  /* Else GLib leaves out the descriptor for as long as this is dispatched, and wakes itself up when it is back. */
  g_source_set_can_recurse (source, TRUE);
  g_source_attach (source, context);
  if (end->is_asking)
    say (end);
  g_main_loop_run (loop);
}

/* --- both ends --------------------------------------------------------------------------------------- */

static double
measure_by_hand (gconstpointer host)
{
  void (*live) (End * end) = g_str_equal (host, "uv") ? live_on_uv : live_on_glib;
  guint n = bench_n (N_CALLS);
  End end = { .is_asking = TRUE, .n_left = n };
  gint64 started;
  int ends[2];
  pid_t pid;

  g_assert (socketpair (AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  pid = fork ();
  end.fd = ends[pid == 0];
  end.is_asking = pid != 0;
  started = bench_now_nsec ();
  live (&end);
  started = bench_now_nsec () - started;
  if (pid == 0)
    _exit (0);
  waitpid (pid, NULL, 0);
  close (ends[0]);
  close (ends[1]);
  return (double) started / n;
}

const BenchRow bench_by_hand_rows[] = {
  { "call on uv, beside one by hand", BENCH_USEC, "uv_poll, by hand", 1.25, TRUE, 11,
    bench_measure_calls, measure_by_hand, "uv" },
  { "call on glib, beside one by hand", BENCH_USEC, "a GSource, by hand", 1.3, TRUE, 11,
    bench_measure_calls, measure_by_hand, "glib" },
  { NULL },
};
