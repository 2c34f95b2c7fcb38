/* tracing.c - an actor that runs is traced, for who asks for it.
 *
 * "self:trace" is a context: its Started has a descriptor of the memory that the trace is written to, so the asker has it
 * before anything is, and still has it when the actor is gone; and the trace goes on as long as the context is open, so it
 * ends with the asker, however that ends. It is ours; upstream knows no such function. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tracing.h"

#include <sys/socket.h>
#include <unistd.h>

#include "actor-trace.h"
#include "context.h"
#include "exports.h"
#include "tractor-value.h"

/* What tasks are called and do is for nobody else; and over TCP a descriptor does not go. */
static gboolean
check_may_ask (const Link *link, GError **error)
{
  struct ucred peer;
  socklen_t size = sizeof peer;

  if (link->is_unix && getsockopt (link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
      peer.uid == geteuid ())
    return TRUE;
  g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
                       "It is traced only for its own user, over a Unix socket");
  return FALSE;
}

static gboolean
trace_until_cancelled (TractorContext *context, int fd, GError **error)
{
  gboolean ok = tractor_context_started (context, tractor_value_new_fd (fd), error);

  close (fd);
  return ok && tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
}

static gboolean
serve_trace (TractorContext *context,
             G_GNUC_UNUSED GVariant *kwargs,
             G_GNUC_UNUSED GVariant **ret_result,
             GError **error)
{
  const ActorId *self = &context->link->runtime->id;
  gboolean ok;
  int fd;

  if (!check_may_ask (context->link, error))
    return FALSE;
  fd = tractor__trace_actor_in_memory (self->name, self->uuid, error);
  if (fd < 0)
    return FALSE;
  ok = trace_until_cancelled (context, fd, error);
  tractor__trace_actor_end ();
  return ok;
}

void
tractor__tracing_serve (TractorRuntime *runtime)
{
  static const TractorExport entry = { "trace", TRACTOR_EXPORT_CONTEXT, .context = serve_trace };

  tractor__exports_add (runtime->exports, NAMESPACE_SELF,
                        &(Served){ .entry = &entry, .is_own = TRUE });
}
