/* test-fd.c - waiting for descriptors, also for those that change behind our back. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-task.h"

static void
make_pair (int ends[2])
{
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), ==,
                   0);
}

static void
close_pair (int ends[2])
{
  tractor_notify_closing (ends[0]);
  tractor_notify_closing (ends[1]);
  close (ends[0]);
  close (ends[1]);
}

static gboolean
write_byte (gpointer data, G_GNUC_UNUSED GError **error)
{
  g_assert_cmpint (write (GPOINTER_TO_INT (data), "x", 1), ==, 1);
  return TRUE;
}

static gboolean
wait_and_read (int fd, GError **error)
{
  GIOCondition ready = 0;
  char byte;

  if (!tractor_wait_fd (fd, G_IO_IN, &ready, error))
    return FALSE;
  g_assert_cmpint (ready, ==, G_IO_IN);
  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
  return TRUE;
}

static gboolean
test_readable (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int ends[2];

  make_pair (ends);
  for (int i = 0; i < 3; i++) {
    tractor_nursery_spawn (nursery, "writer", write_byte, GINT_TO_POINTER (ends[1]), NULL, error);
    g_assert_true (wait_and_read (ends[0], error));
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  close_pair (ends);
  return TRUE;
}

static gboolean
test_both_directions (G_GNUC_UNUSED gpointer data, GError **error)
{
  GIOCondition ready = 0;
  int ends[2];

  make_pair (ends);
  g_assert_true (tractor_wait_fd (ends[0], G_IO_IN | G_IO_OUT, &ready, error));
  g_assert_cmpint (ready, ==, G_IO_OUT);
  g_assert_true (write_byte (GINT_TO_POINTER (ends[1]), error));
  g_assert_true (tractor_wait_fd (ends[0], G_IO_IN | G_IO_OUT, &ready, error));
  g_assert_cmpint (ready, ==, G_IO_IN | G_IO_OUT);
  close_pair (ends);
  return TRUE;
}

static gboolean
wait_readable (gpointer data, GError **error)
{
  return tractor_wait_fd (GPOINTER_TO_INT (data), G_IO_IN, NULL, error);
}

static gboolean
test_second_waiter (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int ends[2];

  make_pair (ends);
  tractor_nursery_spawn (nursery, "reader", wait_readable, GINT_TO_POINTER (ends[0]), NULL, error);
  g_assert_true (tractor_checkpoint (error));
  g_assert_false (wait_readable (GINT_TO_POINTER (ends[0]), error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  /* The other direction is free. */
  g_assert_true (tractor_wait_fd (ends[0], G_IO_OUT, NULL, error));
  /* And serving one leaves the other armed. */
  g_assert_true (write_byte (GINT_TO_POINTER (ends[1]), error));
  g_assert_true (tractor_nursery_join (nursery, error));
  close_pair (ends);
  return TRUE;
}

static gboolean
expect_closed (gpointer data, GError **error)
{
  g_assert_false (wait_readable (data, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static gboolean
test_notify_closing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int ends[2];

  make_pair (ends);
  tractor_nursery_spawn (nursery, "reader", expect_closed, GINT_TO_POINTER (ends[0]), NULL, error);
  g_assert_true (tractor_checkpoint (error));
  close_pair (ends);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_bad_fds (G_GNUC_UNUSED gpointer data, GError **error)
{
  int fds[] = { -1, 987 };

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++) {
    g_assert_false (wait_readable (GINT_TO_POINTER (fds[i]), error));
    harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_BADF);
    g_assert_null (tractor_fd_watch_open (fds[i], error));
    harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_BADF);
  }
  return TRUE;
}

static gboolean
test_regular_file (G_GNUC_UNUSED gpointer data, GError **error)
{
  GIOCondition ready = 0;
  int fd = open ("/proc/self/exe", O_RDONLY | O_CLOEXEC);

  g_assert_true (tractor_wait_fd (fd, G_IO_IN, &ready, error));
  g_assert_cmpint (ready, ==, G_IO_IN);
  close (fd);
  return TRUE;
}

/* Closed without a word, and its number used again: the new one is heard, the old one is not. */
static gboolean
test_number_used_again (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int old[2];
  int new[2];

  make_pair (old);
  tractor_nursery_spawn (nursery, "writer", write_byte, GINT_TO_POINTER (old[1]), NULL, error);
  g_assert_true (wait_and_read (old[0], error));
  {
    int kept = dup (old[0]); /* the kernel goes on watching what this shares */

    close (old[0]);
    make_pair (new);
    g_assert_cmpint (new[0], ==, old[0]);
    g_assert_true (write_byte (GINT_TO_POINTER (old[1]), error)); /* not for us */
    tractor_nursery_spawn (nursery, "writer", write_byte, GINT_TO_POINTER (new[1]), NULL, error);
    g_assert_true (wait_and_read (new[0], error));
    close (kept);
  }
  g_assert_true (tractor_nursery_join (nursery, error));
  close (old[1]);
  close_pair (new);
  return TRUE;
}

/* A cancelled waiter on a descriptor that is then ready: the harness watches for a busy loop. */
static gboolean
test_ready_without_waiter (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (tractor_now () + 1000);
  static int ends[2];

  make_pair (ends);
  g_assert_false (wait_readable (GINT_TO_POINTER (ends[0]), error));
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_true (write_byte (GINT_TO_POINTER (ends[1]), error));
  if (harness_get_host ()->has_real_time) {
    gint64 before = harness_get_cpu_usec ();

    g_assert_true (tractor_sleep_until (tractor_now () + 100000, error));
    g_assert_cmpint (harness_get_cpu_usec () - before, <, 25000 * harness_get_slowness ());
  }
  close_pair (ends);
  return TRUE;
}

static gboolean
read_all_watched (gpointer data, GError **error)
{
  int fd = GPOINTER_TO_INT (data);
  g_autoptr (TractorFdWatch) watch = tractor_fd_watch_open (fd, error);
  char bytes[64];
  gssize n;
  guint total = 0;

  for (;;) {
    n = read (fd, bytes, sizeof bytes);
    if (n == 0)
      break;
    if (n > 0)
      total += (guint) n;
    if (n < (gssize) sizeof bytes && !tractor_fd_watch_wait (watch, G_IO_IN, error))
      return FALSE;
  }
  g_assert_cmpuint (total, ==, 100000);
  return TRUE;
}

static gboolean
test_watch (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autofree char *bytes = g_malloc0 (100000);
  g_autoptr (TractorFdWatch) watch = NULL;
  guint written = 0;
  int ends[2];

  make_pair (ends);
  g_assert_cmpint (setsockopt (ends[1], SOL_SOCKET, SO_SNDBUF, &(int){ 4096 }, sizeof (int)), ==,
                   0);
  watch = tractor_fd_watch_open (ends[1], error);
  tractor_nursery_spawn (nursery, "reader", read_all_watched, GINT_TO_POINTER (ends[0]), NULL,
                         error);
  while (written < 100000) {
    gssize n = write (ends[1], bytes, 100000 - written);

    if (n > 0)
      written += (guint) n;
    else
      g_assert_true (tractor_fd_watch_wait (watch, G_IO_OUT, error));
  }
  g_clear_pointer (&watch, tractor_fd_watch_close);
  close (ends[1]);
  g_assert_true (tractor_nursery_join (nursery, error));
  close (ends[0]);
  return TRUE;
}

/* The last bytes and the end in one event: the end is not waited for in vain. */
static gboolean
test_watch_end_with_data (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorFdWatch) watch = NULL;
  char bytes[64];
  int ends[2];

  make_pair (ends);
  watch = tractor_fd_watch_open (ends[0], error);
  g_assert_cmpint (write (ends[1], "last", 4), ==, 4);
  close (ends[1]);
  g_assert_true (tractor_fd_watch_wait (watch, G_IO_IN, error));
  g_assert_cmpint (read (ends[0], bytes, sizeof bytes), ==, 4);
  g_assert_true (tractor_fd_watch_wait (watch, G_IO_IN, error));
  g_assert_cmpint (read (ends[0], bytes, sizeof bytes), ==, 0);
  g_clear_pointer (&watch, tractor_fd_watch_close);
  close (ends[0]);
  return TRUE;
}

/* The edge has been taken: a cancel in the same moment does not lose it. */
static gboolean
test_watch_edge_survives_cancel (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorFdWatch) watch = NULL;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorCancelScope *scope;
  int ends[2];

  make_pair (ends);
  watch = tractor_fd_watch_open (ends[0], error);
  tractor_nursery_spawn (nursery, "writer", write_byte, GINT_TO_POINTER (ends[1]), NULL, error);
  g_assert_true (tractor_sleep_until (tractor_now () + 5000, error)); /* the edge has come */
  scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_assert_true (tractor_fd_watch_wait (watch, G_IO_IN, error));
  tractor_cancel_scope_close (scope);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_clear_pointer (&watch, tractor_fd_watch_close);
  close_pair (ends);
  return TRUE;
}

static gboolean
wait_until_writable (gpointer watch, GError **error)
{
  return tractor_fd_watch_wait (watch, G_IO_OUT, error);
}

static gpointer
read_byte_by_byte (gpointer data)
{
  char byte;

  while (read (GPOINTER_TO_INT (data), &byte, 1) == 1)
    g_usleep (500);
  return NULL;
}

/* How often the first thread has begun to sleep. */
static guint
count_rests (void)
{
  g_autofree char *status = NULL;
  const char *line;

  g_assert_true (g_file_get_contents ("/proc/self/status", &status, NULL, NULL));
  line = strstr (status, "\nvoluntary_ctxt_switches:");
  g_assert_nonnull (line);
  return (guint) atoi (strchr (line, ':') + 1);
}

/* Nobody waits any more until it is writable: whatever is read at the other end wakes nobody up. */
static gboolean
test_watch_forgets_a_cancelled_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorFdWatch) watch = NULL;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GThread *thread;
  guint n_rests;
  int ends[2];

  make_pair (ends);
  while (write (ends[0], "x", 1) == 1)
    ;
  watch = tractor_fd_watch_open (ends[0], error);
  tractor_nursery_spawn (nursery, "writer", wait_until_writable, watch, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));

  n_rests = count_rests ();
  thread = g_thread_new ("reader", read_byte_by_byte, GINT_TO_POINTER (ends[1]));
  g_assert_true (tractor_sleep_until (tractor_now () + 250000, error));
  g_assert_cmpuint (count_rests () - n_rests, <, 30);
  g_clear_pointer (&watch, tractor_fd_watch_close);
  g_thread_join (thread);
  close_pair (ends);
  return TRUE;
}

/* A socket hangs up before it connects too; that is no reason to spin. */
static gboolean
test_watch_before_connect (G_GNUC_UNUSED gpointer data, GError **error)
{
  int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  int listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = { .sin_family = AF_INET,
                                 .sin_addr.s_addr = htonl (INADDR_LOOPBACK) };
  socklen_t length = sizeof address;
  g_autoptr (TractorFdWatch) watch = tractor_fd_watch_open (fd, error);
  g_autoptr (TractorCancelScope) scope = NULL;
  guint n_wakes = 0;

  g_assert_true (tractor_sleep_until (tractor_now () + 1000, error)); /* hears of the hang-up */
  g_assert_cmpint (bind (listener, (struct sockaddr *) &address, length), ==, 0);
  g_assert_cmpint (listen (listener, 1), ==, 0);
  g_assert_cmpint (getsockname (listener, (struct sockaddr *) &address, &length), ==, 0);
  if (connect (fd, (struct sockaddr *) &address, length) != 0)
    g_assert_cmpint (errno, ==, EINPROGRESS);
  scope = tractor_cancel_scope_open (tractor_now () + 20000);
  while (tractor_fd_watch_wait (watch, G_IO_IN, error))
    n_wakes++;
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  g_assert_cmpuint (n_wakes, <, 5);
  g_clear_pointer (&watch, tractor_fd_watch_close);
  close (fd);
  close (listener);
  return TRUE;
}

static gboolean
test_watch_notified_of_closing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorFdWatch) watch = NULL;
  int ends[2];

  make_pair (ends);
  watch = tractor_fd_watch_open (ends[0], error);
  tractor_notify_closing (ends[0]);
  g_assert_false (tractor_fd_watch_wait (watch, G_IO_IN, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  g_clear_pointer (&watch, tractor_fd_watch_close);
  close_pair (ends);
  return TRUE;
}

/* Whoever waited for what was closed without a word is told when the number is waited for again. */
static gboolean
test_old_waiter_of_number (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int old[2];
  int new[2];

  make_pair (old);
  tractor_nursery_spawn (nursery, "old reader", expect_closed, GINT_TO_POINTER (old[0]), NULL,
                         error);
  g_assert_true (tractor_checkpoint (error));
  close (old[0]);
  make_pair (new);
  g_assert_cmpint (new[0], ==, old[0]);
  g_assert_true (write_byte (GINT_TO_POINTER (new[1]), error));
  g_assert_true (wait_and_read (new[0], error));
  g_assert_true (tractor_nursery_join (nursery, error));
  close (old[1]);
  close_pair (new);
  return TRUE;
}

/* A copy that forgets a descriptor does not take it away from the original. */
static gboolean
test_forked_copy (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int ends[2];
  int status;
  pid_t pid;

  make_pair (ends);
  tractor_nursery_spawn (nursery, "reader", wait_readable, GINT_TO_POINTER (ends[0]), NULL, error);
  g_assert_true (tractor_checkpoint (error));
  pid = fork ();
  if (pid == 0) {
    gboolean forked = !tractor_checkpoint (error) &&
                      g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_FORKED);

    g_clear_error (error);
    forked &= !tractor_guest_shutdown (tractor_guest_get_current (), G_MAXINT64, error) &&
              g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_FORKED);
    tractor_notify_closing (ends[0]);
    _exit (forked ? 0 : 1);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  g_assert_true (write_byte (GINT_TO_POINTER (ends[1]), error));
  g_assert_true (tractor_nursery_join (nursery, error)); /* it still hears */
  close_pair (ends);
  return TRUE;
}

static gboolean
return_in_copy (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  int status;
  pid_t pid = fork ();

  if (pid == 0) {
    g_log_set_always_fatal (G_LOG_FATAL_MASK);
    g_log_set_writer_func (g_log_writer_journald, NULL, NULL); /* not among the test's words */
    return TRUE;
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 70);
  return TRUE;
}

/* A copy that returns from its task ends there, and not as a second tree of tasks. */
static gboolean
test_return_in_copy (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "forker", return_in_copy, NULL, NULL, error);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_one_watch_only (G_GNUC_UNUSED gpointer data, GError **error)
{
  int ends[2];

  make_pair (ends);
  {
    g_autoptr (TractorFdWatch) watch = tractor_fd_watch_open (ends[0], error);

    g_assert_null (tractor_fd_watch_open (ends[0], error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
    g_assert_false (wait_readable (GINT_TO_POINTER (ends[0]), error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  }
  g_assert_true (write_byte (GINT_TO_POINTER (ends[1]), error));
  g_assert_true (wait_readable (GINT_TO_POINTER (ends[0]), error));
  close_pair (ends);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_task ("/guest/fd/readable", test_readable);
  harness_add_task ("/guest/fd/both-directions", test_both_directions);
  harness_add_task ("/guest/fd/A97-second-waiter", test_second_waiter);
  harness_add_task ("/guest/fd/A98-notify-closing", test_notify_closing);
  harness_add_task ("/guest/fd/A98-bad-descriptors", test_bad_fds);
  harness_add_task ("/guest/fd/regular-file", test_regular_file);
  harness_add_task ("/guest/fd/A99-number-used-again", test_number_used_again);
  harness_add_task ("/guest/fd/B6-ready-without-waiter", test_ready_without_waiter);
  harness_add_task ("/guest/fd-watch/both-ends", test_watch);
  harness_add_task ("/guest/fd-watch/end-with-data", test_watch_end_with_data);
  harness_add_task ("/guest/fd/A99-old-waiter-of-number", test_old_waiter_of_number);
  harness_add_task ("/guest/fd-watch/A44-edge-survives-cancel", test_watch_edge_survives_cancel);
  harness_add_real_task ("/guest/fd-watch/forgets-a-cancelled-wait",
                         test_watch_forgets_a_cancelled_wait);
  harness_add_task ("/guest/fd-watch/before-connect", test_watch_before_connect);
  harness_add_task ("/guest/fd-watch/A98-notified-of-closing", test_watch_notified_of_closing);
  harness_add_task ("/guest/fork/B54-forked-copy", test_forked_copy);
  harness_add_task ("/guest/fork/B55-return-in-copy", test_return_in_copy);
  harness_add_task ("/guest/fd-watch/one-only", test_one_watch_only);
  return harness_run ();
}
