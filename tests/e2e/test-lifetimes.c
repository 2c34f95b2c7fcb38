/* test-lifetimes.c - what is left of processes that were killed, and what they inherit: sockets, signals,
 * namespaces.
 *
 * Some of it needs a root of its own, whose end is looked at from outside: this program is that too. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <signal.h>
#include <sys/syscall.h>

#include "actors.h"

/* --- dying at a certain point --------------------------------------------------------------------- */

#define DIES_AT_LISTEN "TEST_DIES_AT_LISTEN"

/* Stands before libc's, in the library too: the socket is there, and nobody has been told of it. */
int
listen (int fd, int backlog)
{
  if (g_getenv (DIES_AT_LISTEN) != NULL)
    kill (getpid (), SIGKILL);
  return (int) syscall (SYS_listen, fd, backlog);
}

/* --- what the actors serve ----------------------------------------------------------------------- */

static gboolean
get_pid (G_GNUC_UNUSED GVariant *kwargs, GVariant **ret_result, G_GNUC_UNUSED GError **error)
{
  *ret_result = g_variant_new_int64 (getpid ());
  return TRUE;
}

static const TractorExport exports[] = { { "get_pid", TRACTOR_EXPORT_CALL, get_pid }, { NULL } };
static const TractorModule modules[] = { { "test", exports }, { NULL } };

/* --- sockets of those that were killed ----------------------------------------------------------- */

static guint
count_sockets (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("XDG_RUNTIME_DIR"), "tractor", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    n += g_str_has_suffix (name, ".sock");
  return n;
}

static gboolean
test_killed_while_booting (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const env[] = { DIES_AT_LISTEN "=1", NULL };
  g_autofree char *given = g_strdup_printf ("unix:%s/given.sock", g_getenv ("XDG_RUNTIME_DIR"));
  const char *const listen_addresses[] = { given, NULL };
  TractorSpawnOptions options = { .host = harness_get_host ()->name, .env = env };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);
  guint n = count_sockets ();

  for (int i = 0; i < 2; i++) {
    g_assert_null (tractor_actor_nursery_start (nursery, "victim", &options, error));
    g_assert_nonnull (strstr ((*error)->message, "signal 9"));
    harness_assert_error (*error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
    g_assert_cmpuint (count_sockets (), ==, n);
    g_assert_cmpint (access (given + strlen ("unix:"), F_OK), ==, -1);
    options.listen_addresses = listen_addresses;
  }
  return tractor_actor_nursery_join (nursery, error);
}

/* A root that is killed leaves its socket, and so do actors whose parent is killed while they boot. */
static gboolean
be_killed (G_GNUC_UNUSED gpointer data, GError **error)
{
  static const char *const env[] = { DIES_AT_LISTEN "=1", NULL };
  g_autoptr (TractorActorNursery) nursery = tractor_actor_nursery_open (error);

  g_assert_no_error (*error);
  tractor_actor_nursery_start (nursery, "victim", &(TractorSpawnOptions){ .env = env }, NULL);
  kill (getpid (), SIGKILL);
  return TRUE;
}

static gboolean
test_killed_roots_are_swept_up_after (G_GNUC_UNUSED gpointer data, GError **error)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { self, "--be-killed", NULL };

  for (int i = 0; i < 3; i++) {
    g_assert_false (tractor_run_process (argv, NULL, error));
    g_clear_error (error);
  }
  g_assert_cmpuint (count_sockets (), >=, 1);
  {
    g_autoptr (TractorRuntime) runtime = tractor_runtime_open (NULL, error);

    g_assert_no_error (*error);
    g_assert_cmpuint (count_sockets (), ==, 1);
  }
  g_assert_cmpuint (count_sockets (), ==, 0);
  return TRUE;
}

int
main (int argc, char **argv)
{
  int status;

  if (tractor_child_main (argc, argv, modules, runners, &status))
    return status;
  if (argc == 2 && strcmp (argv[1], "--be-killed") == 0)
    return !tractor_run (be_killed, NULL, NULL);
  harness_init (&argc, &argv);

  harness_add_real_task ("/e2e/lifetime/killed-while-booting-leaves-no-socket",
                         test_killed_while_booting);
  harness_add_real_task ("/e2e/lifetime/killed-roots-are-swept-up-after",
                         test_killed_roots_are_swept_up_after);
  return harness_run ();
}
