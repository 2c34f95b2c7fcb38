/* test-strangers.c - whoever connects to a live actor: does not say who it is, leaves in the middle, asks for too
 * much, or for nothing.
 *
 * Every one of these costs its own connection at the most: another that is open at the same time works
 * on. The peer is a socket of this same process, and its bytes are made by hand. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <sys/resource.h>

#include "served.h"
#include "strangers.h"

/* --- what the actor serves ----------------------------------------------------------------------- */

static const TractorExport exports[] = {
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "whoami", TRACTOR_EXPORT_CALL, whoami },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- before it is known who it is ---------------------------------------------------------------- */

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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger = stranger_connect (registry);
  guint32 prefix = GUINT32_TO_LE (4097);

  g_assert_true (stranger_send (&stranger, &prefix, 4));
  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* Nobody is there any more to introduce ourselves to. */
static gboolean
test_gone_before_introduction (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger other = stranger_open (registry);

  for (int i = 0; i < 3; i++) {
    Stranger stranger = stranger_connect (registry);

    stranger_reset (&stranger);
    stranger_call (&other);
  }
  stranger_close (&other);
  return TRUE;
}

static gboolean
test_strangers_do_no_harm (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char http[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  g_autoptr (TractorPortal) portal = NULL;
  g_autofree char *id = NULL;
  Stranger talker = stranger_connect (registry);
  Stranger silent = stranger_connect (registry);
  Stranger half = stranger_connect (registry);

  g_assert_true (stranger_send (&talker, http, sizeof http - 1));
  g_assert_true (stranger_send (&half, "\x20\0\0", 3));
  portal = tractor_connect (registry, error);
  id = call_for_id (portal, "test:whoami", NULL, error);
  g_assert_nonnull (id);
  stranger_expect_end (&talker); /* behind our introduction */
  stranger_close (&talker);
  stranger_close (&silent);
  stranger_close (&half);
  return TRUE;
}

/* Names end up in messages on terminals. */
static gboolean
test_stranger_with_an_escape_in_his_name (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger = stranger_connect (registry);

  g_assert_true (
      stranger_say (&stranger, "{'msg_type': <'Aid'>, 'name': <'\\u001b[2J'>, 'uuid': <'u'>}"));
  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* So many come that there is no memory for a stack: those are turned away, and that is all. */
static gboolean
test_no_room_for_strangers (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  g_autoptr (TractorPortal) portal = NULL;
  g_autofree char *id = NULL;
  struct rlimit all;
  int fds[32];

  if (harness_get_slowness () > 1)
    return TRUE; /* a sanitizer cannot do without more memory */
  getrlimit (RLIMIT_AS, &all);
  for (int i = 0; i < 32; i++)
    fds[i] = raw_socket (registry, FALSE);
  setrlimit (RLIMIT_AS, &(struct rlimit){ 1, all.rlim_max });
  for (int i = 0; i < 100; i++)
    g_assert_true (tractor_checkpoint (error));
  setrlimit (RLIMIT_AS, &all);
  for (int i = 0; i < 32; i++)
    close (fds[i]);
  portal = tractor_connect (registry, error);
  g_assert_no_error (*error);
  id = call_for_id (portal, "test:whoami", NULL, error);
  return TRUE;
}

/* --- no more than that --------------------------------------------------------------------------- */

/* Who only asked whether somebody is there is answered, and let go. */
static gboolean
test_probe (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  Stranger stranger = stranger_open_with (registry, "'is_probe': <true>");

  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  return TRUE;
}

/* A portal that is dropped before its connection has been used closes it all the same. */
static gboolean
test_dropped_at_once (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  guint n_before = count_fds ();

  for (int i = 0; i < 20; i++)
    tractor_portal_unref (tractor_connect (registry, error));
  g_assert_no_error (*error);
  for (int i = 0; i < 100 && count_fds () > n_before + 1; i++)
    g_assert_true (tractor_sleep_until (tractor_now () + SECOND / 100, error));
  g_assert_cmpuint (count_fds (), <=, n_before + 1); /* one for sleeping */
  return TRUE;
}

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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

/* --- ended in the middle ------------------------------------------------------------------------- */

static gboolean
test_cut_off (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

/* --- what is not for it -------------------------------------------------------------------------- */

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
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

/* Somebody who asks and asks, and does not read, is cut off before that costs much. */
static gboolean
test_cancels_and_does_not_read (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
  g_autofree char *cid = g_strnfill (100, 'c');
  g_autofree char *text = g_strdup_printf ("{'msg_type': <'Start'>, 'cid': <'%s'>, 'ns': <'self'>,"
                                           " 'func': <'_cancel_task'>, " NO_KWARGS UID "}",
                                           cid);
  g_autoptr (GByteArray) frame = g_byte_array_new ();
  Stranger stranger = stranger_connect (registry);
  guint n = 0;

  add_message (frame, text);
  g_assert_true (stranger_say (&stranger, AID));
  while (n < 600000 && stranger_send (&stranger, frame->data, frame->len))
    n++;
  g_assert_cmpuint (n, <, 600000);
  stranger_close (&stranger);
  return TRUE;
}

#define N_FDS 253

static gboolean
test_fd_spam (G_GNUC_UNUSED gpointer data, G_GNUC_UNUSED GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = serve_at (registry, modules);
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

int
main (int argc, char **argv)
{
  harness_init (&argc, &argv);
  harness_add_real_task ("/e2e/stranger/unix/row-95-bad-introductions", test_bad_introductions);
  harness_add_real_task ("/e2e/stranger/unix/row-95-large-introduction", test_large_introduction);
  add_on_sockets ("/e2e/stranger/%s/gone-before-the-introduction", test_gone_before_introduction);
  add_on_sockets ("/e2e/discovery/%s/row-95-I-18-strangers-do-no-harm", test_strangers_do_no_harm);
  add_on_sockets ("/e2e/discovery/%s/S19-stranger-with-an-escape-in-his-name",
                  test_stranger_with_an_escape_in_his_name);
  add_on_sockets ("/e2e/discovery/%s/no-room-for-strangers", test_no_room_for_strangers);
  harness_add_real_task ("/e2e/stranger/unix/probe-is-let-go", test_probe);
  add_on_sockets ("/e2e/discovery/%s/dropped-at-once", test_dropped_at_once);
  harness_add_real_task ("/e2e/stranger/unix/idle-connections", test_idle_connections);
  add_on_sockets ("/e2e/stranger/%s/row-92-I-01-cut-off", test_cut_off);
  harness_add_real_task ("/e2e/stranger/unix/D-08-foreign-registration", test_foreign_registration);
  add_on_sockets ("/e2e/discovery/%s/cancels-and-does-not-read", test_cancels_and_does_not_read);
  harness_add_real_task ("/e2e/stranger/unix/I-20-fd-spam", test_fd_spam);
  return harness_run ();
}
