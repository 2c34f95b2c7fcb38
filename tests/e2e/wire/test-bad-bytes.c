/* test-bad-bytes.c - a live actor, and peers whose bytes are not what they should be: what is said wrong, cut into
 * any pieces, or changed anywhere.
 *
 * Every one of these costs its own connection at the most: another that is open at the same time works
 * on. The peer is a socket of this same process, and its bytes are made by hand. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"
#include "strangers.h"

/* --- what the actor serves ----------------------------------------------------------------------- */

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
  { "dialog", TRACTOR_EXPORT_CONTEXT, .context = dialog },
  { "tally", TRACTOR_EXPORT_CONTEXT, .context = tally },
  { "count_to_three", TRACTOR_EXPORT_STREAM, .stream = count_to_three },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- a table of what is said --------------------------------------------------------------------- */

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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

/* --- whole sessions ------------------------------------------------------------------------------ */

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

static gboolean
test_every_split (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

/* --- 100,000 mutated frames ---------------------------------------------------------------------- */

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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  add_on_sockets ("/e2e/stranger/%s/row-43-row-44-I-06-strictness", test_strictness);
  harness_add_real_task ("/e2e/stranger/unix/I-06-messages", test_messages);
  harness_add_real_task ("/e2e/stranger/unix/I-05-bombs", test_bombs);
  harness_add_real_task ("/e2e/stranger/unix/row-94-I-04-bad-lengths", test_bad_lengths);
  harness_add_real_task ("/e2e/stranger/unix/I-03-every-split", test_every_split);
  harness_add_real_task ("/e2e/stranger/unix/I-17-every-flip", test_every_flip);
  harness_add_real_task ("/e2e/stranger/unix/row-96-mutated", test_mutated);
  return harness_run ();
}
