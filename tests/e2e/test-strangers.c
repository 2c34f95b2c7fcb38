/* test-strangers.c - a live actor and peers that say what they should not.
 *
 * Every one of these costs its own connection at the most: another that is open at the same time works
 * on. The peer is a socket of this same process, and its bytes are made by hand. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "strangers.h"

/* --- what the actor serves --------------------------------------------------------------------------- */

static gboolean
echo (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_lookup_value (kwargs, "value", NULL);
  return TRUE;
}

static TractorEvent *call_ended; /* (nullable) */
static char *call_failure;       /* (nullable): what it was told, then */
static guint n_calls;

static gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  n_calls++;
  tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  if (call_ended != NULL) {
    call_failure = g_strdup ((*error)->message);
    tractor_event_set (call_ended);
  }
  return FALSE;
}

static TractorEvent *flood_sent; /* (nullable) */
static TractorEvent *released;   /* (nullable) */
static TractorPortal *caller;    /* (nullable) */

/* Asks whoever called it, and does not let itself be disturbed. */
static gboolean
ask_back (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorCancelScope) shield = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  gboolean ok;

  tractor_cancel_scope_set_shield (shield, TRUE);
  ok = tractor_portal_call (caller, "x:y", NULL, ret_result, error);
  tractor_event_set (call_ended);
  return ok;
}

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

/* Sends back what it receives, and returns how many it were. */
static gboolean
dialog (TractorContext *context,
        G_GNUC_UNUSED GVariant *kwargs,
        GVariant **ret_result,
        GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  gint64 n = 0;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    gboolean ok = tractor_stream_send (stream, item, error);

    g_clear_pointer (&item, g_variant_unref);
    if (!ok)
      break;
    n++;
  }
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

/* Receives until the end, and says how often. */
static gboolean
tally (TractorContext *context,
       G_GNUC_UNUSED GVariant *kwargs,
       GVariant **ret_result,
       GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  int n = 0;

  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    g_clear_pointer (&item, g_variant_unref);
    n++;
  }
  *ret_result = g_variant_new_take_string (g_strdup_printf ("%d items", n));
  return *error == NULL;
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

static gboolean
count_to_three (TractorStream *stream, G_GNUC_UNUSED GVariant *kwargs, GError **error)
{
  for (gint64 i = 0; i < 3; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  return TRUE;
}

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "sleep_forever", TRACTOR_EXPORT_CALL, sleep_forever },
  { "large", TRACTOR_EXPORT_CALL, large },
  { "hold", TRACTOR_EXPORT_CALL, hold },
  { "ask_back", TRACTOR_EXPORT_CALL, ask_back },
  { "dialog", TRACTOR_EXPORT_CONTEXT, .context = dialog },
  { "take_nothing", TRACTOR_EXPORT_CONTEXT, .context = take_nothing },
  { "tally", TRACTOR_EXPORT_CONTEXT, .context = tally },
  { "flood", TRACTOR_EXPORT_STREAM, .stream = flood },
  { "count_to_three", TRACTOR_EXPORT_STREAM, .stream = count_to_three },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

static TractorRuntime *
open_at (const char *registry)
{
  const char *registries[] = { registry, NULL };
  GError *error = NULL;
  TractorRuntime *runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, &error);

  g_assert_no_error (error);
  return runtime;
}

/* --- a table of what is said -------------------------------------------------------------------------- */

typedef enum {
  CLOSED,  /* the connection ends */
  REFUSED, /* an Error, of the type */
  IGNORED, /* nothing */
  SERVED,  /* a StartAck and a Return */
} Reaction;

typedef struct {
  const char *what;
  Reaction reaction;
  const char *type; /* that an Error has */
  const char *text; /* a message; or else */
  const char *bytes;
  gsize length;
} Input;

#define BYTES(literal) .bytes = (literal), .length = sizeof (literal) - 1
#define START          "{'msg_type': <'Start'>, 'cid': <'1'>, "
#define CALL_ECHO      "'ns': <'test'>, 'func': <'echo'>, "
#define NO_KWARGS      "'kwargs': <@a{sv} {}>, "
#define UID            "'uid': <" STRANGER_ID ">"

static void
hand_in (const Input *input, const char *registry, Stranger *other)
{
  Stranger stranger = stranger_open (registry);
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  g_test_message ("%s", input->what);
  if (input->text != NULL)
    add_message (frame, input->text);
  else
    add_frame (frame, input->bytes, input->length);
  g_assert_true (stranger_send (&stranger, frame->data, frame->len));
  switch (input->reaction) {
  case CLOSED:
    stranger_expect_end (&stranger);
    break;
  case REFUSED:
    stranger_expect (&stranger, "Error", input->type);
    break;
  case SERVED:
    stranger_expect (&stranger, "StartAck", NULL);
    stranger_expect (&stranger, "Return", NULL);
    break;
  case IGNORED:
  default:
    break;
  }
  if (input->reaction != CLOSED)
    stranger_call (&stranger);
  stranger_call (other);
  stranger_close (&stranger);
}

static void
hand_in_all (const Input *inputs, gsize n_inputs)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);

  for (gsize i = 0; i < n_inputs; i++)
    hand_in (&inputs[i], registry, &other);
  stranger_close (&other);
}

/* clang-format off */
static const Input strictness[] = {
  { "keys in another order", SERVED, NULL,
    "{" UID ", " NO_KWARGS "'func': <'echo'>, 'ns': <'test'>, 'cid': <'1'>, 'msg_type': <'Start'>}" },
  { "keys that nobody knows", SERVED, NULL, START CALL_ECHO NO_KWARGS UID ", 'more': <{'x': <1>}>}" },
  { "no pld_spec", SERVED, NULL, START CALL_ECHO NO_KWARGS UID "}" },
  { "bytes that are no msgpack", CLOSED, NULL, NULL, BYTES ("\xc1garbage") },
  { "an unknown module", REFUSED, "ModuleNotExposed",
    START "'ns': <'os'>, 'func': <'system'>, " NO_KWARGS UID "}" },
  { "an unknown function", REFUSED, "AttributeError",
    START "'ns': <'test'>, 'func': <'nothing'>, " NO_KWARGS UID "}" },
  { "an unknown method of the runtime", REFUSED, "ModuleNotExposed",
    START "'ns': <'self'>, 'func': <'__init__'>, " NO_KWARGS UID "}" },
  { "no kwargs", CLOSED, NULL, START CALL_ECHO UID "}" },
  { "another's uid", CLOSED, NULL, START CALL_ECHO NO_KWARGS "'uid': <('stranger', 'u-2')>}" },
  { "an unknown message", CLOSED, NULL, "{'msg_type': <'Ping'>, 'cid': <'1'>}" },
  { "no map", CLOSED, NULL, "['Stop', '1']" },
  { "the oldest protocol", CLOSED, NULL,
    "{'cmd': <('test', 'echo', @a{sv} {}, ('stranger', 'u-1'), '1')>}" },
  { "kwargs with a key that is no string", REFUSED, "MsgTypeError", NULL,
    BYTES ("\x86\xa8msg_type\xa5Start\xa3" "cid\xa1" "1\xa2ns\xa4test\xa4" "func\xa4" "echo"
           "\xa6kwargs\x81\x05\x06\xa3uid\x92\xa8stranger\xa3u-1") },
};

static const Input messages[] = {
  { "an Aid again", CLOSED, NULL, "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>}" },
  { "a SpawnSpec", CLOSED, NULL,
    "{'msg_type': <'SpawnSpec'>, '_parent_main_data': <@a{sv} {}>, '_runtime_vars': <@a{sv} {}>,"
    " 'enable_modules': <@a{sv} {}>, 'reg_addrs': <@as []>, 'bind_addrs': <@mv nothing>}" },
  { "no type", CLOSED, NULL, "{'cid': <'1'>}" },
  { "a type that is a number", CLOSED, NULL, "{'msg_type': <1>, 'cid': <'1'>}" },
  { "a cid that is a number", CLOSED, NULL, "{'msg_type': <'Stop'>, 'cid': <1>}" },
  { "a cid that is nil", CLOSED, NULL, "{'msg_type': <'Stop'>, 'cid': <@mv nothing>}" },
  { "an empty cid", CLOSED, NULL,
    "{'msg_type': <'Start'>, 'cid': <''>, " CALL_ECHO NO_KWARGS UID "}" },
  { "a long cid", CLOSED, NULL,
    "{'msg_type': <'Start'>, 'cid': <'0123456789012345678901234567890123456789012345678901234567"
    "890123456789012345678901234567890123456789012345678901234567890123456789'>, "
    CALL_ECHO NO_KWARGS UID "}" },
  { "kwargs that are an array", CLOSED, NULL, START CALL_ECHO "'kwargs': <['a']>, " UID "}" },
  { "a uid of one", CLOSED, NULL, START CALL_ECHO NO_KWARGS "'uid': <['stranger']>}" },
  { "a uid of three", CLOSED, NULL, START CALL_ECHO NO_KWARGS "'uid': <['stranger', 'u-1', '']>}" },
  { "no ns", CLOSED, NULL, START "'func': <'echo'>, " NO_KWARGS UID "}" },
  { "no func", CLOSED, NULL, START "'ns': <'test'>, " NO_KWARGS UID "}" },
  { "no uid", CLOSED, NULL, START CALL_ECHO "'kwargs': <@a{sv} {}>}" },
  { "a func that is a number", CLOSED, NULL, START "'ns': <'test'>, 'func': <1>, " NO_KWARGS UID "}" },
  { "a Yield without pld", CLOSED, NULL, "{'msg_type': <'Yield'>, 'cid': <'1'>}" },
  { "a StartAck without functype", CLOSED, NULL, "{'msg_type': <'StartAck'>, 'cid': <'1'>}" },
  { "an Error without src_uid", CLOSED, NULL,
    "{'msg_type': <'Error'>, 'src_type_str': <'E'>, 'boxed_type_str': <'E'>, 'relay_path': <@as []>}" },
  { "a relay_path of strings", CLOSED, NULL,
    "{'msg_type': <'Error'>, 'src_uid': <('a', 'b')>, 'src_type_str': <'E'>,"
    " 'boxed_type_str': <'E'>, 'relay_path': <['a']>}" },
  { "Started of an unknown cid", IGNORED, NULL,
    "{'msg_type': <'Started'>, 'cid': <'?'>, 'pld': <1>}" },
  { "Yield of an unknown cid", IGNORED, NULL, "{'msg_type': <'Yield'>, 'cid': <'?'>, 'pld': <1>}" },
  { "Stop of an unknown cid", IGNORED, NULL, "{'msg_type': <'Stop'>, 'cid': <'?'>}" },
  { "Return of an unknown cid", IGNORED, NULL,
    "{'msg_type': <'Return'>, 'cid': <'?'>, 'pld': <1>}" },
  { "CancelAck of an unknown cid", IGNORED, NULL,
    "{'msg_type': <'CancelAck'>, 'cid': <'?'>, 'pld': <true>}" },
  { "StartAck of an unknown cid", IGNORED, NULL,
    "{'msg_type': <'StartAck'>, 'cid': <'?'>, 'functype': <'context'>}" },
  { "Error of an unknown cid", IGNORED, NULL,
    "{'msg_type': <'Error'>, 'cid': <'?'>, 'src_uid': <('a', 'b')>, 'src_type_str': <'E'>,"
    " 'boxed_type_str': <'E'>, 'relay_path': <[('a', 'b')]>}" },
  { "Error without a cid", IGNORED, NULL,
    "{'msg_type': <'Error'>, 'cid': <@mv nothing>, 'src_uid': <('a', 'b')>, 'src_type_str': <'E'>,"
    " 'boxed_type_str': <'ContextCancelled'>, 'relay_path': <[('a', 'b')]>}" },
};

static const Input bombs[] = {
  { "an array of 2^32-1", CLOSED, NULL, NULL, BYTES ("\xdd\xff\xff\xff\xff") },
  { "a map of 2^31", CLOSED, NULL, NULL, BYTES ("\xdf\x80\x00\x00\x00") },
  { "bytes beyond the frame", CLOSED, NULL, NULL, BYTES ("\xc6\x7f\xff\xff\xff" "abc") },
  { "a string beyond the frame", CLOSED, NULL, NULL, BYTES ("\xdb\xff\xff\xff\xff" "abc") },
  { "a byte too many", CLOSED, NULL, NULL,
    BYTES ("\x82\xa8msg_type\xa4Stop\xa3" "cid\xa1" "1\xc0") },
  { "no UTF-8", CLOSED, NULL, NULL, BYTES ("\x82\xa8msg_type\xa4Stop\xa3" "cid\xa2\xc3\x28") },
};
/* clang-format on */

static gboolean
test_strictness (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  hand_in_all (strictness, G_N_ELEMENTS (strictness));
  return TRUE;
}

static gboolean
test_messages (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  hand_in_all (messages, G_N_ELEMENTS (messages));
  return TRUE;
}

static gboolean
test_bombs (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *deep = g_strnfill (33, '\x91');
  g_autofree char *wide = g_malloc (3 * 24000);
  Input built[] = {
    { "33 arrays in one another", CLOSED, .bytes = deep, .length = 33 },
    { "24,000 arrays of 65,535", CLOSED, .bytes = wide, .length = 3 * 24000 },
  };

  for (int i = 0; i < 24000; i++)
    memcpy (wide + 3 * i, "\xdc\xff\xff", 3);
  hand_in_all (bombs, G_N_ELEMENTS (bombs));
  hand_in_all (built, G_N_ELEMENTS (built));
  return TRUE;
}

static gboolean
test_bad_lengths (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const guint32 lengths[] = { 0, G_MAXUINT32, 256 * 1024 * 1024 + 1 };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);

  for (guint i = 0; i < G_N_ELEMENTS (lengths); i++) {
    Stranger stranger = stranger_open (registry);
    guint32 prefix = GUINT32_TO_LE (lengths[i]);

    g_assert_true (stranger_send (&stranger, &prefix, 4));
    stranger_expect_end (&stranger);
    stranger_call (&other);
    stranger_close (&stranger);
  }
  stranger_close (&other);
  return TRUE;
}

/* --- before it is known who it is --------------------------------------------------------------------- */

static gboolean
test_bad_introductions (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const first[] = {
    "{'msg_type': <'Stop'>, 'cid': <'1'>}",
    "['stranger', 'u-1']",
    "{'msg_type': <'Aid'>, 'name': <'stranger'>}",
    "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <1>}",
    "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u'>, 'is_probe': <'no'>}",
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);

  for (guint i = 0; i < G_N_ELEMENTS (first); i++) {
    Stranger stranger = stranger_connect (registry);

    g_assert_true (stranger_say (&stranger, first[i]));
    stranger_expect_end (&stranger);
    stranger_call (&other);
    stranger_close (&stranger);
  }
  stranger_close (&other);
  return TRUE;
}

static gboolean
test_large_introduction (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = stranger_connect (registry);
  guint32 prefix = GUINT32_TO_LE (4097);

  g_assert_true (stranger_send (&stranger, &prefix, 4));
  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* --- ended in the middle -------------------------------------------------------------------------------- */

static gboolean
test_cut_off (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  add_message (frame, START CALL_ECHO NO_KWARGS UID "}");
  for (guint length = 0; length < frame->len; length++) {
    Stranger stranger = stranger_open (registry);

    g_assert_true (stranger_send (&stranger, frame->data, length));
    shutdown (stranger.fd, SHUT_WR);
    g_assert_null (stranger_hear (&stranger)); /* no answer to half a call */
    stranger_close (&stranger);
  }
  for (guint length = 0; length < frame->len; length += 16) {
    Stranger stranger = stranger_open (registry);

    g_assert_true (stranger_send (&stranger, frame->data, length));
    stranger_reset (&stranger);
    stranger_call (&other);
  }
  stranger_close (&other);
  return TRUE;
}

/* It is cancelled, as upstream has it: nobody waits for it any more. And it was begun once. */
static gboolean
test_caller_gone (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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
  g_assert_cmpstr (call_failure, ==, "Cancelled: the caller withdrew the call");
  g_clear_pointer (&call_failure, g_free);
  g_assert_cmpuint (n_calls, ==, 1);
  stranger_call (&other);
  stranger_close (&other);
  return TRUE;
}

/* --- dialogs ---------------------------------------------------------------------------------------- */

#define CANCEL(cid)                                                                                \
  "{'msg_type': <'Start'>, 'cid': <'c'>, 'ns': <'self'>, 'func': <'_cancel_task'>,"                \
  " 'kwargs': <{'cid': <'" cid "'>}>, " UID "}"

static gboolean
test_foreign_cancel (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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

static Stranger
open_with (const char *address, const char *room)
{
  Stranger stranger = stranger_connect (address);
  g_autofree char *aid =
      g_strdup_printf ("{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>, %s}", room);

  g_assert_true (stranger_say (&stranger, aid));
  stranger_expect (&stranger, "Aid", NULL);
  return stranger;
}

/* Results wait for a caller that does not read where they were made, and not in the connection, which is
 * cut off when it has more than it may have. */
static gboolean
test_results_wait (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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

/* Who only asked whether somebody is there is answered, and let go. */
static gboolean
test_probe (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = open_with (registry, "'is_probe': <true>");

  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* Nobody is there any more to introduce ourselves to. */
static gboolean
test_gone_before_introduction (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);

  for (int i = 0; i < 3; i++) {
    Stranger stranger = stranger_connect (registry);

    stranger_reset (&stranger);
    stranger_call (&other);
  }
  stranger_close (&other);
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
  TractorRuntime *runtime = open_at (registry);
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
test_cid_in_use (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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

/* One that counts gets room for 4096 items, and the function takes none. */
static gboolean
test_more_than_room (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);
  Stranger stranger = open_with (registry, "'credit_items': <4096>, 'credit_bytes': <4194304>");
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
  g_autoptr (TractorRuntime) runtime = open_at (registry);

  for (guint i = 0; i < G_N_ELEMENTS (rooms); i++) {
    Stranger stranger = open_with (registry, rooms[i].at_first);
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
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = open_with (registry, "'credit_items': <4096>, 'credit_bytes': <4194304>");
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
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = open_with (registry, "'credit_items': <4096>, 'credit_bytes': <4194304>");
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
  g_autoptr (TractorRuntime) runtime = open_at (registry);

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

static gboolean
test_foreign_registration (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const said[] = {
    "{'msg_type': <'Start'>, 'cid': <'1'>, 'ns': <'self'>, 'func': <'register_actor'>, 'kwargs':"
    " <{'uid': <('other', 'u-2')>, 'addr': <('127.0.0.1', 1616)>}>, " UID "}",
    "{'msg_type': <'Start'>, 'cid': <'1'>, 'ns': <'self'>, 'func': <'unregister_actor'>,"
    " 'kwargs': <{'uid': <('other', 'u-2')>}>, " UID "}",
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = stranger_open (registry);

  for (guint i = 0; i < G_N_ELEMENTS (said); i++) {
    g_assert_true (stranger_say (&stranger, said[i]));
    stranger_expect (&stranger, "StartAck", NULL);
    stranger_expect (&stranger, "Error", NULL);
  }
  stranger_call (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

static gboolean
test_error_into_a_dialog (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
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

/* --- at rest ---------------------------------------------------------------------------------------- */

static gint64
get_resident_bytes (void)
{
  g_autofree char *text = NULL;
  gint64 total;
  gint64 resident;

  g_assert_true (g_file_get_contents ("/proc/self/statm", &text, NULL, NULL));
  g_assert_cmpint (sscanf (text, "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT, &total, &resident), ==,
                   2);
  return resident * sysconf (_SC_PAGESIZE);
}

#ifdef TRACTOR_SWITCH_ASM
#define IDLE_BYTES (11 * 1024) /* of which some are this end's */
#else
#define IDLE_BYTES (15 * 1024) /* ucontext keeps a KiB on each stack, which can be a page more */
#endif

/* A stack for what reads and one for what writes, and a little more: no room for what does not come. */
static gboolean
test_idle_connections (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  enum {
    N_BEFORE = 50,
    N = 200
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger strangers[N_BEFORE + N];
  gint64 before = 0;
  gint64 each;

  for (guint i = 0; i < N_BEFORE + N; i++) {
    if (i == N_BEFORE)
      before = get_resident_bytes ();
    strangers[i] = stranger_open (registry);
  }
  g_assert_true (tractor_wait_all_tasks_blocked (0, NULL));
  each = (get_resident_bytes () - before) / N;
  g_test_message ("%d bytes each", (int) each);
  if (harness_get_slowness () == 1) /* which else has shadows */
    g_assert_cmpint (each, <, IDLE_BYTES);
  for (guint i = 0; i < N_BEFORE + N; i++)
    stranger_close (&strangers[i]);
  return TRUE;
}

/* --- whole sessions -------------------------------------------------------------------------------- */

static GByteArray *
new_session (void)
{
  GByteArray *session = g_byte_array_new ();

  add_message (session, START CALL_ECHO "'kwargs': <{'value': <'x'>}>, " UID "}");
  add_message (
      session,
      "{'msg_type': <'Start'>, 'cid': <'2'>, 'ns': <'test'>, 'func': <'tally'>, " NO_KWARGS UID
      "}");
  add_message (session, "{'msg_type': <'Yield'>, 'cid': <'2'>, 'pld': <['a', 'b']>}");
  add_message (session, "{'msg_type': <'Stop'>, 'cid': <'2'>}");
  return session;
}

/* Each of the two dialogs has an order of its own. */
static void
expect_session (Stranger *stranger)
{
  static const char *const first[] = { "StartAck", "Return" };
  static const char *const second[] = { "StartAck", "Started", "Return" };
  guint n_first = 0;
  guint n_second = 0;

  while (n_first < G_N_ELEMENTS (first) || n_second < G_N_ELEMENTS (second)) {
    g_autoptr (GBytes) body = stranger_hear (stranger);
    g_autofree char *type = NULL;
    g_autofree char *cid = NULL;

    g_assert_nonnull (body);
    type = bytes_find (body, "\xa8msg_type");
    cid = bytes_find (body, "\xa3"
                            "cid");
    if (strcmp (cid, "1") == 0) {
      g_assert_cmpuint (n_first, <, G_N_ELEMENTS (first));
      g_assert_cmpstr (type, ==, first[n_first++]);
    } else {
      g_assert_cmpuint (n_second, <, G_N_ELEMENTS (second));
      g_assert_cmpstr (type, ==, second[n_second++]);
      g_assert_true (n_second < 3 || bytes_contain (body, "1 items"));
    }
  }
}

/* Lets the actor read all that was sent. */
static void
let_it_read (Stranger *stranger)
{
  int n_unread = 1;

  while (n_unread > 0) {
    g_assert_true (tractor_checkpoint (NULL));
    g_assert_cmpint (ioctl (stranger->fd, TIOCOUTQ, &n_unread), ==, 0);
  }
  g_assert_true (tractor_checkpoint (NULL));
}

static gboolean
test_every_split (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = stranger_open (registry);
  g_autoptr (GByteArray) session = new_session ();

  for (guint at = 1; at < session->len; at++) {
    g_assert_true (stranger_send (&stranger, session->data, at));
    let_it_read (&stranger);
    g_assert_true (stranger_send (&stranger, session->data + at, session->len - at));
    expect_session (&stranger);
  }
  for (guint at = 0; at < session->len; at++) {
    g_assert_true (stranger_send (&stranger, session->data + at, 1));
    let_it_read (&stranger);
  }
  expect_session (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

static gboolean
test_every_flip (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const guint8 masks[] = { 0x01, 0x80, 0xff };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);
  g_autoptr (GByteArray) session = new_session ();

  for (guint at = 0; at < session->len; at++)
    for (guint i = 0; i < G_N_ELEMENTS (masks); i++) {
      Stranger stranger = stranger_open (registry);

      session->data[at] ^= masks[i];
      stranger_send (&stranger, session->data, session->len);
      shutdown (stranger.fd, SHUT_WR);
      stranger_expect_end (&stranger);
      stranger_close (&stranger);
      session->data[at] ^= masks[i];
    }
  stranger_call (&other);
  stranger_close (&other);
  return TRUE;
}

/* --- 100,000 mutated frames --------------------------------------------------------------------------- */

#define N_MUTATED 100000
#define N_IN_ONE  8

static void
mutate (GByteArray *frame)
{
  for (gint n = g_test_rand_int_range (1, 4); n > 0; n--) {
    guint at =
        (guint) g_test_rand_int_range (g_test_rand_int_range (0, 8) > 0 ? 4 : 0, (gint) frame->len);

    switch (g_test_rand_int_range (0, 5)) {
    case 0:
      frame->data[at] = (guint8) g_test_rand_int ();
      break;
    case 1:
      frame->data[at] ^= (guint8) (1 << g_test_rand_int_range (0, 8));
      break;
    case 2:
      frame->data[at] = 0xc0;
      break;
    case 3:
      if (frame->len > 8)
        g_byte_array_remove_index (frame, at);
      break;
    default:
      g_byte_array_append (frame, &(guint8){ frame->data[at] }, 1);
      break;
    }
  }
  if (g_test_rand_int_range (0, 8) > 0) { /* so that what is inside gets looked at */
    guint32 length = GUINT32_TO_LE (frame->len - 4);

    memcpy (frame->data, &length, 4);
  }
}

static gboolean
test_mutated (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  static const char *const seeds[] = {
    START CALL_ECHO "'kwargs': <{'value': <'x'>}>, " UID "}",
    "{'msg_type': <'Start'>, 'cid': <'2'>, 'ns': <'test'>, 'func': <'dialog'>, " NO_KWARGS UID "}",
    "{'msg_type': <'Start'>, 'cid': <'3'>, 'ns': <'test'>, 'func': <'count_to_three'>, " NO_KWARGS
        UID "}",
    "{'msg_type': <'Start'>, 'cid': <'4'>, 'ns': <'self'>, 'func': <'register_actor'>,"
    " 'kwargs': <{'uid': <" STRANGER_ID ">, 'addr': <('127.0.0.1', 1616)>}>, " UID "}",
    CANCEL ("2"),
    "{'msg_type': <'Yield'>, 'cid': <'2'>, 'pld': <{'a': <[1, 2, 3]>}>}",
    "{'msg_type': <'Stop'>, 'cid': <'2'>}",
    "{'msg_type': <'Credit'>, 'cid': <'2'>, 'credit_items': <5>, 'credit_bytes': <500>}",
    ("{'msg_type': <'Error'>, 'cid': <'2'>, 'src_uid': <('a', 'b')>, 'src_type_str': <'E'>,"
     " 'boxed_type_str': <'E'>, 'relay_path': <[('a', 'b')]>, 'message': <'m'>}"),
  };
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger other = stranger_open (registry);
  guint8 *frames[G_N_ELEMENTS (seeds)];
  guint lengths[G_N_ELEMENTS (seeds)];
  gint64 deadline = tractor_now () + 4 * SECOND * harness_get_patience ();

  for (guint i = 0; i < G_N_ELEMENTS (seeds); i++) {
    GByteArray *frame = g_byte_array_new ();
    gsize length;

    add_message (frame, seeds[i]);
    frames[i] = g_byte_array_steal (frame, &length);
    lengths[i] = (guint) length;
    g_byte_array_unref (frame);
  }
  for (int n = 0; n < N_MUTATED && tractor_now () < deadline; n += N_IN_ONE) {
    Stranger stranger = stranger_open (registry);

    for (int i = 0; i < N_IN_ONE; i++) {
      g_autoptr (GByteArray) frame = g_byte_array_new ();
      guint which = (guint) g_test_rand_int_range (0, G_N_ELEMENTS (seeds));

      g_byte_array_append (frame, frames[which], lengths[which]);
      mutate (frame);
      if (!stranger_send (&stranger, frame->data, frame->len))
        break;
    }
    shutdown (stranger.fd, SHUT_WR);
    stranger_expect_end (&stranger);
    stranger_close (&stranger);
  }
  stranger_call (&other);
  stranger_close (&other);
  for (guint i = 0; i < G_N_ELEMENTS (seeds); i++)
    g_free (frames[i]);
  return TRUE;
}

/* --- descriptors ------------------------------------------------------------------------------------ */

#define N_FDS 253

static guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

static gboolean
test_fd_spam (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  Stranger stranger = stranger_open (registry);
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  union {
    struct cmsghdr header;
    char bytes[CMSG_SPACE (N_FDS * sizeof (int))];
  } control = { .header = { CMSG_LEN (N_FDS * sizeof (int)), SOL_SOCKET, SCM_RIGHTS } };
  int *fds = (int *) (void *) CMSG_DATA (&control.header);
  guint n_before = count_fds ();

  for (int i = 0; i < N_FDS; i++)
    fds[i] = stranger.fd;
  add_message (frame, "{'msg_type': <'Stop'>, 'cid': <'?'>}");
  for (int i = 0; i < 1000; i++) {
    struct iovec part = { frame->data, frame->len };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = control.bytes,
                              .msg_controllen = sizeof control.bytes };

    g_assert_cmpint (sendmsg (stranger.fd, &message, MSG_NOSIGNAL), ==, frame->len);
    let_it_read (&stranger);
    g_assert_cmpuint (count_fds (), ==, n_before);
  }
  stranger_call (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* --- one whom we call ---------------------------------------------------------------------------------- */

typedef enum {
  END,   /* at the end of a frame */
  HALF,  /* within one */
  RESET, /* within one, and by a reset */
  STAY,
} HangUp;

typedef struct {
  int listener;
  const char *const *answers; /* after which it hangs up */
  HangUp hang_up;
} Callee;

/* In an answer, sent as a NUL, which GVariant's notation does not have. */
#define NUL_MARK "\x7f"

/* Answers one call. "%s" is its cid. */
static gboolean
run_callee (gpointer data, GError **error)
{
  Callee *callee = data;
  Stranger stranger = { .in = g_byte_array_new () };
  g_autoptr (GBytes) call = NULL;
  g_autofree char *cid = NULL;

  if (!tractor_wait_fd (callee->listener, G_IO_IN, NULL, error))
    return FALSE;
  stranger.fd = accept4 (callee->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  stranger_introduce (&stranger);
  call = stranger_hear (&stranger);
  cid = bytes_find (call, "\xa3"
                          "cid");
  for (const char *const *answer = callee->answers; *answer != NULL; answer++) {
    g_auto (GStrv) parts = g_strsplit (*answer, "%s", 2);
    g_autofree char *text = g_strjoinv (cid, parts);
    g_autoptr (GByteArray) frame = g_byte_array_new ();

    add_message (frame, text);
    if (strchr (text, NUL_MARK[0]) != NULL)
      *(char *) memchr (frame->data, NUL_MARK[0], frame->len) = '\0';
    g_assert_true (stranger_send (&stranger, frame->data, frame->len));
  }
  if (callee->hang_up == HALF || callee->hang_up == RESET) {
    g_autoptr (GByteArray) frame = g_byte_array_new ();
    g_autofree char *text =
        g_strdup_printf ("{'msg_type': <'Return'>, 'cid': <'%s'>, 'pld': <'never'>}", cid);

    add_message (frame, text);
    g_assert_true (stranger_send (&stranger, frame->data, frame->len - 1));
    let_it_read (&stranger);
  }
  if (callee->hang_up == STAY)
    stranger_expect_end (&stranger);
  if (callee->hang_up == RESET)
    stranger_reset (&stranger);
  else
    stranger_close (&stranger);
  return TRUE;
}

#define ACK     "{'msg_type': <'StartAck'>, 'cid': <'%s'>, 'functype': <'asyncfunc'>}"
#define CTX_ACK "{'msg_type': <'StartAck'>, 'cid': <'%s'>, 'functype': <'context'>}"
/* With the spec that ours has. */
#define STREAM_ACK                                                                                 \
  "{'msg_type': <'StartAck'>, 'cid': <'%s'>, 'functype': <'asyncgen'>, 'pld_spec': "               \
  "<'a(xssxxx)'>}"
#define RETURN "{'msg_type': <'Return'>, 'cid': <'%s'>, 'pld': <'done'>}"

static void
remove_socket (const char *address)
{
  if (g_str_has_prefix (address, "unix:"))
    unlink (address + strlen ("unix:"));
}

/* Calls it, or opens a context. Returns: whether that went well. */
typedef enum {
  BY_CALL,
  BY_CONTEXT,
  BY_WATCH /* of its tree */
} Talk;

static gboolean
never_told (G_GNUC_UNUSED const TractorTreeEntry *entries,
            G_GNUC_UNUSED gsize n_entries,
            G_GNUC_UNUSED gpointer data,
            G_GNUC_UNUSED GError **error)
{
  g_assert_not_reached ();
}

static TractorTreeFunc on_tree = never_told;

static gboolean
talk_to_callee (const char *const *answers, HangUp hang_up, Talk talk, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *address = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Callee callee = { stranger_socket (address, TRUE), answers, hang_up };
  g_autoptr (TractorPortal) portal = NULL;
  GError *failure = NULL;
  gboolean ok;

  tractor_nursery_spawn (nursery, "callee", run_callee, &callee, NULL, &failure);
  portal = tractor_connect (address, error);
  g_assert_no_error (*error);
  if (talk == BY_WATCH) {
    ok = tractor_watch_tree (portal, on_tree, NULL, error);
  } else if (talk == BY_CONTEXT) {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (portal, "x:y", NULL, NULL, NULL, error);

    ok = context != NULL && tractor_context_join (context, NULL, error);
  } else {
    ok = tractor_portal_call (portal, "x:y", NULL, NULL, error);
  }
  g_clear_pointer (&portal, tractor_portal_unref);
  g_assert_true (tractor_nursery_join (nursery, &failure));
  close (callee.listener);
  remove_socket (address);
  return ok;
}

/* Calls, is asked back, and is gone. */
static gboolean
run_asked_back (gpointer data, GError **error)
{
  int listener = GPOINTER_TO_INT (data);
  Stranger stranger = { .in = g_byte_array_new () };

  if (!tractor_wait_fd (listener, G_IO_IN, NULL, error))
    return FALSE;
  stranger.fd = accept4 (listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  stranger_introduce (&stranger);
  g_assert_true (stranger_say (
      &stranger, "{'msg_type': <'Start'>, 'cid': <'c'>, 'ns': <'test'>, 'func': <'ask_back'>,"
                 " 'kwargs': <@a{sv} {}>, 'uid': <" STRANGER_ID ">}"));
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Start", NULL);
  stranger_close (&stranger);
  return TRUE;
}

/* What runs for a peer may itself wait for that peer: the one's end is the other's. */
static gboolean
test_gone_when_asked_back (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *address = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_at (registry);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  int listener = stranger_socket (address, TRUE);
  g_autoptr (TractorPortal) portal = NULL;
  g_autoptr (TractorEvent) ended = call_ended = tractor_event_new ();
  GError *failure = NULL;

  tractor_nursery_spawn (nursery, "callee", run_asked_back, GINT_TO_POINTER (listener), NULL,
                         &failure);
  portal = caller = tractor_connect (address, error);
  g_assert_no_error (*error);
  {
    g_autoptr (TractorCancelScope) scope =
        tractor_cancel_scope_open (tractor_now () + SECOND * harness_get_patience ());

    tractor_event_wait (ended, error);
    g_assert_no_error (*error);
  }
  g_assert_true (tractor_nursery_join (nursery, &failure));
  call_ended = NULL;
  close (listener);
  remove_socket (address);
  return TRUE;
}

static gboolean
test_ends_between_frames (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const acknowledged[] = { ACK, NULL };
  static const char *const returned[] = { ACK, RETURN, NULL };

  g_assert_true (talk_to_callee (returned, END, BY_CALL, error));
  g_assert_no_error (*error);
  g_assert_false (talk_to_callee (acknowledged, END, BY_CALL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return TRUE;
}

/* An exception's text is what it is. */
static gboolean
test_error_with_a_nul (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const keys[] = { "message", "tb_str" };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autofree char *failure = g_strdup_printf (
        "{'msg_type': <'Error'>, 'cid': <'%%s'>, 'src_uid': <('srv', 'u')>,"
        " 'src_type_str': <'ValueError'>, 'boxed_type_str': <'ValueError'>,"
        " 'relay_path': <[('srv', 'u')]>, '%s': <'ValueError: bad a" NUL_MARK "b'>}",
        keys[i]);
    const char *answers[] = { ACK, failure, NULL };

    g_assert_false (talk_to_callee (answers, STAY, BY_CALL, error));
    g_assert_cmpstr ((*error)->message, ==, "actor 'srv': ValueError: bad a\\x00b");
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  }
  return TRUE;
}

/* What has a line to itself in a log was said by somebody. */
static gboolean
test_error_with_lines_in_names (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = {
    ACK,
    "{'msg_type': <'Error'>, 'cid': <'%s'>, 'src_uid': <('srv\\nroot failed', 'u\\t')>,"
    " 'src_type_str': <'Key\\nError'>, 'boxed_type_str': <'ContextCancelled'>,"
    " 'canceller': <('a\\nb', 'u')>, 'relay_path': <[('c\\nd', 'u')]>}",
    NULL
  };
  const TractorRemoteError *remote;

  g_assert_false (talk_to_callee (answers, STAY, BY_CALL, error));
  g_assert_cmpstr ((*error)->message, ==, "actor 'srv\\x0aroot failed': Key\\x0aError");
  g_assert_cmpstr (tractor_error_get_canceller (*error), ==, "a\\x0ab@u");
  remote = tractor_error_get_remote (*error);
  g_assert_cmpstr (remote->type_name, ==, "Key\\x0aError");
  g_assert_cmpstr (remote->origin, ==, "srv\\x0aroot failed@u\\x09");
  g_assert_cmpstr (remote->relays[0], ==, "c\\x0ad@u");
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
  return TRUE;
}

static gboolean
test_ends_in_a_frame (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = { ACK, NULL };

  g_assert_false (talk_to_callee (answers, HALF, BY_CALL, error));
  g_assert_nonnull (strstr ((*error)->message, "middle of a frame"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return TRUE;
}

static gboolean
test_reset_in_a_frame (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = { ACK, NULL };

  g_assert_false (talk_to_callee (answers, RESET, BY_CALL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  return TRUE;
}

static gboolean
test_return_for_started (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = { CTX_ACK, RETURN, NULL };

  g_assert_false (talk_to_callee (answers, STAY, BY_CONTEXT, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

static gboolean
test_return_before_ack (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = { "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <1>}",
                                         NULL };

  g_assert_false (talk_to_callee (answers, END, BY_CALL, error));
  g_assert_nonnull (strstr ((*error)->message, "tractor_portal_open_stream()"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MISUSE);
  return TRUE;
}

/* What is no tree is told to nobody: one without an actor, and one of other things. */
static gboolean
test_bad_tree (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const empty[] = { STREAM_ACK,
                                       "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <@av []>}",
                                       NULL };
  static const char *const other[] = { STREAM_ACK,
                                       "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <[1, 2]>}",
                                       NULL };
  static const char *const nil[] = { STREAM_ACK,
                                     "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <@mv nothing>}",
                                     NULL };

  g_assert_false (talk_to_callee (empty, END, BY_WATCH, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_false (talk_to_callee (other, END, BY_WATCH, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_false (talk_to_callee (nil, END, BY_WATCH, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  return TRUE;
}

static guint n_trees;

static gboolean
check_names (const TractorTreeEntry *entries,
             gsize n_entries,
             G_GNUC_UNUSED gpointer data,
             G_GNUC_UNUSED GError **error)
{
  g_assert_cmpuint (n_entries, ==, 3);
  g_assert_cmpstr (entries[0].name, ==, "plain");
  g_assert_cmpstr (entries[1].name, ==, "\\x1b[2J\\x0aroot");
  g_assert_cmpstr (entries[1].uuid, ==, "u\\x9b31m");
  g_assert_cmpuint (strlen (entries[2].name), <=, 128);
  g_assert_cmpint (entries[2].pid, >=, 0);
  n_trees++;
  return TRUE;
}

/* They are shown in terminals and windows. */
static gboolean
test_names_in_a_tree (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *long_name = g_strnfill (10000, 'x');
  g_autofree char *yield = g_strdup_printf (
      "{'msg_type': <'Yield'>, 'cid': <'%%s'>, 'pld': <[(int64 0, 'plain', 'u', int64 1, int64 1, "
      "int64 0), (1, '\\u001b[2J\nroot', 'u\\u009b31m', 1, 1, 0), (1, '%s', 'u', -7, 9, 0)]>}",
      long_name);
  const char *answers[] = { STREAM_ACK, yield, "{'msg_type': <'Stop'>, 'cid': <'%s'>}", NULL };

  on_tree = check_names;
  n_trees = 0;
  g_assert_true (talk_to_callee (answers, END, BY_WATCH, error));
  g_assert_no_error (*error);
  g_assert_cmpuint (n_trees, ==, 1);
  on_tree = never_told;
  return TRUE;
}

/* The name of an unknown error and its text arrive; one that is known is that error. */
static gboolean
test_registered_error (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = {
    ACK,
    "{'msg_type': <'Error'>, 'cid': <'%s'>, 'src_uid': <('a', 'b')>, 'src_type_str': "
    "<'OutOfPaper'>,"
    " 'boxed_type_str': <'OutOfPaper'>, 'relay_path': <[('a', 'b')]>, 'message': <'tray 2'>}",
    NULL
  };

  g_assert_false (talk_to_callee (answers, END, BY_CALL, error));
  g_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_REMOTE);
  g_assert_cmpstr (tractor_error_get_remote (*error)->type_name, ==, "OutOfPaper");
  g_assert_nonnull (strstr ((*error)->message, "tray 2"));
  g_assert_false (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NXIO));
  g_clear_error (error);
  tractor_error_type_register ("OutOfPaper", G_FILE_ERROR, G_FILE_ERROR_NXIO);
  g_assert_false (talk_to_callee (answers, END, BY_CALL, error));
  g_assert_true (tractor_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NXIO));
  g_clear_error (error);
  return TRUE;
}

/* --- a registrar that drops the first ---------------------------------------------------------------- */

/* Answers every call with nil, but for a list of who is there. */
static gboolean
serve_as_registrar (gpointer data, GError **error)
{
  Stranger stranger = { GPOINTER_TO_INT (data), g_byte_array_new () };
  GBytes *call;

  g_assert_true (stranger_say (&stranger, "{'msg_type': <'Aid'>, 'name': <'registrar'>,"
                                          " 'uuid': <'r-1'>, 'is_registrar': <true>}"));
  stranger_expect (&stranger, "Aid", NULL);
  while (tractor_wait_fd (stranger.fd, G_IO_IN, NULL, error) &&
         (call = stranger_hear (&stranger)) != NULL) {
    g_autofree char *cid = bytes_find (call, "\xa3"
                                             "cid");
    g_autofree char *text = g_strdup_printf (
        "{'msg_type': <'Return'>, 'cid': <'%s'>, 'pld': <%s>}", cid,
        bytes_contain (call, "get_registry")
            ? "{'plain.u-1': <[('127.0.0.1', 1616)]>, '\\u001b[2Jx.u-2': <[('127.0.0.1', 1617)]>}"
            : "@mv nothing");
    g_autofree char *ack = g_strdup_printf (
        "{'msg_type': <'StartAck'>, 'cid': <'%s'>, 'functype': <'asyncfunc'>}", cid);

    g_bytes_unref (call);
    stranger_say (&stranger, ack);
    stranger_say (&stranger, text);
  }
  stranger_close (&stranger);
  return *error == NULL;
}

typedef struct {
  int listener;
  TractorNursery *nursery;
} Registrar;

static gboolean
drop_first_then_serve (gpointer data, GError **error)
{
  Registrar *registrar = data;

  for (int i = 0;; i++) {
    int fd;

    if (!tractor_wait_fd (registrar->listener, G_IO_IN, NULL, error))
      return FALSE;
    fd = accept4 (registrar->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (i == 0)
      close (fd);
    else
      tractor_nursery_spawn (registrar->nursery, "registrar", serve_as_registrar,
                             GINT_TO_POINTER (fd), NULL, error);
  }
}

static gboolean
test_first_handshake_dropped (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  Registrar registrar = { stranger_socket (registry, TRUE), NULL };
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    registrar.nursery = nursery;
    tractor_nursery_spawn (nursery, "listener", drop_first_then_serve, &registrar, NULL, error);
    {
      g_autoptr (TractorRuntime) runtime = open_at (registry);

      g_assert_false (tractor_actor_is_registrar ());
    }
  }
  close (registrar.listener);
  remove_socket (registry);
  return TRUE;
}

/* Who could not introduce himself so is not listed. */
static gboolean
test_names_in_a_list (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  Registrar registrar = { stranger_socket (registry, TRUE), NULL };
  {
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    registrar.nursery = nursery;
    tractor_nursery_spawn (nursery, "listener", drop_first_then_serve, &registrar, NULL, error);
    {
      g_autoptr (TractorRuntime) runtime = open_at (registry);
      g_autoptr (GPtrArray) infos = tractor_list_actors (NULL, error);

      g_assert_no_error (*error);
      g_assert_cmpuint (infos->len, ==, 1);
      g_assert_cmpstr (((TractorActorInfo *) infos->pdata[0])->name, ==, "plain");
    }
  }
  close (registrar.listener);
  remove_socket (registry);
  return TRUE;
}

/* What is the same whatever carries it. */
static void
add (const char *path, TractorTaskFunc func)
{
  g_autofree char *whole = g_strconcat ("/e2e/stranger/unix/", path, NULL);

  harness_add_real_task (whole, func);
}

/* And what is not. */
static void
add_on_both (const char *path, TractorTaskFunc func)
{
  g_autofree char *whole = g_strconcat ("/e2e/stranger/tcp/", path, NULL);

  add (path, func);
  harness_add_real_task (whole, func);
}

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  add_on_both ("row-43-row-44-I-06-strictness", test_strictness);
  add ("I-06-messages", test_messages);
  add ("I-05-bombs", test_bombs);
  add ("row-94-I-04-bad-lengths", test_bad_lengths);
  add ("row-95-bad-introductions", test_bad_introductions);
  add ("row-95-large-introduction", test_large_introduction);
  add_on_both ("row-92-I-01-cut-off", test_cut_off);
  add_on_both ("row-45-caller-gone", test_caller_gone);
  add ("row-50-foreign-cancel", test_foreign_cancel);
  add ("row-64-I-06-after-the-end", test_after_the_end);
  add ("probe-is-let-go", test_probe);
  add ("results-wait-for-the-caller", test_results_wait);
  add_on_both ("gone-before-the-introduction", test_gone_before_introduction);
  add ("called-while-it-ends", test_called_while_it_ends);
  add ("I-06-cid-in-use", test_cid_in_use);
  add ("I-06-odd-in-a-dialog", test_odd_in_a_dialog);
  add ("I-06-more-than-room", test_more_than_room);
  add ("I14-only-into-room", test_only_into_room);
  add ("I14-room-in-lots", test_room_in_lots);
  add ("I12-urgent-overtakes-data", test_urgent_overtakes_data);
  add ("I-06-odd-credit", test_odd_credit);
  add ("D-08-foreign-registration", test_foreign_registration);
  add ("error-into-a-dialog", test_error_into_a_dialog);
  add ("idle-connections", test_idle_connections);
  add ("I-03-every-split", test_every_split);
  add ("I-17-every-flip", test_every_flip);
  add ("row-96-mutated", test_mutated);
  add ("I-20-fd-spam", test_fd_spam);
  add ("gone-when-asked-back", test_gone_when_asked_back);
  add ("S18-error-with-a-nul", test_error_with_a_nul);
  add ("S18-error-with-lines-in-names", test_error_with_lines_in_names);
  add_on_both ("I-02-ends-between-frames", test_ends_between_frames);
  add_on_both ("I-01-ends-in-a-frame", test_ends_in_a_frame);
  add_on_both ("row-92-I-01-reset-in-a-frame", test_reset_in_a_frame);
  add ("I-06-return-for-started", test_return_for_started);
  add ("I-06-return-before-ack", test_return_before_ack);
  add ("row-81-registered-error", test_registered_error);
  add ("bad-tree", test_bad_tree);
  add ("S18-names-in-a-tree", test_names_in_a_tree);
  add ("S18-names-in-a-list", test_names_in_a_list);
  add_on_both ("row-10-first-handshake-dropped", test_first_handshake_dropped);
  return harness_run ();
}
