/* test-descriptors.c - descriptors that travel with messages: open files in another process.
 *
 * The harness counts what is left open here; what is left open in the other process it says itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "strangers.h"

#include <sys/mman.h>

static guint
count_fds (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/fd", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* A file in memory, with @text in it, at its beginning. */
static int
make_file (const char *text)
{
  int fd = memfd_create ("test", MFD_CLOEXEC);

  g_assert_cmpint (write (fd, text, strlen (text)), ==, (gssize) strlen (text));
  g_assert_cmpint (lseek (fd, 0, SEEK_SET), ==, 0);
  return fd;
}

/* Closes it. (transfer full) */
static char *
read_file (int fd)
{
  char text[64] = "";

  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (pread (fd, text, sizeof text - 1, 0), >=, 0);
  close (fd);
  return g_strdup (text);
}

/* Puts it into @builder, and closes it when that has been used. */
static GVariant *
new_files (int *fds, guint n)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < n; i++) {
    g_autofree char *text = g_strdup_printf ("file %u", i);

    fds[i] = make_file (text);
    g_variant_builder_add (&builder, "v", tractor_value_new_fd (fds[i]));
  }
  return g_variant_builder_end (&builder);
}

static void
close_all (const int *fds, guint n)
{
  for (guint i = 0; i < n; i++)
    close (fds[i]);
}

/* --- what the actor serves ---------------------------------------------------------------------------- */

/* Reads each of "files", and returns what they say, with commas. */
static gboolean
read_files (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) files = g_variant_lookup_value (kwargs, "files", NULL);
  g_autoptr (GString) text = g_string_new (NULL);

  for (gsize i = 0; i < g_variant_n_children (files); i++) {
    g_autoptr (GVariant) boxed = g_variant_get_child_value (files, i);
    g_autoptr (GVariant) file = g_variant_get_variant (boxed);
    int fd = tractor_value_take_fd (file, error);
    g_autofree char *part = NULL;

    if (fd < 0)
      return FALSE;
    part = read_file (fd);
    g_string_append_printf (text, "%s%s", i > 0 ? "," : "", part);
  }
  *ret_result = g_variant_new_string (text->str);
  return TRUE;
}

static gboolean
leave_files (G_GNUC_UNUSED GVariant *kwargs,
             G_GNUC_UNUSED GVariant **ret_result,
             G_GNUC_UNUSED GError **error)
{
  return TRUE;
}

static gboolean
say_n_fds (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_uint32 (count_fds ());
  return TRUE;
}

static void
close_later (gpointer data)
{
  close (GPOINTER_TO_INT (data));
}

/* What it returns has to be open until it has been sent, which is after it has returned. */
static gboolean
make_one (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, GError **error)
{
  int fd = make_file ("from the actor");

  *ret_result = tractor_value_new_fd (fd);
  return tractor_actor_at_exit (close_later, GINT_TO_POINTER (fd), error);
}

/* Sends "n" files, and closes each at once. */
static gboolean
stream_files (TractorStream *stream, GVariant *kwargs, GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  for (gint64 i = 0; i < n; i++) {
    g_autofree char *text = g_strdup_printf ("file %d", (int) i);
    int fd = make_file (text);
    gboolean ok = tractor_stream_send (stream, tractor_value_new_fd (fd), error);

    close (fd);
    if (!ok)
      return FALSE;
  }
  return TRUE;
}

static gboolean
echo (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_lookup_value (kwargs, "value", NULL);
  return TRUE;
}

static const TractorExport exports[] = {
  { "read_files", TRACTOR_EXPORT_CALL, read_files },
  { "leave_files", TRACTOR_EXPORT_CALL, leave_files },
  { "say_n_fds", TRACTOR_EXPORT_CALL, say_n_fds },
  { "make_one", TRACTOR_EXPORT_CALL, make_one },
  { "echo", TRACTOR_EXPORT_CALL, echo },
  { "stream_files", TRACTOR_EXPORT_STREAM, .stream = stream_files },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- there and back ----------------------------------------------------------------------------------- */

static gboolean
send_files (TractorPortal *portal, guint n, char **ret_text, GError **error)
{
  g_autofree int *fds = g_new (int, n + 1);
  g_autoptr (GVariant) answer = NULL;
  GVariantBuilder kwargs;
  gboolean ok;

  g_variant_builder_init (&kwargs, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&kwargs, "{sv}", "files", new_files (fds, n));
  ok = tractor_portal_call (portal, "test:read_files", g_variant_builder_end (&kwargs), &answer,
                            error);
  close_all (fds, n);
  if (ok)
    *ret_text = g_variant_dup_string (answer, NULL);
  return ok;
}

static gboolean
test_is_readable_there (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  static const guint numbers[] = { 0, 1, 2, 3, 16 };

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    g_autofree char *text = NULL;
    g_auto (GStrv) parts = NULL;

    g_assert_true (send_files (peer.portal, numbers[i], &text, error));
    parts = g_strsplit (text, ",", -1);
    g_assert_cmpuint (g_strv_length (parts), ==, numbers[i]);
    for (guint j = 0; j < numbers[i]; j++) {
      g_autofree char *expected = g_strdup_printf ("file %u", j);

      g_assert_cmpstr (parts[j], ==, expected);
    }
  }
  return end_peer (&peer, error);
}

static gboolean
test_result_is_readable_here (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  g_autofree char *text = NULL;
  int fd;

  g_assert_true (tractor_portal_call (peer.portal, "test:make_one", NULL, &result, error));
  fd = tractor_value_take_fd (result, error);
  g_assert_no_error (*error);
  text = read_file (fd);
  g_assert_cmpstr (text, ==, "from the actor");

  g_assert_cmpint (tractor_value_take_fd (result, error), ==, -1);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  *error = NULL;
  return end_peer (&peer, error);
}

/* Each comes with its own item, however many writes that takes. */
static gboolean
test_stream_of_them (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (
      peer.portal, "test:stream_files", g_variant_new_parsed ("{'n': <int64 200>}"), NULL, error);
  GVariant *item;
  guint n = 0;

  while (tractor_stream_receive (stream, &item, error)) {
    g_autofree char *expected = g_strdup_printf ("file %u", n++);
    int fd = tractor_value_take_fd (item, error);
    g_autofree char *text = NULL;

    g_assert_no_error (*error);
    text = read_file (fd);
    g_assert_cmpstr (text, ==, expected);
    g_variant_unref (item);
  }
  g_clear_error (error);
  g_assert_cmpuint (n, ==, 200);
  g_clear_pointer (&stream, tractor_stream_close);
  return end_peer (&peer, error);
}

/* A sibling gets a file of another's, by way of their parent. */
static gboolean
test_sent_on (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorPortal) sibling = tractor_actor_nursery_start (
      peer.nursery, "sibling", &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
  g_autoptr (GVariant) made = NULL;
  g_autoptr (GVariant) answer = NULL;
  int fd;

  g_assert_true (tractor_portal_call (peer.portal, "test:make_one", NULL, &made, error));
  /* As it came it is only a name for what waits here. */
  g_assert_false (tractor_portal_call (
      sibling, "test:leave_files", g_variant_new_parsed ("{'file': <%@*>}", made), NULL, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  *error = NULL;
  fd = tractor_value_take_fd (made, error);
  g_assert_true (tractor_portal_call (
      sibling, "test:read_files",
      g_variant_new_parsed ("{'files': <[<%@*>]>}", tractor_value_new_fd (fd)), &answer, error));
  close (fd);
  g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, "from the actor");
  g_clear_pointer (&sibling, tractor_portal_unref);
  return end_peer (&peer, error);
}

/* --- what is refused ---------------------------------------------------------------------------------- */

static gboolean
test_too_many (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *text = NULL;

  g_assert_false (send_files (peer.portal, 17, &text, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  *error = NULL;
  g_assert_true (send_files (peer.portal, 1, &text, error));
  return end_peer (&peer, error);
}

static gboolean
test_refused_over_tcp (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *text = NULL;

  g_assert_false (send_files (peer.portal, 1, &text, error));
  g_assert_nonnull (strstr ((*error)->message, "over a Unix socket"));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  *error = NULL;
  return end_peer (&peer, error);
}

static gboolean
test_bad_ones (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) number = g_variant_ref_sink (g_variant_new_int32 (1));
  g_autoptr (GVariant) here = g_variant_ref_sink (tractor_value_new_fd (1));
  int pipe_fds[2];

  g_assert_cmpint (tractor_value_take_fd (number, error), ==, -1);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  *error = NULL;
  g_assert_cmpint (tractor_value_take_fd (NULL, error), ==, -1);
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  *error = NULL;
  g_assert_cmpint (tractor_value_take_fd (here, error), ==, -1); /* it has not arrived */
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  *error = NULL;

  g_assert_cmpint (pipe (pipe_fds), ==, 0);
  close_all (pipe_fds, 2);
  g_assert_false (tractor_portal_call (
      peer.portal, "test:leave_files",
      g_variant_new_parsed ("{'file': <%@*>}", tractor_value_new_fd (pipe_fds[0])), NULL, error));
  harness_assert_error (*error, G_FILE_ERROR, G_FILE_ERROR_BADF);
  *error = NULL;
  return end_peer (&peer, error);
}

static guint
ask_n_fds (TractorPortal *portal)
{
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GError) error = NULL;

  tractor_portal_call (portal, "test:say_n_fds", NULL, &answer, &error);
  g_assert_no_error (error);
  return (guint) g_variant_get_int64 (answer);
}

/* What nobody takes is bounded, and gone with the connection. */
static gboolean
test_left (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  guint before = ask_n_fds (peer.child);

  for (guint i = 0; i < 300; i++)
    g_assert_true (tractor_portal_call (
        peer.portal, "test:leave_files",
        g_variant_new_parsed ("{'file': <%@*>}", tractor_value_new_fd (2)), NULL, error));
  g_assert_cmpuint (ask_n_fds (peer.child), >=, before + 256);
  g_assert_cmpuint (ask_n_fds (peer.child), <=, before + 256);
  if (peer.portal != peer.child) {
    gint64 give_up_at = tractor_now () + SECOND * harness_get_slowness ();

    g_clear_pointer (&peer.portal, tractor_portal_unref);
    peer.portal = peer.child;
    while (ask_n_fds (peer.child) >= before && tractor_now () < give_up_at)
      ;
    g_assert_cmpuint (ask_n_fds (peer.child), <, before);
  }
  return end_peer (&peer, error);
}

/* --- from strangers ----------------------------------------------------------------------------------- */

#define OFFER ", 'credit_items': <64>, 'credit_bytes': <65536>, 'fds': <true>"

/* One that says it is of this library. */
static Stranger
offer (const char *address)
{
  Stranger stranger = stranger_connect (address);

  g_assert_true (stranger_say (
      &stranger, "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>" OFFER "}"));
  stranger_expect (&stranger, "Aid", NULL);
  return stranger;
}

/* Sends @bytes, and with them so many descriptors. */
static void
send_with_fds (Stranger *stranger, const void *bytes, gsize length, guint n)
{
  g_autofree char *room = g_malloc0 (CMSG_SPACE (n * sizeof (int)));
  struct iovec part = { (void *) bytes, length };
  struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
  struct cmsghdr *header = (struct cmsghdr *) room;

  if (n > 0) {
    message.msg_control = room;
    message.msg_controllen = CMSG_SPACE (n * sizeof (int));
    *header = (struct cmsghdr){ CMSG_LEN (n * sizeof (int)), SOL_SOCKET, SCM_RIGHTS };
    for (guint i = 0; i < n; i++)
      memcpy (CMSG_DATA (header) + i * sizeof (int), &(int){ 2 }, sizeof (int));
  }
  g_assert_cmpint (sendmsg (stranger->fd, &message, MSG_NOSIGNAL), ==, (gssize) length);
}

#define ASK                                                                                        \
  "{'msg_type': <'Start'>, 'cid': <'c'>, 'ns': <'test'>, 'func': <'echo'>,"                        \
  " 'kwargs': <{'value': <'fine'>}>, 'uid': <" STRANGER_ID ">}"

/* Whatever comes along, in whatever number: it is the connection's, and bounded. */
static gboolean
test_without_marks (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);
  static const struct {
    guint n;
    gboolean is_fatal;
  } cases[] = { { 0, FALSE },  { 1, FALSE }, { 2, FALSE }, { 3, FALSE },
                { 16, FALSE }, { 17, TRUE }, { 253, TRUE } };
  guint before = 0;

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GByteArray) frame = g_byte_array_new ();
    Stranger stranger = offer (registry);
    gint64 give_up_at = tractor_now () + SECOND * harness_get_slowness ();

    add_message (frame, ASK);
    send_with_fds (&stranger, frame->data, frame->len, cases[i].n);
    if (!cases[i].is_fatal) {
      stranger_expect (&stranger, "StartAck", NULL);
      stranger_expect (&stranger, "Return", NULL);
      g_assert_true (i == 0 || count_fds () <= before + 2 + cases[i].n);
      shutdown (stranger.fd, SHUT_WR);
    }
    stranger_expect_end (&stranger);
    stranger_close (&stranger);
    if (i == 0) { /* the loop has all that it needs by now */
      g_assert_true (tractor_wait_all_tasks_blocked (0, error));
      before = count_fds ();
    }
    while (count_fds () > before && tractor_now () < give_up_at)
      g_assert_true (tractor_checkpoint (error));
    g_assert_cmpuint (count_fds (), ==, before);
  }
  return TRUE;
}

/* A second message that has the mark of the first is against the protocol. */
static gboolean
test_mark_twice (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const guint8 mark[] = "\xa4"
                               "file\xd8\x9c"
                               "0123456789abcdef";
  g_autofree char *registry = make_free_address ();
  const char *registries[] = { registry, NULL };
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);
  Stranger stranger = offer (registry);

  for (guint i = 0; i < 2; i++) {
    g_autoptr (GByteArray) frame = g_byte_array_new ();
    g_autoptr (GByteArray) body = g_byte_array_new ();
    g_autoptr (GVariant) start = g_variant_ref_sink (g_variant_new_parsed (
        "{'msg_type': <'Start'>, 'cid': <%s>, 'ns': <'test'>, 'func': <'leave_files'>,"
        " 'uid': <" STRANGER_ID ">}",
        i == 0 ? "a" : "b"));

    pack_value (body, start);
    body->data[0]++; /* one pair more */
    g_byte_array_append (body, (const guint8 *) "\xa6kwargs\x81", 8);
    g_byte_array_append (body, mark, sizeof mark - 1);
    add_frame (frame, body->data, body->len);
    send_with_fds (&stranger, frame->data, frame->len, 1);
    if (i == 0) {
      stranger_expect (&stranger, "StartAck", NULL);
      stranger_expect (&stranger, "Return", NULL);
    }
  }
  stranger_expect_end (&stranger);
  stranger_close (&stranger);
  return *error == NULL;
}

static void
add (const char *path, TractorTaskFunc func)
{
  static const char *const transports[] = { "pair", "unix" };

  for (guint i = 0; i < G_N_ELEMENTS (transports); i++) {
    g_autofree char *whole = g_strdup_printf ("/e2e/descriptor/%s/%s", transports[i], path);

    harness_add_real_task (whole, func);
  }
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  harness_init (&argc, &argv);

  add ("row-102-is-readable-there", test_is_readable_there);
  add ("result-is-readable-here", test_result_is_readable_here);
  add ("stream-of-them", test_stream_of_them);
  add ("row-102-sent-on", test_sent_on);
  add ("S9-too-many", test_too_many);
  add ("bad-ones", test_bad_ones);
  add ("S9-left", test_left);
  harness_add_real_task ("/e2e/descriptor/tcp/refused", test_refused_over_tcp);
  harness_add_real_task ("/e2e/descriptor/unix/S9-without-marks", test_without_marks);
  harness_add_real_task ("/e2e/descriptor/unix/S9-mark-twice", test_mark_twice);
  return harness_run ();
}
