/* tractor-shm.h - memory that two actors share: a block of it, and a ring that items go through.
 *
 * Neither copies through a socket. Both are memory of the kernel's without a name (memfd), whose descriptors go
 * to another actor as any do (tractor-value.h), so over a Unix socket; when the last who has it is gone, so is
 * it.
 *
 * Whoever shares memory can write to it at any time, also between a check and what it was made for. What these
 * functions themselves need of it is read once, and checked, so that a bad peer costs an error. What a program
 * reads in place it copies before it checks it, unless it trusts the peer. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "tractor-error.h"

G_BEGIN_DECLS

/* --- blocks -------------------------------------------------------------------------------------- */

/**
 * TractorShm:
 *
 * A block of memory that others can have, too. Counted; each process has its own, for the same memory.
 */
typedef struct _TractorShm TractorShm;

/**
 * TractorShmAccess:
 * @TRACTOR_SHM_READ_WRITE: may be read and written
 * @TRACTOR_SHM_READ_ONLY: may be read
 *
 * What may be done with a block.
 */
typedef enum {
  TRACTOR_SHM_READ_WRITE,
  TRACTOR_SHM_READ_ONLY
} TractorShmAccess;

/**
 * tractor_shm_new:
 * @size: in bytes, at least 1
 * @others: what whoever is given its descriptor may do; READ_ONLY is the kernel's promise: nobody but this
 *   process, by this object, can ever write to the block
 *
 * Makes a block of zeros, which this process may write to. Its size never changes.
 *
 * A descriptor of it is sent as tractor_value_new_fd (tractor_shm_get_fd (shm)). What is written before a
 * message is sent is seen by who has received that; for more, the two agree upon something, such as a ring.
 *
 * Returns: (transfer full): the block; or NULL with @error set to LIMIT if @size is 0 or no size that memory
 *   has, or to a G_FILE_ERROR.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorShm *tractor_shm_new (gsize size, TractorShmAccess others, GError **error);

/**
 * tractor_shm_new_for_fd:
 * @fd: (transfer full): of a block, from tractor_value_take_fd(): closed if this fails. If that has failed,
 *   this does with the same error
 * @size: in bytes, what the block has to have; 0: whatever it has, which is the peer's choice
 * @access: READ_ONLY works for every block, READ_WRITE for one that others may write to
 *
 * Maps a block that another actor has made.
 *
 * Returns: (transfer full): the block; or NULL with @error set to MSG_TYPE if @fd is no memory, or of another
 *   size, or if its maker could shrink it, which would end who reads it by a SIGBUS; or to a G_FILE_ERROR:
 *   G_FILE_ERROR_PERM if it may only be read, G_FILE_ERROR_BADF if @fd is not open.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorShm *
tractor_shm_new_for_fd (int fd, gsize size, TractorShmAccess access, GError **error);

/**
 * tractor_shm_ref:
 *
 * Returns: (transfer full): @shm itself.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorShm *tractor_shm_ref (TractorShm *shm);

/**
 * tractor_shm_unref:
 * @shm: (transfer full) (nullable)
 *
 * The last one unmaps the block in this process and closes its descriptor. Others still have it.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_shm_unref (TractorShm *shm);

/**
 * tractor_shm_get_size:
 *
 * Returns: in bytes.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gsize tractor_shm_get_size (TractorShm *shm);

/**
 * tractor_shm_get_data:
 *
 * Returns: (transfer none): where the block begins in this process, at the start of a page; good until the last
 *   tractor_shm_unref().
 * Suspends: no. Thread: any.
 */
TRACTOR_API gconstpointer tractor_shm_get_data (TractorShm *shm);

/**
 * tractor_shm_get_writable_data:
 *
 * Returns: (transfer none) (nullable): as tractor_shm_get_data(); NULL if this process may only read.
 * Suspends: no. Thread: any.
 */
TRACTOR_API gpointer tractor_shm_get_writable_data (TractorShm *shm);

/**
 * tractor_shm_get_fd:
 *
 * For tractor_value_new_fd(). The block has to be there until what that is in has been sent.
 *
 * Returns: its descriptor, which stays the block's.
 * Suspends: no. Thread: any.
 */
TRACTOR_API int tractor_shm_get_fd (TractorShm *shm);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorShm, tractor_shm_unref)

/* --- rings ---------------------------------------------------------------------------------------- */

/* A ring is a queue of bytes in shared memory, from one actor to another: items of any length, each whole and in
 * order. Who waits for an item, or for room, is a task that is suspended; the other end makes a system call
 * only if there is one to be woken.
 *
 * One actor makes the ring, sends it to another, and then each opens an end of its own:
 *
 *     g_autoptr (TractorRing) ring = tractor_ring_new (1024 * 1024, error);
 *     ... tractor_portal_open_context (portal, "m:f", kwargs with tractor_ring_get_value (ring), ...);
 *     g_autoptr (TractorRingWriter) writer = tractor_ring_open_writer (g_steal_pointer (&ring), error);
 *
 * and over there tractor_ring_open_reader (tractor_ring_take_value (value, error), error); or the other way
 * round.
 *
 * An end is one task's at a time: a second one that would have to wait, too, gets BUSY. It belongs to the task
 * that has opened it, though another may close it: if that task ends and it is still open it is closed, and the
 * task ends with MISUSE.
 *
 * Each end sees when the other is closed, or its process has died, whatever becomes of the connection between
 * the two actors. Inside a context a wait ends besides when the context does.
 *
 * No call gives others their turn each time, as a ring's are to be quick: one after many items does, as after
 * many bytes, and each reports a cancel. */

/**
 * TractorRing:
 *
 * A ring that is not open yet.
 */
typedef struct _TractorRing TractorRing;

/**
 * TractorRingWriter:
 *
 * The end of a ring that items are written to.
 */
typedef struct _TractorRingWriter TractorRingWriter;

/**
 * TractorRingReader:
 *
 * The end of a ring that items are read from.
 */
typedef struct _TractorRingReader TractorRingReader;

/**
 * tractor_ring_new:
 * @capacity: in bytes: rounded up to a power of two, and at least a page; at most 1 GiB. An item takes 8 bytes
 *   more than its length, rounded up to 8; the longest one has 8 less than the capacity
 *
 * Makes a ring.
 *
 * Returns: (transfer full): to be sent, and then opened; or NULL with @error set to LIMIT for a @capacity that
 *   is too large, or to a G_FILE_ERROR.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorRing *tractor_ring_new (gsize capacity, GError **error);

/**
 * tractor_ring_get_value:
 *
 * For the other actor, as a value or inside one: it has two descriptors in it. To be sent once, before @ring is
 * opened or freed: the end that is left is for this actor. Two of whom neither is this one need a ring that one of them
 * makes.
 *
 * Returns: (transfer none): a floating value, good for nothing else; or NULL with @error set to MISUSE if @ring
 *   has come from another actor, or this was called before.
 * Suspends: no. Thread: any.
 */
TRACTOR_API GVariant *tractor_ring_get_value (TractorRing *ring, GError **error);

/**
 * tractor_ring_take_value:
 * @value: (nullable): as it arrived
 *
 * Takes a ring that another actor has made.
 *
 * Returns: (transfer full): to be opened; or NULL with @error set to MSG_TYPE if @value is no ring, or not one
 *   that can be relied on; to CLOSED if it has been taken before; or to a G_FILE_ERROR.
 * Suspends: no. Thread: any.
 */
TRACTOR_API TractorRing *tractor_ring_take_value (GVariant *value, GError **error);

/**
 * tractor_ring_free:
 * @ring: (transfer full) (nullable)
 *
 * Frees a ring that is not to be opened here. If the other actor has it, its end finds this one closed.
 *
 * Suspends: no. Thread: any.
 */
TRACTOR_API void tractor_ring_free (TractorRing *ring);

/**
 * tractor_ring_open_writer:
 * @ring: (transfer full): freed if this fails
 *
 * This actor writes, the other one reads. The actor that has made the ring has sent it before.
 *
 * Returns: (transfer full): to be closed; or NULL with @error set to MISUSE if the ring has a writer already,
 *   or outside a task; or to a G_FILE_ERROR.
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorRingWriter *tractor_ring_open_writer (TractorRing *ring, GError **error);

/**
 * tractor_ring_open_reader:
 * @ring: (transfer full): freed if this fails
 *
 * This actor reads, the other one writes. The actor that has made the ring has sent it before.
 *
 * Returns: (transfer full): to be closed; or NULL with @error set as by tractor_ring_open_writer().
 * Suspends: no. Thread: guest, in a task.
 */
TRACTOR_API TractorRingReader *tractor_ring_open_reader (TractorRing *ring, GError **error);

/**
 * tractor_ring_writer_reserve:
 * @length: in bytes
 *
 * Waits for room for an item, which is then written in place: nothing is copied. It becomes one by
 * tractor_ring_writer_commit(); until then another reserve takes its place.
 *
 * Returns: (transfer none): @length bytes of whatever, at a multiple of 8; or NULL with @error set to
 *   CANCELLED; BROKEN if the other end is closed, or its process has died, which is seen at the latest when
 *   there is no room; CLOSED after tractor_ring_writer_end(), or if another task closes this end meanwhile;
 *   LIMIT for an item that never fits; BUSY if another task waits; or PROTOCOL if the other end has damaged the
 *   ring.
 * Suspends: if there is no room, and now and then; always reports a cancel. Thread: guest, in a task.
 */
TRACTOR_API gpointer tractor_ring_writer_reserve (TractorRingWriter *writer,
                                                  gsize length,
                                                  GError **error);

/**
 * tractor_ring_writer_commit:
 * @length: in bytes: what was reserved, or less
 *
 * What was reserved is an item now, and is on its way.
 *
 * Returns: TRUE; or FALSE with @error set to MISUSE if not so much was reserved.
 * Suspends: no. Thread: guest.
 */
TRACTOR_API gboolean tractor_ring_writer_commit (TractorRingWriter *writer,
                                                 gsize length,
                                                 GError **error);

/**
 * tractor_ring_writer_send:
 * @data: (array length=length) (element-type guint8) (nullable): copied; NULL if @length is 0
 * @length: in bytes
 *
 * Waits for room, and writes an item there.
 *
 * Returns: TRUE; or FALSE with @error set as by tractor_ring_writer_reserve().
 * Suspends: as tractor_ring_writer_reserve(). Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_ring_writer_send (TractorRingWriter *writer,
                                               gconstpointer data,
                                               gsize length,
                                               GError **error);

/**
 * tractor_ring_writer_end:
 *
 * No more items come: the reader is told so when it has read those that are there. Without it the reader gets
 * BROKEN.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_ring_writer_end (TractorRingWriter *writer);

/**
 * tractor_ring_writer_close:
 * @writer: (transfer full) (nullable)
 *
 * Closes this end. What was written before can still be read.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_ring_writer_close (TractorRingWriter *writer);

/**
 * tractor_ring_reader_peek:
 * @ret_data: (out) (transfer none): the item, in place, at a multiple of 8; good until the reader is closed, or
 *   the item released. The other end can still write to it: what has to stay as it was checked is to be copied
 *   first
 * @ret_length: (out): in bytes
 *
 * Waits for the next item, and leaves it in the ring.
 *
 * Returns: TRUE; or FALSE with @error set to CANCELLED; BROKEN if the other end is closed, or its process has
 *   died, without tractor_ring_writer_end(), after all items that are there; CLOSED if another task closes this
 *   end meanwhile; BUSY if another task waits; PROTOCOL if the other end has damaged the ring; or FALSE with
 *   @error unset at the end of the items.
 * Suspends: if there is no item, and now and then; always reports a cancel. Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_ring_reader_peek (TractorRingReader *reader,
                                               gconstpointer *ret_data,
                                               gsize *ret_length,
                                               GError **error);

/**
 * tractor_ring_reader_release:
 *
 * The item that was looked at is done with: its room is the writer's again, which hears of that at the latest
 * when a fourth of the ring is, or no item is known to be left. Does nothing if there was none.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_ring_reader_release (TractorRingReader *reader);

/**
 * tractor_ring_reader_receive:
 * @ret_item: (out) (transfer full): the item
 *
 * Waits for the next item, and takes a copy of it out of the ring.
 *
 * Returns: as tractor_ring_reader_peek().
 * Suspends: as tractor_ring_reader_peek(). Thread: guest, in a task.
 */
TRACTOR_API gboolean tractor_ring_reader_receive (TractorRingReader *reader,
                                                  GBytes **ret_item,
                                                  GError **error);

/**
 * tractor_ring_reader_close:
 * @reader: (transfer full) (nullable)
 *
 * Closes this end. The writer gets BROKEN.
 *
 * Suspends: no. Thread: guest.
 */
TRACTOR_API void tractor_ring_reader_close (TractorRingReader *reader);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorRing, tractor_ring_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorRingWriter, tractor_ring_writer_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TractorRingReader, tractor_ring_reader_close)

G_END_DECLS
