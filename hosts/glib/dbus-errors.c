/* dbus-errors.c - the names that our errors have on D-Bus.
 *
 * What a service of GDBus fails with crosses the bus as a name and a message. Of a domain that is registered both ends
 * make the same names, and the caller gets domain and code back; of another, only a name that nothing can be read from.
 *
 * Names and codes are added at the end, as in TractorError: older programs know them. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tractor-error.h"
#include "tractor-glib.h"

#define NAME(suffix) "org.tractor.Error." suffix

static const GDBusErrorEntry entries[] = {
  { TRACTOR_ERROR_CANCELLED, NAME ("Cancelled") },
  { TRACTOR_ERROR_TOO_SLOW, NAME ("TooSlow") },
  { TRACTOR_ERROR_GROUP, NAME ("Group") },
  { TRACTOR_ERROR_CLOSED, NAME ("Closed") },
  { TRACTOR_ERROR_BROKEN, NAME ("Broken") },
  { TRACTOR_ERROR_WOULD_BLOCK, NAME ("WouldBlock") },
  { TRACTOR_ERROR_BUSY, NAME ("Busy") },
  { TRACTOR_ERROR_LAGGED, NAME ("Lagged") },
  { TRACTOR_ERROR_NESTED_HOST_LOOP, NAME ("NestedHostLoop") },
  { TRACTOR_ERROR_WRONG_THREAD, NAME ("WrongThread") },
  { TRACTOR_ERROR_FORKED, NAME ("Forked") },
  { TRACTOR_ERROR_RUN_FINISHED, NAME ("RunFinished") },
  { TRACTOR_ERROR_MISUSE, NAME ("Misuse") },
  { TRACTOR_ERROR_NO_RUNTIME, NAME ("NoRuntime") },
  { TRACTOR_ERROR_REMOTE, NAME ("Remote") },
  { TRACTOR_ERROR_CONTEXT_CANCELLED, NAME ("ContextCancelled") },
  { TRACTOR_ERROR_ACTOR_FAILURE, NAME ("ActorFailure") },
  { TRACTOR_ERROR_ACTOR_TOO_SLOW, NAME ("ActorTooSlow") },
  { TRACTOR_ERROR_TRANSPORT_CLOSED, NAME ("TransportClosed") },
  { TRACTOR_ERROR_NOT_EXPOSED, NAME ("NotExposed") },
  { TRACTOR_ERROR_MSG_TYPE, NAME ("MsgType") },
  { TRACTOR_ERROR_OVERRUN, NAME ("Overrun") },
  { TRACTOR_ERROR_PROTOCOL, NAME ("Protocol") },
  { TRACTOR_ERROR_AUTH, NAME ("Auth") },
  { TRACTOR_ERROR_LIMIT, NAME ("Limit") },
  { TRACTOR_ERROR_REGISTRY, NAME ("Registry") },
  { TRACTOR_ERROR_HOST_CANCELLED, NAME ("HostCancelled") },
  { TRACTOR_ERROR_DEBUG_QUIT, NAME ("DebugQuit") },
};

G_STATIC_ASSERT (G_N_ELEMENTS (entries) == TRACTOR_ERROR_DEBUG_QUIT + 1);

void
tractor_glib_register_errors (void)
{
  static gsize domain;

  if (g_once_init_enter (&domain)) {
    gsize registered = 0;

    g_dbus_error_register_error_domain (g_quark_to_string (TRACTOR_ERROR), &registered, entries,
                                        G_N_ELEMENTS (entries));
    g_once_init_leave (&domain, registered);
  }
}
