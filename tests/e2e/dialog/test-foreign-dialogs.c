/* test-foreign-dialogs.c - what a live actor runs for a peer that is not ours: its dialogs are begun, cancelled and
 * ended at odd moments, and it counts or does not.
 *
 * Every one of these costs its own connection at the most: another that is open at the same time works
 * on. The peer is a socket of this same process, and its bytes are made by hand. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"
#include "strangers.h"

/* --- what the actor serves ----------------------------------------------------------------------- */

static TractorEvent *call_ended; /* (nullable) */
static char *call_failure;       /* (nullable): what it was told, then */
static guint n_calls;

static gboolean
sleep_and_tell (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  n_calls++;
  sleep_forever (kwargs, ret_result, error);
  if (call_ended != NULL) {
    call_failure = g_strdup ((*error)->message);
    tractor_event_set (call_ended);
  }
  return FALSE;
}

static TractorEvent *flood_sent; /* (nullable) */
static TractorEvent *released;   /* (nullable) */

/* Keeps the actor from ending. */
static gboolean
hold (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);

  tractor_cancel_scope_set_shield (shield, TRUE);
  return tractor_event_wait (released, error);
}

#define N_LARGE     40
#define LARGE_BYTES (2 * 1024 * 1024)

static guint n_large; /* that have been called */

static gboolean
large (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  n_large++;
  *ret_result = g_variant_new_take_string (g_strnfill (LARGE_BYTES, 'x'));
  return TRUE;
}

static gboolean
take_nothing (TractorContext *context,
              G_GNUC_UNUSED GVariant *kwargs,
              G_GNUC_UNUSED GVariant **ret_result,
              GError **error)
{
  return tractor_context_started (context, NULL, error) &&
         tractor_context_open_stream (context, error) != NULL &&
         tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

#define N_FLOOD     1100
#define FLOOD_BYTES 1024

/* More than a socket holds when it is filled in large pieces, a MiB, and less than what it holds in small
 * ones, half of that, and what may be queued besides. */
static gboolean
flood (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  g_autofree char *text = g_strnfill (FLOOD_BYTES, 'x');

  for (int i = 0; i < N_FLOOD; i++)
    if (!tractor_stream_send (stream, g_variant_new_string (text), error))
      return FALSE;
  tractor_event_set (flood_sent);
  return TRUE;
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_and_tell },
  { "hold", TRACTOR_EXPORT_CALL, hold },
  { "large", TRACTOR_EXPORT_CALL, large },
  { "dialog", TRACTOR_EXPORT_CONTEXT, .context = dialog },
  { "take_nothing", TRACTOR_EXPORT_CONTEXT, .context = take_nothing },
  { "tally", TRACTOR_EXPORT_CONTEXT, .context = tally },
  { "flood", TRACTOR_EXPORT_STREAM, .stream = flood },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- its end ------------------------------------------------------------------------------------- */

/* It is cancelled, as upstream has it: nobody waits for it any more. And it was begun once. */
static gboolean
test_caller_gone (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger other = stranger_open (registry);
  Stranger stranger = stranger_open (registry);

  n_calls = 0;
  call_ended = tractor_event_new ();
  g_assert_true (stranger_say (&stranger, START
                               "'ns': <'test'>, 'func': <'sleep_forever'>, " NO_KWARGS UID "}"));
  stranger_close (&stranger);
  g_assert_true (tractor_event_wait (call_ended, error));
  g_clear_pointer (&call_ended, tractor_event_free);
  /* Because of that, and not when the patience with those of a lost peer was over. */
  g_assert_cmpstr (call_failure, ==, "Cancelled: the connection to the caller is closed");
  g_clear_pointer (&call_failure, g_free);
  g_assert_cmpuint (n_calls, ==, 1);
  stranger_call (&other);
  stranger_close (&other);
  return TRUE;
}

static gboolean
test_foreign_cancel (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger other = stranger_open (registry);
  Stranger stranger = stranger_open (registry);

  g_assert_true (stranger_say (&stranger, START
                               "'ns': <'test'>, 'func': <'sleep_forever'>, " NO_KWARGS UID "}"));
  stranger_expect (&stranger, "StartAck",
                   "\xa1"
                   "1");
  g_assert_true (stranger_say (&other, CANCEL ("1")));
  stranger_expect (&other, "StartAck", NULL);
  stranger_expect (&other, "CancelAck", NULL);
  /* It runs on: only now does it end. */
  stranger_call (&stranger);
  g_assert_true (stranger_say (&stranger, CANCEL ("1")));
  stranger_expect (&stranger, "StartAck",
                   "\xa1"
                   "c");
  stranger_expect (&stranger, "Error", "ContextCancelled");
  stranger_expect (&stranger, "CancelAck",
                   "\xa1"
                   "c");
  stranger_close (&stranger);
  stranger_close (&other);
  return TRUE;
}

static void
start_dialog (Stranger *stranger)
{
  g_assert_true (
      stranger_say (stranger, START "'ns': <'test'>, 'func': <'dialog'>, " NO_KWARGS UID "}"));
  stranger_expect (stranger, "StartAck", "context");
  stranger_expect (stranger, "Started", NULL);
}

static gboolean
test_after_the_end (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const late[] = {
    "{'msg_type': <'Yield'>, 'cid': <'1'>, 'pld': <1>}",
    "{'msg_type': <'Stop'>, 'cid': <'1'>}",
    "{'msg_type': <'Return'>, 'cid': <'1'>, 'pld': <1>}",
    ("{'msg_type': <'Error'>, 'cid': <'1'>, 'src_uid': <('a', 'b')>, 'src_type_str': <'E'>,"
     " 'boxed_type_str': <'E'>, 'relay_path': <[('a', 'b')]>}"),
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger = stranger_open (registry);

  for (guint i = 0; i < G_N_ELEMENTS (late); i++) {
    start_dialog (&stranger);
    g_assert_true (stranger_say (&stranger, "{'msg_type': <'Stop'>, 'cid': <'1'>}"));
    stranger_expect (&stranger, "Return", NULL);
    g_assert_true (stranger_say (&stranger, late[i]));
    stranger_call (&stranger);
  }
  stranger_close (&stranger);
  return TRUE;
}

/* Until it is refused, twice: that does not cost the connection. */
static gboolean
call_until_it_ends (gpointer data, G_GNUC_UNUSED GError **error)
{
  Stranger *stranger = data;
  guint n_refused = 0;

  while (n_refused < 2) {
    g_autofree char *type = NULL;

    g_assert_true (stranger_say (
        stranger, "{'msg_type': <'Start'>, 'cid': <'e'>, " CALL_ECHO NO_KWARGS UID "}"));
    while (g_strcmp0 (type, "Return") != 0 && g_strcmp0 (type, "Error") != 0) {
      g_autoptr (GBytes) body = stranger_hear (stranger);

      g_assert_nonnull (body);
      g_free (type);
      type = bytes_find (body, "\xa8msg_type");
      n_refused += bytes_contain (body, "ContextCancelled");
    }
  }
  tractor_event_set (released);
  return TRUE;
}

static gboolean
test_called_while_it_ends (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorEvent) event = released = tractor_event_new ();
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  TractorRuntime *runtime = serve_at (registry, modules);
  Stranger stranger = stranger_open (registry);

  g_assert_true (
      stranger_say (&stranger, START "'ns': <'test'>, 'func': <'hold'>, " NO_KWARGS UID "}"));
  stranger_expect (&stranger, "StartAck", NULL);
  tractor_nursery_spawn (nursery, "caller", call_until_it_ends, &stranger, NULL, error);
  tractor_runtime_close (runtime);
  g_assert_true (tractor_nursery_join (nursery, error));
  stranger_close (&stranger);
  released = NULL;
  return TRUE;
}

static gboolean
test_error_into_a_dialog (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger = stranger_open (registry);

  start_dialog (&stranger);
  g_assert_true (stranger_say (
      &stranger,
      "{'msg_type': <'Error'>, 'cid': <'1'>, 'src_uid': <('a', 'b')>, 'src_type_str': <'KeyError'>,"
      " 'boxed_type_str': <'KeyError'>, 'relay_path': <[('a', 'b')]>}"));
  stranger_expect (&stranger, "Stop", NULL); /* its stream ends first */
  stranger_expect (&stranger, "Error", "KeyError");
  stranger_call (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* --- what does not belong there ------------------------------------------------------------------ */

static gboolean
test_cid_in_use (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger other = stranger_open (registry);
  Stranger stranger = stranger_open (registry);

  start_dialog (&other); /* the same id on another connection is another dialog */
  start_dialog (&stranger);
  g_assert_true (stranger_say (&stranger, START CALL_ECHO NO_KWARGS UID "}"));
  stranger_expect_end (&stranger);
  g_assert_true (stranger_say (&other, "{'msg_type': <'Yield'>, 'cid': <'1'>, 'pld': <'x'>}"));
  stranger_expect (&other, "Yield", "\xa1x");
  stranger_close (&stranger);
  stranger_close (&other);
  return TRUE;
}

/* What only the function's own end may say is not listened to from the other. */
static gboolean
test_odd_in_a_dialog (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const odd[] = {
    "{'msg_type': <'Started'>, 'cid': <'1'>, 'pld': <1>}",
    "{'msg_type': <'Return'>, 'cid': <'1'>, 'pld': <1>}",
    "{'msg_type': <'StartAck'>, 'cid': <'1'>, 'functype': <'asyncfunc'>}",
    "{'msg_type': <'CancelAck'>, 'cid': <'1'>, 'pld': <true>}",
    "{'msg_type': <'Credit'>, 'cid': <'1'>, 'credit_items': <-5>, 'credit_bytes': <-5>}",
    ("{'msg_type': <'Credit'>, 'cid': <'1'>, 'credit_items': <2147483647>,"
     " 'credit_bytes': <2147483647>}"),
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger other = stranger_open (registry);

  for (guint i = 0; i < G_N_ELEMENTS (odd); i++) {
    Stranger stranger = stranger_open (registry);

    start_dialog (&stranger);
    g_assert_true (stranger_say (&stranger, odd[i]));
    g_assert_true (stranger_say (&stranger, "{'msg_type': <'Stop'>, 'cid': <'1'>}"));
    stranger_expect (&stranger, "Return", NULL);
    stranger_call (&other);
    stranger_close (&stranger);
  }
  stranger_close (&other);
  return TRUE;
}

/* Room without end, or less than none, is no trouble of ours. */
static gboolean
test_odd_credit (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const odd[] = {
    "{'msg_type': <'Credit'>, 'cid': <'1'>, 'credit_items': <int64 9223372036854775807>,"
    " 'credit_bytes': <int64 9223372036854775807>}",
    "{'msg_type': <'Credit'>, 'cid': <'1'>, 'credit_items': <int64 -9223372036854775808>,"
    " 'credit_bytes': <int64 -9223372036854775808>}",
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);

  for (guint i = 0; i < G_N_ELEMENTS (odd); i++) {
    Stranger stranger = stranger_connect (registry);

    g_assert_true (stranger_say (&stranger,
                                 "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>,"
                                 " 'credit_items': <int64 9223372036854775807>,"
                                 " 'credit_bytes': <int64 9223372036854775807>}"));
    stranger_expect (&stranger, "Aid", NULL);
    start_dialog (&stranger);
    for (int n = 0; n < 3; n++)
      g_assert_true (stranger_say (&stranger, odd[i]));
    stranger_call (&stranger);
    stranger_close (&stranger);
  }
  return TRUE;
}

/* --- how much ------------------------------------------------------------------------------------ */

/* Results wait for a caller that does not read where they were made, and not in the connection, which is
 * cut off when it has more than it may have. */
static gboolean
test_results_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger = stranger_open (registry);
  gboolean is_answered = FALSE;

  n_large = 0;
  for (guint i = 0; i < N_LARGE; i++) {
    g_autofree char *start = g_strdup_printf (
        "{'msg_type': <'Start'>, 'cid': <'%u'>, 'ns': <'test'>, 'func': <'large'>, " NO_KWARGS UID
        "}",
        i);

    g_assert_true (stranger_say (&stranger, start));
    if (i == 0) /* until the writer is stuck with it, and takes no more */
      g_assert_true (tractor_wait_all_tasks_blocked (SECOND / 20, error));
  }
  while (n_large < N_LARGE)
    g_assert_true (tractor_checkpoint (error));
  g_assert_true (stranger_say (
      &stranger, "{'msg_type': <'Start'>, 'cid': <'last'>, " CALL_ECHO NO_KWARGS UID "}"));
  while (!is_answered) {
    g_autoptr (GBytes) body = stranger_hear (&stranger);

    g_assert_nonnull (body);
    is_answered = bytes_contain (body, "\xa4"
                                       "last");
  }
  stranger_close (&stranger);
  return TRUE;
}

/* One that counts gets room for 4096 items, and the function takes none. */
static gboolean
test_more_than_room (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger other = stranger_open (registry);
  Stranger stranger =
      stranger_open_with (registry, "'credit_items': <4096>, 'credit_bytes': <4194304>");
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  int n = 0;

  g_assert_true (stranger_say (&stranger, START
                               "'ns': <'test'>, 'func': <'take_nothing'>, " NO_KWARGS UID "}"));
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Started", NULL);
  add_message (frame, "{'msg_type': <'Yield'>, 'cid': <'1'>, 'pld': <'x'>}");
  for (; n < 4096; n++)
    g_assert_true (stranger_send (&stranger, frame->data, frame->len));
  stranger_call (&stranger); /* as many as it has room for */
  stranger_send (&stranger, frame->data, frame->len);
  stranger_expect_end (&stranger);
  stranger_call (&other);
  stranger_close (&stranger);
  stranger_close (&other);
  return TRUE;
}

/* So many and no more: what is asked after them is answered next. */
static void
expect_items (Stranger *stranger, guint n)
{
  for (guint i = 0; i < n; i++)
    stranger_expect (stranger, "Yield", NULL);
  stranger_call (stranger);
}

/* I14: whatever room it is given, in items or in bytes, it sends into that. */
static gboolean
test_only_into_room (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const struct {
    const char *at_first;
    const char *more;
  } rooms[] = {
    { "'credit_items': <3>, 'credit_bytes': <4194304>",
      "'credit_items': <2>, 'credit_bytes': <1048576>" },
    { "'credit_items': <4096>, 'credit_bytes': <2500>", /* the last one may stick out */
      "'credit_items': <100>, 'credit_bytes': <2000>" },
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);

  for (guint i = 0; i < G_N_ELEMENTS (rooms); i++) {
    Stranger stranger = stranger_open_with (registry, rooms[i].at_first);
    g_autofree char *credit =
        g_strdup_printf ("{'msg_type': <'Credit'>, 'cid': <'1'>, %s}", rooms[i].more);

    g_assert_true (
        stranger_say (&stranger, START "'ns': <'test'>, 'func': <'flood'>, " NO_KWARGS UID "}"));
    stranger_expect (&stranger, "StartAck", NULL);
    expect_items (&stranger, 3);
    g_assert_true (stranger_say (&stranger, credit));
    expect_items (&stranger, 2);
    stranger_close (&stranger);
  }
  return TRUE;
}

/* Room is given back in lots of half of it, for a message for each item would cost as much as the item. */
static gboolean
test_room_in_lots (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger =
      stranger_open_with (registry, "'credit_items': <4096>, 'credit_bytes': <4194304>");
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  g_assert_true (
      stranger_say (&stranger, START "'ns': <'test'>, 'func': <'tally'>, " NO_KWARGS UID "}"));
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Started", NULL);
  add_message (frame, "{'msg_type': <'Yield'>, 'cid': <'1'>, 'pld': <'x'>}");
  for (int lot = 0; lot < 2; lot++) {
    for (int n = 0; n < 2048; n++)
      g_assert_true (stranger_send (&stranger, frame->data, frame->len));
    stranger_expect (&stranger, "Credit",
                     "\xac"
                     "credit_items\xcd\x08"); /* 0x800 */
  }
  g_assert_true (stranger_say (&stranger, "{'msg_type': <'Stop'>, 'cid': <'1'>}"));
  stranger_expect (&stranger, "Return", "4096 items");
  stranger_close (&stranger);
  return TRUE;
}

/* A cancel, and the answers to it, are not stuck behind data that nobody reads. */
static gboolean
test_urgent_overtakes_data (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger =
      stranger_open_with (registry, "'credit_items': <4096>, 'credit_bytes': <4194304>");
  g_autoptr (TractorEvent) sent = flood_sent = tractor_event_new ();
  g_autoptr (TractorEvent) ended = call_ended = tractor_event_new ();
  guint n_behind = 0;
  gboolean is_acknowledged = FALSE;
  gboolean is_over = FALSE;

  g_assert_true (stranger_say (&stranger, "{'msg_type': <'Start'>, 'cid': <'2'>, 'ns': <'test'>,"
                                          " 'func': <'sleep_forever'>, " NO_KWARGS UID "}"));
  stranger_expect (&stranger, "StartAck", NULL);
  g_assert_true (
      stranger_say (&stranger, START "'ns': <'test'>, 'func': <'flood'>, " NO_KWARGS UID "}"));
  g_assert_true (tractor_event_wait (sent, error));
  g_assert_true (stranger_say (&stranger, CANCEL ("2")));
  g_assert_true (tractor_event_wait (ended, error));
  while (!is_over) {
    g_autoptr (GBytes) body = stranger_hear (&stranger);
    g_autofree char *type = NULL;

    g_assert_nonnull (body);
    type = bytes_find (body, "\xa8msg_type");
    is_acknowledged |= strcmp (type, "CancelAck") == 0;
    n_behind += is_acknowledged && strcmp (type, "Yield") == 0;
    is_over = strcmp (type, "Stop") == 0; /* of the stream: its last message */
  }
  g_assert_true (is_acknowledged);
  g_assert_cmpuint (n_behind * FLOOD_BYTES, >, 64 * 1024);
  flood_sent = call_ended = NULL;
  g_clear_pointer (&call_failure, g_free);
  stranger_close (&stranger);
  return TRUE;
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  add_on_sockets ("/e2e/stranger/%s/row-45-caller-gone", test_caller_gone);
  harness_add_real_task ("/e2e/stranger/unix/row-50-foreign-cancel", test_foreign_cancel);
  harness_add_real_task ("/e2e/stranger/unix/row-64-I-06-after-the-end", test_after_the_end);
  harness_add_real_task ("/e2e/stranger/unix/called-while-it-ends", test_called_while_it_ends);
  harness_add_real_task ("/e2e/stranger/unix/error-into-a-dialog", test_error_into_a_dialog);
  harness_add_real_task ("/e2e/stranger/unix/I-06-cid-in-use", test_cid_in_use);
  harness_add_real_task ("/e2e/stranger/unix/I-06-odd-in-a-dialog", test_odd_in_a_dialog);
  harness_add_real_task ("/e2e/stranger/unix/I-06-odd-credit", test_odd_credit);
  harness_add_real_task ("/e2e/stranger/unix/results-wait-for-the-caller", test_results_wait);
  harness_add_real_task ("/e2e/stranger/unix/I-06-more-than-room", test_more_than_room);
  harness_add_real_task ("/e2e/stranger/unix/I14-only-into-room", test_only_into_room);
  harness_add_real_task ("/e2e/stranger/unix/I14-room-in-lots", test_room_in_lots);
  harness_add_real_task ("/e2e/stranger/unix/I12-urgent-overtakes-data",
                         test_urgent_overtakes_data);
  return harness_run ();
}
