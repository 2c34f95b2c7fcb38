/* bench-ends.c - how soon an end is known: of a child that is killed, and of a tree that is
 * cancelled. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "bench.h"

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tractor-context.h"
#include "tractor-sync.h"

extern char **environ;

/* --- a process of this binary, bare -------------------------------------------------------------- */

pid_t
bench_spawn_bare (void)
{
  char *argv[] = { (char *) "bench", (char *) BENCH_WAIT, NULL };
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  posix_spawn_file_actions_t actions;
  int ends[2];
  pid_t pid;
  char byte;

  g_assert (pipe (ends) == 0);
  posix_spawn_file_actions_init (&actions);
  posix_spawn_file_actions_addclose (&actions, ends[0]);
  posix_spawn_file_actions_adddup2 (&actions, ends[1], STDOUT_FILENO);
  g_assert (posix_spawn (&pid, self, &actions, NULL, argv, environ) == 0);
  posix_spawn_file_actions_destroy (&actions);
  close (ends[1]);
  g_assert (read (ends[0], &byte, 1) == 1);
  close (ends[0]);
  return pid;
}

static void
reap_by_pidfd (pid_t pid)
{
  int pidfd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd pollfd = { .fd = pidfd, .events = POLLIN };
  siginfo_t info;

  g_assert (poll (&pollfd, 1, -1) == 1);
  g_assert (waitid (P_PIDFD, (id_t) pidfd, &info, WEXITED) == 0);
  close (pidfd);
}

/* --- SIGKILL to the error in the nursery ------------------------------------------------------------ */

#define N_KILLS 20

static gboolean
time_kills (gpointer data, GError **error)
{
  gint64 nsec = 0;

  for (guint i = 0; i < N_KILLS; i++) {
    g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
    g_autoptr (TractorPortal) portal = tractor_actor_nursery_start (actors, "victim", NULL, error);
    g_autoptr (GError) failure = NULL;
    gint64 started;

    if (portal == NULL)
      return tractor_actor_nursery_join (actors, error);
    started = bench_now_nsec ();
    kill (tractor_portal_get_pid (portal), SIGKILL);
    g_assert (!tractor_actor_nursery_join (actors, &failure));
    nsec += bench_now_nsec () - started;
  }
  *(double *) data = (double) nsec / N_KILLS;
  return TRUE;
}

static double
measure_kills (gconstpointer host)
{
  double nsec;

  bench_run (host, time_kills, &nsec);
  return nsec;
}

static double
measure_kills_bare (G_GNUC_UNUSED gconstpointer data)
{
  gint64 nsec = 0;

  for (guint i = 0; i < N_KILLS; i++) {
    pid_t pid = bench_spawn_bare ();
    gint64 started = bench_now_nsec ();

    kill (pid, SIGKILL);
    reap_by_pidfd (pid);
    nsec += bench_now_nsec () - started;
  }
  return (double) nsec / N_KILLS;
}

/* --- cancel of a tree, three wide and three deep ------------------------------------------------------ */

#define WIDTH    3
#define N_LEVELS 3
#define N_ACTORS (3 + 9 + 27)

typedef gboolean (*GrownFunc) (gpointer data, GError **error);

typedef struct {
  TractorActorNursery *actors;
  gint64 n_levels; /* below the actor that it starts */
  TractorEvent *grown;
  guint n_grown;
} Growth;

static gboolean
run_twig (gpointer data, GError **error)
{
  Growth *growth = data;
  g_autoptr (TractorPortal) portal =
      tractor_actor_nursery_start (growth->actors, "branch", NULL, error);
  g_autoptr (TractorContext) context = NULL;

  if (portal == NULL)
    return FALSE;
  context = tractor_portal_open_context (
      portal, "ends:branch", g_variant_new_parsed ("{'n_levels': <%x>}", growth->n_levels), NULL,
      NULL, error);
  if (context == NULL)
    return FALSE;
  if (++growth->n_grown == WIDTH)
    tractor_event_set (growth->grown);
  return tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

/* Starts so many levels of actors, calls @grown when all are there, and waits to be cancelled. */
static gboolean
grow (gint64 n_levels, GrownFunc grown, gpointer data, GError **error)
{
  g_autoptr (TractorEvent) event = tractor_event_new ();
  Growth growth = { .n_levels = n_levels - 1, .grown = event };
  g_autoptr (TractorActorNursery) actors = tractor_actor_nursery_open (error);
  g_autoptr (TractorNursery) twigs = NULL;

  if (actors == NULL)
    return FALSE;
  growth.actors = actors;
  twigs = tractor_nursery_open ();
  for (guint i = 0; n_levels > 0 && i < WIDTH; i++)
    tractor_nursery_spawn (twigs, "twig", run_twig, &growth, NULL, error);
  if ((n_levels == 0 || tractor_event_wait (event, error)) && grown (data, error))
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  tractor_nursery_join (twigs, error);
  return tractor_actor_nursery_join (actors, error);
}

static gboolean
say_started (gpointer data, GError **error)
{
  return tractor_context_started (data, NULL, error);
}

static gboolean
branch (TractorContext *context,
        GVariant *kwargs,
        G_GNUC_UNUSED GVariant **ret_result,
        GError **error)
{
  gint64 n_levels = 0;

  g_variant_lookup (kwargs, "n_levels", "x", &n_levels);
  return grow (n_levels, say_started, context, error);
}

typedef struct {
  TractorCancelScope *scope;
  gint64 cancelled_at;
} Tree;

static gboolean
cancel_tree (gpointer data, G_GNUC_UNUSED GError **error)
{
  Tree *tree = data;

  tree->cancelled_at = bench_now_nsec ();
  tractor_cancel_scope_cancel (tree->scope, "measured");
  return TRUE;
}

static gboolean
time_tree (gpointer data, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor_cancel_scope_open (TRACTOR_NO_DEADLINE);
  Tree tree = { .scope = scope };

  grow (N_LEVELS, cancel_tree, &tree, error);
  tractor_cancel_scope_absorb (scope, error);
  *(double *) data = (double) (bench_now_nsec () - tree.cancelled_at);
  return *error == NULL;
}

static double
measure_tree (gconstpointer host)
{
  double nsec;

  bench_run (host, time_tree, &nsec);
  return nsec;
}

/* As many processes, killed at once. */
static double
measure_tree_bare (G_GNUC_UNUSED gconstpointer data)
{
  pid_t pids[N_ACTORS];
  gint64 started;

  for (guint i = 0; i < N_ACTORS; i++)
    pids[i] = bench_spawn_bare ();
  started = bench_now_nsec ();
  for (guint i = 0; i < N_ACTORS; i++)
    kill (pids[i], SIGKILL);
  for (guint i = 0; i < N_ACTORS; i++)
    reap_by_pidfd (pids[i]);
  return (double) (bench_now_nsec () - started);
}

const TractorExport bench_end_exports[] = {
  { "branch", TRACTOR_EXPORT_CONTEXT, .context = branch },
  { NULL },
};

const BenchRow bench_end_rows[] = {
  { "actor killed, error in the nursery", BENCH_USEC, "killed, pidfd, waitid", 1.3, TRUE, 11,
    measure_kills, measure_kills_bare, "builtin" },
  { "tree of 39 actors, cancelled", BENCH_MSEC, "39 processes, killed", 4, FALSE, 5, measure_tree,
    measure_tree_bare, "builtin" },
  { NULL },
};
