/* test-foreign-callees.c - a peer that is not ours, and that we call: what it answers that is none, where it breaks
 * off, and what its errors and names look like here.
 *
 * The peer is a socket of this same process, and its bytes are made by hand. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"
#include "strangers.h"

/* --- what the actor serves ----------------------------------------------------------------------- */

static TractorEvent *call_ended; /* (nullable) */
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

static const TractorExport exports[] = {
  { "ask_back", TRACTOR_EXPORT_CALL, ask_back },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- one whom we call ---------------------------------------------------------------------------- */

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
  gboolean is_old;
} Callee;

/* In an answer, sent as a NUL, which GVariant's notation does not have. */
#define NUL_MARK "\x7f"

/* As actors did before there was such a function. */
static void
refuse_tree_report (Stranger *stranger)
{
  g_autoptr (GBytes) call = stranger_hear (stranger);
  g_autofree char *cid = bytes_find (call, "\xa3"
                                           "cid");
  g_autofree char *refusal = g_strdup_printf (
      "{'msg_type': <'Error'>, 'cid': <'%s'>, 'src_uid': <('srv', 'u')>,"
      " 'src_type_str': <'ModuleNotExposed'>, 'boxed_type_str': <'ModuleNotExposed'>,"
      " 'relay_path': <[('srv', 'u')]>, 'message': <'no such function'>}",
      cid);

  g_assert_true (bytes_contain (call, "tree_report"));
  g_assert_true (stranger_say (stranger, refusal));
}

/* Answers one call. "%s" is its cid. */
static gboolean
run_callee (gpointer data, GError **error)
{
  Callee *callee = data;
  Stranger stranger;
  g_autoptr (GBytes) call = NULL;
  g_autofree char *cid = NULL;

  if (!tractor_wait_fd (callee->listener, G_IO_IN, NULL, error))
    return FALSE;
  stranger = stranger_accept (callee->listener);
  stranger_introduce (&stranger);
  if (callee->is_old)
    refuse_tree_report (&stranger);
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
#define REPORT_ACK                                                                                 \
  "{'msg_type': <'StartAck'>, 'cid': <'%s'>, 'functype': <'asyncgen'>, 'pld_spec': "               \
  "<'(a(xssxxx)aya{sv})'>}"
#define STOP   "{'msg_type': <'Stop'>, 'cid': <'%s'>}"
#define RETURN "{'msg_type': <'Return'>, 'cid': <'%s'>, 'pld': <'done'>}"

typedef enum {
  BY_CALL,
  BY_CONTEXT,
  BY_STREAM,
  BY_WATCH, /* of its tree */
  BY_WATCH_OF_OLD
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

/* Returns: whether that went well. */
static gboolean
talk_to_callee (const char *const *answers, HangUp hang_up, Talk talk, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autofree char *address = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  Callee callee = { stranger_socket (address, TRUE), answers, hang_up, talk == BY_WATCH_OF_OLD };
  g_autoptr (TractorPortal) portal = NULL;
  GError *failure = NULL;
  gboolean ok;

  tractor_nursery_spawn (nursery, "callee", run_callee, &callee, NULL, &failure);
  portal = tractor_connect (address, error);
  g_assert_no_error (*error);
  if (talk == BY_WATCH || talk == BY_WATCH_OF_OLD) {
    ok = tractor_watch_tree (portal, on_tree, NULL, error);
  } else if (talk == BY_CONTEXT) {
    g_autoptr (TractorContext) context =
        tractor_portal_open_context (portal, "x:y", NULL, NULL, NULL, error);

    ok = context != NULL && tractor_context_join (context, NULL, error);
  } else if (talk == BY_STREAM) {
    g_autoptr (TractorStream) stream =
        tractor_portal_open_stream (portal, "x:y", NULL, NULL, error);

    ok = stream != NULL;
  } else {
    ok = tractor_portal_call (portal, "x:y", NULL, NULL, error);
  }
  g_clear_pointer (&portal, tractor_portal_unref);
  g_assert_true (tractor_nursery_join (nursery, &failure));
  close (callee.listener);
  remove_socket (address);
  return ok;
}

/* --- what is no answer --------------------------------------------------------------------------- */

typedef struct {
  const char *path; /* with a "%s" for the transport, where it matters */
  const char *answers[3];
  HangUp hang_up;
  Talk talk;
  int code;          /* of the error that we are told */
  const char *words; /* (nullable): which it has */
} NoAnswer;

/* clang-format off */
static const NoAnswer no_answers[] = {
  { "/e2e/stranger/%s/I-01-ends-in-a-frame",
    { ACK }, HALF, BY_CALL, TRACTOR_ERROR_TRANSPORT_CLOSED, "middle of a frame" },
  { "/e2e/stranger/%s/row-92-I-01-reset-in-a-frame",
    { ACK }, RESET, BY_CALL, TRACTOR_ERROR_TRANSPORT_CLOSED },
  { "/e2e/stranger/unix/I-06-return-for-started",
    { CTX_ACK, RETURN }, STAY, BY_CONTEXT, TRACTOR_ERROR_MISUSE },
  { "/e2e/stranger/unix/I-06-return-before-ack",
    { "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <1>}" }, END, BY_CALL,
    TRACTOR_ERROR_MISUSE, "tractor_portal_open_stream()" },
  /* At once, without having acknowledged the call. */
  { "/e2e/discovery/%s/result-of-a-stream-that-has-not-begun",
    { RETURN }, STAY, BY_STREAM, TRACTOR_ERROR_MISUSE },
};
/* clang-format on */

static gboolean
test_no_answer (gpointer data, GError **error)
{
  const NoAnswer *row = data;

  g_assert_false (talk_to_callee (row->answers, row->hang_up, row->talk, error));
  g_assert_true (row->words == NULL || strstr ((*error)->message, row->words) != NULL);
  harness_assert_error (*error, TRACTOR_ERROR, row->code);
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

/* Calls, is asked back, and is gone. */
static gboolean
run_asked_back (gpointer data, GError **error)
{
  int listener = GPOINTER_TO_INT (data);
  Stranger stranger;

  if (!tractor_wait_fd (listener, G_IO_IN, NULL, error))
    return FALSE;
  stranger = stranger_accept (listener);
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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

/* --- errors and names ---------------------------------------------------------------------------- */

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

/* Has one tree told to @on_one. */
static void
watch_callee (const char *const *answers, Talk talk, TractorTreeFunc on_one, GError **error)
{
  on_tree = on_one;
  n_trees = 0;
  g_assert_true (talk_to_callee (answers, END, talk, error));
  g_assert_no_error (*error);
  g_assert_cmpuint (n_trees, ==, 1);
  on_tree = never_told;
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
  const char *answers[] = { STREAM_ACK, yield, STOP, NULL };

  watch_callee (answers, BY_WATCH, check_names, error);
  return TRUE;
}

/* The same with views. */
static gboolean
test_names_in_a_report (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *long_name = g_strnfill (10000, 'x');
  g_autofree char *yield = g_strdup_printf (
      "{'msg_type': <'Yield'>, 'cid': <'%%s'>, 'pld': <([(int64 0, 'plain', 'u', int64 1, int64 1, "
      "int64 0), (1, '\\u001b[2J\nroot', 'u\\u009b31m', 1, 1, 0), (1, '%s', 'u', -7, 9, 0)], "
      "[int64 0, 0, 0], @a{sv} {})>}",
      long_name);
  const char *answers[] = { REPORT_ACK, yield, STOP, NULL };

  watch_callee (answers, BY_WATCH, check_names, error);
  return TRUE;
}

static gboolean
check_views (const TractorTreeEntry *entries,
             gsize n_entries,
             G_GNUC_UNUSED gpointer data,
             G_GNUC_UNUSED GError **error)
{
  static const TractorTreeView views[] = { TRACTOR_TREE_VIEW_WHOLE, TRACTOR_TREE_VIEW_SILENT,
                                           TRACTOR_TREE_VIEW_NONE, TRACTOR_TREE_VIEW_NONE };

  g_assert_cmpuint (n_entries, ==, G_N_ELEMENTS (views));
  for (gsize i = 0; i < n_entries; i++)
    g_assert_cmpint (entries[i].view, ==, views[i]);
  n_trees++;
  return TRUE;
}

/* What a later version says besides is passed over: a view that is not known, and a key; and what it leaves out is not
 * missed. */
static gboolean
test_report_of_a_later_version (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = {
    REPORT_ACK,
    "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <([(int64 0, 'a', 'u', int64 1, int64 1, int64 "
    "0), (1, 'b', 'u', 2, 1, 0), (1, 'c', 'u', 3, 1, 0), (1, 'd', 'u', 4, 1, 0)], "
    "[int64 0, 2, 99], {'weather': <'fine'>})>}",
    STOP, NULL
  };

  watch_callee (answers, BY_WATCH, check_views, error);
  return TRUE;
}

static gboolean
check_all_is_told (const TractorTreeEntry *entries,
                   gsize n_entries,
                   G_GNUC_UNUSED gpointer data,
                   G_GNUC_UNUSED GError **error)
{
  for (gsize i = 0; i < n_entries; i++)
    g_assert_cmpint (entries[i].view, ==, TRACTOR_TREE_VIEW_WHOLE);
  return check_names (entries, n_entries, data, error);
}

/* Who does not know the function is asked as before. */
static gboolean
test_tree_of_an_earlier_version (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const answers[] = {
    STREAM_ACK,
    "{'msg_type': <'Yield'>, 'cid': <'%s'>, 'pld': <[(int64 0, 'plain', 'u', int64 1, int64 1, "
    "int64 0), (1, '\\u001b[2J\nroot', 'u\\u009b31m', 1, 1, 0), (1, 'x', 'u', -7, 9, 0)]>}",
    STOP, NULL
  };

  watch_callee (answers, BY_WATCH_OF_OLD, check_all_is_told, error);
  return TRUE;
}

/* --- a registrar that drops the first ------------------------------------------------------------ */

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
      g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);

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
      g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  for (guint i = 0; i < G_N_ELEMENTS (no_answers); i++) {
    if (strstr (no_answers[i].path, "%s") != NULL)
      add_row_on_sockets (no_answers[i].path, test_no_answer, &no_answers[i]);
    else
      harness_add_real_row (no_answers[i].path, test_no_answer, &no_answers[i]);
  }
  add_on_sockets ("/e2e/stranger/%s/I-02-ends-between-frames", test_ends_between_frames);
  harness_add_real_task ("/e2e/stranger/unix/gone-when-asked-back", test_gone_when_asked_back);
  harness_add_real_task ("/e2e/stranger/unix/bad-tree", test_bad_tree);
  harness_add_real_task ("/e2e/stranger/unix/S18-error-with-a-nul", test_error_with_a_nul);
  harness_add_real_task ("/e2e/stranger/unix/S18-error-with-lines-in-names",
                         test_error_with_lines_in_names);
  harness_add_real_task ("/e2e/stranger/unix/row-81-registered-error", test_registered_error);
  harness_add_real_task ("/e2e/stranger/unix/S18-names-in-a-tree", test_names_in_a_tree);
  harness_add_real_task ("/e2e/stranger/unix/S18-names-in-a-report", test_names_in_a_report);
  harness_add_real_task ("/e2e/stranger/unix/report-of-a-later-version",
                         test_report_of_a_later_version);
  harness_add_real_task ("/e2e/stranger/unix/tree-of-an-earlier-version",
                         test_tree_of_an_earlier_version);
  add_on_sockets ("/e2e/stranger/%s/row-10-first-handshake-dropped", test_first_handshake_dropped);
  harness_add_real_task ("/e2e/stranger/unix/S18-names-in-a-list", test_names_in_a_list);
  return harness_run ();
}
