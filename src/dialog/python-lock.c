/* python-lock.c - the turns of a tree's Python actors at its terminal, which they ask the root for.
 *
 * A Python actor in debug mode has a debugger in itself, and asks the root of its tree when it may use the terminal:
 *
 *    Python actor                      root
 *    Start, lock_stdio_for_peer ---->  asks the broker, as actors of ours do themselves
 *          <------------------------- Started, a LockStatus that is locked: its prompt
 *    Yield, a LockRelease ----------->
 *          <------------------------- Return, a LockStatus that is not
 *
 * So there is one line, for actors of both kinds. The turn ends with this context, however that ends: by a release, with
 * the stream, or with the connection of an actor that is dead. What is wrong in it costs the context, and nothing else.
 *
 * Whoever has the turn stops the patience of the whole tree, so it is given to actors of this tree alone: the kernel says
 * which process is at the other end of a Unix socket, and that is to be below this one; over TCP, where nobody says so, it
 * is to be one of our own children.
 *
 * The names are upstream's. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "python-lock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "context.h"
#include "debug-lock.h"
#include "exports.h"
#include "link.h"
#include "origin.h"
#include "tractor-context.h"

#define MODULE   "tractor.devx.debug._tty_lock"
#define FUNCTION "lock_stdio_for_peer"

/* --- who asks ---------------------------------------------------------------------------------- */

/* Returns: 0 if there is none, or no such process. */
static pid_t
read_parent (pid_t pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) pid);
  g_autofree char *text = NULL;
  const char *after_name;
  int parent = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  after_name = strrchr (text, ')');
  return after_name != NULL && sscanf (after_name, ") %*c %d", &parent) == 1 ? parent : 0;
}

static gboolean
is_below_us (pid_t pid)
{
  while (pid > 1 && pid != getpid ())
    pid = read_parent (pid);
  return pid == getpid ();
}

/* *@ret_process: 0: not known. Returns: FALSE with AUTH */
static gboolean
check_is_of_tree (Link *link, pid_t *ret_process, GError **error)
{
  g_autoptr (Origin) origin = tractor__origin_of_socket (link->runtime->origins, link->fd);

  *ret_process = origin->pid;
  if (origin->pid != 0 ? is_below_us (origin->pid)
                       : tractor__runtime_has_child (link->runtime, &link->peer))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "Actor '%s' is not known to be of this tree, whose debugger it asks for",
               link->peer.name);
  return FALSE;
}

/* --- what it says ------------------------------------------------------------------------------ */

/* Which of its tasks is to stop: [name, number]. (transfer full): NULL with MSG_TYPE */
static char *
read_task_name (GVariant *kwargs, GError **error)
{
  g_autoptr (GVariant) task =
      g_variant_lookup_value (kwargs, "subactor_task_uid", G_VARIANT_TYPE ("av"));
  g_autoptr (GVariant) name = NULL;

  if (task != NULL && g_variant_n_children (task) == 2)
    g_variant_get_child (task, 0, "v", &name);
  if (name != NULL && g_variant_is_of_type (name, G_VARIANT_TYPE_STRING))
    return g_variant_dup_string (name, NULL);
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       FUNCTION "() needs a subactor_task_uid, which is a name and a number");
  return NULL;
}

/* Returns: FALSE with MSG_TYPE */
static gboolean
check_release (TractorContext *context, GVariant *item, GError **error)
{
  const char *type = NULL;
  const char *cid = NULL;

  if (item != NULL && g_variant_is_of_type (item, G_VARIANT_TYPE_VARDICT) &&
      g_variant_lookup (item, "msg_type", "&s", &type) &&
      g_variant_lookup (item, "cid", "&s", &cid) && strcmp (type, "LockRelease") == 0 &&
      strcmp (cid, context->cid) == 0)
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE,
                       "What came is not the LockRelease of this call");
  return FALSE;
}

static GVariant *
new_status (const TractorContext *context, gboolean is_locked)
{
  const ActorId *peer = &context->link->peer; /* as it knows itself: it compares that */

  return g_variant_new_parsed (
      "{'msg_type': <'LockStatus'>, 'subactor_uid': <[%s, %s]>, 'cid': <%s>, 'locked': <%b>}",
      peer->name, peer->uuid, context->cid, is_locked);
}

/* --- its turn ---------------------------------------------------------------------------------- */

/* A turn that passed by while this actor was busy comes again. Returns: a descriptor that is the turn; or -1 with
 * CANCELLED, or ACTOR_FAILURE. */
static int
wait_for_turn (const Link *link, const char *task, pid_t process, GError **error)
{
  DebugTurn turn;
  int fd;

  do {
    fd = tractor__debug_ask_for (link->peer.name, task, process);
    turn = TURN_REFUSED;
    if (fd >= 0 && !tractor_wait_fd (fd, G_IO_IN, NULL, error)) {
      close (fd);
      return -1;
    }
    if (fd >= 0)
      turn = tractor__debug_take_turn_for (fd, link->fd);
    if (turn != TURN_TAKEN && fd >= 0)
      close (fd);
  } while (turn == TURN_MISSED);
  if (turn == TURN_TAKEN)
    return fd;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE, "Debug mode is off");
  return -1;
}

/* It has the terminal. */
static gboolean
wait_for_release (TractorContext *context, GError **error)
{
  g_autoptr (TractorStream) stream = NULL;
  g_autoptr (GVariant) item = NULL;

  if (!tractor_context_started (context, new_status (context, TRUE), error))
    return FALSE;
  stream = tractor_context_open_stream (context, error);
  if (stream == NULL)
    return FALSE;
  if (!tractor_stream_receive (stream, &item, error))
    return *error == NULL; /* to close the stream is as good */
  return check_release (context, item, error);
}

static gboolean
lock_for_peer (TractorContext *context, GVariant *kwargs, GVariant **ret_result, GError **error)
{
  g_autofree char *task = read_task_name (kwargs, error);
  pid_t process;
  gboolean ok;
  int fd;

  if (task == NULL || !check_is_of_tree (context->link, &process, error))
    return FALSE;
  fd = wait_for_turn (context->link, task, process, error);
  if (fd < 0)
    return FALSE;
  ok = wait_for_release (context, error);
  tractor__debug_end_turn_for (fd);
  if (ok)
    *ret_result = new_status (context, FALSE);
  return ok;
}

void
tractor__python_lock_serve (TractorRuntime *runtime)
{
  static const TractorExport entry = { FUNCTION, TRACTOR_EXPORT_CONTEXT, .context = lock_for_peer };

  tractor__exports_add (runtime->exports, MODULE, &(Served){ .entry = &entry, .is_own = TRUE });
}
