/* error-types.c - the names that errors have on the wire.
 *
 * Between actors of this library an error keeps its domain and code. Python knows exceptions by their
 * class names; so each name stands for a domain and a code, and the other way round. A program can
 * add its own, which win over those here. Names that several errors share come back as the first in
 * the table. The table belongs to the process, as GLib's domains do; it only grows, so it is read
 * under the lock and its entries are never freed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "error-types.h"

#include <string.h>

#include "tractor-actor.h"

typedef struct {
  const char *name;
  GQuark domain;
  int code;
} ErrorType;

static GMutex lock;
static GArray *types; /* (element-type ErrorType): those of the program first */

static void
add (const char *name, GQuark domain, int code)
{
  ErrorType type = { name, domain, code };

  g_array_append_val (types, type);
}

static void
add_own (void)
{
  add ("ContextCancelled", TRACTOR_ERROR, TRACTOR_ERROR_CONTEXT_CANCELLED);
  add ("ModuleNotExposed", TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED);
  add ("AttributeError", TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED);
  add ("ExceptionGroup", TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  add ("BaseExceptionGroup", TRACTOR_ERROR, TRACTOR_ERROR_GROUP);
  add ("MsgTypeError", TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  add ("TypeError", TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE);
  add ("StreamOverrun", TRACTOR_ERROR, TRACTOR_ERROR_OVERRUN);
  add ("TransportClosed", TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED);
  add ("ActorFailure", TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_FAILURE);
  add ("ActorTooSlowError", TRACTOR_ERROR, TRACTOR_ERROR_ACTOR_TOO_SLOW);
  add ("NoRuntime", TRACTOR_ERROR, TRACTOR_ERROR_NO_RUNTIME);
  add ("TimeoutError", TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW);
  add ("TooSlowError", TRACTOR_ERROR, TRACTOR_ERROR_TOO_SLOW);
  add ("BrokenResourceError", TRACTOR_ERROR, TRACTOR_ERROR_BROKEN);
  add ("ClosedResourceError", TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  add ("BusyResourceError", TRACTOR_ERROR, TRACTOR_ERROR_BUSY);
  /* Of a task that is linked to callbacks of its host: upstream's are asyncio's. */
  add ("AsyncioCancelled", TRACTOR_ERROR, TRACTOR_ERROR_HOST_CANCELLED);
  add ("BdbQuit", TRACTOR_ERROR, TRACTOR_ERROR_DEBUG_QUIT);
  add ("AsyncioTaskExited", TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
  add ("TrioTaskExited", TRACTOR_ERROR, TRACTOR_ERROR_CLOSED);
}

static void
add_pythons (void)
{
  add ("FileNotFoundError", G_FILE_ERROR, G_FILE_ERROR_NOENT);
  add ("FileExistsError", G_FILE_ERROR, G_FILE_ERROR_EXIST);
  add ("PermissionError", G_FILE_ERROR, G_FILE_ERROR_ACCES);
  add ("PermissionError", G_FILE_ERROR, G_FILE_ERROR_PERM);
  add ("IsADirectoryError", G_FILE_ERROR, G_FILE_ERROR_ISDIR);
  add ("NotADirectoryError", G_FILE_ERROR, G_FILE_ERROR_NOTDIR);
  add ("BrokenPipeError", G_FILE_ERROR, G_FILE_ERROR_PIPE);
  add ("BlockingIOError", G_FILE_ERROR, G_FILE_ERROR_AGAIN);
  add ("InterruptedError", G_FILE_ERROR, G_FILE_ERROR_INTR);
  add ("MemoryError", G_FILE_ERROR, G_FILE_ERROR_NOMEM);
  add ("NotImplementedError", G_FILE_ERROR, G_FILE_ERROR_NOSYS);
  add ("OSError", G_FILE_ERROR, G_FILE_ERROR_FAILED);
  add ("ValueError", G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE);
  add ("KeyError", G_KEY_FILE_ERROR, G_KEY_FILE_ERROR_KEY_NOT_FOUND);
  add ("UnicodeDecodeError", G_CONVERT_ERROR, G_CONVERT_ERROR_ILLEGAL_SEQUENCE);
}

/* Call with the lock held. */
static void
fill_once (void)
{
  if (types != NULL)
    return;
  types = g_array_new (FALSE, FALSE, sizeof (ErrorType));
  add_own ();
  add_pythons ();
}

void
tractor_error_type_register (const char *name, GQuark domain, int code)
{
  ErrorType type = { g_intern_string (name), domain, code };

  g_return_if_fail (name != NULL && domain != 0);

  g_mutex_lock (&lock);
  fill_once ();
  g_array_prepend_val (types, type);
  g_mutex_unlock (&lock);
}

const char *
tractor__error_type_get_name (const GError *error)
{
  const char *name = error->domain == G_FILE_ERROR ? "OSError" : "RuntimeError";

  g_mutex_lock (&lock);
  fill_once ();
  for (guint i = 0; i < types->len; i++) {
    const ErrorType *type = &g_array_index (types, ErrorType, i);

    if (g_error_matches (error, type->domain, type->code)) {
      name = type->name;
      break;
    }
  }
  g_mutex_unlock (&lock);
  return name;
}

gboolean
tractor__error_type_find (const char *name, const char **ret_domain, int *ret_code)
{
  gboolean is_found = FALSE;

  g_mutex_lock (&lock);
  fill_once ();
  for (guint i = 0; i < types->len && !is_found; i++) {
    const ErrorType *type = &g_array_index (types, ErrorType, i);

    is_found = strcmp (type->name, name) == 0;
    if (is_found) {
      *ret_domain = g_quark_to_string (type->domain);
      *ret_code = type->code;
    }
  }
  g_mutex_unlock (&lock);
  return is_found;
}
