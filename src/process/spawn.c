/* spawn.c - how a child actor comes to be.
 *
 * A program of this library is started with one end of a socket pair, of Unix or of TCP (newborn.c), over which it
 * hears who it is; or it has been started before, and waits for that (spares.c). What it writes to stderr until it answers is
 * kept, for the message about an early death. An
 * actor of another make, such as a Python one, is started with a command line that says who it is and
 * where to connect to; when somebody of that name and uuid connects to one of our listeners, the
 * listener gives the connection to it (tractor__child_adopt).
 *
 * What is needed to start it is kept, so that it can be started again. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "supervise.h"

#include <string.h>
#include <unistd.h>

#include "actor-trace.h"
#include "bounds.h"
#include "debug-lock.h"
#include "escape.h"
#include "log-level.h"
#include "log.h"
#include "newborn.h"
#include "patience.h"
#include "python-argv.h"
#include "rpc.h"
#include "spares.h"
#include "stdio-fd.h"

/* --- what it is told ---------------------------------------------------------------------------------- */

/* (transfer container) (element-type Address): where a child of ours is to register. */
static GPtrArray *
list_registrars (TractorRuntime *runtime)
{
  GPtrArray *addresses = g_ptr_array_new ();

  if (runtime->registry != NULL)
    for (guint i = 0; i < runtime->addresses->len; i++)
      g_ptr_array_add (addresses, runtime->addresses->pdata[i]);
  for (guint i = 0; i < runtime->registrars->len; i++)
    g_ptr_array_add (addresses, &((Registrar *) runtime->registrars->pdata[i])->address);
  return addresses;
}

static const char *
get_log_level (const TractorSpawnOptions *options)
{
  return options->log_level != NULL ? options->log_level : tractor__log_level_get ();
}

static void
write_spawn_spec (Child *child)
{
  static const char *const none[] = { NULL };
  const TractorSpawnOptions *options = &child->plan->options;
  TractorRuntime *runtime = child->runtime;
  g_autoptr (GPtrArray) registrars = list_registrars (runtime);
  SpawnSpec spec = {
    .id = child->id,
    .modules = options->modules != NULL || !options->is_python ? options->modules : none,
    .host = options->host,
    .depth = runtime->depth + 1,
    .registrars = registrars,
    .is_registered = runtime->registry != NULL && !options->is_python,
    .listen = child->plan->listen->len > 0 ? child->plan->listen : NULL,
    .uses_tcp = tractor__runtime_uses_tcp (runtime),
    .root = &runtime->root,
    .limits = &runtime->limits,
    .key = child->link->identity != NULL ? child->link->identity->key : NULL,
    .log_level = get_log_level (options),
    .debug = options->is_python || options->debug == TRACTOR_DEBUG_MODE_OFF
                 ? NULL
                 : tractor__debug_get_prefix (),
    .is_python_debugged = options->is_python && options->debug != TRACTOR_DEBUG_MODE_OFF &&
                          tractor__debug_is_on_in_python (),
  };

  tractor__msg_write_spawn_spec (child->link->out, &spec);
  child->link->introduction_at = link_get_position (child->link);
}

/* --- what it says ------------------------------------------------------------------------------------- */

/* It answers. */
static void
boot_is_over (Child *child)
{
  child->has_booted = TRUE;
  log_info (LOG_SUPERVISE, "actor '%s' (pid %d) answers, after %d ms", child->id.name,
            (int) child->process.pid,
            (int) ((tractor__patience_now () - child->started_at) / 1000));
  if (child->boot_scope != NULL)
    tractor_cancel_scope_set_deadline (child->boot_scope, TRACTOR_NO_DEADLINE);
  child->is_down = FALSE;
  tractor_parking_lot_unpark (child->up, G_MAXUINT);
  tractor_event_set (child->booted);
  tractor__spares_fill_up (child->spares);
  tractor__runtime_tree_changed (child->runtime);
}

static void
on_peer_aid (G_GNUC_UNUSED Link *link, gpointer data)
{
  Child *child = data;

  /* It is found by its name as soon as it answers, and as long as it lives. */
  if (child->runtime->child_answers != NULL)
    child->runtime->child_answers (child->runtime, child->link);
  boot_is_over (child);
}

static void
on_ack (G_GNUC_UNUSED Link *link, gpointer data)
{
  Child *child = data;

  log_debug (LOG_SUPERVISE, "actor '%s' (pid %d) acknowledges its cancel", child->id.name,
             (int) child->process.pid);
  child->has_acked = TRUE;
}

/* Not by us, but in good order. */
static void
on_cancelled (G_GNUC_UNUSED Link *link, gpointer data)
{
  Child *child = data;

  log_debug (LOG_SUPERVISE, "actor '%s' (pid %d) says that it was told to end by another",
             child->id.name, (int) child->process.pid);
  child->cancel_requested = TRUE;
}

static void
on_lost (G_GNUC_UNUSED Link *link, gpointer data)
{
  Child *child = data;

  child->link_lost = TRUE;
  if (child->wait_scope != NULL)
    tractor__child_expect_end (child);
}

/* @fd: (transfer full): -1 if it is to come */
static void
make_link (Child *child, int fd)
{
  child->link = tractor__link_new (child->runtime, &tractor__rpc_server, fd, &child->id);
  child->link->on_peer_aid = on_peer_aid;
  child->link->on_ack = on_ack;
  child->link->on_cancelled = on_cancelled;
  child->link->on_lost = on_lost;
  child->link->data = child;
}

gboolean
tractor__child_adopt (TractorRuntime *runtime, int fd, Introduction *introduction)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    Child *child = runtime->children->pdata[i];

    if (!child->connects_back || child->has_booted ||
        !actor_id_equal (&child->id, &introduction->id))
      continue;
    if (child->wait_scope == NULL) /* it is being ended, or has ended: it is told no more */
      return FALSE;
    child->link->fd = fd;
    tractor__link_take_introduction (child->link, introduction);
    write_spawn_spec (child);
    tractor_event_set (child->connected);
    boot_is_over (child);
    return TRUE;
  }
  return FALSE;
}

/* --- starting it -------------------------------------------------------------------------------------- */

/* Before it runs: nobody else can be it, and it is known wherever it comes from. */
static void
claim_identity (Child *child)
{
  Link *link = child->link;
  g_autofree char *key = tractor__identity_make_key ();
  g_autoptr (Origin) origin = tractor__origin_of_process (child->runtime->origins,
                                                          child->process.pid, child->process.pidfd);

  link->identity =
      tractor__identity_claim (child->runtime->identities, &child->id, origin, key, NULL);
}

/* It is told who it is: the second half of its start, be it right after the first or long after that. */
static void
be_child (Child *child, const Newborn *newborn)
{
  child->process = newborn->process;
  child->words_fd = newborn->words_fd;
  make_link (child, newborn->link_fd);
  claim_identity (child);
  if (!newborn->is_told_of_us)
    tractor__link_introduce (child->link);
  write_spawn_spec (child);
}

static gboolean
start_native (Child *child, GError **error)
{
  g_auto (SpawnRequest) request = tractor__spawn_request (&child->plan->options);
  Newborn newborn;

  if (!tractor__spares_take (child->spares, &request.process, &newborn) &&
      !tractor__newborn_start (child->runtime, &request, child->id.name, &newborn, error))
    return FALSE;
  be_child (child, &newborn);
  return TRUE;
}

/* Where a Python child of ours is to connect to: it has one transport, which is TCP if we have that.
 * Returns: (transfer none) (nullable). */
static const Address *
find_address_for_child (TractorRuntime *runtime)
{
  for (guint i = 0; i < runtime->addresses->len; i++) {
    const Address *address = runtime->addresses->pdata[i];

    if (address->kind == ADDRESS_TCP)
      return address;
  }
  return tractor__address_choose (runtime->addresses);
}

static gboolean
start_python (Child *child, GError **error)
{
  const TractorSpawnOptions *options = &child->plan->options;
  g_auto (SpawnRequest) spawn = tractor__spawn_request (options);
  ProcessRequest request = spawn.process;
  const Address *address = find_address_for_child (child->runtime);
  const char *log_level = tractor__log_level_to_python (get_log_level (options));
  PythonArgv python = { .id = child->id, .log_level = (char *) log_level };
  g_autofree char *program = g_find_program_in_path (options->program);
  g_auto (GStrv) argv = NULL;

  if (address == NULL) {
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_CLOSED,
                         "This actor does not listen, so no child can connect to it");
    return FALSE;
  }
  python.parent = *address;
  argv = tractor__python_argv_build (options->program, &python);
  request.program = program != NULL ? program : options->program;
  request.called = argv[0];
  request.argv = (const char *const *) argv + 1;
  make_link (child, -1);
  child->connected = tractor_event_new ();
  tractor_event_set_static_name (child->connected, "connection of actor");
  return child->runtime->spawn_method->start (child->runtime->spawn_method, &request,
                                              &child->process, error);
}

gboolean
tractor__child_start (Child *child, GError **error)
{
  child->id.uuid = actor_id_new_uuid ();
  child->process = (Process){ .pidfd = -1 };
  child->words_fd = -1;
  child->started_at = tractor__patience_now ();
  child->connects_back = child->plan->options.is_python;
  if (!(child->connects_back ? start_python (child, error) : start_native (child, error)))
    return FALSE;
  log_info (LOG_SUPERVISE, "actor '%s' (pid %d) is started", child->id.name,
            (int) child->process.pid);
  trace_note (TRACTOR_TRACE_ACTOR_STARTED, (guint64) child->process.pid, child->id.name);
  return TRUE;
}

Link *
tractor__child_find_link (const TractorRuntime *runtime, const ActorId *id)
{
  for (guint i = 0; i < runtime->children->len; i++) {
    const Child *child = runtime->children->pdata[i];

    if (actor_id_equal (&child->id, id))
      return child->link;
  }
  return NULL;
}

void
tractor__child_close_words (Child *child)
{
  close_fd (&child->words_fd);
}

/* What is left of the one that has ended. */
static void
forget_last (Child *child)
{
  g_clear_pointer (&child->link, tractor__link_unref);
  g_clear_pointer (&child->connected, tractor_event_free);
  g_clear_pointer (&child->id.uuid, g_free);
  tractor__process_clear (&child->process);
  tractor__child_close_words (child);
  child->has_booted = FALSE;
  child->has_acked = FALSE;
  child->link_lost = FALSE;
  child->is_followed = child->is_known = FALSE;
}

gboolean
tractor__child_prepare_start_again (Child *child, GError **error)
{
  return tractor__spares_wait (child->spares) ||
         tractor__newborn_prepare (child->runtime, &child->plan->options, error);
}

gboolean
tractor__child_start_again (Child *child, GError **error)
{
  forget_last (child);
  child->n_restarts++;
  tractor__runtime_tree_changed (child->runtime);
  if (tractor__child_start (child, error))
    return TRUE;
  /* Its portals find out by a link that has failed. */
  if (child->link == NULL)
    make_link (child, -1);
  tractor__link_fail (child->link,
                      g_error_new (TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE,
                                   "Actor '%s' could not be started again", child->id.name));
  return FALSE;
}

Child *
tractor__child_new (TractorRuntime *runtime,
                    struct _Spares *spares,
                    const char *name,
                    const TractorSpawnOptions *options,
                    GError **error)
{
  g_autoptr (SpawnPlan) plan = NULL;
  g_autoptr (Child) child = NULL;

  if (!tractor__check_actor_name (name, error))
    return NULL;
  plan = tractor__spawn_plan_new (options, error);
  if (plan == NULL)
    return NULL;
  child = g_new0 (Child, 1);
  child->refs = 1;
  child->runtime = runtime;
  child->spares = spares;
  child->plan = g_steal_pointer (&plan);
  child->id.name = g_strdup (name);
  child->booted = tractor_event_new ();
  tractor_event_set_static_name (child->booted, "boot of actor");
  child->gone = tractor_event_new ();
  tractor_event_set_static_name (child->gone, "end of actor");
  child->up = tractor_parking_lot_new ();
  tractor_parking_lot_set_static_name (child->up, "actor to be up");
  child->words_fd = -1;
  return tractor__child_start (child, error) ? g_steal_pointer (&child) : NULL;
}

Child *
tractor__child_ref (Child *child)
{
  child->refs++;
  return child;
}

void
tractor__child_unref (Child *child)
{
  if (child == NULL || --child->refs > 0)
    return;

  forget_last (child);
  tractor_event_free (child->booted);
  tractor_event_free (child->gone);
  tractor_parking_lot_free (child->up);
  g_clear_error (&child->boot_failure);
  g_clear_pointer (&child->below, g_variant_unref);
  actor_id_clear (&child->id);
  tractor__spawn_plan_free (child->plan);
  g_free (child);
}
