/* test-uv.c - what only libuv's host has: waits for requests and handles, and manners on the loop. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "harness.h"
#include "tractor-sync.h"
#include "tractor-thread.h"
#include "tractor-uv-await.h"
#include "tractor-uv.h"

#define MSEC 1000

/* Runs @func in a scope that is cancelled when nothing else goes on. */
static void
run_cancelled (TractorTaskFunc func, gpointer data)
{
  GError *error = NULL;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "waits", func, data, NULL, &error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, &error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, &error));
}

/* --- files ----------------------------------------------------------------------------------------- */

static int
open_file (uv_loop_t *loop, uv_fs_t *request, uv_fs_cb callback, gpointer path)
{
  return uv_fs_open (loop, request, path, O_RDONLY, 0, callback);
}

static gboolean
test_file (G_GNUC_UNUSED gpointer data, GError **error)
{
  uv_fs_t request;
  char byte;

  g_assert_true (tractor_uv_fs (open_file, (char *) "/dev/zero", &request, error));
  g_assert_cmpint (read ((int) request.result, &byte, 1), ==, 1);
  close ((int) request.result);
  uv_fs_req_cleanup (&request);
  return TRUE;
}

static gboolean
test_no_file (G_GNUC_UNUSED gpointer data, GError **error)
{
  uv_fs_t request;

  g_assert_false (tractor_uv_fs (open_file, (char *) "/no/such/file", &request, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  *error = NULL;
  return TRUE;
}

static gboolean
test_file_in_cancelled_scope (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  uv_fs_t request;

  tractor_cancel_scope_cancel (scope, NULL);
  g_assert_false (tractor_uv_fs (open_file, (char *) "/dev/zero", &request, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  g_assert_true (tractor_cancel_scope_absorb (scope, error));
  return TRUE;
}

/* --- threads --------------------------------------------------------------------------------------- */

typedef struct {
  gint may_end;
  gint n_running;
  gint n_done;
} Hold;

static void
hold_thread (gpointer data)
{
  Hold *hold = data;

  g_atomic_int_inc (&hold->n_running);
  while (!g_atomic_int_get (&hold->may_end))
    g_thread_yield ();
  g_atomic_int_inc (&hold->n_done);
}

static gboolean
wait_for_thread (gpointer data, GError **error)
{
  return tractor_uv_work (hold_thread, data, error);
}

static void
count_call (gpointer data)
{
  ++*(int *) data;
}

static gboolean
test_work (G_GNUC_UNUSED gpointer data, GError **error)
{
  int n = 0;

  g_assert_true (tractor_uv_work (count_call, &n, error));
  g_assert_cmpint (n, ==, 1);
  return TRUE;
}

static gboolean
be_cancelled_before_work (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (tractor_uv_work (count_call, data, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

/* All threads of the pool are taken, so it has to wait for one; and does not have to for long. */
static gboolean
test_work_is_taken_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  Hold hold = { 0 };
  int n = 0;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  for (int i = 0; i < 4; i++)
    tractor_nursery_spawn (nursery, "hold", wait_for_thread, &hold, NULL, error);
  while (g_atomic_int_get (&hold.n_running) < 4)
    g_assert_true (tractor_checkpoint (error));
  run_cancelled (be_cancelled_before_work, &n);
  g_atomic_int_set (&hold.may_end, TRUE);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (n, ==, 0);
  return TRUE;
}

static gboolean
let_go_when_cancelled (gpointer data, GError **error)
{
  g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
  g_atomic_int_set (&((Hold *) data)->may_end, TRUE);
  return FALSE;
}

/* What a thread is at is waited for, and has happened. */
static gboolean
test_work_is_waited_for (G_GNUC_UNUSED gpointer data, GError **error)
{
  Hold hold = { 0 };
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "work", wait_for_thread, &hold, NULL, error);
  tractor_nursery_spawn (nursery, "lets go", let_go_when_cancelled, &hold, NULL, error);
  while (g_atomic_int_get (&hold.n_running) < 1)
    g_assert_true (tractor_checkpoint (error));
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_cmpint (hold.n_done, ==, 1);
  return TRUE;
}

/* --- names ----------------------------------------------------------------------------------------- */

static gboolean
test_name (G_GNUC_UNUSED gpointer data, GError **error)
{
  const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
  struct addrinfo *addresses;

  g_assert_true (tractor_uv_getaddrinfo ("127.0.0.1", "80", &hints, &addresses, error));
  g_assert_cmpint (addresses->ai_family, ==, AF_INET);
  g_assert_cmpint (((struct sockaddr_in *) addresses->ai_addr)->sin_port, ==, htons (80));
  uv_freeaddrinfo (addresses);
  g_assert_false (tractor_uv_getaddrinfo ("no number", "80", &hints, &addresses, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
  *error = NULL;
  return TRUE;
}

/* --- streams --------------------------------------------------------------------------------------- */

typedef struct {
  uv_pipe_t ends[2];
  int before; /* what the data member of the first points to */
} Pipes;

static void
open_pipes (Pipes *pipes)
{
  uv_os_sock_t fds[2];

  g_assert_cmpint (uv_socketpair (SOCK_STREAM, 0, fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE), ==, 0);
  for (int i = 0; i < 2; i++) {
    uv_pipe_init (tractor_uv_get_loop (), &pipes->ends[i], 0);
    g_assert_cmpint (uv_pipe_open (&pipes->ends[i], fds[i]), ==, 0);
    pipes->ends[i].data = &pipes->before;
  }
}

static void
close_pipes (Pipes *pipes)
{
  for (int i = 0; i < 2; i++)
    if (!uv_is_closing ((uv_handle_t *) &pipes->ends[i]))
      tractor_uv_close ((uv_handle_t *) &pipes->ends[i]);
}

static uv_stream_t *
get_end (Pipes *pipes, int i)
{
  return (uv_stream_t *) &pipes->ends[i];
}

static gboolean
write_later (gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + 2 * MSEC, error) &&
         tractor_uv_write (get_end (data, 1), "hello", 5, error);
}

static gboolean
test_stream (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Pipes pipes;
  char bytes[16];
  gsize length;

  open_pipes (&pipes);
  tractor_nursery_spawn (nursery, "writes", write_later, &pipes, NULL, error);
  g_assert_true (tractor_uv_read (get_end (&pipes, 0), bytes, 4, &length, error));
  g_assert_cmpmem (bytes, length, "hell", 4);
  g_assert_true (tractor_uv_read (get_end (&pipes, 0), bytes, sizeof bytes, &length, error));
  g_assert_cmpmem (bytes, length, "o", 1);
  g_assert_true (pipes.ends[0].data == &pipes.before);
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_uv_close ((uv_handle_t *) &pipes.ends[1]);
  g_assert_true (tractor_uv_read (get_end (&pipes, 0), bytes, sizeof bytes, &length, error));
  g_assert_cmpuint (length, ==, 0);
  close_pipes (&pipes);
  return TRUE;
}

static gboolean
read_nothing (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;
  char byte;
  gsize length;

  g_assert_false (tractor_uv_read (get_end (data, 0), &byte, 1, &length, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

/* What comes after that is not lost. */
static gboolean
test_read_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Pipes pipes;
  char byte;
  gsize length;

  open_pipes (&pipes);
  run_cancelled (read_nothing, &pipes);
  g_assert_true (pipes.ends[0].data == &pipes.before);
  g_assert_true (tractor_uv_write (get_end (&pipes, 1), "x", 1, error));
  g_assert_true (tractor_uv_read (get_end (&pipes, 0), &byte, 1, &length, error));
  g_assert_cmpint (byte, ==, 'x');
  close_pipes (&pipes);
  return TRUE;
}

#define MUCH (8 * 1024 * 1024)

static gboolean
write_much (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autofree char *bytes = g_malloc0 (MUCH);
  GError *error = NULL;

  g_assert_false (tractor_uv_write (get_end (data, 1), bytes, MUCH, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

/* Nobody reads, so it would take for ever; the memory is libuv's until the stream is closed. */
static gboolean
test_write_is_left_behind (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  Pipes pipes;

  open_pipes (&pipes);
  run_cancelled (write_much, &pipes);
  close_pipes (&pipes);
  return TRUE;
}

static gboolean
test_write_to_nobody (G_GNUC_UNUSED gpointer data, GError **error)
{
  Pipes pipes;

  open_pipes (&pipes);
  tractor_uv_close ((uv_handle_t *) &pipes.ends[0]);
  g_assert_false (tractor_uv_write (get_end (&pipes, 1), "x", 1, error));
  g_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_PIPE);
  g_clear_error (error);
  close_pipes (&pipes);
  return TRUE;
}

static gboolean
write_until_closed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  g_autofree char *bytes = g_malloc0 (MUCH);
  GError *error = NULL;

  g_assert_false (tractor_uv_write (get_end (data, 1), bytes, MUCH, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

static gboolean
test_write_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Pipes pipes;

  open_pipes (&pipes);
  tractor_nursery_spawn (nursery, "writes", write_until_closed, &pipes, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  tractor_uv_close ((uv_handle_t *) &pipes.ends[1]);
  close_pipes (&pipes);
  return tractor_nursery_join (nursery, error);
}

static void
on_connection (G_GNUC_UNUSED uv_stream_t *listener, G_GNUC_UNUSED int status)
{
}

static gboolean
test_connect (G_GNUC_UNUSED gpointer data, GError **error)
{
  uv_tcp_t listener, tcp;
  struct sockaddr_in name;
  int length = sizeof name;

  uv_tcp_init (tractor_uv_get_loop (), &listener);
  uv_ip4_addr ("127.0.0.1", 0, &name);
  uv_tcp_bind (&listener, (struct sockaddr *) &name, 0);
  g_assert_cmpint (uv_listen ((uv_stream_t *) &listener, 1, on_connection), ==, 0);
  uv_tcp_getsockname (&listener, (struct sockaddr *) &name, &length);

  uv_tcp_init (tractor_uv_get_loop (), &tcp);
  g_assert_true (tractor_uv_connect (&tcp, (struct sockaddr *) &name, error));
  tractor_uv_close ((uv_handle_t *) &tcp);
  tractor_uv_close ((uv_handle_t *) &listener);

  uv_tcp_init (tractor_uv_get_loop (), &tcp);
  g_assert_false (tractor_uv_connect (&tcp, (struct sockaddr *) &name, error));
  g_assert_nonnull (strstr ((*error)->message, "connection refused"));
  g_clear_error (error);
  tractor_uv_close ((uv_handle_t *) &tcp);
  return TRUE;
}

/* --- on another host ------------------------------------------------------------------------------- */

static gboolean
test_no_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  int n = 0;

  g_assert_null (tractor_uv_get_loop ());
  g_assert_false (tractor_uv_work (count_call, &n, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  *error = NULL;
  return TRUE;
}

/* --- listeners ----------------------------------------------------------------------------------------- */

/* Its address is any free one of the loopback. */
static void
open_listener (uv_tcp_t *listener, struct sockaddr_in *ret_address, GError **error)
{
  int length = sizeof *ret_address;

  uv_ip4_addr ("127.0.0.1", 0, ret_address);
  uv_tcp_init (tractor_uv_get_loop (), listener);
  g_assert_cmpint (uv_tcp_bind (listener, (struct sockaddr *) ret_address, 0), ==, 0);
  g_assert_true (tractor_uv_listen ((uv_stream_t *) listener, 8, error));
  uv_tcp_getsockname (listener, (struct sockaddr *) ret_address, &length);
}

typedef struct {
  uv_tcp_t listener;
  struct sockaddr_in address;
  int n_served;
} Service;

/* Connects, and says its number. */
static gboolean
visit (gpointer data, GError **error)
{
  Service *service = data;
  uv_tcp_t tcp;
  gboolean ok;

  uv_tcp_init (tractor_uv_get_loop (), &tcp);
  ok = tractor_uv_connect (&tcp, (struct sockaddr *) &service->address, error) &&
       tractor_uv_write ((uv_stream_t *) &tcp, "visitor", 7, error);
  tractor_uv_close ((uv_handle_t *) &tcp);
  return ok;
}

static gboolean
serve_visitor (Service *service, GError **error)
{
  char text[16];
  gsize length;
  uv_tcp_t tcp;
  gboolean ok;

  uv_tcp_init (tractor_uv_get_loop (), &tcp);
  ok = tractor_uv_accept ((uv_stream_t *) &service->listener, (uv_stream_t *) &tcp, error);
  g_assert_true (ok == (*error == NULL));
  ok = ok && tractor_uv_read ((uv_stream_t *) &tcp, text, sizeof text, &length, error);
  if (ok)
    g_assert_cmpmem (text, length, "visitor", 7);
  tractor_uv_close ((uv_handle_t *) &tcp);
  service->n_served += ok;
  return ok;
}

static gboolean
test_accept (G_GNUC_UNUSED gpointer data, GError **error)
{
  Service service = { 0 };
  g_autoptr (TractorNursery) visitors = NULL;

  open_listener (&service.listener, &service.address, error);
  visitors = tractor_nursery_open ();
  for (int i = 0; i < 5; i++)
    tractor_nursery_spawn (visitors, "visitor", visit, &service, NULL, error);
  for (int i = 0; i < 5; i++)
    g_assert_true (serve_visitor (&service, error));
  g_assert_true (tractor_nursery_join (visitors, error));
  tractor_uv_close ((uv_handle_t *) &service.listener);
  g_assert_cmpint (service.n_served, ==, 5);
  return TRUE;
}

static gboolean
count_turns (gpointer data, GError **error)
{
  while (tractor_checkpoint (error))
    ++*(guint *) data;
  return FALSE;
}

/* Also where somebody has come already. */
static gboolean
test_accept_gives_a_turn (G_GNUC_UNUSED gpointer data, GError **error)
{
  Service service = { 0 };
  guint n_turns = 0;
  guint before;
  uv_tcp_t tcp;
  g_autoptr (TractorNursery) nursery = NULL;

  open_listener (&service.listener, &service.address, error);
  g_assert_true (visit (&service, error));
  g_assert_true (tractor_wait_all_tasks_blocked (0, error)); /* the loop has seen it */
  nursery = tractor_nursery_open ();
  tractor_nursery_spawn (nursery, "counter", count_turns, &n_turns, NULL, error);
  g_assert_true (tractor_checkpoint (error));
  uv_tcp_init (tractor_uv_get_loop (), &tcp);
  before = n_turns;
  g_assert_true (
      tractor_uv_accept ((uv_stream_t *) &service.listener, (uv_stream_t *) &tcp, error));
  g_assert_cmpuint (n_turns, >, before);
  tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "counted");
  g_assert_true (tractor_nursery_join (nursery, error));
  tractor_uv_close ((uv_handle_t *) &tcp);
  tractor_uv_close ((uv_handle_t *) &service.listener);
  return TRUE;
}

static gboolean
accept_in_vain (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (serve_visitor (data, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

/* Whoever comes after that is served by the next. */
static gboolean
test_accept_is_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Service service = { 0 };

  open_listener (&service.listener, &service.address, error);
  run_cancelled (accept_in_vain, &service);
  g_assert_true (visit (&service, error));
  g_assert_true (serve_visitor (&service, error));
  tractor_uv_close ((uv_handle_t *) &service.listener);
  return TRUE;
}

static gboolean
accept_until_closed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;

  g_assert_false (serve_visitor (data, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

/* A second one that accepts is refused, and the first is told when the listener is closed. */
static gboolean
test_accept_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  Service service = { 0 };
  g_autoptr (TractorNursery) nursery = NULL;

  open_listener (&service.listener, &service.address, error);
  nursery = tractor_nursery_open ();
  tractor_nursery_spawn (nursery, "accepts", accept_until_closed, &service, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  g_assert_false (serve_visitor (&service, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  tractor_uv_close ((uv_handle_t *) &service.listener);
  return tractor_nursery_join (nursery, error);
}

static gboolean
read_until_closed (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;
  gsize length;
  char byte;

  g_assert_false (tractor_uv_read (data, &byte, 1, &length, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return TRUE;
}

/* libuv would not say a word. */
static gboolean
test_read_is_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Pipes pipes;

  open_pipes (&pipes);
  tractor_nursery_spawn (nursery, "reads", read_until_closed, get_end (&pipes, 0), NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  close_pipes (&pipes);
  return tractor_nursery_join (nursery, error);
}

/* --- datagrams ----------------------------------------------------------------------------------------- */

static void
open_udp (uv_udp_t *udp, struct sockaddr_in *ret_address)
{
  int length = sizeof *ret_address;

  uv_ip4_addr ("127.0.0.1", 0, ret_address);
  uv_udp_init (tractor_uv_get_loop (), udp);
  g_assert_cmpint (uv_udp_bind (udp, (struct sockaddr *) ret_address, 0), ==, 0);
  uv_udp_getsockname (udp, (struct sockaddr *) ret_address, &length);
}

static gboolean
receive_in_vain (gpointer data, G_GNUC_UNUSED GError **unused)
{
  GError *error = NULL;
  gsize length;
  char byte;

  g_assert_false (tractor_uv_receive (data, &byte, 1, &length, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  return TRUE;
}

/* --- cancelled and done in one turn ---------------------------------------------------------------- */

/* A callback of the program's that cancels a scope, in the turn of the loop that it was asked for in. */
typedef struct {
  uv_poll_t poll;
  int fds[2];
  TractorCancelScope *scope;
} Canceller;

static void
cancel_now (uv_poll_t *poll, G_GNUC_UNUSED int status, G_GNUC_UNUSED int events)
{
  Canceller *canceller = (Canceller *) poll;
  char byte;

  g_assert_cmpint (read (canceller->fds[0], &byte, 1), ==, 1);
  tractor_cancel_scope_cancel (canceller->scope, NULL);
}

static void
open_canceller (Canceller *canceller)
{
  g_assert_cmpint (pipe (canceller->fds), ==, 0);
  uv_poll_init (tractor_uv_get_loop (), &canceller->poll, canceller->fds[0]);
  uv_poll_start (&canceller->poll, UV_READABLE, cancel_now);
}

static void
close_canceller (Canceller *canceller)
{
  tractor_uv_close ((uv_handle_t *) &canceller->poll);
  close (canceller->fds[0]);
  close (canceller->fds[1]);
}

typedef struct {
  Pipes pipes;
  uv_tcp_t tcp;
  uv_udp_t udp;
  struct sockaddr_in listening;
  struct sockaddr_in address;
} Ends;

static gboolean
write_a_byte (Ends *ends, GError **error)
{
  return tractor_uv_write (get_end (&ends->pipes, 1), "x", 1, error);
}

static gboolean
connect_to_listener (Ends *ends, GError **error)
{
  return tractor_uv_connect (&ends->tcp, (struct sockaddr *) &ends->listening, error);
}

static gboolean
send_a_byte (Ends *ends, GError **error)
{
  return tractor_uv_send (&ends->udp, "x", 1, (struct sockaddr *) &ends->address, error);
}

/* The callback that says that it is done comes when the wait has been cancelled, and the task has not run. */
static void
cancel_and_do (Canceller *canceller, Ends *ends, gboolean (*func) (Ends *ends, GError **error))
{
  GError *error = NULL;

  g_assert_true (tractor_checkpoint (&error));
  canceller->scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  g_assert_cmpint (write (canceller->fds[1], "x", 1), ==, 1);
  g_assert_false (func (ends, &error));
  harness_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  error = NULL;
  tractor_cancel_scope_close (canceller->scope);
}

static gboolean
test_cancelled_and_done (G_GNUC_UNUSED gpointer data, GError **error)
{
  Canceller canceller;
  Ends ends;
  uv_tcp_t listener;
  int length = sizeof ends.listening;

  uv_tcp_init (tractor_uv_get_loop (), &listener);
  uv_ip4_addr ("127.0.0.1", 0, &ends.listening);
  uv_tcp_bind (&listener, (struct sockaddr *) &ends.listening, 0);
  g_assert_cmpint (uv_listen ((uv_stream_t *) &listener, 1, on_connection), ==, 0);
  uv_tcp_getsockname (&listener, (struct sockaddr *) &ends.listening, &length);
  uv_tcp_init (tractor_uv_get_loop (), &ends.tcp);
  open_udp (&ends.udp, &ends.address);
  open_pipes (&ends.pipes);
  open_canceller (&canceller);

  cancel_and_do (&canceller, &ends, write_a_byte);
  cancel_and_do (&canceller, &ends, connect_to_listener);
  cancel_and_do (&canceller, &ends, send_a_byte);

  close_canceller (&canceller);
  close_pipes (&ends.pipes);
  tractor_uv_close ((uv_handle_t *) &ends.udp);
  tractor_uv_close ((uv_handle_t *) &ends.tcp);
  tractor_uv_close ((uv_handle_t *) &listener);
  return tractor_checkpoint (error);
}

static gboolean
test_datagrams (G_GNUC_UNUSED gpointer data, GError **error)
{
  uv_udp_t here, there;
  struct sockaddr_in address, other;
  struct sockaddr_storage from;
  char bytes[4];
  gsize length;

  open_udp (&here, &address);
  open_udp (&there, &other);
  run_cancelled (receive_in_vain, &here);
  g_assert_true (tractor_uv_send (&there, "abc", 3, (struct sockaddr *) &address, error));
  g_assert_true (tractor_uv_send (&there, "", 0, (struct sockaddr *) &address, error));
  g_assert_true (tractor_uv_send (&there, "too long", 8, (struct sockaddr *) &address, error));
  g_assert_true (tractor_uv_receive (&here, bytes, sizeof bytes, &length, &from, error));
  g_assert_cmpmem (bytes, length, "abc", 3);
  g_assert_cmpint (((struct sockaddr_in *) &from)->sin_port, ==, other.sin_port);
  g_assert_true (tractor_uv_receive (&here, bytes, sizeof bytes, &length, NULL, error));
  g_assert_cmpuint (length, ==, 0);
  g_assert_false (tractor_uv_receive (&here, bytes, sizeof bytes, &length, NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_FAILED);
  tractor_uv_close ((uv_handle_t *) &here);
  tractor_uv_close ((uv_handle_t *) &there);
  return TRUE;
}

/* --- several loops -------------------------------------------------------------------------------------- */

typedef struct {
  int n_loops; /* that have run their tasks to the end: atomic */
} Loops;

static gboolean
work_on_own_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  Service service = { 0 };
  g_autoptr (TractorNursery) visitors = NULL;
  uv_fs_t request;

  open_listener (&service.listener, &service.address, error);
  visitors = tractor_nursery_open ();
  for (int i = 0; i < 20; i++) {
    tractor_nursery_spawn (visitors, "visitor", visit, &service, NULL, error);
    g_assert_true (serve_visitor (&service, error));
    g_assert_true (tractor_uv_fs (open_file, (char *) "/dev/null", &request, error));
    close ((int) request.result);
    uv_fs_req_cleanup (&request);
  }
  g_assert_true (tractor_nursery_join (visitors, error));
  tractor_uv_close ((uv_handle_t *) &service.listener);
  return TRUE;
}

static gpointer
run_a_loop (gpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (tractor_uv_run (work_on_own_loop, NULL, &error));
  g_assert_no_error (error);
  g_atomic_int_inc (&((Loops *) data)->n_loops);
  return NULL;
}

static void
test_loops_in_threads (void)
{
  GThread *threads[4];
  Loops loops = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("loop", run_a_loop, &loops);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (g_atomic_int_get (&loops.n_loops), ==, 4);
}

/* --- manners --------------------------------------------------------------------------------------- */

typedef struct {
  TractorGuest *guest;
  int n_own;
  int n_closed;
  int n_done;
} Program;

static void
on_done (const GError *error, gpointer data)
{
  g_assert_error (error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
  ((Program *) data)->n_done++;
}

static gboolean
sleep_forever (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* An idle guest lets uv_run() return, and is there afterwards. */
static void
test_unref (void)
{
  Program program = { 0 };
  uv_loop_t loop;

  uv_loop_init (&loop);
  program.guest = tractor_uv_attach (&loop, sleep_forever, NULL, on_done, &program, NULL);
  tractor_uv_set_ref (program.guest, FALSE);
  g_assert_cmpint (uv_run (&loop, UV_RUN_DEFAULT), ==, 0);
  g_assert_cmpint (program.n_done, ==, 0);
  tractor_guest_cancel (program.guest, NULL);
  tractor_uv_set_ref (program.guest, TRUE);
  uv_run (&loop, UV_RUN_DEFAULT);
  g_assert_cmpint (program.n_done, ==, 1);
  g_assert_cmpint (uv_loop_close (&loop), ==, 0);
}

static void
close_unless_owned (uv_handle_t *handle, gpointer data)
{
  Program *program = data;

  if (tractor_uv_owns_handle (program->guest, handle)) {
    program->n_own++;
  } else {
    program->n_closed++;
    uv_close (handle, NULL);
  }
}

/* A program that closes all that is on its loop leaves ours to us. */
static void
test_walked (void)
{
  Program program = { 0 };
  uv_timer_t timer;
  uv_loop_t loop;

  uv_loop_init (&loop);
  uv_timer_init (&loop, &timer);
  program.guest = tractor_uv_attach (&loop, sleep_forever, NULL, on_done, &program, NULL);
  uv_run (&loop, UV_RUN_NOWAIT);
  uv_walk (&loop, close_unless_owned, &program);
  g_assert_cmpint (program.n_own, ==, 4);
  g_assert_cmpint (program.n_closed, ==, 1);
  tractor_guest_cancel (program.guest, NULL);
  uv_run (&loop, UV_RUN_DEFAULT);
  g_assert_cmpint (program.n_done, ==, 1);
  g_assert_cmpint (uv_loop_close (&loop), ==, 0);
}

#define N_POOL_THREADS 4

/* So that each thread of the pool gets one of these, they wait for one another. The harness knows its threads by
 * that name, and has not to wait whether they go away. */
static void
be_known_to_harness (uv_work_t *request)
{
  g_atomic_int_inc ((int *) request->data);
  prctl (PR_SET_NAME, "pool-uv");
  while (g_atomic_int_get ((int *) request->data) < N_POOL_THREADS)
    g_thread_yield ();
}

/* libuv makes its pool of threads once, and keeps it. And whoever has started this may ignore SIGPIPE. */
static void
start_pool (void)
{
  uv_work_t requests[N_POOL_THREADS];
  int n_known = 0;
  uv_loop_t loop;

  signal (SIGPIPE, SIG_DFL);
  g_setenv ("UV_THREADPOOL_SIZE", G_STRINGIFY (N_POOL_THREADS), TRUE);
  uv_loop_init (&loop);
  for (int i = 0; i < N_POOL_THREADS; i++) {
    requests[i].data = &n_known;
    uv_queue_work (&loop, &requests[i], be_known_to_harness, NULL);
  }
  uv_run (&loop, UV_RUN_DEFAULT);
  uv_loop_close (&loop);
}

static void
close_it (uv_handle_t *handle, G_GNUC_UNUSED gpointer data)
{
  if (!uv_is_closing (handle))
    uv_close (handle, NULL);
}

/* And one that does not is no disaster: the tasks end without the loop. */
static void
test_closed_by_program (void)
{
  Program program = { 0 };
  GError *error = NULL;
  uv_loop_t loop;

  uv_loop_init (&loop);
  program.guest = tractor_uv_attach (&loop, sleep_forever, NULL, on_done, &program, NULL);
  uv_run (&loop, UV_RUN_NOWAIT);
  uv_walk (&loop, close_it, NULL);
  tractor_guest_cancel (program.guest, NULL); /* which asks for a tick */
  uv_run (&loop, UV_RUN_DEFAULT);
  g_assert_cmpint (program.n_done, ==, 0);
  g_assert_cmpint (uv_loop_close (&loop), ==, 0);
  g_assert_true (
      tractor_guest_shutdown (program.guest, g_get_monotonic_time () + G_USEC_PER_SEC, &error));
  g_assert_cmpint (program.n_done, ==, 1);
}

/* --- nested loops ---------------------------------------------------------------------------------- */

#define HELD_UP_MSEC 3500

static void
note_fired (uv_timer_t *timer)
{
  *(gboolean *) timer->data = TRUE;
}

/* What has been expected is told in time. */
static void
run_nested_until_told (void)
{
  uv_loop_t *loop = tractor_uv_get_loop ();
  uv_timer_t *timer = g_new (uv_timer_t, 1);
  gboolean has_fired = FALSE;

  uv_timer_init (loop, timer);
  timer->data = &has_fired;
  uv_timer_start (timer, note_fired, HELD_UP_MSEC, 0);
  while (!has_fired)
    uv_run (loop, UV_RUN_ONCE);
  uv_close ((uv_handle_t *) timer, (uv_close_cb) g_free);
  g_test_assert_expected_messages ();
}

static gboolean
set_true (gpointer data, G_GNUC_UNUSED GError **error)
{
  *(gboolean *) data = TRUE;
  return TRUE;
}

/* No other task goes on in a loop that a task runs: one that waits for another there would wait for ever. */
static gboolean
test_wait_for_task_in_nested_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 cpu_before = harness_get_cpu_usec ();
  gboolean has_run = FALSE;

  g_test_expect_message ("tractor", G_LOG_LEVEL_WARNING,
                         "Task 'main' has been running a loop of its own for 3 s*");
  tractor_nursery_spawn (nursery, "other", set_true, &has_run, NULL, error);
  run_nested_until_told ();
  g_assert_cmpint (harness_get_cpu_usec () - cpu_before, <,
                   HELD_UP_MSEC * 1000 / 10); /* it sleeps */
  g_assert_false (has_run);
  g_assert_true (tractor_nursery_join (nursery, error));
  g_assert_true (has_run);
  return TRUE;
}

static gboolean
sleep_a_moment (G_GNUC_UNUSED gpointer data, GError **error)
{
  return tractor_sleep_until (tractor_now () + 1000, error);
}

/* Though the guest's descriptor is not looked at meanwhile: the loop has nothing else to live for. */
static gboolean
test_goes_on_after_nested_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  gint64 until = tractor_now () + 20000;

  tractor_nursery_spawn (nursery, "sleeper", sleep_a_moment, NULL, NULL, error);
  if (!tractor_checkpoint (error)) /* it sleeps */
    return FALSE;
  while (tractor_now () < until)
    uv_run (tractor_uv_get_loop (), UV_RUN_NOWAIT);
  return tractor_sleep_until (tractor_now () + 20000, error) &&
         tractor_nursery_join (nursery, error);
}

/* A loop that nothing waits for may take as long as it likes. */
static gboolean
test_long_nested_loop (G_GNUC_UNUSED gpointer data, GError **error)
{
  run_nested_until_told ();
  return tractor_checkpoint (error);
}

/* --- SIGPIPE --------------------------------------------------------------------------------------- */

/* A program of libuv's that has a guest, writes by itself, and to a client that has stopped reading. */
typedef struct {
  uv_loop_t loop;
  uv_pipe_t pipe;
  uv_write_t write;
  int client;
  int status; /* of the write */
  char *bytes;
} Writer;

static void
on_program_wrote (uv_write_t *request, int status)
{
  Writer *writer = request->data;

  writer->status = status;
  uv_close ((uv_handle_t *) &writer->pipe, NULL);
}

static void
writer_init (Writer *writer)
{
  uv_os_sock_t fds[2];

  uv_loop_init (&writer->loop);
  g_assert_cmpint (uv_socketpair (SOCK_STREAM, 0, fds, 0, 0), ==, 0);
  uv_pipe_init (&writer->loop, &writer->pipe, 0);
  g_assert_cmpint (uv_pipe_open (&writer->pipe, fds[0]), ==, 0);
  writer->client = fds[1];
  writer->bytes = g_malloc0 (MUCH);
  writer->status = 0;
}

static void
writer_write (Writer *writer, gsize length)
{
  uv_buf_t buffer = uv_buf_init (writer->bytes, (unsigned) length);

  writer->write.data = writer;
  g_assert_cmpint (
      uv_write (&writer->write, (uv_stream_t *) &writer->pipe, &buffer, 1, on_program_wrote), ==,
      0);
}

/* Runs the loop to its end. What the process does about SIGPIPE is as it was. */
static void
writer_end (Writer *writer)
{
  struct sigaction action;

  uv_run (&writer->loop, UV_RUN_DEFAULT);
  g_assert_cmpint (uv_loop_close (&writer->loop), ==, 0);
  g_assert_cmpint (writer->status, ==, UV_EPIPE);
  close (writer->client); /* again, or for the first time */
  g_free (writer->bytes);
  sigaction (SIGPIPE, NULL, &action);
  g_assert_true (action.sa_handler == SIG_DFL);
}

static gboolean
end_at_once (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static void
on_orderly_done (const GError *error, G_GNUC_UNUSED gpointer data)
{
  g_assert_no_error (error);
}

static gboolean
write_in_task (gpointer data, GError **error)
{
  writer_write (data, 1);
  return tractor_sleep_until (tractor_now () + MSEC, error);
}

static void
test_program_writes_in_task (void)
{
  Writer writer;

  writer_init (&writer);
  shutdown (writer.client, SHUT_RD);
  tractor_uv_attach (&writer.loop, write_in_task, &writer, on_orderly_done, NULL, NULL);
  writer_end (&writer);
}

static void
on_timer (uv_timer_t *timer)
{
  Writer *writer = timer->data;

  writer_write (writer, 1);
  uv_close ((uv_handle_t *) timer, NULL);
}

static gboolean
sleep_until_written (gpointer data, GError **error)
{
  Writer *writer = data;

  while (writer->status == 0)
    if (!tractor_sleep_until (tractor_now () + MSEC, error))
      return FALSE;
  return tractor_sleep_until (tractor_now () + MSEC, error);
}

static void
test_program_writes_in_callback (void)
{
  Writer writer;
  uv_timer_t timer;

  writer_init (&writer);
  shutdown (writer.client, SHUT_RD);
  uv_timer_init (&writer.loop, &timer);
  timer.data = &writer;
  uv_timer_start (&timer, on_timer, 1, 0);
  tractor_uv_attach (&writer.loop, sleep_until_written, &writer, on_orderly_done, NULL, NULL);
  writer_end (&writer);
}

static void
on_done_hang_up (const GError *error, gpointer data)
{
  g_assert_no_error (error);
  close (((Writer *) data)->client);
}

static gboolean
write_much_and_end (gpointer data, G_GNUC_UNUSED GError **error)
{
  writer_write (data, MUCH);
  return TRUE;
}

/* libuv is still at it when the guest is gone. */
static void
test_program_writes_to_the_end (void)
{
  Writer writer;

  writer_init (&writer);
  tractor_uv_attach (&writer.loop, write_much_and_end, &writer, on_done_hang_up, &writer, NULL);
  writer_end (&writer);
}

static int n_sigpipes;

static void
count_sigpipe (G_GNUC_UNUSED int number)
{
  n_sigpipes++;
}

/* A program that wants to hear of it hears of it. */
static void
test_program_handles_sigpipe (void)
{
  Writer writer;

  signal (SIGPIPE, count_sigpipe);
  writer_init (&writer);
  shutdown (writer.client, SHUT_RD);
  tractor_uv_attach (&writer.loop, write_in_task, &writer, on_orderly_done, NULL, NULL);
  uv_run (&writer.loop, UV_RUN_DEFAULT);
  g_assert_cmpint (n_sigpipes, ==, 1);
  signal (SIGPIPE, SIG_DFL);
  writer_end (&writer);
}

static gboolean
raise_sigpipe (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  int fds[2];

  g_assert_cmpint (pipe (fds), ==, 0);
  close (fds[0]);
  g_assert_cmpint (write (fds[1], "x", 1), ==, -1);
  close (fds[1]);
  return TRUE;
}

static void
test_sigpipe_after_run (void)
{
  sigset_t set;

  g_assert_true (tractor_uv_run (raise_sigpipe, NULL, NULL));
  pthread_sigmask (SIG_BLOCK, NULL, &set);
  g_assert_false (sigismember (&set, SIGPIPE));
  sigpending (&set);
  g_assert_false (sigismember (&set, SIGPIPE));
  g_assert_true (tractor_uv_run (end_at_once, NULL, NULL));
}

/* What a program gets that opens something. */
static gboolean
note_next_descriptor (gpointer fd, G_GNUC_UNUSED GError **error)
{
  *(int *) fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  close (*(int *) fd);
  return TRUE;
}

/* libuv closes none of the first three, and would end the program for having to. */
static void
test_stdio_closed (void)
{
  int saved[3];
  int is_open = 0;
  int fd = -1;
  gboolean ok;

  for (int i = 0; i < 3; i++) {
    saved[i] = fcntl (i, F_DUPFD_CLOEXEC, 3);
    close (i);
  }
  ok = tractor_uv_run (note_next_descriptor, &fd, NULL);
  for (int i = 0; i < 3; i++) {
    is_open += fcntl (i, F_GETFD) >= 0;
    dup2 (saved[i], i);
    close (saved[i]);
  }
  g_assert_true (ok);
  g_assert_cmpint (fd, >, STDERR_FILENO);
  g_assert_cmpint (is_open, ==, 0); /* as it was */
}

static gboolean
open_there (gpointer fd, G_GNUC_UNUSED GError **error)
{
  g_assert_cmpint (dup2 (*(int *) fd, 0), ==, 0);
  return TRUE;
}

/* What the program itself puts there meanwhile stays. */
static void
test_stdio_opened (void)
{
  int saved = fcntl (0, F_DUPFD_CLOEXEC, 3);
  int fds[2];
  char byte = 0;

  g_assert_cmpint (pipe (fds), ==, 0);
  close (0);
  g_assert_true (tractor_uv_run (open_there, &fds[0], NULL));
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  g_assert_cmpint (read (0, &byte, 1), ==, 1);
  g_assert_cmpint (byte, ==, 'x');
  dup2 (saved, 0);
  close (saved);
  close (fds[0]);
  close (fds[1]);
}

/* --- handles that nothing can be begun on ------------------------------------------------------------ */

typedef struct {
  uv_tcp_t tcp;
  uv_udp_t udp;
} Handles;

static void
open_handles (Handles *handles)
{
  uv_tcp_init (tractor_uv_get_loop (), &handles->tcp);
  uv_udp_init (tractor_uv_get_loop (), &handles->udp);
}

static void
assert_nothing_is_begun (Handles *handles, int code)
{
  uv_stream_t *stream = (uv_stream_t *) &handles->tcp;
  struct sockaddr_in address;
  GError *error = NULL;
  char bytes[4] = "";
  gsize length;

  uv_ip4_addr ("127.0.0.1", 1, &address);
  g_assert_false (tractor_uv_read (stream, bytes, sizeof bytes, &length, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
  g_assert_false (tractor_uv_write (stream, bytes, sizeof bytes, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
  g_assert_false (tractor_uv_accept (stream, stream, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
  g_assert_false (tractor_uv_connect (&handles->tcp, (struct sockaddr *) &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
  g_assert_false (tractor_uv_receive (&handles->udp, bytes, sizeof bytes, &length, NULL, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
  g_assert_false (
      tractor_uv_send (&handles->udp, bytes, sizeof bytes, (struct sockaddr *) &address, &error));
  harness_assert_error (error, TRACTOR_ERROR, code);
}

static gboolean
test_not_begun_when_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Handles handles;
  TractorCancelScope *scope;

  open_handles (&handles);
  scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  tractor_cancel_scope_cancel (scope, NULL);
  assert_nothing_is_begun (&handles, TRACTOR_ERROR_CANCELLED);
  tractor_cancel_scope_close (scope);
  tractor_uv_close ((uv_handle_t *) &handles.tcp);
  tractor_uv_close ((uv_handle_t *) &handles.udp);
  return tractor_checkpoint (error);
}

static void
set_closed (uv_handle_t *handle)
{
  tractor_event_set (handle->data);
}

static gboolean
test_not_begun_when_closing (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorEvent) closed = tractor_event_new ();
  g_autoptr (TractorEvent) other_closed = tractor_event_new ();
  Handles handles;

  open_handles (&handles);
  handles.tcp.data = closed;
  handles.udp.data = other_closed;
  uv_close ((uv_handle_t *) &handles.tcp, set_closed);
  uv_close ((uv_handle_t *) &handles.udp, set_closed);
  assert_nothing_is_begun (&handles, TRACTOR_ERROR_CLOSED);
  return tractor_event_wait (closed, error) && tractor_event_wait (other_closed, error);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_set_prepare (start_pool);
  harness_add_uv_task ("/uv/fs", test_file);
  harness_add_uv_task ("/uv/fs-fails", test_no_file);
  harness_add_uv_task ("/uv/fs-in-cancelled-scope", test_file_in_cancelled_scope);
  harness_add_uv_task ("/uv/work", test_work);
  harness_add_uv_task ("/uv/work-is-taken-back", test_work_is_taken_back);
  harness_add_uv_task ("/uv/work-is-waited-for", test_work_is_waited_for);
  harness_add_uv_task ("/uv/getaddrinfo", test_name);
  harness_add_uv_task ("/uv/stream", test_stream);
  harness_add_uv_task ("/uv/read-is-cancelled", test_read_is_cancelled);
  harness_add_uv_task ("/uv/write-is-left-behind", test_write_is_left_behind);
  harness_add_uv_task ("/uv/write-to-nobody", test_write_to_nobody);
  harness_add_uv_task ("/uv/write-is-closed", test_write_is_closed);
  harness_add_uv_task ("/uv/cancelled-and-done-in-one-turn", test_cancelled_and_done);
  harness_add_uv_task ("/uv/connect", test_connect);
  harness_add_uv_task ("/uv/read-is-closed", test_read_is_closed);
  harness_add_uv_task ("/uv/accept", test_accept);
  harness_add_uv_task ("/uv/accept-gives-a-turn", test_accept_gives_a_turn);
  harness_add_uv_task ("/uv/accept-is-cancelled", test_accept_is_cancelled);
  harness_add_uv_task ("/uv/accept-is-closed", test_accept_is_closed);
  harness_add_uv_task ("/uv/nothing-is-begun-when-cancelled", test_not_begun_when_cancelled);
  harness_add_uv_task ("/uv/nothing-is-begun-on-what-is-being-closed", test_not_begun_when_closing);
  harness_add_uv_task ("/uv/datagrams", test_datagrams);
  harness_add ("/uv/loops-in-threads", test_loops_in_threads);
  harness_add_glib_task ("/uv/no-loop", test_no_loop);
  harness_add ("/uv/stdio-closed", test_stdio_closed);
  harness_add ("/uv/stdio-opened-meanwhile", test_stdio_opened);
  harness_add ("/uv/unref", test_unref);
  harness_add ("/uv/walked", test_walked);
  harness_add ("/uv/closed-by-program", test_closed_by_program);
  harness_add_uv_task ("/uv/nested/wait-for-task-is-told", test_wait_for_task_in_nested_loop);
  harness_add_uv_task ("/uv/nested/goes-on-after", test_goes_on_after_nested_loop);
  harness_add_uv_task ("/uv/nested/long-loop-is-not", test_long_nested_loop);
  harness_add ("/uv/sigpipe/program-writes-in-task", test_program_writes_in_task);
  harness_add ("/uv/sigpipe/program-writes-in-callback", test_program_writes_in_callback);
  harness_add ("/uv/sigpipe/program-writes-to-the-end", test_program_writes_to_the_end);
  harness_add ("/uv/sigpipe/program-handles-it", test_program_handles_sigpipe);
  harness_add ("/uv/sigpipe/as-before-after-run", test_sigpipe_after_run);
  return harness_run ();
}
