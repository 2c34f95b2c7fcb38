/* registry-enter.c - who may be entered in the table, and speak for whom.
 *
 * An actor speaks for itself only (identity.c says who it is), and its entry lasts as long as it does:
 *
 *   made by                                       until the end of
 *   an actor of this library, over its own link   that link
 *   a child of the registrar                      the link to it
 *   another, over a Unix socket                   its process
 *   another, over TCP                             nothing that is known here
 *
 * An actor of another make, such as a Python one, registers over a connection that it closes at once:
 * so its process is looked at. Of the last kind anybody who knows its name and uuid may speak once it has
 * closed the connection, for so the actor does itself; others may take over its address; and there can be
 * few, of which those are struck off where nobody listens when there are too many.
 *
 * An address is its owner's. If two say that it is theirs, it is tried whether anybody is there, and who,
 * which the kernel knows of a Unix socket; otherwise it is the first one's. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registry-enter.h"

#include <unistd.h>

#include "bounds.h"
#include "socket.h"
#include "supervise.h"

/* --- room -------------------------------------------------------------------------------------- */

static gboolean
set_no_room (GError **error, const char *why)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
               "The registrar has no room for more actors%s", why);
  return FALSE;
}

gboolean
tractor__registry_is_somebody_at (const Address *address)
{
  int fd;
  gboolean is_somebody = tractor__socket_knock (address, &fd);

  if (fd >= 0)
    close (fd);
  return is_somebody;
}

/* Of an entry whose end nobody would notice. With the last of them it is gone itself: that is then the first, and no
 * more is looked at. */
static void
strike_off_dead_addresses (Registry *registry, Entry *entry)
{
  for (guint i = entry->addresses->len; i-- > 0;)
    if (!tractor__registry_is_somebody_at (entry->addresses->pdata[i]))
      tractor__registry_take_address_away (registry, entry, entry->addresses->pdata[i]);
}

/* It takes a while: so if that was of no use, not again for a second. */
static void
strike_off_unwatched (Registry *registry)
{
  if (tractor_now () < registry->struck_off_at + G_USEC_PER_SEC)
    return;
  for (GList *at = registry->entries.head; at != NULL;) {
    Entry *entry = at->data;

    at = at->next;
    if (entry->is_unwatched)
      strike_off_dead_addresses (registry, entry);
  }
  if (registry->n_unwatched > LIMIT_UNWATCHED_ENTRIES / 2)
    registry->struck_off_at = tractor_now ();
}

static gboolean
has_room (Registry *registry, const Entry *entry, GError **error)
{
  if (origin_is_process (entry->origin) && entry->origin->n_entries >= LIMIT_NAMES_OF_PROCESS)
    return set_no_room (error, " of this process");
  if (entry->is_unwatched && registry->n_unwatched >= LIMIT_UNWATCHED_ENTRIES)
    strike_off_unwatched (registry);
  if (entry->is_unwatched && registry->n_unwatched >= LIMIT_UNWATCHED_ENTRIES)
    return set_no_room (error, " that nobody would see end");
  if (registry->entries.length >= LIMIT_REGISTRY_ENTRIES)
    tractor__registry_drop_all_ended (registry);
  return registry->entries.length < LIMIT_REGISTRY_ENTRIES || set_no_room (error, "");
}

/* --- an entry ---------------------------------------------------------------------------------- */

/* (nullable): what is to end the entry. @speaker: (nullable) */
static Link *
get_link_to_bind_to (Registry *registry, Link *speaker)
{
  if (speaker == NULL || speaker->is_to_ours)
    return speaker;
  return tractor__child_find_link (registry->runtime, &speaker->peer);
}

/* @speaker: (nullable): this actor itself. (nullable) */
static Entry *
add_entry (Registry *registry, Identity *identity, Link *speaker, GError **error)
{
  Entry entry = { .identity = identity,
                  .origin = identity->origin,
                  .speaker = speaker,
                  .is_own = speaker == NULL,
                  .link = get_link_to_bind_to (registry, speaker) };

  entry.is_unwatched = !entry.is_own && entry.link == NULL && !origin_is_process (entry.origin);
  return has_room (registry, &entry, error) ? tractor__registry_insert (registry, &entry) : NULL;
}

gboolean
tractor__registry_check_may_speak (const Entry *entry, const Link *speaker, GError **error)
{
  if (speaker == NULL || entry->speaker == NULL || entry->speaker == speaker ||
      identity_is_proven (entry->identity))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "Actor '%s' is registered over another connection, which is still there",
               entry_get_id (entry)->name);
  return FALSE;
}

/* --- an address -------------------------------------------------------------------------------- */

/* Two say that it is theirs: whether it is @origin's, or at least nobody else's. */
static gboolean
is_theirs_to_take (Registry *registry, const Origin *origin, const Address *address)
{
  g_autoptr (Origin) listener = NULL;
  int fd;

  if (!tractor__socket_knock (address, &fd))
    return TRUE;
  if (fd < 0)
    return FALSE;
  listener = tractor__origin_of_socket (registry->runtime->origins, fd);
  close (fd);
  return origin_is_process (listener) && listener == origin;
}

/* Makes @address one that nobody but @identity is entered for. */
static gboolean
clear_address (Registry *registry, const Identity *identity, const Address *address, GError **error)
{
  Entry *holder = tractor__registry_find_by_address (registry, address);
  g_autofree char *text = NULL;

  if (holder == NULL || holder->identity == identity)
    return TRUE;
  if (!holder->is_own && (holder->is_unwatched || identity == registry->runtime->identity ||
                          is_theirs_to_take (registry, identity->origin, address))) {
    tractor__registry_take_address_away (registry, holder, address);
    return TRUE;
  }
  text = tractor__address_to_string (address);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH, "%s is the address of actor '%s'", text,
               entry_get_id (holder)->name);
  return FALSE;
}

/* --- entering ---------------------------------------------------------------------------------- */

gboolean
tractor__registry_enter (Registry *registry, Link *link, const Address *address, GError **error)
{
  Identity *identity = registry->runtime->identity;
  Entry *entry;

  if (link != NULL) {
    if (!tractor__link_claim_identity (link, NULL, error))
      return FALSE;
    identity = link->identity;
  }
  entry = tractor__registry_find_by_uuid (registry, identity->id.uuid);
  if ((entry != NULL && !tractor__registry_check_may_speak (entry, link, error)) ||
      !clear_address (registry, identity, address, error))
    return FALSE;
  /* Each look takes those out that have ended meanwhile: it may be this one. */
  entry = tractor__registry_find_by_uuid (registry, identity->id.uuid);
  if (entry == NULL)
    entry = add_entry (registry, identity, link, error);
  if (entry == NULL)
    return FALSE;
  tractor__registry_add_address (registry, entry, address);
  tractor__registry_tell_waiters (registry, identity->id.name);
  tractor__registry_tell_waiters (registry, identity->id.uuid);
  return TRUE;
}
