/* test-streams.c - items between real processes: in order, held back, at the end, and broken off. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors.h"

/* --- what the actors serve ----------------------------------------------------------------------- */

/* Sends back what it receives. */
static gboolean
echo (TractorContext *context,
      G_GNUC_UNUSED GVariant *kwargs,
      G_GNUC_UNUSED GVariant **ret_result,
      GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    gboolean ok = tractor_stream_send (stream, item, error);

    if (item != NULL)
      g_variant_unref (item);
    if (!ok)
      break;
  }
  return *error == NULL;
}

/* Sends "n" integers and closes its end; then receives one item and returns what that was. */
static gboolean
send_and_close (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  TractorStream *stream;
  g_autoptr (GVariant) item = NULL;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  tractor_stream_close (stream);
  *ret_result = g_variant_new_boolean (tractor_stream_receive (stream, &item, error));
  g_clear_error (error); /* CLOSED */
  return TRUE;
}

static gint64 n_sent;

/* Sends "n" items of "size" bytes. */
static gboolean
flood (TractorContext *context,
       GVariant *kwargs,
       G_GNUC_UNUSED GVariant **ret_result,
       GError **error)
{
  TractorStream *stream;
  gint64 size = 0;
  gint64 n = 0;
  g_autofree char *bytes = NULL;

  g_variant_lookup (kwargs, "n", "x", &n);
  g_variant_lookup (kwargs, "size", "x", &size);
  bytes = g_malloc0 ((gsize) size);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (n_sent = 0; n_sent < n; n_sent++)
    if (!tractor_stream_send (
            stream, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, (gsize) size, 1), error))
      return FALSE;
  return TRUE;
}

static gint64 n_ended;

/* One way: what a stream has room for. */
static gboolean
generate_blocks (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  g_autofree char *bytes = g_malloc0 (1048576);
  gboolean ok = TRUE;

  for (int i = 0; i < 4 && ok; i++)
    ok = tractor_stream_send (
        stream, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, 1048576, 1), error);
  n_ended++;
  return ok;
}

/* How far flood() or generate() has come, how many of generate_blocks() have ended, and how much memory this process
 * has taken at the most, in KiB. */
static gboolean
progress (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  *ret_result = g_variant_new_parsed ("{'sent': <%x>, 'ended': <%x>, 'kib': <%x>}", n_sent, n_ended,
                                      (gint64) usage.ru_maxrss);
  return TRUE;
}

/* Receives nothing until "go" is called, then everything; returns the number of items. */
static TractorEvent *go_event;

static gboolean
go (G_GNUC_UNUSED GVariant *kwargs,
    G_GNUC_UNUSED GVariant **ret_result,
    G_GNUC_UNUSED GError **error)
{
  tractor_event_set (go_event);
  return TRUE;
}

static gboolean
receive_late (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  TractorStream *stream = NULL;
  gboolean opens_late = FALSE;
  gint64 n = 0;
  GVariant *item;

  g_variant_lookup (kwargs, "opens_late", "b", &opens_late);
  go_event = tractor_event_new ();
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  if (!opens_late)
    stream = tractor_context_open_stream (context, error);
  if (tractor_event_wait (go_event, error)) {
    if (opens_late)
      stream = tractor_context_open_stream (context, error);
    while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
      g_assert_cmpint (g_variant_get_int64 (item), ==, n++);
      g_variant_unref (item);
    }
  }
  g_clear_pointer (&go_event, tractor_event_free);
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

/* One way: "n" integers, then a failure if "fail"; says in a file when it is cancelled. */
static gboolean
wait_without_an_item (G_GNUC_UNUSED TractorStream *stream,
                      G_GNUC_UNUSED GVariant *kwargs,
                      GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
generate (TractorStream *stream, GVariant *kwargs, GError **error)
{
  const char *path = NULL;
  gboolean fail = FALSE;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  g_variant_lookup (kwargs, "fail", "b", &fail);
  g_variant_lookup (kwargs, "path", "&s", &path);
  for (n_sent = 0; n_sent < n; n_sent++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (n_sent), error))
      return FALSE;
  if (path != NULL && !tractor_sleep_until (TRACTOR_NO_DEADLINE, error)) {
    g_file_set_contents (path, "cancelled", -1, NULL);
    return FALSE;
  }
  if (fail)
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return !fail;
}

/* Once it is told to go: sends "n" integers, and fails. */
static gboolean
fail_when_told (TractorContext *context,
                GVariant *kwargs,
                G_GNUC_UNUSED GVariant **ret_result,
                GError **error)
{
  TractorStream *stream;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  go_event = tractor_event_new ();
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  if (!tractor_event_wait (go_event, error))
    return FALSE;
  g_clear_pointer (&go_event, tractor_event_free);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

/* As "go", when the pipe "path" is open for reading; closes that when all that comes of it has been sent. */
static gboolean
go_and_tell (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *path = "";
  gboolean ok;
  int fd;

  g_variant_lookup (kwargs, "path", "&s", &path);
  fd = open (path, O_WRONLY | O_CLOEXEC);
  tractor_event_set (go_event);
  ok = tractor_wait_all_tasks_blocked (0, error);
  close (fd);
  return ok;
}

/* Closes its connection after "n" items, without a word. */
static gboolean
break_off (TractorContext *context,
           GVariant *kwargs,
           G_GNUC_UNUSED GVariant **ret_result,
           GError **error)
{
  TractorStream *stream;
  g_autoptr (GVariant) item = NULL;
  struct stat stat;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  g_assert_true (tractor_stream_receive (stream, &item, NULL)); /* the opener has begun */
  for (int fd = 3; fd < 64; fd++)
    if (fstat (fd, &stat) == 0 && S_ISSOCK (stat.st_mode))
      shutdown (fd, SHUT_RDWR);
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CONTEXT, .context = echo },
  { "send_and_close", TRACTOR_EXPORT_CONTEXT, .context = send_and_close },
  { "flood", TRACTOR_EXPORT_CONTEXT, .context = flood },
  { "progress", TRACTOR_EXPORT_CALL, progress },
  { "go", TRACTOR_EXPORT_CALL, go },
  { "receive_late", TRACTOR_EXPORT_CONTEXT, .context = receive_late },
  { "generate", TRACTOR_EXPORT_STREAM, .stream = generate },
  { "wait", TRACTOR_EXPORT_STREAM, .stream = wait_without_an_item },
  { "generate_blocks", TRACTOR_EXPORT_STREAM, .stream = generate_blocks },
  { "fail_when_told", TRACTOR_EXPORT_CONTEXT, .context = fail_when_told },
  { "go_and_tell", TRACTOR_EXPORT_CALL, go_and_tell },
  { "break_off", TRACTOR_EXPORT_CONTEXT, .context = break_off },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- helpers -------------------------------------------------------------------------------------- */

static TractorContext *
open_context (Peer *peer, const char *function, GVariant *kwargs, GError **error)
{
  TractorContext *context =
      tractor_portal_open_context (peer->portal, function, kwargs, NULL, NULL, error);

  g_assert_no_error (*error);
  return context;
}

static gint64
receive_integer (TractorStream *stream, GError **error)
{
  g_autoptr (GVariant) item = NULL;

  g_assert_true (tractor_stream_receive (stream, &item, error));
  return g_variant_get_int64 (item);
}

static void
assert_end (TractorStream *stream, GError **error)
{
  GVariant *item;

  g_assert_false (tractor_stream_receive (stream, &item, error));
  g_assert_no_error (*error);
}

/* --- both ways --------------------------------------------------------------------------------------- */

static gboolean
test_requests_and_replies (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

    for (gint64 i = 0; i < 100; i++) {
      g_assert_true (tractor_stream_send (stream, g_variant_new_int64 (i), error));
      g_assert_cmpint (receive_integer (stream, error), ==, i);
    }
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

typedef struct {
  TractorStream *stream;
  gint64 base;
} Sending;

static gboolean
send_hundred (gpointer data, GError **error)
{
  Sending *sending = data;

  for (gint64 i = 0; i < 100; i++)
    if (!tractor_stream_send (sending->stream, g_variant_new_int64 (sending->base + i), error))
      return FALSE;
  return TRUE;
}

static gboolean
test_order_of_each_sender (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    Sending sending[4];
    gint64 next[4] = { 0 };

    for (int i = 0; i < 4; i++) {
      sending[i] = (Sending){ stream, i * 1000 };
      g_assert_true (tractor_nursery_spawn (nursery, NULL, send_hundred, &sending[i], NULL, error));
    }
    for (int i = 0; i < 400; i++) {
      gint64 item = receive_integer (stream, error);

      g_assert_cmpint (item % 1000, ==, next[item / 1000]++);
    }
    g_assert_true (tractor_nursery_join (nursery, error));
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_nil_is_an_item (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  GVariant *item = (GVariant *) &peer;
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

    g_assert_true (tractor_stream_send (stream, NULL, error));
    g_assert_true (tractor_stream_receive (stream, &item, error));
    g_assert_null (item);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_nowait (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  GVariant *item = NULL;
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

    g_assert_false (tractor_stream_receive_nowait (stream, &item, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
    for (int i = 0; i < 2; i++)
      g_assert_true (tractor_stream_send (stream, g_variant_new_int64 (i), error));
    receive_integer (stream, error);
    while (!tractor_stream_receive_nowait (stream, &item, error)) {
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
      g_assert_true (tractor_checkpoint (error));
    }
    g_assert_cmpint (g_variant_get_int64 (item), ==, 1);
    g_variant_unref (item);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_packed (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (GBytes) map =
        g_bytes_new_static ("\x81\xa1k\x93\x01\xc0\xcb\x3f\xf8\0\0\0\0\0\0", 15);
    g_autoptr (GBytes) two = g_bytes_new_static ("\x01\x02", 2);
    g_autoptr (GBytes) item = NULL;

    g_assert_false (tractor_stream_send_packed (stream, two, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
    g_assert_true (tractor_stream_send_packed (stream, map, error));
    g_assert_true (tractor_stream_receive_packed (stream, &item, error));
    g_assert_true (g_bytes_equal (item, map));
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* A stream that was declared before its context, as g_autoptr closes them then. It says that its context has
 * been closed, and that is all. */
static void
close_context_first (Peer *peer, gboolean joins, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (GVariant) item = NULL;
  g_autoptr (GBytes) packed = NULL;
  g_autoptr (GBytes) nil = g_bytes_new_static ("\xc0", 1);
  {
    g_autoptr (TractorContext) context = open_context (peer, "test:echo", NULL, error);

    stream = tractor_context_open_stream (context, error);
    g_assert_true (tractor_stream_send (stream, NULL, error));
    g_assert_true (!joins || tractor_context_join (context, NULL, error));
  }
  g_assert_no_error (*error);
  g_assert_false (tractor_stream_send (stream, NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_stream_send_packed (stream, nil, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_stream_receive (stream, &item, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_stream_receive_nowait (stream, &item, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_stream_receive_packed (stream, &packed, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_false (tractor_stream_share (stream, nursery, 1, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_null (tractor_stream_subscribe (stream, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  g_assert_cmpuint (tractor_stream_get_n_dropped (stream), ==, 0);
}

static gboolean
test_closed_after_its_context (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (int joins = 0; joins < 2; joins++)
    close_context_first (&peer, joins, error);
  return end_peer (&peer, error);
}

/* --- the end ----------------------------------------------------------------------------------------- */

static gboolean
test_end_of_stream (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context = open_context (
        &peer, "test:send_and_close", g_variant_new_parsed ("{'n': <%x>}", (gint64) 5), error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    for (gint64 i = 0; i < 5; i++)
      g_assert_cmpint (receive_integer (stream, error), ==, i);
    assert_end (stream, error);
    assert_end (stream, error);
    g_assert_false (tractor_stream_send (stream, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_false (g_variant_get_boolean (result)); /* a closed end receives nothing */
  }
  return end_peer (&peer, error);
}

static gboolean
test_opened_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    tractor_stream_close (stream);
    g_assert_false (tractor_stream_send (stream, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
    g_assert_null (tractor_context_open_stream (context, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* --- slow receivers ---------------------------------------------------------------------------------- */

static gint64
ask (Peer *peer, const char *what, GError **error)
{
  g_autoptr (GVariant) answer = NULL;
  gint64 number = -1;

  g_assert_true (tractor_portal_call (peer->portal, "test:progress", NULL, &answer, error));
  g_assert_true (g_variant_lookup (answer, what, "x", &number));
  return number;
}

static gboolean
test_slow_receiver_holds_sender_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (
        &peer, "test:flood",
        g_variant_new_parsed ("{'n': <%x>, 'size': <%x>}", (gint64) 2000, (gint64) 65536), error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    gint64 kib_before = ask (&peer, "kib", error);
    gint64 sent;

    /* 128 MiB are wanted; once it stands still, less than a tenth of that has been sent. */
    do {
      sent = ask (&peer, "sent", error);
      g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 50, error));
    } while (sent == 0 || sent != ask (&peer, "sent", error));
    g_assert_cmpint (sent, <, 200);
    for (int i = 0; i < 2000; i++) {
      g_autoptr (GVariant) item = NULL;

      g_assert_true (tractor_stream_receive (stream, &item, error));
      g_assert_cmpuint (g_variant_get_size (item), ==, 65536);
    }
    assert_end (stream, error);
    g_assert_true (tractor_context_join (context, NULL, error));
    if (harness_get_slowness () == 1) /* a sanitizer keeps what is freed */
      g_assert_cmpint (ask (&peer, "kib", error) - kib_before, <, 40 * 1024);
  }
  return end_peer (&peer, error);
}

static gboolean
late_receiver (gboolean opens_late, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  {
    g_autoptr (TractorContext) context =
        open_context (&peer, "test:receive_late",
                      g_variant_new_parsed ("{'opens_late': <%b>}", opens_late), error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

    {
      g_autoptr (TractorCancelScope) scope =
          tractor_cancel_scope_open (tractor_now () + SECOND / 2 * harness_get_patience ());

      for (gint64 i = 0; i < 10000; i++)
        if (!tractor_stream_send (stream, g_variant_new_int64 (i), error)) {
          g_assert_cmpint (i, ==, 4096); /* its room */
          break;
        }
      g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED);
      g_assert_true (tractor_cancel_scope_absorb (scope, error));
    }
    g_assert_true (tractor_portal_call (peer.portal, "test:go", NULL, NULL, error));
    for (gint64 i = 4096; i < 10000; i++)
      g_assert_true (tractor_stream_send (stream, g_variant_new_int64 (i), error));
    tractor_stream_close (stream);
    g_assert_true (tractor_context_join (context, &result, error));
    g_assert_cmpint (g_variant_get_int64 (result), ==, 10000);
    stream = NULL;
  }
  return end_peer (&peer, error);
}

static gboolean
test_ten_thousand_to_a_slow_receiver (G_GNUC_UNUSED gpointer data, GError **error)
{
  return late_receiver (FALSE, error);
}

static gboolean
test_ten_thousand_before_it_is_opened (G_GNUC_UNUSED gpointer data, GError **error)
{
  return late_receiver (TRUE, error);
}

static gboolean
test_cancel_overtakes_data (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 started;
  {
    g_autoptr (TractorContext) context = open_context (
        &peer, "test:flood",
        g_variant_new_parsed ("{'n': <%x>, 'size': <%x>}", G_MAXINT64, (gint64) 1048576), error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    g_autoptr (GVariant) item = NULL;

    g_assert_true (tractor_stream_receive (stream, &item, error));
    started = tractor_now ();
    tractor_context_cancel (context);
    tractor_context_join (context, NULL, error);
    g_assert_no_error (*error);
    g_assert_cmpint (tractor_now () - started, <, SECOND / 4 * harness_get_patience ());
  }
  return end_peer (&peer, error);
}

static gboolean
test_large_items (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gsize size = 8 * 1024 * 1024;
  g_autofree guint8 *bytes = g_malloc (size);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);

    for (gsize i = 0; i < size; i++)
      bytes[i] = (guint8) (i * 31 >> 3);
    for (int i = 0; i < 3; i++) {
      g_autoptr (GVariant) item = NULL;
      gsize length;

      g_assert_true (tractor_stream_send (
          stream, g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, bytes, size, 1), error));
      g_assert_true (tractor_stream_receive (stream, &item, error));
      g_assert_cmpmem (g_variant_get_fixed_array (item, &length, 1), g_variant_get_size (item),
                       bytes, size);
    }
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* --- peers that do not count --------------------------------------------------------------------------- */

static const TractorLimits upstreams = { .stream_items = 64 };
static const TractorLimits upstreams_with_overruns = { .stream_items = 680 };
static const TractorRuntimeOptions without_credit = { .without_credit = TRUE,
                                                      .limits = &upstreams };

static gboolean
test_overrun_at_the_receiver (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with (without_credit, error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:receive_late", NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    for (gint64 i = 0; i < 65; i++)
      g_assert_true (tractor_stream_send (stream, g_variant_new_int64 (i), error));
    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    g_clear_error (error);
    g_assert_false (tractor_stream_send (stream, g_variant_new_int64 (65), error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN));
    g_assert_nonnull (strstr ((*error)->message, "'peer'"));
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_overrun_comes_back_relayed (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with (without_credit, error);
  g_autofree char *self = own_id ();
  g_autofree char *peer_id = portal_id (peer.portal);
  {
    g_autoptr (TractorContext) context =
        open_context (&peer, "test:flood", g_variant_new_parsed ("{'n': <%x>}", G_MAXINT64), error);
    const TractorRemoteError *remote;

    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN));
    remote = tractor_error_get_remote (*error);
    g_assert_cmpstr (remote->origin, ==, self);
    g_assert_cmpstr (remote->relays[0], ==, self);
    g_assert_cmpstr (remote->relays[1], ==, peer_id);
    g_assert_null (remote->relays[2]);
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_overruns_allowed (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with (
      (TractorRuntimeOptions){ .without_credit = TRUE, .limits = &upstreams_with_overruns }, error);
  {
    g_autoptr (TractorContext) context = tractor_portal_open_context (
        peer.portal, "test:flood", g_variant_new_parsed ("{'n': <%x>}", (gint64) 700),
        &(TractorDialogOptions){ .allow_overruns = TRUE }, NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    int n = 0;
    GVariant *item;

    while (ask (&peer, "sent", error) < 700)
      g_assert_true (tractor_checkpoint (error));
    while (tractor_stream_receive (stream, &item, error)) {
      g_variant_unref (item);
      n++;
    }
    g_assert_cmpint (n, ==, 680);
    g_assert_cmpint (tractor_stream_get_n_dropped (stream), ==, 20);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* A receiver that is away now and then misses nothing, however fast the sender is. */
static gboolean
test_uncounted_sender_is_held_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with (without_credit, error);
  {
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:generate", g_variant_new_parsed ("{'n': <%x>}", (gint64) 2000), NULL,
        error);

    for (gint64 i = 0; i < 2000; i++) {
      if (i % 200 == 0)
        g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 20, error));
      g_assert_cmpint (receive_integer (stream, error), ==, i);
    }
    assert_end (stream, error);
  }
  return end_peer (&peer, error);
}

/* What stands behind a full stream comes a moment later; and of the stream, all up to the hole. */
static gboolean
test_full_stream_holds_up_for_a_moment (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with (without_credit, error);
  {
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:generate", g_variant_new_parsed ("{'n': <%x>}", (gint64) 1000), NULL,
        error);
    gint64 started = tractor_now ();
    GVariant *item;

    while (ask (&peer, "sent", error) <= 65)
      ; /* until an answer has stood behind it */
    g_assert_cmpint (tractor_now () - started, <, 2 * SECOND * harness_get_patience ());
    for (gint64 i = 0; i < 64; i++)
      g_assert_cmpint (receive_integer (stream, error), ==, i);
    for (int i = 0; i < 2; i++) {
      g_assert_false (tractor_stream_receive (stream, &item, error));
      g_assert_nonnull (strstr ((*error)->message, "64 items"));
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
    }
  }
  return end_peer (&peer, error);
}

static gboolean
test_uncounted_bytes_are_bounded (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with ((TractorRuntimeOptions){ .without_credit = TRUE }, error);
  {
    g_autoptr (TractorContext) context = open_context (
        &peer, "test:flood",
        g_variant_new_parsed ("{'n': <%x>, 'size': <%x>}", (gint64) 64, (gint64) 1048576), error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    GVariant *item;
    int n = 0;

    g_assert_false (tractor_sleep_until (TRACTOR_NO_DEADLINE, error));
    g_clear_error (error);
    while (tractor_stream_receive (stream, &item, error)) {
      g_variant_unref (item);
      n++;
    }
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
    g_assert_cmpint (n, ==, 4);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

/* Twenty streams, each with no more than it may have. */
static gboolean
test_uncounted_streams_are_bounded_together (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer_with ((TractorRuntimeOptions){ .without_credit = TRUE }, error);
  {
    TractorStream *streams[20];
    gint64 started = tractor_now ();
    gint64 n = 0;
    int n_lost = 0;

    for (guint i = 0; i < G_N_ELEMENTS (streams); i++)
      streams[i] =
          tractor_portal_open_stream (peer.portal, "test:generate_blocks", NULL, NULL, error);
    while (ask (&peer, "ended", error) < (gint64) G_N_ELEMENTS (streams))
      g_assert_true (tractor_checkpoint (error));
    /* Their receivers were waited for once, and not once for each. */
    g_assert_cmpint (tractor_now () - started, <, 10 * SECOND * harness_get_patience ());
    for (guint i = 0; i < G_N_ELEMENTS (streams); i++) {
      GVariant *item;

      while (tractor_stream_receive (streams[i], &item, error)) {
        n += (gint64) g_variant_get_size (item);
        g_variant_unref (item);
      }
      n_lost += g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
      g_clear_error (error);
      tractor_stream_close (streams[i]);
    }
    g_assert_cmpint (n, ==, 64 * 1048576);
    g_assert_cmpint (n_lost, >=, 4);
  }
  return end_peer (&peer, error);
}

/* --- one way ------------------------------------------------------------------------------------------- */

static gboolean
test_generator (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorStream) stream =
        tractor_portal_open_stream (peer.portal, "test:generate",
                                    g_variant_new_parsed ("{'n': <%x>}", (gint64) 10), NULL, error);

    for (gint64 i = 0; i < 10; i++)
      g_assert_cmpint (receive_integer (stream, error), ==, i);
    assert_end (stream, error);
  }
  {
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:generate",
        g_variant_new_parsed ("{'n': <%x>, 'fail': <true>}", (gint64) 1), NULL, error);
    GVariant *item;

    g_assert_cmpint (receive_integer (stream, error), ==, 0);
    g_assert_false (tractor_stream_receive (stream, &item, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
  }
  return end_peer (&peer, error);
}

static gboolean
test_generator_stopped_early (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "marker", NULL);
  gint64 started = tractor_now ();
  {
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:generate",
        g_variant_new_parsed ("{'n': <%x>, 'path': <%s>}", (gint64) 3, path), NULL, error);

    for (gint64 i = 0; i < 3; i++)
      g_assert_cmpint (receive_integer (stream, error), ==, i);
  }
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS)); /* it is over when the stream is closed */
  g_assert_cmpint (tractor_now () - started, <, SECOND * harness_get_patience ());
  unlink (path);
  return end_peer (&peer, error);
}

/* --- broken off ---------------------------------------------------------------------------------------- */

static gboolean
test_broken_off (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  gint64 started = tractor_now ();
  {
    g_autoptr (TractorContext) context = open_context (
        &peer, "test:break_off", g_variant_new_parsed ("{'n': <%x>}", (gint64) 500), error);
    TractorStream *stream = tractor_context_open_stream (context, error);
    gint64 n = 0;
    GVariant *item;

    g_assert_true (tractor_stream_send (stream, NULL, error));
    while (tractor_stream_receive (stream, &item, error)) {
      g_assert_cmpint (g_variant_get_int64 (item), ==, n++);
      g_variant_unref (item);
    }
    g_assert_cmpint (n, <=, 500);
    g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_assert_false (tractor_context_join (context, NULL, error));
    g_clear_error (error);
  }
  g_assert_false (end_peer (&peer, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  g_assert_cmpint (tractor_now () - started, <, 3 * SECOND * harness_get_patience ());
  return TRUE;
}

/* --- without waiting ---------------------------------------------------------------------------------- */

/* As many as there is room for, and again once some have been taken. */
static gboolean
test_send_nowait (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    gint64 n = 0;

    while (tractor_stream_send_nowait (stream, g_variant_new_int64 (n), error))
      n++;
    g_assert_cmpint (n, ==, 4096);
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_WOULD_BLOCK);
    *error = NULL;
    for (gint64 i = 0; i < n; i++) {
      g_autoptr (GVariant) item = NULL;

      g_assert_true (tractor_stream_receive (stream, &item, error));
      g_assert_cmpint (g_variant_get_int64 (item), ==, i);
    }
    g_assert_true (tractor_stream_send_nowait (stream, NULL, error));
    g_clear_pointer (&stream, tractor_stream_close);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
test_send_nowait_when_closed (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    TractorStream *stream = tractor_context_open_stream (context, error);

    tractor_stream_close (stream);
    g_assert_false (tractor_stream_send_nowait (stream, NULL, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
    *error = NULL;
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* --- shared -------------------------------------------------------------------------------------------- */

typedef struct {
  TractorSubscriber *subscriber;
  int n;
} Counting;

static gboolean
count_items (gpointer data, GError **error)
{
  Counting *counting = data;
  gpointer item;

  while (tractor_subscriber_receive (counting->subscriber, &item, error)) {
    g_variant_unref (item);
    counting->n++;
  }
  return *error == NULL;
}

static gboolean
test_subscribers (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    Counting counting[22] = { 0 };
    g_autoptr (TractorSubscriber) late = NULL;
    gpointer item;

    g_assert_null (tractor_stream_subscribe (stream, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_false (tractor_stream_share (stream, nursery, 0, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
    g_assert_true (tractor_stream_share (stream, nursery, 64, error));
    for (int i = 0; i < 22; i++) {
      counting[i].subscriber = tractor_stream_subscribe (stream, error);
      tractor_nursery_spawn (nursery, NULL, count_items, &counting[i], NULL, error);
    }
    for (int i = 0; i < 50; i++)
      g_assert_true (tractor_stream_send (stream, g_variant_new_int64 (i), error));
    while (counting[21].n < 50)
      g_assert_true (tractor_checkpoint (error));
    late = tractor_stream_subscribe (stream, error);
    g_assert_true (tractor_stream_send (stream, g_variant_new_int64 (50), error));
    g_assert_true (tractor_subscriber_receive (late, &item, error));
    g_assert_cmpint (g_variant_get_int64 (item), ==, 50);
    g_variant_unref (item);
    tractor_context_cancel (context);
    g_assert_false (tractor_nursery_join (nursery, error)); /* the shared stream failed */
    g_clear_error (error);
    for (int i = 0; i < 22; i++) {
      g_assert_cmpint (counting[i].n, ==, 51);
      tractor_subscriber_close (counting[i].subscriber);
    }
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

static gboolean
count_until_failed (gpointer data, GError **error)
{
  Counting *counting = data;
  GError *failure = NULL;

  g_assert_false (count_items (counting, &failure));
  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (&failure);
  g_assert_false (count_items (counting, &failure)); /* and again */
  g_assert_true (tractor_error_matches (failure, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
  g_clear_error (&failure);
  return tractor_checkpoint (error);
}

/* The other end fails: for those who wait, for those who have not yet taken what came before, and for
 * those who come too late. */
static gboolean
test_shared_failure (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorStream) stream = tractor_portal_open_stream (
        peer.portal, "test:generate",
        g_variant_new_parsed ("{'n': <%x>, 'fail': <true>}", (gint64) 50), NULL, error);
    g_autoptr (TractorNursery) readers = tractor_nursery_open ();
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    Counting counting[3] = { 0 };

    g_assert_true (tractor_stream_share (stream, nursery, 64, error));
    for (int i = 0; i < 3; i++)
      counting[i].subscriber = tractor_stream_subscribe (stream, error);
    for (int i = 0; i < 2; i++)
      tractor_nursery_spawn (readers, NULL, count_until_failed, &counting[i], NULL, error);
    g_assert_false (tractor_nursery_join (nursery, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
    tractor_nursery_spawn (readers, NULL, count_until_failed, &counting[2], NULL, error);
    g_assert_null (tractor_stream_subscribe (stream, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
    g_assert_true (tractor_nursery_join (readers, error));
    for (int i = 0; i < 3; i++) {
      g_assert_cmpint (counting[i].n, ==, 50);
      tractor_subscriber_close (counting[i].subscriber);
    }
  }
  return end_peer (&peer, error);
}

typedef struct {
  Peer *peer;
  const char *path;
} Telling;

static gboolean
tell_to_go (gpointer data, GError **error)
{
  Telling *telling = data;

  return tractor_portal_call (telling->peer->portal, "test:go_and_tell",
                              g_variant_new_parsed ("{'path': <%s>}", telling->path), NULL, error);
}

/* The whole process waits, and reads nothing else. */
static void
wait_for_end_of_pipe (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 0);
  close (fd);
}

/* The items and the failure come together: nobody waits at the stream itself when the failure does. A
 * subscriber gets all, in the nursery of the sharing, which the failure cancels, and in another. */
static gboolean
test_shared_failure_in_body (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "told", NULL);
  Peer peer = start_peer (error);
  Telling telling = { &peer, path };

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  {
    g_autoptr (TractorNursery) calls = tractor_nursery_open ();
    g_autoptr (TractorContext) context = open_context (
        &peer, "test:fail_when_told", g_variant_new_parsed ("{'n': <%x>}", (gint64) 9), error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (TractorNursery) readers = tractor_nursery_open ();
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    Counting counting[2] = { 0 };

    g_assert_true (tractor_stream_share (stream, nursery, 64, error));
    for (int i = 0; i < 2; i++) {
      counting[i].subscriber = tractor_stream_subscribe (stream, error);
      tractor_nursery_spawn (i == 0 ? readers : nursery, NULL, count_until_failed, &counting[i],
                             NULL, error);
    }
    tractor_nursery_spawn (calls, "go", tell_to_go, &telling, NULL, error);
    g_assert_true (tractor_wait_all_tasks_blocked (0, error));
    wait_for_end_of_pipe (path);
    g_assert_false (tractor_nursery_join (nursery, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
    g_assert_true (tractor_nursery_join (readers, error));
    for (int i = 0; i < 2; i++) {
      g_assert_cmpint (counting[i].n, ==, 9);
      tractor_subscriber_close (counting[i].subscriber);
    }
    g_assert_false (tractor_context_join (context, NULL, error));
    g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOSPC));
    g_clear_error (error);
    g_assert_true (tractor_nursery_join (calls, error));
  }
  unlink (path);
  return end_peer (&peer, error);
}

/* That this side wants no more of it is no failure of the stream. */
static gboolean
test_sharing_cancelled (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context = open_context (&peer, "test:echo", NULL, error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_autoptr (TractorSubscriber) subscriber = NULL;
    gpointer item;

    g_assert_true (tractor_stream_share (stream, nursery, 64, error));
    subscriber = tractor_stream_subscribe (stream, error);
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), NULL);
    g_assert_true (tractor_nursery_join (nursery, error));
    g_assert_false (tractor_subscriber_receive (subscriber, &item, error));
    g_assert_no_error (*error);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

/* Of a stream that nothing comes from, whose context or end is closed meanwhile. */
static gboolean
receive_until_closed (gpointer stream, GError **error)
{
  GError *failure = NULL;
  GVariant *item;

  g_assert_false (tractor_stream_receive (stream, &item, &failure));
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return tractor_checkpoint (error);
}

static gboolean
subscribe_until_the_end (gpointer stream, GError **error)
{
  g_autoptr (TractorSubscriber) subscriber = tractor_stream_subscribe (stream, error);
  gpointer item;

  g_assert_false (tractor_subscriber_receive (subscriber, &item, error));
  return *error == NULL;
}

typedef enum {
  BY_ITSELF,
  BY_ITS_CONTEXT,
  BY_ITS_CONTEXT_FIRST, /* and then by itself, which g_autoptr does */
  ONE_WAY,
} Closing;

static void
close_stream (Closing closing, TractorContext *context, TractorStream *stream)
{
  if (closing != BY_ITS_CONTEXT_FIRST && closing != BY_ITS_CONTEXT)
    tractor_stream_close (stream);
  tractor_context_close (context);
  if (closing == BY_ITS_CONTEXT_FIRST)
    tractor_stream_close (stream);
}

/* @func is in a task of a nursery that goes on. */
static gboolean
close_in_use (Peer *peer, Closing closing, gboolean is_shared, TractorTaskFunc func, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  g_autoptr (TractorContext) context =
      closing != ONE_WAY ? open_context (peer, "test:echo", NULL, error) : NULL;
  TractorStream *stream =
      closing != ONE_WAY
          ? tractor_context_open_stream (context, error)
          : tractor_portal_open_stream (peer->portal, "test:wait", NULL, NULL, error);

  g_assert_no_error (*error);
  if (is_shared)
    g_assert_true (tractor_stream_share (stream, nursery, 64, error));
  tractor_nursery_spawn (nursery, "in a call", func, stream, NULL, error);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  close_stream (closing, g_steal_pointer (&context), stream);
  return tractor_nursery_join (nursery, error);
}

static gboolean
test_closed_in_use (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (Closing closing = BY_ITSELF; closing <= ONE_WAY; closing++)
    g_assert_true (close_in_use (&peer, closing, FALSE, receive_until_closed, error));
  return end_peer (&peer, error);
}

static gboolean
receive_one (gpointer data, GError **error)
{
  TractorStream *stream = data;
  GError *failure = NULL;
  GVariant *item;

  g_assert_false (tractor_stream_receive (stream, &item, &failure)); /* there is one */
  harness_assert_error (failure, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  return tractor_checkpoint (error);
}

/* In its last turn, with an item in its hands: it is not to call again. */
static gboolean
test_closed_in_the_last_turn (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorStream *stream = tractor_portal_open_stream (
      peer.portal, "test:generate", g_variant_new_parsed ("{'n': <int64 3>}"), NULL, error);
  GVariant *item;

  g_assert_true (tractor_stream_receive (stream, &item, error));
  g_variant_unref (item);
  g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 20, error)); /* the rest comes */
  tractor_nursery_spawn (nursery, "receiver", receive_one, stream, NULL, error);
  g_assert_true (tractor_checkpoint (error)); /* it has its first turn */
  tractor_stream_close (stream);
  g_assert_true (tractor_nursery_join (nursery, error));
  return end_peer (&peer, error);
}

/* Subscribers get the end, and the nursery goes on. */
static gboolean
test_closed_while_shared (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);

  for (Closing closing = BY_ITSELF; closing <= ONE_WAY; closing++)
    g_assert_true (close_in_use (&peer, closing, TRUE, subscribe_until_the_end, error));
  return end_peer (&peer, error);
}

static gboolean
test_subscriber_lags (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  {
    g_autoptr (TractorContext) context =
        open_context (&peer, "test:send_and_close",
                      g_variant_new_parsed ("{'n': <%x>}", (gint64) 64 + 65), error);
    g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
    g_autoptr (TractorSubscriber) slow = NULL;
    gpointer item;

    g_assert_true (tractor_stream_share (stream, nursery, 64, error));
    slow = tractor_stream_subscribe (stream, error);
    g_assert_true (tractor_nursery_join (nursery, error)); /* it has ended */
    g_assert_null (tractor_stream_subscribe (stream, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
    g_assert_false (tractor_subscriber_receive (slow, &item, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LAGGED);
    g_assert_cmpuint (tractor_subscriber_get_n_lost (slow), ==, 65);
    for (int i = 65; i < 129; i++) {
      g_assert_true (tractor_subscriber_receive (slow, &item, error));
      g_assert_cmpint (g_variant_get_int64 (item), ==, i);
      g_variant_unref (item);
    }
    g_assert_false (tractor_subscriber_receive (slow, &item, error));
    g_assert_no_error (*error);
    g_assert_true (tractor_context_join (context, NULL, error));
  }
  return end_peer (&peer, error);
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  add_on_transports ("/e2e/stream/%s/row-67-requests-and-replies", test_requests_and_replies);
  add_on_transports ("/e2e/stream/%s/row-68-order-of-each-sender", test_order_of_each_sender);
  add_on_transports ("/e2e/stream/%s/nil-is-an-item", test_nil_is_an_item);
  add_on_transports ("/e2e/stream/%s/nowait", test_nowait);
  add_on_transports ("/e2e/stream/%s/packed", test_packed);
  add_on_transports ("/e2e/stream/%s/closed-after-its-context", test_closed_after_its_context);
  add_on_transports ("/e2e/stream/%s/row-69-end-of-stream", test_end_of_stream);
  add_on_transports ("/e2e/stream/%s/row-70-opened-once", test_opened_once);
  add_on_transports ("/e2e/stream/%s/row-63-slow-receiver-holds-sender-back",
                     test_slow_receiver_holds_sender_back);
  add_on_transports ("/e2e/stream/%s/row-63-ten-thousand-to-a-slow-receiver",
                     test_ten_thousand_to_a_slow_receiver);
  add_on_transports ("/e2e/stream/%s/row-63-ten-thousand-before-it-is-opened",
                     test_ten_thousand_before_it_is_opened);
  add_on_transports ("/e2e/stream/%s/I-09-cancel-overtakes-data", test_cancel_overtakes_data);
  add_on_transports ("/e2e/stream/%s/large-items", test_large_items);
  add_on_transports ("/e2e/stream/%s/row-61-T20-overrun-at-the-receiver",
                     test_overrun_at_the_receiver);
  add_on_transports ("/e2e/stream/%s/T20-overrun-comes-back-relayed",
                     test_overrun_comes_back_relayed);
  add_on_transports ("/e2e/stream/%s/row-62-overruns-allowed", test_overruns_allowed);
  add_on_transports ("/e2e/stream/%s/uncounted-sender-is-held-back",
                     test_uncounted_sender_is_held_back);
  add_on_transports ("/e2e/stream/%s/full-stream-holds-up-for-a-moment",
                     test_full_stream_holds_up_for_a_moment);
  add_on_transports ("/e2e/stream/%s/uncounted-bytes-are-bounded",
                     test_uncounted_bytes_are_bounded);
  add_on_transports ("/e2e/stream/%s/uncounted-streams-are-bounded-together",
                     test_uncounted_streams_are_bounded_together);
  add_on_transports ("/e2e/stream/%s/F1-generator", test_generator);
  add_on_transports ("/e2e/stream/%s/row-75-generator-stopped-early", test_generator_stopped_early);
  harness_add_real_task ("/e2e/stream/row-71-broken-off", test_broken_off);
  harness_add_real_task ("/e2e/stream/send-nowait", test_send_nowait);
  harness_add_real_task ("/e2e/stream/send-nowait-when-closed", test_send_nowait_when_closed);
  add_on_transports ("/e2e/stream/%s/row-72-row-74-subscribers", test_subscribers);
  add_on_transports ("/e2e/stream/%s/row-73-subscriber-lags", test_subscriber_lags);
  add_on_transports ("/e2e/stream/%s/row-72-shared-failure", test_shared_failure);
  add_on_transports ("/e2e/stream/%s/row-72-shared-failure-in-body", test_shared_failure_in_body);
  add_on_transports ("/e2e/stream/%s/row-72-sharing-cancelled", test_sharing_cancelled);
  harness_add_real_task ("/e2e/stream/closed-while-a-task-receives", test_closed_in_use);
  harness_add_real_task ("/e2e/stream/closed-in-the-last-turn", test_closed_in_the_last_turn);
  harness_add_real_task ("/e2e/stream/closed-while-shared", test_closed_while_shared);
  return harness_run ();
}
