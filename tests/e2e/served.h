/* served.h - what the actors of many tests serve, and how those tests start and call them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <signal.h>
#include <sys/stat.h>

#include "actors.h"

/* --- calls that go well ----------------------------------------------------------------------------- */

static inline gboolean
echo (GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_lookup_value (kwargs, "value", NULL);
  return TRUE;
}

static inline void
assert_echo (TractorPortal *portal, const char *sent, const char *received)
{
  g_autoptr (GVariant) value = g_variant_ref_sink (g_variant_new_parsed (sent));
  g_autoptr (GVariant) expected = g_variant_ref_sink (g_variant_new_parsed (received));
  g_autoptr (GVariant) answer = NULL;
  g_autoptr (GError) error = NULL;
  GVariantDict kwargs;

  g_variant_dict_init (&kwargs, NULL);
  g_variant_dict_insert_value (&kwargs, "value", value);
  g_assert_true (
      tractor_portal_call (portal, "test:echo", g_variant_dict_end (&kwargs), &answer, &error));
  g_assert_cmpvariant (answer, expected);
}

/* Who it is, and what it is in its tree. */
static inline gboolean
whoami (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  g_autofree char *id = own_id ();

  *ret_result = g_variant_new_parsed (
      "{'id': <%s>, 'name': <%s>, 'uuid': <%s>, 'pid': <%x>, 'root': <%b>, 'registrar': <%b>}", id,
      tractor_actor_get_name (), tractor_actor_get_uuid (), (gint64) getpid (),
      tractor_actor_is_root (), tractor_actor_is_registrar ());
  return TRUE;
}

/* Its "id", asked by @function, of the actor called @name if that is given. (transfer full) */
static inline char *
call_for_id (TractorPortal *portal, const char *function, const char *name, GError **error)
{
  g_autoptr (GVariant) answer = NULL;
  char *id = NULL;

  g_assert_true (tractor_portal_call (
      portal, function, name != NULL ? g_variant_new_parsed ("{'name': <%s>}", name) : NULL,
      &answer, error));
  g_assert_true (g_variant_lookup (answer, "id", "s", &id));
  return id;
}

/* --- calls that fail -------------------------------------------------------------------------------- */

static inline gboolean
fail (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no space for that");
  return FALSE;
}

static inline gboolean
fail_as_task (G_GNUC_UNUSED gpointer data, GError **error)
{
  return fail (NULL, NULL, error);
}

/* Ends the actor. */
static inline gboolean
leave (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  gint64 status = 0;

  g_variant_lookup (kwargs, "status", "x", &status);
  _exit ((int) status);
}

/* --- calls that do not end of themselves ------------------------------------------------------------ */

static inline gboolean
sleep_forever (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Writes into a file whose path it is given that it runs, and then that it has been cancelled. */
static inline gboolean
touch_when_cancelled (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  const char *path = "";

  g_variant_lookup (kwargs, "path", "&s", &path);
  g_file_set_contents (path, "running", -1, NULL);
  if (tractor_sleep_until (TRACTOR_NO_DEADLINE, error))
    return TRUE;
  g_file_set_contents (path, "cancelled", -1, NULL);
  return FALSE;
}

/* Does not let the loop go on: neither a cancel nor SIGTERM is heard. */
static inline gboolean
hog (G_GNUC_UNUSED GVariant *kwargs,
     G_GNUC_UNUSED GVariant **ret_result,
     G_GNUC_UNUSED GError **error)
{
  while (TRUE)
    pause ();
  g_assert_not_reached ();
}

/* The same, and deaf to every signal that can be ignored. */
static inline gboolean
hog_deaf (GVariant *kwargs, GVariant **ret_result, GError **error)
{
  signal (SIGTERM, SIG_IGN);
  signal (SIGALRM, SIG_IGN);
  return hog (kwargs, ret_result, error);
}

/* The connection to the parent, or to the first child, of the process that runs this. */
static inline int
find_socket (void)
{
  struct stat stat;

  for (int fd = 3; fd < 64; fd++)
    if (fstat (fd, &stat) == 0 && S_ISSOCK (stat.st_mode))
      return fd;
  g_assert_not_reached ();
}

/* Closes the connection to the parent, and lives on. */
static inline gboolean
hang_up (G_GNUC_UNUSED GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  shutdown (find_socket (), SHUT_RDWR);
  return sleep_forever (NULL, NULL, error);
}

/* --- contexts --------------------------------------------------------------------------------------- */

/* Sends back what it receives, and returns how many it were. */
static inline gboolean
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
static inline gboolean
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

/* --- starting and calling ---------------------------------------------------------------------------- */

/* For what actors start: the host that the test's own are on. */
static inline const char *
own_host (void)
{
  return g_getenv ("TEST_HOST");
}

static inline void
hand_on_host (void)
{
  g_setenv ("TEST_HOST", harness_get_host ()->name, TRUE);
}

static inline TractorPortal *
start (TractorActorNursery *nursery, const char *name, GError **error)
{
  hand_on_host ();
  return tractor_actor_nursery_start (
      nursery, name, &(TractorSpawnOptions){ .host = harness_get_host ()->name }, error);
}

/* An actor whose end is waited for by the clock: under AddressSanitizer that is half a second of looking for leaks,
 * beside others. */
static inline TractorPortal *
start_without_leak_check (TractorActorNursery *nursery, const char *name, GError **error)
{
  const char *options = g_getenv ("ASAN_OPTIONS");
  g_autofree char *variable =
      g_strconcat ("ASAN_OPTIONS=", options != NULL ? options : "", ":detect_leaks=0", NULL);

  hand_on_host ();
  return tractor_actor_nursery_start (
      nursery, name,
      &(TractorSpawnOptions){ .host = harness_get_host ()->name,
                              .env = (const char *const[]){ variable, NULL } },
      error);
}

static inline gboolean
end (TractorActorNursery *nursery, GError **error)
{
  tractor_actor_nursery_cancel (nursery);
  return tractor_actor_nursery_join (nursery, error);
}

static inline TractorContext *
open_context (TractorPortal *portal, const char *function, GVariant *kwargs, GError **error)
{
  TractorContext *context =
      tractor_portal_open_context (portal, function, kwargs, NULL, NULL, error);

  g_assert_no_error (*error);
  return context;
}

/* A task that calls, for a call beside other things. */
typedef struct {
  TractorPortal *portal;
  const char *function;
  GVariant *kwargs; /* (nullable) (transfer none) */
} Calling;

static inline gboolean
call_in_task (gpointer data, GError **error)
{
  Calling *calling = data;

  return tractor_portal_call (calling->portal, calling->function, calling->kwargs, NULL, error);
}

/* Whether there is one still, of those who lost their parents too if this process is a subreaper. */
static inline gboolean
has_descendant (void)
{
  while (waitpid (-1, NULL, WNOHANG) > 0)
    ;
  return errno != ECHILD && !is_only_child (find_fork_server ());
}
