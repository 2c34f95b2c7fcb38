/* raiser.c - an actor whose function fails, with an error that was made where STORY says: what raise sites are shown on.
 *
 * raiser [--depth N] STORY: the root calls "work" in an actor, which does, N times more, and the last one fails. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <tractor-builtin.h>
#include <tractor.h>
#include <unistd.h>

/* More than are remembered. */
#define N_MANY 100000

static const char *story;
static gint64 depth;

/* Each is there by itself, whatever the compiler does: its name and its line are looked for. */
#define SITE static G_NO_INLINE

SITE gboolean
make_here (GError **error)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room for %d", 42); /* LINE make_here */
  return FALSE;
}

SITE GError *
make_literal (void)
{
  GError *error = g_error_new_literal (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room");

  return error;
}

SITE GError *
make_formatted (void)
{
  GError *error = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room for %s", "42");

  return error;
}

SITE void
make_set_literal (GError **error)
{
  g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOSPC, "no room");
  g_assert (*error != NULL); /* and so it is no tail call */
}

/* By a library: what counts is where we have called it. */
SITE gboolean
read_what_is_not_there (GError **error)
{
  g_autoptr (GFile) file = g_file_new_for_path ("/nonexistent");
  gboolean ok = g_file_delete (file, NULL, error);

  return ok;
}

static gpointer
fail_in_thread (gpointer to)
{
  make_here (to);
  return NULL;
}

static gboolean
fail_by_thread (GError **error)
{
  GError *failure = NULL;

  g_thread_join (g_thread_new ("failing", fail_in_thread, &failure));
  g_propagate_error (error, failure);
  return FALSE;
}

static gboolean
fail_prefixed (GError **error)
{
  GError *failure = NULL;

  make_here (&failure);
  g_prefix_error (&failure, "at %s: ", "noon");
  g_propagate_prefixed_error (error, failure, "on %s: ", "Monday");
  return FALSE;
}

static gboolean
fail_copied (GError **error)
{
  g_autoptr (GError) failure = NULL;

  make_here (&failure);
  g_propagate_error (error, g_error_copy (failure));
  return FALSE;
}

/* So many more come after it, and go. */
static gboolean
fail_before_many (GError **error)
{
  make_here (error);
  for (int i = 0; i < N_MANY; i++) {
    GError *other = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOENT, "no file %d", i);

    g_error_free (other);
  }
  return FALSE;
}

/* So many more have come before it, and are still there. */
static gboolean
fail_after_many (GError **error)
{
  static GError *others[N_MANY];

  for (int i = 0; i < N_MANY; i++)
    others[i] = g_error_new (G_FILE_ERROR, G_FILE_ERROR_NOENT, "no file %d", i);
  make_here (error);
  for (int i = 0; i < N_MANY; i++)
    g_error_free (others[i]);
  return FALSE;
}

/* By GLib itself, where it cannot be seen, at an address where another one has been. */
static gboolean
fail_where_another_has_been (GError **error)
{
  g_autofree char *text = NULL;

  for (int i = 0; i < N_MANY; i++) {
    GError *other = NULL;
    gpointer there;

    g_clear_error (error);
    if (i % 3 == 0) /* or GLib might take turns between two addresses for ever */
      g_error_free (make_literal ());
    make_here (&other);
    there = other;
    g_error_free (other);
    if (!g_file_get_contents ("/nonexistent", &text, NULL, error) && (gpointer) *error == there)
      return FALSE;
  }
  g_assert_not_reached ();
}

static gboolean
fail_so (G_GNUC_UNUSED gpointer data, GError **error)
{
  return make_here (error);
}

static gboolean
fail_otherwise (G_GNUC_UNUSED gpointer data, GError **error)
{
  make_set_literal (error);
  return FALSE;
}

static gboolean
fail_twice (GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();

  tractor_nursery_spawn (nursery, "one", fail_so, NULL, NULL, NULL);
  tractor_nursery_spawn (nursery, "other", fail_otherwise, NULL, NULL, NULL);
  return tractor_nursery_join (nursery, error);
}

static gboolean
take (GError *failure, GError **error)
{
  g_propagate_error (error, failure);
  return FALSE;
}

/* As what reads symbols does: it lies below the program's own mappings, or above. */
static gboolean
map_part_of_program (void)
{
  gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize below = ((gsize) &story & ~(page - 1)) - 16384 * page;
  int fd = open ("/proc/self/exe", O_RDONLY);
  gboolean ok = fd >= 0 && mmap ((gpointer) below, page, PROT_READ, MAP_PRIVATE, fd,
                                 (off_t) page) == (gpointer) below;

  close (fd);
  return ok;
}

static gboolean
fail (GError **error)
{
  if (strcmp (story, "literal") == 0)
    return take (make_literal (), error);
  if (strcmp (story, "formatted") == 0)
    return take (make_formatted (), error);
  if (strcmp (story, "set-literal") == 0) {
    make_set_literal (error);
    return FALSE;
  }
  if (strcmp (story, "library") == 0)
    return read_what_is_not_there (error);
  if (strcmp (story, "thread") == 0)
    return fail_by_thread (error);
  if (strcmp (story, "prefixed") == 0)
    return fail_prefixed (error);
  if (strcmp (story, "copied") == 0)
    return fail_copied (error);
  if (strcmp (story, "before-many") == 0)
    return fail_before_many (error);
  if (strcmp (story, "after-many") == 0)
    return fail_after_many (error);
  if (strcmp (story, "twice") == 0)
    return fail_twice (error);
  if (strcmp (story, "reused") == 0)
    return fail_where_another_has_been (error);
  if (strcmp (story, "mapped") == 0 && !map_part_of_program ())
    return FALSE;
  if (strcmp (story, "preload") == 0) {
    printf ("LD_PRELOAD is %s\n",
            g_getenv ("LD_PRELOAD") != NULL ? g_getenv ("LD_PRELOAD") : "not set");
    return fflush (stdout) == 0;
  }
  return make_here (error);
}

static gboolean
run_below (GError **error)
{
  g_autofree char *name = g_strdup_printf ("level%d", (int) depth);

  return tractor_run_in_actor (
      name, NULL, "raiser:work",
      g_variant_new_parsed ("{'story': <%s>, 'depth': <%x>}", story, depth), NULL, error);
}

static gboolean
work (GVariant *kwargs, G_GNUC_UNUSED GVariant **ret_result, GError **error)
{
  g_variant_lookup (kwargs, "story", "&s", &story);
  g_variant_lookup (kwargs, "depth", "x", &depth);
  return depth-- > 0 ? run_below (error) : fail (error);
}

static gboolean
run_root (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);

  if (runtime == NULL)
    return FALSE;
  if (strcmp (story, "root") == 0)
    return make_here (error);
  return run_below (error);
}

static const TractorExport exports[] = { { "work", TRACTOR_EXPORT_CALL, work }, { NULL } };
static const TractorModule modules[] = { { "raiser", exports }, { NULL } };
static const TractorRunner runners[] = { { "builtin", tractor_run }, { NULL } };

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *description = NULL;
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc > 2 && strcmp (argv[1], "--depth") == 0)
    depth = atoi (argv[2]);
  story = argv[argc - 1];
  if (tractor_run (run_root, NULL, &error))
    return 0;
  description = tractor_error_describe (error);
  printf ("FAILED: %s\n", description);
  return 1;
}
