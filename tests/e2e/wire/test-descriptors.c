/* test-descriptors.c - descriptors that travel with messages: open files in another process.
 *
 * The harness counts what is left open here; what is left open in the other process it says itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "served.h"
#include "strangers.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <sys/resource.h>

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

/* Returns as many as may be, of one file. */
static gboolean
make_most (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < 16; i++)
    g_variant_builder_add (&builder, "v", tractor_value_new_fd (STDERR_FILENO));
  *ret_result = g_variant_builder_end (&builder);
  return TRUE;
}

/* Returns what "file" says. */
static gboolean
read_file_of (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) file = g_variant_lookup_value (kwargs, "file", NULL);
  int fd = tractor_value_take_fd (file, error);

  if (fd < 0)
    return FALSE;
  *ret_result = g_variant_new_take_string (read_file (fd));
  return TRUE;
}

static guint n_meeting;
static TractorEvent *have_met;

/* The same, once two callers have come. */
static gboolean
meet_and_read (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  if (++n_meeting == 2)
    tractor_event_set (have_met);
  return tractor_event_wait (have_met, error) && read_file_of (kwargs, ret_result, error);
}

/* Leaves this process no free descriptor, until drain(). */
static int fillers[64];
static guint n_fillers;
static struct rlimit limit_before;

static void
fill (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit_before), ==, 0);
  limit = (struct rlimit){ G_N_ELEMENTS (fillers), limit_before.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  while ((fillers[n_fillers] = open ("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
    n_fillers++;
  g_assert_cmpint (errno, ==, EMFILE);
}

static void
drain (void)
{
  while (n_fillers > 0)
    close (fillers[--n_fillers]);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit_before), ==, 0);
}

static gboolean
fill_up (G_GNUC_UNUSED GVariant *kwargs,
         G_GNUC_UNUSED GVariant **ret_result,
         G_GNUC_UNUSED GError **error)
{
  fill ();
  return TRUE;
}

static gboolean
drain_out (G_GNUC_UNUSED GVariant *kwargs,
           G_GNUC_UNUSED GVariant **ret_result,
           G_GNUC_UNUSED GError **error)
{
  drain ();
  return TRUE;
}

static gboolean
be_sent_to (TractorContext *context,
            G_GNUC_UNUSED GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            GError **error)
{
  return tractor_context_started (context, NULL, error) &&
         tractor_context_open_stream (context, error) != NULL &&
         tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static guint n_streamed;

static gboolean
say_n_streamed (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_uint32 (n_streamed);
  return TRUE;
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
    n_streamed++;
  }
  return TRUE;
}

static const TractorExport exports[] = {
  { "read_files", TRACTOR_EXPORT_CALL, read_files },
  { "leave_files", TRACTOR_EXPORT_CALL, leave_files },
  { "say_n_fds", TRACTOR_EXPORT_CALL, say_n_fds },
  { "make_one", TRACTOR_EXPORT_CALL, make_one },
  { "make_most", TRACTOR_EXPORT_CALL, make_most },
  { "read_file_of", TRACTOR_EXPORT_CALL, read_file_of },
  { "meet_and_read", TRACTOR_EXPORT_CALL, meet_and_read },
  { "fill_up", TRACTOR_EXPORT_CALL, fill_up },
  { "drain_out", TRACTOR_EXPORT_CALL, drain_out },
  { "be_sent_to", TRACTOR_EXPORT_CONTEXT, .context = be_sent_to },
  { "say_n_streamed", TRACTOR_EXPORT_CALL, say_n_streamed },
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

/* Sends a descriptor, again and again. */
static gboolean
ask_on (gpointer data, GError **error)
{
  Peer *peer = data;

  while (tractor_portal_call (peer->portal, "test:leave_files",
                              g_variant_new_parsed ("{'file': <%@*>}", tractor_value_new_fd (2)),
                              NULL, error))
    ;
  return FALSE;
}

/* What is large is packed while others have their turns, which send too: so here. */
static gboolean
test_in_large_values (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  static const char *const texts[] = { "file 0", "file 0,file 1", "file 0,file 1,file 2" };
  g_autoptr (GVariant) many = NULL;
  GVariantBuilder builder;
  int fds[3];

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < 100000; i++)
    g_variant_builder_add (&builder, "v", g_variant_new_byte (1));
  many = g_variant_ref_sink (g_variant_builder_end (&builder));
  for (guint i = 0; i < 3; i++) {
    g_autoptr (GVariant) files = g_variant_ref_sink (new_files (fds, i + 1));
    g_autoptr (GVariant) answer = NULL;
    g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

    tractor_nursery_spawn (nursery, "others", ask_on, &peer, NULL, error);
    g_assert_true (tractor_portal_call (
        peer.portal, "test:read_files",
        g_variant_new_parsed ("{'before': <%@av>, 'files': <%@av>, 'behind': <%@av>}", many, files,
                              many),
        &answer, error));
    g_assert_cmpstr (g_variant_get_string (answer, NULL), ==, texts[i]);
    close_all (fds, i + 1);
    tractor_cancel_scope_cancel (tractor_nursery_get_scope (nursery), "enough");
    g_assert_true (tractor_nursery_join (nursery, error));
  }
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

/* What nobody takes is closed when the call is over. */
static gboolean
test_left (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  guint before = ask_n_fds (peer.child);

  for (guint i = 0; i < 30; i++) {
    g_assert_true (tractor_portal_call (
        peer.portal, "test:leave_files",
        g_variant_new_parsed ("{'file': <%@*>}", tractor_value_new_fd (2)), NULL, error));
    g_assert_cmpuint (ask_n_fds (peer.child), ==, before);
  }
  return end_peer (&peer, error);
}

/* Of items: with the item, whether it was received or not. */
static gboolean
test_left_in_items (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  guint before = count_fds ();
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (
      peer.portal, "test:stream_files", g_variant_new_parsed ("{'n': <int64 20>}"), NULL, error);

  for (guint i = 0; i < 10; i++) {
    g_autoptr (GVariant) item = NULL;
    g_autoptr (GBytes) packed = NULL;

    if (i % 2 == 0)
      g_assert_true (tractor_stream_receive (stream, &item, error));
    else
      g_assert_true (tractor_stream_receive_packed (stream, &packed, error));
  }
  g_clear_pointer (&stream, tractor_stream_close);
  g_assert_cmpuint (count_fds (), ==, before);
  return end_peer (&peer, error);
}

/* What is taken out of a value keeps what came with it. */
static gboolean
test_outlives_its_container (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) last = NULL;
  guint before = count_fds ();
  GVariant *result;
  int fd;

  g_assert_true (tractor_portal_call (peer.portal, "test:make_most", NULL, &result, error));
  g_variant_get_child (result, 15, "v", &last);
  g_variant_unref (result);
  fd = tractor_value_take_fd (last, error);
  g_assert_no_error (*error);
  close (fd);
  g_clear_pointer (&last, g_variant_unref);
  g_assert_cmpuint (count_fds (), ==, before);
  return end_peer (&peer, error);
}

/* --- too few free ones --------------------------------------------------------------------------------- */

/* It is that call which fails, and says why; neither the actor nor its other calls. */
static gboolean
test_none_free_there (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autofree char *text = NULL;

  g_assert_true (tractor_portal_call (peer.portal, "test:fill_up", NULL, NULL, error));
  for (guint i = 0; i < 3; i++) {
    g_assert_false (send_files (peer.portal, 1 + i * 7, &text, error));
    g_assert_nonnull (strstr ((*error)->message, "RLIMIT_NOFILE"));
    g_assert_true (tractor_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT));
    g_clear_error (error);
    g_assert_true (tractor_portal_call (peer.portal, "test:leave_files", NULL, NULL, error));
  }
  g_assert_true (tractor_portal_call (peer.portal, "test:drain_out", NULL, NULL, error));
  g_assert_true (send_files (peer.portal, 16, &text, error));
  g_assert_true (g_str_has_suffix (text, ",file 15"));
  return end_peer (&peer, error);
}

/* A shortage of the parent's is nothing that its child has done. */
static gboolean
test_none_free_here (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) result = NULL;
  g_autofree char *text = NULL;
  int fd;

  fill ();
  g_assert_false (tractor_portal_call (peer.portal, "test:make_one", NULL, &result, error));
  drain ();
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  g_assert_true (tractor_portal_call (peer.portal, "test:make_one", NULL, &result, error));
  fd = tractor_value_take_fd (result, error);
  g_assert_no_error (*error);
  text = read_file (fd);
  g_assert_cmpstr (text, ==, "from the actor");
  return end_peer (&peer, error);
}

/* The items that are short of one are errors of their own, and those after them come. */
static gboolean
test_none_free_for_an_item (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorStream) stream = NULL;
  guint n_lost = 0;
  guint n_items = 0;

  fill ();
  stream = tractor_portal_open_stream (peer.portal, "test:stream_files",
                                       g_variant_new_parsed ("{'n': <int64 40>}"), NULL, error);
  for (;;) {
    g_autoptr (GVariant) item = NULL;

    if (tractor_stream_receive (stream, &item, error)) {
      g_autofree char *expected = g_strdup_printf ("file %u", n_items + n_lost);
      int fd = tractor_value_take_fd (item, error);
      g_autofree char *text = NULL;

      g_assert_no_error (*error);
      text = read_file (fd);
      g_assert_cmpstr (text, ==, expected);
      n_items++;
    } else if (*error != NULL) {
      harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
      if (n_lost++ == 0)
        drain ();
    } else {
      break;
    }
  }
  g_assert_cmpuint (n_lost, >, 0);
  g_assert_cmpuint (n_items + n_lost, ==, 40);
  g_clear_pointer (&stream, tractor_stream_close);
  return end_peer (&peer, error);
}

/* Untaken ones have one budget in the process: a fourth of what may be open. */
static gboolean
test_budget (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (GVariant) first = NULL;
  g_autoptr (GVariant) second = NULL;
  g_autoptr (GVariant) third = NULL;
  struct rlimit before;

  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &before), ==, 0);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &(struct rlimit){ 128, before.rlim_max }), ==, 0);
  g_assert_true (tractor_portal_call (peer.portal, "test:make_most", NULL, &first, error));
  g_assert_true (tractor_portal_call (peer.portal, "test:make_most", NULL, &second, error));
  for (int i = 0; i < 3; i++) { /* a refused one makes no room */
    g_assert_false (tractor_portal_call (peer.portal, "test:make_one", NULL, &third, error));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT);
  }
  g_clear_pointer (&first, g_variant_unref);
  g_assert_true (tractor_portal_call (peer.portal, "test:make_one", NULL, &third, error));
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &before), ==, 0);
  return end_peer (&peer, error);
}

static guint
ask_n_streamed (TractorPortal *portal)
{
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GError) error = NULL;

  tractor_portal_call (portal, "test:say_n_streamed", NULL, &answer, &error);
  g_assert_no_error (error);
  return (guint) g_variant_get_int64 (answer);
}

/* A sender does not run ahead of a slow receiver by as many as it has items' room. */
static gboolean
test_take_of_the_room (G_GNUC_UNUSED gpointer data, GError **error)
{
  Peer peer = start_peer (error);
  g_autoptr (TractorStream) stream = tractor_portal_open_stream (
      peer.portal, "test:stream_files", g_variant_new_parsed ("{'n': <int64 1000>}"), NULL, error);

  while (ask_n_streamed (peer.child) < 64)
    ;
  g_assert_cmpuint (ask_n_streamed (peer.child), ==, 64);
  g_clear_pointer (&stream, tractor_stream_close);
  return end_peer (&peer, error);
}

/* Bytes that a program packs itself lead to no descriptor. */
static gboolean
test_refused_in_packed (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char with_mark[] = "\x92\xa1x\xd8\x9c"
                                  "0123456789abcdef";
  static const char with_such_text[] = "\xa2\xd8\x9c"; /* the same bytes, as a letter */
  Peer peer = start_peer (error);
  g_autoptr (TractorContext) context =
      tractor_portal_open_context (peer.portal, "test:be_sent_to", NULL, NULL, NULL, error);
  TractorStream *stream = tractor_context_open_stream (context, error);
  g_autoptr (GBytes) item = g_bytes_new_static (with_mark, sizeof with_mark - 1);
  g_autoptr (GBytes) text = g_bytes_new_static (with_such_text, sizeof with_such_text - 1);

  g_assert_false (tractor_stream_send_packed (stream, item, error));
  harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  g_assert_true (tractor_stream_send_packed (stream, text, error));
  tractor_context_cancel (context);
  g_clear_pointer (&context, tractor_context_close);
  return end_peer (&peer, error);
}

/* --- from strangers ----------------------------------------------------------------------------------- */

#define OFFER_AID                                                                                  \
  "{'msg_type': <'Aid'>, 'name': <'stranger'>, 'uuid': <'u-1'>, 'credit_items': <64>,"             \
  " 'credit_bytes': <65536>, 'fds': <true>}"

/* One that says it is of this library. */
static Stranger
offer (const char *address)
{
  Stranger stranger = stranger_connect (address);

  g_assert_true (stranger_say (&stranger, OFFER_AID));
  stranger_expect (&stranger, "Aid", NULL);
  return stranger;
}

/* Sends @bytes, and with them a descriptor so many times. */
static void
send_with_fd (Stranger *stranger, const void *bytes, gsize length, guint n, int fd)
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
      memcpy (CMSG_DATA (header) + i * sizeof (int), &fd, sizeof (int));
  }
  g_assert_cmpint (sendmsg (stranger->fd, &message, MSG_NOSIGNAL), ==, (gssize) length);
}

static void
send_with_fds (Stranger *stranger, const void *bytes, gsize length, guint n)
{
  send_with_fd (stranger, bytes, length, n, STDERR_FILENO);
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
    gint64 give_up_at = tractor_now () + SECOND * harness_get_patience ();

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

/* A stranger's call of test:@function, with a mark: the only one in the @batch th batch. */
static void
add_start_with_mark (GByteArray *frame, const char *cid, const char *function, guint8 batch)
{
  const guint8 mark[] = { 0xa4, 'f', 'i', 'l', 'e', 0xd8, 0x9c, batch, 0, 0, 0, 0,
                          0,    0,   0,   0,   1,   0,    0,    0,     0, 0, 0 };
  g_autoptr (GByteArray) body = g_byte_array_new ();
  g_autoptr (GVariant) start = g_variant_ref_sink (
      g_variant_new_parsed ("{'msg_type': <'Start'>, 'cid': <%s>, 'ns': <'test'>, 'func': <%s>,"
                            " 'uid': <" STRANGER_ID ">}",
                            cid, function));

  pack_value (body, start);
  body->data[0]++; /* one pair more */
  g_byte_array_append (body, (const guint8 *) "\xa6kwargs\x81", 8);
  g_byte_array_append (body, mark, sizeof mark);
  add_frame (frame, body->data, body->len);
}

static void
say_start_with_file (
    Stranger *stranger, const char *cid, const char *function, guint8 batch, int fd)
{
  g_autoptr (GByteArray) frame = g_byte_array_new ();

  add_start_with_mark (frame, cid, function, batch);
  send_with_fd (stranger, frame->data, frame->len, fd >= 0 ? 1 : 0, fd);
}

static TractorRuntime *
open_root (const char *registry, GError **error)
{
  const char *registries[] = { registry, NULL };
  TractorRuntime *runtime = tractor_runtime_open (
      &(TractorRuntimeOptions){ .registry_addresses = registries, .modules = modules }, error);

  g_assert_no_error (*error);
  return runtime;
}

/* Two clients, which both count from one: each gets its own file, whoever is asked for first. */
static gboolean
test_each_its_own (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_root (registry, error);
  Stranger strangers[] = { offer (registry), offer (registry) };
  const char *texts[] = { "alice's", "bob's" };

  n_meeting = 0;
  have_met = tractor_event_new ();
  for (guint i = 0; i < 2; i++) {
    int fd = make_file (texts[i]);

    say_start_with_file (&strangers[i], "c", "meet_and_read", 1, fd);
    close (fd);
  }
  for (guint i = 0; i < 2; i++) {
    stranger_expect (&strangers[i], "StartAck", NULL);
    stranger_expect (&strangers[i], "Return", texts[i]);
    stranger_close (&strangers[i]);
  }
  tractor_event_free (have_met);
  return TRUE;
}

/* A mark leads to what came with its own message, or to nothing. */
static gboolean
test_mark_twice (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_root (registry, error);
  Stranger stranger = offer (registry);
  int fd = make_file ("the only one");

  say_start_with_file (&stranger, "a", "leave_files", 1, fd);
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Return", NULL);
  say_start_with_file (&stranger, "b", "read_file_of", 1, -1);
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Error", "none came with the value");
  say_start_with_file (&stranger, "c", "read_file_of", 2, fd); /* and it is no worse for it */
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Return", "the only one");
  close (fd);
  stranger_close (&stranger);
  return TRUE;
}

/* Who has not said who it is leaves nothing here. */
static gboolean
test_none_before_introduction (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_root (registry, error);
  Stranger strangers[8];
  guint before;

  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++) {
    strangers[i] = stranger_connect (registry);
    stranger_expect (&strangers[i], "Aid", NULL); /* it is being listened to */
  }
  before = count_fds ();
  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    send_with_fds (&strangers[i], "\x50\0\0\0", 4, 16);
  g_assert_true (tractor_wait_all_tasks_blocked (0, error));
  g_assert_cmpuint (count_fds (), ==, before);
  for (guint i = 0; i < G_N_ELEMENTS (strangers); i++)
    stranger_close (&strangers[i]);
  return TRUE;
}

/* What comes right behind an introduction has its descriptors, though those of the introduction would not
 * be taken. */
static gboolean
test_right_behind_introduction (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *registry = make_free_address ();
  g_autoptr (TractorRuntime) runtime = open_root (registry, error);
  Stranger stranger = stranger_connect (registry);
  int fd = make_file ("at once");

  g_assert_true (stranger_say (&stranger, OFFER_AID));
  say_start_with_file (&stranger, "c", "read_file_of", 1, fd);
  close (fd);
  stranger_expect (&stranger, "Aid", NULL);
  stranger_expect (&stranger, "StartAck", NULL);
  stranger_expect (&stranger, "Return", "at once");
  stranger_close (&stranger);
  return TRUE;
}

/* --- short of memory ------------------------------------------------------------------------------------ */

static int shortage;      /* an errno */
static guint n_shortages; /* how often */

static gboolean
is_short (void)
{
  if (n_shortages == 0)
    return FALSE;
  n_shortages--;
  errno = shortage;
  return TRUE;
}

/* In the place of libc's, for the library as well. */
gssize
recvmsg (int fd, struct msghdr *message, int flags)
{
  static gssize (*real) (int, struct msghdr *, int);

  if (real == NULL)
    real = (gssize (*) (int, struct msghdr *, int)) dlsym (RTLD_NEXT, "recvmsg");
  return is_short () ? -1 : real (fd, message, flags);
}

gssize
sendmsg (int fd, const struct msghdr *message, int flags)
{
  static gssize (*real) (int, const struct msghdr *, int);

  if (real == NULL)
    real = (gssize (*) (int, const struct msghdr *, int)) dlsym (RTLD_NEXT, "sendmsg");
  return is_short () ? -1 : real (fd, message, flags);
}

/* The kernel has no room now: that is no end of a connection, and what was sent comes whole. */
static gboolean
test_shortages (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const int numbers[] = { ENOBUFS, ENOMEM, ETOOMANYREFS };
  Peer peer = start_peer (error);

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    g_autofree char *text = NULL;

    shortage = numbers[i];
    n_shortages = 3;
    g_assert_true (send_files (peer.portal, 2, &text, error));
    g_assert_cmpstr (text, ==, "file 0,file 1");
    g_assert_cmpuint (n_shortages, ==, 0);
  }
  return end_peer (&peer, error);
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
  add ("bad-ones/in-large-values", test_in_large_values);
  add ("S9-left", test_left);
  add ("S9-left-in-items", test_left_in_items);
  add ("outlives-its-container", test_outlives_its_container);
  add ("S9-none-free-there", test_none_free_there);
  add ("S9-none-free-here", test_none_free_here);
  add ("S9-none-free-for-an-item", test_none_free_for_an_item);
  add ("S9-budget", test_budget);
  add ("shortages-pass", test_shortages);
  add ("take-of-the-room", test_take_of_the_room);
  add ("refused-in-packed", test_refused_in_packed);
  harness_add_real_task ("/e2e/descriptor/tcp/refused", test_refused_over_tcp);
  harness_add_real_task ("/e2e/descriptor/unix/S9-without-marks", test_without_marks);
  harness_add_real_task ("/e2e/descriptor/unix/S9-mark-twice", test_mark_twice);
  harness_add_real_task ("/e2e/descriptor/unix/S9-each-its-own", test_each_its_own);
  harness_add_real_task ("/e2e/descriptor/unix/S9-none-before-introduction",
                         test_none_before_introduction);
  harness_add_real_task ("/e2e/descriptor/unix/right-behind-introduction",
                         test_right_behind_introduction);
  return harness_run ();
}
