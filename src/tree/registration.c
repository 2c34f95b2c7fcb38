/* registration.c - other registrars, and this actor's place in them.
 *
 * The first program that is started with a registry's address becomes the registrar there, and later
 * ones join it. Who is there is found out by a probe: a handshake that says that it is one. Two
 * programs that find nobody at the same time both try to listen; one can, and the other probes again.
 *
 * An actor registers with every registrar. With one of this library it does so over a connection
 * that it keeps: if that ends, the registrar forgets the actor, and the actor tries again until the
 * registrar is back. A Python registrar is told in the way it knows, over a connection for just that:
 * a connection that is kept would keep it from ending. Its process is watched instead, to tell the next
 * one; and it is told again now and then, for it may begin anew in the same process. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registration.h"

#include <unistd.h>

#include "bounds.h"
#include "listener.h"
#include "log.h"
#include "patience.h"
#include "peer.h"
#include "portal.h"
#include "registry.h"
#include "remote-error.h"
#include "socket.h"

#define SHORTEST_PAUSE_USEC   (G_USEC_PER_SEC / 20)
#define LONGEST_PAUSE_USEC    (2 * G_USEC_PER_SEC)
#define RENEWAL_INTERVAL_USEC (30 * G_USEC_PER_SEC)

void
tractor__registrar_free (gpointer data)
{
  Registrar *registrar = data;

  g_assert (registrar->link == NULL);
  tractor__address_clear (&registrar->address);
  g_clear_pointer (&registrar->tried, tractor_event_free);
  g_free (registrar);
}

static Registrar *
registrar_new (TractorRuntime *runtime, const Address *address)
{
  Registrar *registrar = g_new0 (Registrar, 1);

  registrar->runtime = runtime;
  registrar->tried = tractor_event_new ();
  tractor_event_set_static_name (registrar->tried, "registrar");
  tractor__address_copy (address, &registrar->address);
  g_ptr_array_add (runtime->registrars, registrar);
  return registrar;
}

void
tractor__registrar_add_linked (TractorRuntime *runtime, const Address *address, Link *link)
{
  Registrar *registrar = registrar_new (runtime, address);

  registrar->link = tractor__link_ref (link);
  tractor_event_set (registrar->tried);
}

/* --- registering ------------------------------------------------------------------------------------ */

static GVariant *
new_uid (const TractorRuntime *runtime)
{
  return g_variant_new ("(ss)", runtime->id.name, runtime->id.uuid);
}

static gboolean
register_over (Link *link, GError **error)
{
  TractorRuntime *runtime = link->runtime;

  for (guint i = 0; i < runtime->addresses->len; i++) {
    GVariantBuilder kwargs;
    g_autoptr (GVariant) packed = NULL;

    g_variant_builder_init (&kwargs, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add (&kwargs, "{sv}", "uid", new_uid (runtime));
    g_variant_builder_add (&kwargs, "{sv}", "addr",
                           tractor__address_to_variant (runtime->addresses->pdata[i]));
    packed = g_variant_ref_sink (g_variant_builder_end (&kwargs));
    if (!tractor__call (link, "self:register_actor", packed, NULL, error))
      return FALSE;
  }
  return TRUE;
}

/* Waits until a Python registrar's process has ended, or for some time.
 * @pidfd: (transfer full): or -1. Returns: FALSE with @error set, as stay_registered(). */
static gboolean
wait_for_end_of_registrar (int pidfd, GError **error)
{
  g_autoptr (TractorCancelScope) scope =
      tractor_cancel_scope_open (tractor_now () + RENEWAL_INTERVAL_USEC);

  if (pidfd >= 0)
    tractor_wait_fd (pidfd, G_IO_IN, NULL, error);
  else
    tractor_sleep_until (TRACTOR_NO_DEADLINE, error);
  if (pidfd >= 0)
    close (pidfd);
  if (tractor_cancel_scope_absorb (scope, error))
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                         "The Python registrar has ended, or has to be told again");
  return FALSE;
}

static gboolean
stay_registered_with_python (Registrar *registrar, Link *link, GError **error)
{
  int pidfd = tractor__socket_open_peer_pidfd (link->fd);

  if (pidfd < 0 && link->peer_pid > 0 && link->peer_pid <= G_MAXINT)
    pidfd = tractor__open_pidfd ((pid_t) link->peer_pid);
  tractor__link_close (link);
  registrar->is_registered = TRUE;
  tractor_event_set (registrar->tried);
  return wait_for_end_of_registrar (pidfd, error);
}

/* Stays connected, for that keeps the entry alive. */
static gboolean
stay_registered_with_ours (Registrar *registrar, Link *link, GError **error)
{
  registrar->link = tractor__link_ref (link);
  tractor_event_set (registrar->tried);
  tractor_event_wait (link->ended, error);
  g_clear_pointer (&registrar->link, tractor__link_unref);
  if (*error == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED,
                         "The connection to the registrar has ended");
  return FALSE;
}

/* Returns: FALSE with @error set to why it is not registered any more, or not at all. */
static gboolean
stay_registered (Registrar *registrar, GError **error)
{
  g_autoptr (Link) link = tractor__peer_dial (registrar->runtime, &registrar->address, error);

  if (link == NULL)
    return FALSE;
  if (!register_over (link, error)) {
    tractor__link_close (link);
    return FALSE;
  }
  log_debug (LOG_REGISTRY, "registered with actor '%s'", link->peer.name);
  return link->is_to_ours ? stay_registered_with_ours (registrar, link, error)
                          : stay_registered_with_python (registrar, link, error);
}

/* Ends when it is cancelled. */
static gboolean
run_registration (gpointer data, GError **error)
{
  Registrar *registrar = data;
  gint64 pause_usec = SHORTEST_PAUSE_USEC;
  gint64 began = tractor_now ();

  while (!stay_registered (registrar, error)) {
    if (g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED))
      return FALSE;
    log_info (LOG_REGISTRY, "not registered: %s", (*error)->message);
    g_clear_error (error);
    tractor_event_set (registrar->tried);
    if (tractor_now () - began > LONGEST_PAUSE_USEC) /* it was registered for some time */
      pause_usec = SHORTEST_PAUSE_USEC;
    if (!tractor_sleep_until (tractor_now () + pause_usec, error))
      return FALSE;
    pause_usec = MIN (pause_usec * 2, LONGEST_PAUSE_USEC);
    began = tractor_now ();
  }
  return TRUE;
}

void
tractor__registrar_add (TractorRuntime *runtime, const Address *address)
{
  registrar_new (runtime, address);
}

/* One that does not answer is not waited for any longer: the actor is up without it. */
static gboolean
wait_until_tried (TractorRuntime *runtime, GError **error)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (PATIENCE_REGISTER_USEC);

  for (guint i = 0; i < runtime->registrars->len; i++)
    if (!tractor_event_wait (((Registrar *) runtime->registrars->pdata[i])->tried, error))
      break;
  return tractor_cancel_scope_absorb (scope, error);
}

gboolean
tractor__registrars_join (TractorRuntime *runtime, GError **error)
{
  for (guint i = 0; i < runtime->registrars->len; i++) {
    Registrar *registrar = runtime->registrars->pdata[i];

    if (registrar->link == NULL &&
        !tractor_nursery_spawn (runtime->services, "registration", run_registration, registrar,
                                NULL, error))
      return FALSE;
  }
  return wait_until_tried (runtime, error);
}

static void
unregister (Registrar *registrar)
{
  g_autoptr (Link) link = NULL;
  g_autoptr (GVariant) kwargs = NULL;
  g_autoptr (GError) failure = NULL; /* it leaves all the same */
  TractorRuntime *runtime = registrar->runtime;

  link = tractor__peer_dial (runtime, &registrar->address, NULL);
  if (link == NULL)
    return;
  kwargs = g_variant_ref_sink (g_variant_new_parsed ("{'uid': <%@(ss)>}", new_uid (runtime)));
  tractor__call (link, "self:unregister_actor", kwargs, NULL, &failure);
  tractor__link_close (link);
}

void
tractor__registrars_leave (TractorRuntime *runtime)
{
  g_autoptr (TractorCancelScope) scope = tractor__patience_open (PATIENCE_UNREGISTER_USEC);

  tractor_cancel_scope_set_shield (scope, TRUE);
  for (guint i = 0; i < runtime->registrars->len; i++) {
    Registrar *registrar = runtime->registrars->pdata[i];

    if (registrar->is_registered)
      unregister (registrar);
  }
}

/* --- who is there? ------------------------------------------------------------------------------------- */

typedef enum {
  PROBE_ABSENT,
  PROBE_REGISTRAR,
  PROBE_OTHER, /* an actor that is none */
  PROBE_UNCLEAR,
} ProbeResult;

typedef struct {
  const Address *address;
  ProbeResult result;
  char *problem; /* (nullable): why that is not clear */
} Probe;

static void
probes_free (Probe *probes)
{
  for (Probe *probe = probes; probe->address != NULL; probe++)
    g_free (probe->problem);
  g_free (probes);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Probe, probes_free)

/* Returns: FALSE with what keeps it unclear, or CANCELLED. */
static gboolean
probe_once (Probe *probe, GError **error)
{
  gint64 deadline = tractor_now () + PATIENCE_PROBE_USEC;
  g_auto (Introduction) introduction = { 0 };
  g_auto (ActorId) id = { g_strdup ("registry-probe"), actor_id_new_uuid () };
  gboolean ok;
  int fd;

  probe->result = PROBE_UNCLEAR;
  if (!tractor__connect (probe->address, deadline, &fd, error)) {
    if (!g_error_matches (*error, TRACTOR_ERROR, TRACTOR_ERROR_TRANSPORT_CLOSED))
      return FALSE;
    g_clear_error (error);
    probe->result = PROBE_ABSENT;
    return TRUE;
  }
  ok = tractor__handshake (fd, &(AidMsg){ .id = &id, .is_probe = TRUE }, deadline, &introduction,
                           error);
  close (fd);
  if (ok)
    probe->result = introduction.is_registrar ? PROBE_REGISTRAR : PROBE_OTHER;
  return ok;
}

/* Who is there? Returns: FALSE with CANCELLED, or AUTH if it is not to be talked to. */
static gboolean
run_probe (gpointer data, GError **error)
{
  Probe *probe = data;

  for (int attempt = 1;; attempt++) {
    GError *problem = NULL;

    if (probe_once (probe, &problem))
      return TRUE;
    if (g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED) ||
        g_error_matches (problem, TRACTOR_ERROR, TRACTOR_ERROR_AUTH)) {
      g_propagate_error (error, problem);
      return FALSE;
    }
    g_free (probe->problem);
    probe->problem = g_strdup (problem->message);
    g_error_free (problem);
    if (attempt == PROBE_ATTEMPTS)
      return TRUE;
    if (!tractor_sleep_until (tractor_now () + attempt * G_USEC_PER_SEC / 20, error))
      return FALSE;
  }
}

/* --- election ------------------------------------------------------------------------------------------ */

/* All at once: each may take three seconds. */
static gboolean
probe_all (Probe *probes, guint n_probes, GError **error)
{
  g_autoptr (TractorNursery) nursery = tractor_nursery_open ();
  GError *failure = NULL;

  for (guint i = 0; i < n_probes; i++)
    if (!tractor_nursery_spawn (nursery, "probe", run_probe, &probes[i], NULL, &failure))
      break;
  if (tractor_nursery_join (nursery, &failure))
    return TRUE;
  g_propagate_error (error, tractor__collapse_group (failure));
  return FALSE;
}

static gboolean
set_registry_error (GError **error, const Address *address, const char *what)
{
  g_autofree char *text = tractor__address_to_string (address);

  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY, "The registry's address %s %s", text,
               what);
  return FALSE;
}

static gboolean
set_occupied_error (GError **error, const Probe *probe)
{
  g_autofree char *what =
      probe->result == PROBE_OTHER
          ? g_strdup ("is occupied by an actor that is no registrar")
          : g_strdup_printf ("is occupied, and it cannot be found out by whom: %s", probe->problem);

  return set_registry_error (error, probe->address, what);
}

static gboolean
listen_at_all (TractorRuntime *runtime, const GPtrArray *addresses, GError **error)
{
  /* First: whoever probes one address while we are at the next is to hear that we are it. */
  runtime->registry = tractor__registry_new (runtime);
  for (guint i = 0; i < addresses->len; i++)
    if (!tractor__listen (runtime, addresses->pdata[i], error)) {
      tractor__stop_listening (runtime);
      g_clear_pointer (&runtime->registry, tractor__registry_free);
      return FALSE;
    }
  return TRUE;
}

static gboolean
add_registrars (TractorRuntime *runtime, const Probe *probes, guint n_probes)
{
  for (guint i = 0; i < n_probes; i++)
    if (probes[i].result == PROBE_REGISTRAR)
      tractor__registrar_add (runtime, probes[i].address);
  return TRUE;
}

/* Returns: TRUE if it is settled what we are; FALSE with @error unset to try again. */
static gboolean
elect_once (TractorRuntime *runtime,
            const GPtrArray *addresses,
            gboolean must_be_first,
            gboolean is_last_attempt,
            GError **error)
{
  g_autoptr (Probe) probes = g_new0 (Probe, addresses->len + 1);
  const Probe *occupied = NULL;
  const Address *taken = NULL;
  GError *failure = NULL;

  for (guint i = 0; i < addresses->len; i++)
    probes[i] = (Probe){ addresses->pdata[i], PROBE_ABSENT, NULL };
  if (!probe_all (probes, addresses->len, error))
    return FALSE;
  for (guint i = 0; i < addresses->len; i++) {
    if (probes[i].result == PROBE_REGISTRAR)
      taken = probes[i].address;
    else if (probes[i].result != PROBE_ABSENT)
      occupied = &probes[i];
  }
  if (taken != NULL)
    return must_be_first ? set_registry_error (error, taken, "has a registrar already")
                         : add_registrars (runtime, probes, addresses->len);
  if (occupied != NULL)
    return set_occupied_error (error, occupied);
  if (listen_at_all (runtime, addresses, &failure))
    return TRUE;
  /* Somebody was quicker. */
  if (g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_REGISTRY) && !is_last_attempt) {
    g_error_free (failure);
    return FALSE;
  }
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
tractor__registrars_elect (TractorRuntime *runtime,
                           const GPtrArray *addresses,
                           gboolean must_be_first,
                           GError **error)
{
  for (int attempt = 1; attempt <= PROBE_ATTEMPTS; attempt++) {
    GError *failure = NULL;

    if (elect_once (runtime, addresses, must_be_first, attempt == PROBE_ATTEMPTS, &failure)) {
      log_info (LOG_REGISTRY,
                runtime->registry != NULL ? "it is the registrar" : "there is a registrar already");
      return TRUE;
    }
    if (failure != NULL) {
      g_propagate_error (error, failure);
      return FALSE;
    }
  }
  g_return_val_if_reached (FALSE);
}
