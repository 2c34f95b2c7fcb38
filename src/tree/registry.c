/* registry.c - who is where: the table that a registrar keeps.
 *
 * An entry is an actor with its addresses. Names need not be unique, and who asks for one gets the
 * latest that took it. Entries are found by uuid, by name and by address; those who wait are found by
 * the name that they wait for, so what is entered costs nothing for all others.
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
 * so its process is looked at. All this is looked at when somebody asks, so nobody is told of an actor
 * that has ended. Of the last kind anybody who knows its name and uuid may speak once it has closed the
 * connection, for so the actor does itself; others may take over its address; and there can be few, of
 * which those are struck off where nobody listens when there are too many.
 *
 * An address is its owner's. If two say that it is theirs, it is tried whether anybody is there, and who,
 * which the kernel knows of a Unix socket; otherwise it is the first one's. Who finds nobody at an
 * address may say so (delete_addr), but that is tried too before it is believed. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "registry.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "bounds.h"
#include "exports.h"
#include "socket.h"
#include "supervise.h"
#include "tractor-sync.h"

typedef struct {
  GList in_all;
  GList in_name;
  Identity *identity;
  Origin *origin;        /* whose share it is of */
  GPtrArray *addresses;  /* (element-type Address) */
  Link *link;            /* (nullable): not owned: it goes with that */
  Link *speaker;         /* (nullable): not owned: over which it was entered, while that is there */
  gboolean is_own;       /* of the registrar itself */
  gboolean is_unwatched; /* nobody would notice its end */
} Entry;

/* Those who wait for one name. */
typedef struct {
  GHashTable *table; /* (nullable): gone with the registry */
  char *name;
  TractorParkingLot *lot;
  guint n;
} Waiters;

struct _Registry {
  TractorRuntime *runtime;
  GQueue entries;         /* (element-type Entry): the oldest first */
  GHashTable *by_uuid;    /* uuid -> Entry */
  GHashTable *by_name;    /* name -> GQueue of Entry, the oldest first */
  GHashTable *by_address; /* Address -> Entry */
  GHashTable *waiters;    /* name -> Waiters */
  guint n_unwatched;      /* entries whose end nobody would notice */
  gint64 struck_off_at;   /* when it was tried last whether they have ended */
};

/* --- life ------------------------------------------------------------------------------------------- */

static void enter_child (TractorRuntime *runtime, Link *link);
static void forget_link (TractorRuntime *runtime, Link *link);
static void drop (Registry *registry, Entry *entry);
static void serve (Registry *registry);
static void stop_serving (Registry *registry);

Registry *
tractor__registry_new (TractorRuntime *runtime)
{
  Registry *registry = g_new0 (Registry, 1);

  registry->runtime = runtime;
  g_queue_init (&registry->entries);
  registry->by_uuid = g_hash_table_new (g_str_hash, g_str_equal);
  registry->by_name =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_queue_free);
  registry->by_address = g_hash_table_new (tractor__address_hash, tractor__address_equal);
  registry->waiters = g_hash_table_new (g_str_hash, g_str_equal);
  runtime->child_answers = enter_child;
  runtime->link_ended = forget_link;
  serve (registry);
  return registry;
}

void
tractor__registry_free (Registry *registry)
{
  GHashTableIter iter;
  gpointer waiters;

  if (registry == NULL)
    return;
  registry->runtime->child_answers = NULL;
  registry->runtime->link_ended = NULL;
  stop_serving (registry);
  while (registry->entries.head != NULL)
    drop (registry, registry->entries.head->data);
  g_hash_table_iter_init (&iter, registry->waiters);
  while (g_hash_table_iter_next (&iter, NULL, &waiters)) {
    ((Waiters *) waiters)->table = NULL;
    tractor_parking_lot_break (((Waiters *) waiters)->lot); /* other tasks of this program */
  }
  g_hash_table_unref (registry->waiters);
  g_hash_table_unref (registry->by_address);
  g_hash_table_unref (registry->by_name);
  g_hash_table_unref (registry->by_uuid);
  g_free (registry);
}

/* --- the table --------------------------------------------------------------------------------------- */

static const ActorId *
get_id (const Entry *entry)
{
  return &entry->identity->id;
}

static void
add_to_name (Registry *registry, Entry *entry)
{
  GQueue *queue = g_hash_table_lookup (registry->by_name, get_id (entry)->name);

  if (queue == NULL) {
    queue = g_queue_new ();
    g_hash_table_insert (registry->by_name, g_strdup (get_id (entry)->name), queue);
  }
  g_queue_push_tail_link (queue, &entry->in_name);
}

static void
remove_from_name (Registry *registry, Entry *entry)
{
  GQueue *queue = g_hash_table_lookup (registry->by_name, get_id (entry)->name);

  g_queue_unlink (queue, &entry->in_name);
  if (queue->length == 0)
    g_hash_table_remove (registry->by_name, get_id (entry)->name);
}

static void
drop (Registry *registry, Entry *entry)
{
  for (guint i = 0; i < entry->addresses->len; i++)
    g_hash_table_remove (registry->by_address, entry->addresses->pdata[i]);
  g_hash_table_remove (registry->by_uuid, get_id (entry)->uuid);
  remove_from_name (registry, entry);
  g_queue_unlink (&registry->entries, &entry->in_all);
  registry->n_unwatched -= entry->is_unwatched;
  entry->origin->n_entries--;
  tractor__origin_unref (entry->origin);
  g_ptr_array_unref (entry->addresses);
  tractor__identity_unref (entry->identity);
  g_free (entry);
}

/* Whether a connection has been closed by its other end, even if nobody has read as far as that. */
static gboolean
is_cut (const Link *link)
{
  struct pollfd pollfd = { .fd = link->fd, .events = POLLRDHUP };

  return link->fd < 0 || poll (&pollfd, 1, 0) > 0;
}

static gboolean
has_ended (const Entry *entry)
{
  if (entry->is_own)
    return FALSE;
  return entry->link != NULL ? is_cut (entry->link) : tractor__origin_is_dead (entry->origin);
}

/* (nullable): @entry, (nullable), unless the actor has ended. */
static Entry *
drop_if_ended (Registry *registry, Entry *entry)
{
  if (entry == NULL || !has_ended (entry))
    return entry;
  drop (registry, entry);
  return NULL;
}

static void
drop_all_ended (Registry *registry)
{
  for (GList *at = registry->entries.head; at != NULL;) {
    Entry *entry = at->data;

    at = at->next;
    drop_if_ended (registry, entry);
  }
}

static Entry *
find_by_uuid (Registry *registry, const char *uuid)
{
  return drop_if_ended (registry, g_hash_table_lookup (registry->by_uuid, uuid));
}

/* @name: also a uuid. Returns: (nullable): the newest. */
static Entry *
find_by_name (Registry *registry, const char *name)
{
  Entry *entry = find_by_uuid (registry, name);
  GQueue *queue;

  while (entry == NULL && (queue = g_hash_table_lookup (registry->by_name, name)) != NULL)
    entry = drop_if_ended (registry, queue->tail->data);
  return entry;
}

static Entry *
find_by_address (Registry *registry, const Address *address)
{
  return drop_if_ended (registry, g_hash_table_lookup (registry->by_address, address));
}

static void
take_address_away (Registry *registry, Entry *entry, const Address *address)
{
  guint at;

  g_ptr_array_find_with_equal_func (entry->addresses, address, tractor__address_equal, &at);
  g_hash_table_remove (registry->by_address, address);
  g_ptr_array_remove_index (entry->addresses, at);
  if (entry->addresses->len == 0)
    drop (registry, entry);
}

/* --- those who wait ------------------------------------------------------------------------------------ */

/* Returns: FALSE with CANCELLED, or CLOSED if there is no registrar any more. */
static gboolean
wait_for_name (Registry *registry, const char *name, GError **error)
{
  Waiters *waiters = g_hash_table_lookup (registry->waiters, name);
  gboolean ok;

  if (waiters == NULL) {
    waiters = g_new (Waiters, 1);
    *waiters = (Waiters){ registry->waiters, g_strdup (name), tractor_parking_lot_new (), 0 };
    g_hash_table_insert (registry->waiters, waiters->name, waiters);
  }
  waiters->n++;
  ok = tractor_parking_lot_park (waiters->lot, error);
  if (--waiters->n == 0) {
    if (waiters->table != NULL)
      g_hash_table_remove (waiters->table, waiters->name);
    tractor_parking_lot_free (waiters->lot);
    g_free (waiters->name);
    g_free (waiters);
  }
  return ok;
}

static void
tell_waiters (Registry *registry, const char *name)
{
  Waiters *waiters = g_hash_table_lookup (registry->waiters, name);

  if (waiters != NULL)
    tractor_parking_lot_unpark (waiters->lot, G_MAXUINT);
}

/* --- entering ----------------------------------------------------------------------------------------- */

static gboolean
set_no_room (GError **error, const char *why)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_LIMIT,
               "The registrar has no room for more actors%s", why);
  return FALSE;
}

static gboolean
is_somebody_at (const Address *address)
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
    if (!is_somebody_at (entry->addresses->pdata[i]))
      take_address_away (registry, entry, entry->addresses->pdata[i]);
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
    drop_all_ended (registry);
  return registry->entries.length < LIMIT_REGISTRY_ENTRIES || set_no_room (error, "");
}

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
  Entry new_entry = { .identity = identity,
                      .origin = identity->origin,
                      .is_own = speaker == NULL,
                      .link = get_link_to_bind_to (registry, speaker) };
  Entry *entry;

  new_entry.is_unwatched =
      !new_entry.is_own && new_entry.link == NULL && !origin_is_process (new_entry.origin);
  if (!has_room (registry, &new_entry, error))
    return NULL;
  entry = g_memdup2 (&new_entry, sizeof new_entry);
  tractor__identity_ref (identity);
  entry->in_all.data = entry->in_name.data = entry;
  entry->speaker = speaker;
  entry->addresses = g_ptr_array_new_with_free_func (tractor__address_free);
  g_hash_table_insert (registry->by_uuid, get_id (entry)->uuid, entry);
  add_to_name (registry, entry);
  g_queue_push_tail_link (&registry->entries, &entry->in_all);
  registry->n_unwatched += entry->is_unwatched;
  tractor__origin_ref (entry->origin)->n_entries++;
  return entry;
}

/* @speaker, who says that it is the actor of @entry: is it, as far as anybody can know? */
static gboolean
check_may_speak (const Entry *entry, const Link *speaker, GError **error)
{
  if (speaker == NULL || entry->speaker == NULL || entry->speaker == speaker ||
      identity_is_proven (entry->identity))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "Actor '%s' is registered over another connection, which is still there",
               get_id (entry)->name);
  return FALSE;
}

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
  Entry *holder = find_by_address (registry, address);
  g_autofree char *text = NULL;

  if (holder == NULL || holder->identity == identity)
    return TRUE;
  if (!holder->is_own && (holder->is_unwatched || identity == registry->runtime->identity ||
                          is_theirs_to_take (registry, identity->origin, address))) {
    take_address_away (registry, holder, address);
    return TRUE;
  }
  text = tractor__address_to_string (address);
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH, "%s is the address of actor '%s'", text,
               get_id (holder)->name);
  return FALSE;
}

static void
add_address (Registry *registry, Entry *entry, const Address *address)
{
  Address *copy;

  if (g_hash_table_contains (registry->by_address, address) ||
      entry->addresses->len >= LIMIT_ADDRESSES)
    return;
  copy = g_new (Address, 1);
  tractor__address_copy (address, copy);
  g_ptr_array_add (entry->addresses, copy);
  g_hash_table_insert (registry->by_address, copy, entry);
}

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
  entry = find_by_uuid (registry, identity->id.uuid);
  if ((entry != NULL && !check_may_speak (entry, link, error)) ||
      !clear_address (registry, identity, address, error))
    return FALSE;
  if (entry == NULL)
    entry = add_entry (registry, identity, link, error);
  if (entry == NULL)
    return FALSE;
  add_address (registry, entry, address);
  tell_waiters (registry, identity->id.name);
  tell_waiters (registry, identity->id.uuid);
  return TRUE;
}

static void
enter_child (TractorRuntime *runtime, Link *link)
{
  const GPtrArray *addresses = link->peer_addresses;

  for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
    g_autoptr (GError) problem = NULL;

    if (!tractor__registry_enter (runtime->registry, link, addresses->pdata[i], &problem))
      g_debug ("actor '%s' is not registered: %s", link->peer.name, problem->message);
  }
}

static void
forget_link (TractorRuntime *runtime, Link *link)
{
  Registry *registry = runtime->registry;
  Entry *entry = g_hash_table_lookup (registry->by_uuid, link->peer.uuid);

  if (entry != NULL && entry->speaker == link)
    entry->speaker = NULL;
  if (entry != NULL && entry->link == link)
    drop (registry, entry);
}

/* --- what peers ask ------------------------------------------------------------------------------------ */

static gboolean
set_kwargs_error (GError **error, const char *what)
{
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_MSG_TYPE, "The registrar needs %s", what);
  return FALSE;
}

/* A [name, uuid] pair. */
static gboolean
lookup_id (GVariant *kwargs, ActorId *ret_id, GError **error)
{
  g_autoptr (GVariant) pair = g_variant_lookup_value (kwargs, "uid", G_VARIANT_TYPE ("av"));
  g_autoptr (GVariant) name = NULL;
  g_autoptr (GVariant) uuid = NULL;

  if (pair != NULL && g_variant_n_children (pair) == 2) {
    g_variant_get_child (pair, 0, "v", &name);
    g_variant_get_child (pair, 1, "v", &uuid);
  }
  if (name == NULL || !g_variant_is_of_type (name, G_VARIANT_TYPE_STRING) ||
      !g_variant_is_of_type (uuid, G_VARIANT_TYPE_STRING) ||
      g_variant_get_size (name) > LIMIT_NAME_BYTES || g_variant_get_size (uuid) > LIMIT_NAME_BYTES)
    return set_kwargs_error (error, "uid, a pair of a name and a uuid");
  ret_id->name = g_variant_dup_string (name, NULL);
  ret_id->uuid = g_variant_dup_string (uuid, NULL);
  return TRUE;
}

static gboolean
lookup_address (GVariant *kwargs, Address *ret_address, GError **error)
{
  g_autoptr (GVariant) value = g_variant_lookup_value (kwargs, "addr", NULL);

  if (!tractor__address_from_variant (value, ret_address, error))
    return FALSE;
  return ret_address->kind != ADDRESS_NONE || set_kwargs_error (error, "addr, an address");
}

static gboolean
lookup_name (GVariant *kwargs, const char **ret_name, GError **error)
{
  return (g_variant_lookup (kwargs, "name", "&s", ret_name) &&
          strlen (*ret_name) <= LIMIT_NAME_BYTES) ||
         set_kwargs_error (error, "name");
}

/* An actor speaks for itself only. */
static gboolean
check_is_own (Link *link, const ActorId *id, GError **error)
{
  if (actor_id_equal (id, &link->peer))
    return TRUE;
  g_set_error (error, TRACTOR_ERROR, TRACTOR_ERROR_AUTH,
               "Actor '%s' can register and unregister only itself", link->peer.name);
  return FALSE;
}

/* Returns: NULL with NOT_EXPOSED if another was quicker to be the registrar, after somebody had asked us. */
static Registry *
get_own (const TractorRuntime *runtime, GError **error)
{
  if (runtime->registry == NULL)
    g_set_error_literal (error, TRACTOR_ERROR, TRACTOR_ERROR_NOT_EXPOSED,
                         "It is not the registrar after all");
  return runtime->registry;
}

static gboolean
register_actor (TractorRuntime *runtime,
                Link *link,
                GVariant *kwargs,
                G_GNUC_UNUSED GVariant **ret_result,
                GError **error)
{
  Registry *registry = get_own (runtime, error);
  g_auto (ActorId) id = { 0 };
  g_auto (Address) address = { 0 };

  return registry != NULL && lookup_id (kwargs, &id, error) && check_is_own (link, &id, error) &&
         lookup_address (kwargs, &address, error) &&
         tractor__registry_enter (registry, link, &address, error);
}

static gboolean
unregister_actor (TractorRuntime *runtime,
                  Link *link,
                  GVariant *kwargs,
                  G_GNUC_UNUSED GVariant **ret_result,
                  GError **error)
{
  Registry *registry = get_own (runtime, error);
  g_auto (ActorId) id = { 0 };
  Entry *entry;

  if (registry == NULL || !lookup_id (kwargs, &id, error) || !check_is_own (link, &id, error) ||
      !tractor__link_claim_identity (link, NULL, error))
    return FALSE;
  entry = find_by_uuid (registry, id.uuid);
  if (entry != NULL && !check_may_speak (entry, link, error))
    return FALSE;
  if (entry != NULL)
    drop (registry, entry);
  return TRUE;
}

/* (transfer floating) (nullable) */
static GVariant *
addresses_to_variant (const Entry *entry)
{
  GVariantBuilder builder;

  if (entry == NULL || entry->addresses->len == 0)
    return NULL;
  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < entry->addresses->len; i++)
    g_variant_builder_add (&builder, "v", tractor__address_to_variant (entry->addresses->pdata[i]));
  return g_variant_builder_end (&builder);
}

static gboolean
find_actor (TractorRuntime *runtime,
            G_GNUC_UNUSED Link *link,
            GVariant *kwargs,
            GVariant **ret_result,
            GError **error)
{
  Registry *registry = get_own (runtime, error);
  const char *name;

  if (registry == NULL || !lookup_name (kwargs, &name, error))
    return FALSE;
  *ret_result = addresses_to_variant (find_by_name (registry, name));
  return TRUE;
}

static gboolean
wait_for_actor (TractorRuntime *runtime,
                G_GNUC_UNUSED Link *link,
                GVariant *kwargs,
                GVariant **ret_result,
                GError **error)
{
  Registry *registry = get_own (runtime, error);
  const char *name;
  Entry *entry;

  if (registry == NULL || !lookup_name (kwargs, &name, error))
    return FALSE;
  while ((entry = find_by_name (registry, name)) == NULL)
    if (!wait_for_name (registry, name, error))
      return FALSE;
  *ret_result = addresses_to_variant (entry);
  return TRUE;
}

static gboolean
get_registry (TractorRuntime *runtime,
              G_GNUC_UNUSED Link *link,
              G_GNUC_UNUSED GVariant *kwargs,
              GVariant **ret_result,
              GError **error)
{
  Registry *registry = get_own (runtime, error);
  GVariantBuilder builder;

  if (registry == NULL)
    return FALSE;
  drop_all_ended (registry);
  g_variant_builder_init (&builder, G_VARIANT_TYPE_VARDICT);
  for (GList *at = registry->entries.head; at != NULL; at = at->next) {
    const Entry *entry = at->data;
    g_autofree char *key = g_strdup_printf ("%s.%s", get_id (entry)->name, get_id (entry)->uuid);

    g_variant_builder_add (&builder, "{sv}", key, addresses_to_variant (entry));
  }
  *ret_result = g_variant_builder_end (&builder);
  return TRUE;
}

/* Of an entry that goes with a connection nothing need be struck off. */
static gboolean
may_be_struck_off (const Entry *entry)
{
  return entry != NULL && !entry->is_own && entry->link == NULL;
}

/* On another machine whoever says so knows better. */
static gboolean
is_nobody_at (const Address *address)
{
  return (address->kind == ADDRESS_TCP && !tractor__address_is_loopback (address)) ||
         !is_somebody_at (address);
}

/* Somebody could not connect there. */
static gboolean
delete_addr (TractorRuntime *runtime,
             G_GNUC_UNUSED Link *link,
             GVariant *kwargs,
             GVariant **ret_result,
             GError **error)
{
  Registry *registry = get_own (runtime, error);
  g_auto (Address) address = { 0 };
  Entry *entry;

  if (registry == NULL || !lookup_address (kwargs, &address, error))
    return FALSE;
  entry = find_by_address (registry, &address);
  if (may_be_struck_off (entry) && is_nobody_at (&address)) {
    *ret_result = g_variant_new ("(ss)", get_id (entry)->name, get_id (entry)->uuid);
    take_address_away (registry, entry, &address);
  }
  return TRUE;
}

#define SERVED(function)                                                                           \
  {                                                                                                \
    .entry = &(const TractorExport){ #function, TRACTOR_EXPORT_CALL }, .func = function            \
  }

static const Served served[] = {
  SERVED (register_actor), SERVED (unregister_actor), SERVED (find_actor),
  SERVED (wait_for_actor), SERVED (get_registry),     SERVED (delete_addr),
};

static void
serve (Registry *registry)
{
  for (guint i = 0; i < G_N_ELEMENTS (served); i++)
    tractor__exports_add (registry->runtime->exports, NAMESPACE_SELF, &served[i]);
}

static void
stop_serving (Registry *registry)
{
  for (guint i = 0; i < G_N_ELEMENTS (served); i++)
    tractor__exports_remove (registry->runtime->exports, NAMESPACE_SELF, served[i].entry->name);
}

gboolean
tractor__registry_ask (Registry *registry,
                       const char *function,
                       GVariant *kwargs,
                       GVariant **ret_result,
                       GError **error)
{
  g_autoptr (GVariant) result = NULL;
  g_autoptr (WireBuffer) packed = tractor__wire_buffer_new ();
  guint i = 0;

  while (strcmp (served[i].entry->name, function) != 0)
    i++;
  if (!served[i].func (registry->runtime, NULL, kwargs, &result, error))
    return FALSE;
  if (result != NULL)
    result = g_variant_take_ref (result);
  /* In the form that it would have coming from another actor. */
  return tractor__codec_pack (packed, result, error) &&
         tractor__codec_unpack ((WireValue){ packed->data, packed->len }, ret_result, error);
}
