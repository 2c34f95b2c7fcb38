/* child-boot.c - what a process hears from its parent before it is an actor.
 *
 * It finds the socket to its parent at a number that one environment variable names, and reads who it is
 * to be and what it may serve. A Python parent says on the command line who the child is and where to
 * connect to; from then on all is the same.
 *
 * There is no loop yet: it waits by poll(), for a bounded time; but once one of our parents has said who it is, it may take
 * as long as it wants to say what the child is to be: then the child is a spare (spares.c). A parent that is held by the debugger says nothing as long
 * as somebody looks at it; what the whole tree's patience goes by (patience.c) is not known here, for it is in what the
 * parent has to say. So it is asked of the kernel whether the parent is stopped. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "child-boot.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bounds.h"
#include "child-signals.h"
#include "crash.h"
#include "escape.h"
#include "log-level.h"
#include "peer-limits.h"
#include "process.h"
#include "socket.h"

/* How often it is looked whether the parent is stopped. */
#define LOOK_MSEC 100

/* --- waiting for the parent -------------------------------------------------------------------- */

static gboolean
parent_is_stopped (void)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", (int) getppid ());
  g_autofree char *text = NULL;
  const char *rest;
  char state;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  rest = strrchr (text, ')'); /* its name may have some */
  return rest != NULL && sscanf (rest + 1, " %c", &state) == 1 && (state == 'T' || state == 't');
}

/* We are a spare, and what any actor needs is got meanwhile. No timer is needed: whatever happens wakes us. */
static gboolean
wait_to_be_told (const Boot *boot)
{
  struct pollfd fds[] = { { .fd = boot->link_fd, .events = POLLIN },
                          { .fd = tractor__child_signals_get_term_fd (), .events = POLLIN } };

  if (poll (fds, G_N_ELEMENTS (fds), 0) == 0)
    tractor__crash_load_unwinder ();
  while (poll (fds, G_N_ELEMENTS (fds), -1) < 0)
    if (errno != EINTR)
      return FALSE;
  return fds[0].revents != 0;
}

/* Returns: FALSE if there is no patience left. */
static gboolean
wait_for_parent (Boot *boot, short events)
{
  struct pollfd pollfd = { .fd = boot->link_fd, .events = events };
  gint64 began = g_get_monotonic_time ();
  int n;

  do {
    gint64 now;

    n = poll (&pollfd, 1, LOOK_MSEC);
    now = g_get_monotonic_time ();
    if (n > 0 ||
        !parent_is_stopped ()) /* we may have been stopped with it, and be the first to go on */
      boot->patience_usec -= MIN (now - began, LOOK_MSEC * 1000);
    began = now;
  } while (n <= 0 && boot->patience_usec > 0);
  return n > 0;
}

/* --- reaching the parent ----------------------------------------------------------------------- */

int
tractor__boot_take_link_fd (const char *value)
{
  gint64 fd = 0;
  struct stat stat;

  if (!g_ascii_string_to_signed (value, 10, 3, G_MAXINT, &fd, NULL) ||
      fstat ((int) fd, &stat) != 0 || !S_ISSOCK (stat.st_mode)) {
    g_printerr ("tractor: %s is \"%s\", which is no socket. It is set by a parent actor for its "
                "child, not by hand.\n",
                CHILD_VARIABLE, value);
    return -1;
  }
  fcntl ((int) fd, F_SETFD, FD_CLOEXEC);
  fcntl (CHILD_STDERR_FD, F_SETFD, FD_CLOEXEC);
  return (int) fd;
}

static gboolean
connect_to_parent (Boot *boot, const PythonArgv *python, GError **error)
{
  gboolean in_progress;

  if (!tractor__socket_begin_connect (&python->parent, &boot->link_fd, &in_progress, error))
    return FALSE;
  if (!in_progress || (wait_for_parent (boot, POLLOUT) &&
                       tractor__socket_finish_connect (boot->link_fd, &python->parent, error)))
    return TRUE;
  close (boot->link_fd);
  if (error != NULL && *error == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW,
                         "The parent does not take the connection");
  return FALSE;
}

/* Both sides introduce themselves at once; a few bytes to a fresh socket do not have to wait. */
static gboolean
introduce_to_parent (const Boot *boot)
{
  g_autoptr (WireBuffer) buffer = tractor__wire_buffer_new ();

  tractor__msg_write_aid (
      buffer, &(AidMsg){ .id = &boot->id, .credit = { LIMIT_STREAM_ITEMS, LIMIT_STREAM_BYTES } });
  return send (boot->link_fd, buffer->data, buffer->len, MSG_NOSIGNAL) == (gssize) buffer->len;
}

gboolean
tractor__boot_reach_python_parent (Boot *boot, PythonArgv *python)
{
  g_autoptr (GError) error = NULL;

  boot->is_of_python = TRUE;
  actor_id_copy (&python->id, &boot->id);
  if (python->log_level != NULL)
    boot->log_level = g_strdup (tractor__log_level_from_python (python->log_level));
  if (!connect_to_parent (boot, python, &error)) {
    g_printerr ("tractor: cannot reach the parent: %s\n", error->message);
    return FALSE;
  }
  if (!introduce_to_parent (boot)) {
    g_printerr ("tractor: the parent does not listen to an introduction\n");
    return FALSE;
  }
  return TRUE;
}

/* --- hearing from it --------------------------------------------------------------------------- */

static gboolean
receive_more (Boot *boot)
{
  gsize room;
  guint8 *at;
  gssize n;

  if (!(boot->is_patient ? wait_to_be_told (boot) : wait_for_parent (boot, POLLIN)))
    return FALSE;
  at = tractor__frame_reader_get_room (&boot->parent.reader, &room);
  if (at == NULL)
    return FALSE;
  n = recv (boot->link_fd, at, room, MSG_DONTWAIT);
  if (n > 0)
    tractor__frame_reader_received (&boot->parent.reader, (gsize) n);
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static gboolean
read_message (Boot *boot, MsgType type, Msg *msg)
{
  g_autoptr (GError) error = NULL;
  WireValue body;

  for (;;) {
    switch (tractor__frame_reader_next (&boot->parent.reader, &body, &error)) {
    case FRAME_COMPLETE:
      if (tractor__msg_read (body, msg, &error) && msg->type == type)
        return TRUE;
      g_printerr ("tractor: the parent's introduction is wrong: %s\n",
                  error != NULL ? error->message : "another message was due");
      return FALSE;
    case FRAME_INVALID:
    case FRAME_OVERSIZED: /* only after the introduction */
      g_printerr ("tractor: the parent's introduction is wrong: %s\n", error->message);
      return FALSE;
    case FRAME_INCOMPLETE:
      if (!receive_more (boot)) {
        g_printerr ("tractor: no introduction came from the parent\n");
        return FALSE;
      }
    }
  }
}

/* Returns: FALSE with a message on stderr. */
static gboolean
report (GError *error)
{
  g_printerr ("tractor: the parent's introduction is wrong: %s\n", error->message);
  g_error_free (error);
  return FALSE;
}

/* Where to listen and to register. */
static gboolean
read_addresses (Boot *boot, const Msg *spec)
{
  GError *error = NULL;
  WireValue value;
  WireReader reader;

  boot->registrars = tractor__address_read_list (spec->fields[FIELD_REG_ADDRS], &error);
  if (boot->registrars == NULL)
    return report (error);
  boot->listen = tractor__address_read_list (spec->fields[FIELD_BIND_ADDRS], &error);
  if (boot->listen == NULL)
    return report (error);
  boot->is_python_debugged =
      boot->is_of_python &&
      tractor__msg_find_in_map (spec, FIELD_RUNTIME_VARS, "_debug_mode", &value) &&
      value.length == 1 && value.bytes[0] == 0xc3;
  boot->is_registered = tractor__msg_get_boolean (spec, FIELD_IS_REGISTERED);
  boot->uses_tcp = tractor__msg_find_in_map (spec, FIELD_RUNTIME_VARS, "_enable_tpts", &value) &&
                   value.length == 5 && memcmp (value.bytes, "\x91\xa3tcp", 5) == 0;
  if (!tractor__msg_find_in_map (spec, FIELD_RUNTIME_VARS, "_root_mailbox", &value))
    return TRUE;
  reader = wire_reader (value);
  return tractor__address_read (&reader, &boot->root, &error) || report (error);
}

static gboolean
read_spawn_spec (Boot *boot, const Msg *spec)
{
  boot->host = tractor__msg_dup_string (spec, FIELD_HOST);
  boot->key = tractor__msg_dup_string (spec, FIELD_KEY);
  if (boot->log_level == NULL)
    boot->log_level = tractor__msg_dup_string (spec, FIELD_LOG_LEVEL);
  if (!boot->is_of_python)
    boot->debug = tractor__msg_dup_string (spec, FIELD_DEBUG);
  boot->depth = (guint) CLAMP (tractor__msg_get_integer (spec, FIELD_DEPTH), 1, LIMIT_TREE_DEPTH);
  tractor__limits_read (spec->fields[FIELD_LIMITS], &boot->limits);
  boot->enabled_modules = tractor__msg_dup_keys (spec, FIELD_ENABLE_MODULES);
  /* A Python parent can only name modules that it could import itself. */
  if (boot->is_of_python || g_strv_contains ((const char *const *) boot->enabled_modules, "*"))
    g_clear_pointer (&boot->enabled_modules, g_strfreev);
  if (boot->id.uuid == NULL && !tractor__msg_get_id (spec, FIELD_UID, &boot->id)) {
    g_printerr ("tractor: the parent did not say who this actor is\n");
    return FALSE;
  }
  return read_addresses (boot, spec);
}

gboolean
tractor__boot_read_introduction (Boot *boot)
{
  GError *error = NULL;
  Msg msg;

  if (!read_message (boot, MSG_AID, &msg))
    return FALSE;
  return tractor__introduction_take (&boot->parent, &msg, &error) || report (error);
}

gboolean
tractor__boot_read_spec (Boot *boot)
{
  Msg msg;

  boot->is_patient = !boot->is_of_python;
  return read_message (boot, MSG_SPAWN_SPEC, &msg) && read_spawn_spec (boot, &msg);
}

/* --- whether it can be that -------------------------------------------------------------------- */

gboolean
tractor__boot_check_modules (const Boot *boot)
{
  for (char **name = boot->enabled_modules; name != NULL && *name != NULL; name++) {
    const TractorModule *module = boot->modules;

    while (module->name != NULL && strcmp (module->name, *name) != 0)
      module++;
    if (module->name == NULL) {
      g_autofree char *shown = tractor__escape_name (*name);

      g_printerr ("tractor: this program has no module '%s'\n", shown);
      return FALSE;
    }
  }
  return TRUE;
}

const TractorRunner *
tractor__boot_find_runner (const TractorRunner *runners, const char *host)
{
  g_autofree char *shown = NULL;

  if (host == NULL)
    return runners;
  for (const TractorRunner *runner = runners; runner->name != NULL; runner++)
    if (strcmp (runner->name, host) == 0)
      return runner;
  shown = tractor__escape_name (host);
  g_printerr ("tractor: this program has no host '%s'\n", shown);
  return NULL;
}

void
tractor__boot_clear (Boot *boot)
{
  tractor__introduction_clear (&boot->parent);
  actor_id_clear (&boot->id);
  g_clear_pointer (&boot->key, g_free);
  g_clear_pointer (&boot->enabled_modules, g_strfreev);
  g_clear_pointer (&boot->host, g_free);
  g_clear_pointer (&boot->log_level, g_free);
  g_clear_pointer (&boot->debug, g_free);
  g_clear_pointer (&boot->registrars, g_ptr_array_unref);
  g_clear_pointer (&boot->listen, g_ptr_array_unref);
  tractor__address_clear (&boot->root);
}
