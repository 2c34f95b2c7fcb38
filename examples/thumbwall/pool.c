/* pool.c - decoders, and what they are to decode.
 *
 * Each decoder is an actor, and has a task here that feeds it. Its pixels come in a room, a file in
 * memory that both have mapped: it goes to the actor once, as a descriptor, and again to its next life
 * if a picture has killed it. A place in the room is a texture's for as long as anybody holds that;
 * nothing is copied. The file is sealed at its size, so no decoder can pull it away from under the
 * window. memfd_create() and the seals are GNU's: compile with -D_GNU_SOURCE. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wall.h"

typedef struct _Room Room;

typedef struct {
  Room *room;
  guint8 *pixels;
} Place;

struct _Room { /* in a GRcBox: its worker's, and each texture's */
  int fd;
  guint8 *bytes;
  GQueue free;             /* (element-type Place) */
  TractorParkingLot *full; /* (nullable): the worker waits for a place; NULL: it is gone */
  Place places[N_PLACES];
};

typedef struct {
  Pool *pool;
  Room *room;
  TractorPortal *portal;
  char *in_room; /* (nullable): the uuid of the actor that has entered it */
} Worker;

static void
room_clear (gpointer data)
{
  Room *room = data;

  munmap (room->bytes, ROOM_BYTES);
  close (room->fd);
  g_queue_clear (&room->free);
}

static Room *
room_new (GError **error)
{
  int fd = memfd_create ("thumbwall", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  guint8 *bytes = MAP_FAILED;
  Room *room;

  if (fd >= 0 && ftruncate (fd, (off_t) ROOM_BYTES) == 0 &&
      fcntl (fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
    bytes = mmap (NULL, ROOM_BYTES, PROT_READ, MAP_SHARED, fd, 0);
  if (bytes == MAP_FAILED) {
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_NOMEM, "no memory for pixels");
    return NULL;
  }
  room = g_rc_box_new (Room);
  *room =
      (Room){ .fd = fd, .bytes = bytes, .free = G_QUEUE_INIT, .full = tractor_parking_lot_new () };
  for (guint i = 0; i < N_PLACES; i++) {
    room->places[i] = (Place){ room, bytes + (gsize) i * PLACE_BYTES };
    g_queue_push_tail (&room->free, &room->places[i]);
  }
  return room;
}

/* A texture is gone, or has not come about. */
static void
leave_place (gpointer data)
{
  Room *room = ((Place *) data)->room;

  g_queue_push_tail (&room->free, data);
  if (room->full != NULL)
    tractor_parking_lot_unpark (room->full, 1);
  g_rc_box_release_full (room, room_clear);
}

/* --- workers ------------------------------------------------------------------------------------ */

/* A new life of the actor has not seen the room yet. */
static gboolean
enter_room (Worker *worker, GError **error)
{
  if (g_strcmp0 (tractor_portal_get_uuid (worker->portal), worker->in_room) == 0)
    return TRUE;
  if (!tractor_portal_call (
          worker->portal, "decoder:enter",
          g_variant_new_parsed ("{'room': <%@*>}", tractor_value_new_fd (worker->room->fd)), NULL,
          error))
    return FALSE;
  g_free (worker->in_room);
  worker->in_room = g_strdup (tractor_portal_get_uuid (worker->portal));
  return TRUE;
}

/* (transfer full) */
static GdkTexture *
decode (Worker *worker, const char *path, GError **error)
{
  Room *room = worker->room;
  g_autoptr (GBytes) pixels = NULL;
  g_autoptr (GVariant) size = NULL;
  Place *place;
  int width, height;

  while ((place = g_queue_pop_head (&room->free)) == NULL)
    if (!tractor_parking_lot_park (room->full, error))
      return NULL;
  g_rc_box_acquire (room);
  pixels = g_bytes_new_with_free_func (place->pixels, PLACE_BYTES, leave_place, place);
  if (!enter_room (worker, error))
    return NULL;
  if (!tractor_portal_call (worker->portal, "decoder:decode",
                            g_variant_new_parsed ("{'path': <%s>, 'place': <%x>}", path,
                                                  (gint64) (place - room->places)),
                            &size, error))
    return NULL;
  g_variant_get (size, "(ii)", &width, &height);
  width = CLAMP (width, 1, PLACE_PIXELS); /* it is the decoder that says so */
  height = CLAMP (height, 1, PLACE_PIXELS);
  return gdk_memory_texture_new (width, height, GDK_MEMORY_R8G8B8A8, pixels, (gsize) width * 4);
}

static void
request_free (Request *request)
{
  if (request->tile != NULL)
    g_object_set_data (request->tile, "request", NULL);
  g_free (request->path);
  g_free (request);
}

/* @request: (transfer full). Returns: FALSE when it is cancelled. What goes wrong with a picture is shown
 * in its place. */
static gboolean
serve (Worker *worker, Request *request, GError **error)
{
  Pool *pool = worker->pool;
  g_autoptr (GError) failure = NULL;
  g_autoptr (GdkTexture) texture = NULL;
  g_autofree char *text = NULL;

  texture = decode (worker, request->path, &failure);
  if (texture != NULL) {
    pool->n_decoded++;
  } else if (!g_error_matches (failure, TRACTOR_ERROR, TRACTOR_ERROR_CANCELLED)) {
    pool->n_failed++;
    text = tractor_error_describe (failure);
    g_print ("failed: %s: %s\n", request->path, text);
  } else {
    g_propagate_error (error, g_steal_pointer (&failure));
    request_free (request);
    return FALSE;
  }
  pool->show (request->tile, request->path, texture, text);
  request_free (request);
  if (g_queue_is_empty (&pool->wanted))
    g_print ("%u decoded, %u failed\n", pool->n_decoded, pool->n_failed);
  return TRUE;
}

static gboolean
run_worker (gpointer data, GError **error)
{
  Worker worker = { .pool = data, .room = room_new (error) };
  Pool *pool = data;

  if (worker.room != NULL)
    worker.portal = tractor_actor_nursery_start (
        pool->actors, tractor_task_get_name (),
        &(TractorSpawnOptions){ .on_death = TRACTOR_ON_DEATH_RESTART }, error);
  while (worker.portal != NULL && (g_queue_is_empty (&pool->wanted)
                                       ? tractor_parking_lot_park (pool->idle, error)
                                       : serve (&worker, g_queue_pop_head (&pool->wanted), error)))
    ;
  tractor_portal_unref (worker.portal);
  g_free (worker.in_room);
  if (worker.room != NULL) {
    g_clear_pointer (&worker.room->full, tractor_parking_lot_free);
    g_rc_box_release_full (worker.room, room_clear);
  }
  return FALSE;
}

static gboolean
watch_tree (gpointer node, GError **error)
{
  return tractor_glib_node_watch (node, error);
}

gboolean
pool_run (gpointer data, GError **error)
{
  Pool *pool = data;
  G_GNUC_UNUSED g_autoptr (TractorParkingLot) idle = pool->idle = tractor_parking_lot_new ();
  g_autoptr (TractorActorNursery) actors = pool->actors = tractor_actor_nursery_open_with_restarts (
      &(TractorRestartOptions){ .max_restarts = 1000 }, error);
  g_autoptr (TractorNursery) tasks = tractor_nursery_open ();

  if (actors != NULL)
    tractor_nursery_spawn (tasks, "tree", watch_tree, pool->tree, NULL, NULL);
  for (guint i = 0; actors != NULL && i < pool->n_workers; i++) {
    g_autofree char *name = g_strdup_printf ("decoder-%u", i + 1);

    tractor_nursery_spawn (tasks, name, run_worker, pool, NULL, NULL);
  }
  tractor_nursery_join (tasks, error);
  pool->idle = NULL;
  return actors != NULL && tractor_actor_nursery_join (actors, error);
}

/* --- what is wanted ------------------------------------------------------------------------------ */

void
pool_want (Pool *pool, Request *request)
{
  g_queue_push_head (&pool->wanted, request);
  if (pool->idle != NULL)
    tractor_parking_lot_unpark (pool->idle, 1);
}

void
pool_unwant (Pool *pool, Request *request)
{
  request->tile = NULL; /* if it is being decoded, that is for nothing */
  if (g_queue_remove (&pool->wanted, request))
    request_free (request);
}
