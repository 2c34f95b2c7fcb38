/* objects-child.c - what the tests of the GObject classes spawn: an actor with one function of each kind. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <tractor-builtin.h>
#include <tractor.h>

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static gboolean
add (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 a = 0;
  gint64 b = 0;

  g_variant_lookup (kwargs, "a", "x", &a);
  g_variant_lookup (kwargs, "b", "x", &b);
  *ret_result = g_variant_new_int64 (a + b);
  return TRUE;
}

static gboolean
fail (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "no such paper");
  return FALSE;
}

static gboolean
wait_for_ever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
die (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  abort ();
}

static gint64 n_doubled;

/* Says what it begins with, gives back each item doubled, and in the end how many there were. */
static gboolean
double_items (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  GVariant *item;
  gint64 n = 0;

  if (!tractor_context_started (context, g_variant_lookup_value (kwargs, "hello", NULL), error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  if (stream == NULL)
    return FALSE;
  while (tractor_stream_receive (stream, &item, error)) {
    g_autoptr (GVariant) owned = item;

    n++;
    if (!tractor_stream_send (stream, g_variant_new_int64 (2 * g_variant_get_int64 (owned)), error))
      return FALSE;
  }
  n_doubled++;
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

/* Gives back each item for as long as somebody takes them, and in the end how many there were. */
static gboolean
count_items (TractorContext *context,
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
    n++;
    tractor_stream_send (stream, item, NULL);
    g_variant_unref (item);
  }
  *ret_result = g_variant_new_int64 (n);
  return *error == NULL;
}

/* How often double_items() has come to its end. */
static gboolean
count_doubled (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (n_doubled);
  return TRUE;
}

/* Sends so many items by itself, and ends. */
static gboolean
count_up (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  for (gint64 i = 0; stream != NULL && i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  *ret_result = g_variant_new_string ("counted");
  return stream != NULL;
}

static gint64 n_cancelled;

/* One way: so many items, and then what "then" says: "fail", or "wait" until it is cancelled. */
static gboolean
generate (TractorStream *stream, GVariant *kwargs, GError **error)
{
  const char *then = "";
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  g_variant_lookup (kwargs, "then", "&s", &then);
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  if (g_str_equal (then, "fail")) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "the paper is out");
    return FALSE;
  }
  if (g_str_equal (then, "wait") && !tractor_sleep_until (TRACTOR_NO_DEADLINE, error)) {
    n_cancelled++;
    return FALSE;
  }
  return TRUE;
}

/* How often generate() has been. */
static gboolean
count_cancelled (G_GNUC_UNUSED GVariant *kwargs,
                 GVariant **ret_result,
                 G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (n_cancelled);
  return TRUE;
}

static gint64 n_failed;

/* After a word, if it is to send anything: so the other end is open. */
static gboolean
send_a_few (TractorContext *context, gint64 n, GError **error)
{
  g_autoptr (TractorStream) stream = tractor_context_open_stream (context, error);
  GVariant *word;

  if (stream == NULL || !tractor_stream_receive (stream, &word, error))
    return FALSE;
  for (gint64 i = 0; i < n; i++)
    if (!tractor_stream_send (stream, g_variant_new_int64 (i), error))
      return FALSE;
  return TRUE;
}

/* Sends so many items, if any, and fails. */
static gboolean
fail_later (TractorContext *context,
            GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            GError **error)
{
  gint64 n = 0;

  g_variant_lookup (kwargs, "n", "x", &n);
  if (!tractor_context_started (context, NULL, error) || (n > 0 && !send_a_few (context, n, error)))
    return FALSE;
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOENT, "the paper is out");
  n_failed++;
  return FALSE;
}

/* How often fail_later() has. */
static gboolean
count_failures (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (n_failed);
  return TRUE;
}

/* Has a child of its own, called "name", until it is cancelled. */
static gboolean
have_child (TractorContext *context,
            GVariant *kwargs,
            G_GNUC_UNUSED GVariant **ret_result,
            GError **error)
{
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  g_autoptr (TractorPortal) portal = NULL;
  const char *name = "";

  g_variant_lookup (kwargs, "name", "&s", &name);
  portal = tractor_actor_nursery_start (nursery, name, NULL, error);
  if (portal != NULL && tractor_context_started (context, NULL, error))
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  return tractor_actor_nursery_join (nursery, error);
}

/* Calls "function" of its parent with the same arguments. */
static gboolean
ask_parent (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorPortal) parent = tractor_get_parent ();
  const char *function = "";

  g_variant_lookup (kwargs, "function", "&s", &function);
  return tractor_portal_call (parent, function, kwargs, ret_result, error);
}

/* Appends what the file says that @value is, and closes it. */
static gboolean
append_file (GString *text, GVariant *value, GError **error)
{
  char part[64] = "";
  int fd = tractor_value_take_fd (value, error);

  if (fd < 0)
    return FALSE;
  if (pread (fd, part, sizeof part - 1, 0) > 0)
    g_string_append (text, part);
  close (fd);
  return TRUE;
}

/* Says what "file" says. */
static gboolean
read_file (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GVariant) file = g_variant_lookup_value (kwargs, "file", NULL);
  g_autoptr (GString) text = g_string_new (NULL);

  if (!append_file (text, file, error))
    return FALSE;
  *ret_result = g_variant_new_string (text->str);
  return TRUE;
}

/* Begins with what "file" says, and gives what the items of its stream say, put together. */
static gboolean
read_files (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  GVariant *first = NULL;
  GVariant *item;

  if (!read_file (kwargs, &first, error) || !tractor_context_started (context, first, error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  while (stream != NULL && tractor_stream_receive (stream, &item, error)) {
    g_autoptr (GVariant) owned = item;

    if (!append_file (text, owned, error))
      return FALSE;
  }
  *ret_result = g_variant_new_string (text->str);
  return *error == NULL;
}

/* Says what the file says that "function" of its parent returns. */
static gboolean
read_file_of_parent (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GVariant) file = NULL;

  if (!ask_parent (kwargs, &file, error) || !append_file (text, file, error))
    return FALSE;
  *ret_result = g_variant_new_string (text->str);
  return TRUE;
}

/* One item: what "file" says. */
static gboolean
stream_file (TractorStream *stream, GVariant *kwargs, GError **error)
{
  GVariant *text = NULL;

  return read_file (kwargs, &text, error) && tractor_stream_send (stream, text, error);
}

static const char *second_argument = "";

/* What it was launched with; says so on descriptor 7, too. */
static gboolean
tell_surroundings (G_GNUC_UNUSED GVariant *kwargs,
                   GVariant **ret_result,
                   G_GNUC_UNUSED GError **error)
{
  g_autofree char *cwd = g_get_current_dir ();
  struct rlimit limit;

  getrlimit (RLIMIT_NOFILE, &limit);
  *ret_result = g_variant_new_take_string (
      g_strdup_printf ("%s %s %s %d %d", cwd, g_getenv ("COLOUR"), second_argument,
                       (int) limit.rlim_cur, getpriority (PRIO_PROCESS, 0)));
  return write (7, "hi", 2) == 2;
}

static const TractorExport exports[] = {
  { "add", TRACTOR_EXPORT_CALL, .call = add },
  { "fail", TRACTOR_EXPORT_CALL, .call = fail },
  { "wait", TRACTOR_EXPORT_CALL, .call = wait_for_ever },
  { "die", TRACTOR_EXPORT_CALL, .call = die },
  { "double", TRACTOR_EXPORT_CONTEXT, .context = double_items },
  { "count_items", TRACTOR_EXPORT_CONTEXT, .context = count_items },
  { "doubled", TRACTOR_EXPORT_CALL, .call = count_doubled },
  { "count", TRACTOR_EXPORT_CONTEXT, .context = count_up },
  { "have_child", TRACTOR_EXPORT_CONTEXT, .context = have_child },
  { "surroundings", TRACTOR_EXPORT_CALL, .call = tell_surroundings },
  { "ask_parent", TRACTOR_EXPORT_CALL, .call = ask_parent },
  { "read_file", TRACTOR_EXPORT_CALL, .call = read_file },
  { "read_files", TRACTOR_EXPORT_CONTEXT, .context = read_files },
  { "read_file_of_parent", TRACTOR_EXPORT_CALL, .call = read_file_of_parent },
  { "stream_file", TRACTOR_EXPORT_STREAM, .stream = stream_file },
  { "generate", TRACTOR_EXPORT_STREAM, .stream = generate },
  { "cancelled", TRACTOR_EXPORT_CALL, .call = count_cancelled },
  { "failures", TRACTOR_EXPORT_CALL, .call = count_failures },
  { "fail_later", TRACTOR_EXPORT_CONTEXT, .context = fail_later },
  { NULL },
};
static const TractorModule modules[] = { { "test", exports }, { NULL } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { NULL } };

int
main (int argc, char **argv)
{
  int status;

  if (argc > 3)
    second_argument = argv[3];
  return tractor_child_main (argc, argv, modules, runners, &status) ? status : EXIT_FAILURE;
}
