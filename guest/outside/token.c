/* token.c - a lock-free list of calls that many threads push to and one takes whole.
 *
 * Taking the list leaves it empty, so exactly one push after that finds it empty, and only that
 * one has to wake the reader: any number of pushes before a tick cost one system call. A push that
 * comes between the reader's wakeup and its taking is taken along, and wakes it once too often,
 * which is harmless; none is ever missed.
 *
 * A signal handler may push too, at any point of any thread, so nothing here waits for a lock or
 * calls malloc(). Entries come from a store: a list of free ones, and behind it chunks that double
 * in size, each got from the kernel by mmap() when the ones before are used up. Many threads take
 * from the free list, so its head carries a tag that changes with each take: otherwise an entry
 * that was taken and given back meanwhile would be mistaken for one that never left.
 *
 * The token outlives its guest for as long as somebody holds it. Pushing to a closed one is
 * refused before anything of the guest is touched. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "token.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fork.h"
#include "guest.h"

typedef struct _Entry Entry;
struct _Entry {
  Entry *next; /* in the list of calls */
  TractorSoonFunc func;
  gpointer data;
  guint32 number;              /* in the store, counted from 1 */
  _Atomic (guint32) next_free; /* a number, 0: none */
  gboolean once;
};

/* Chunk k has FIRST_CHUNK << k entries. */
#define FIRST_CHUNK 64
#define N_CHUNKS    20

struct _TractorToken {
  _Atomic (guint) n_refs;
  _Atomic (Entry *) head;   /* newest first; &closed at the end */
  _Atomic (guint) n_inside; /* threads in the middle of a push */
  int wake_fd;
  guint fork_generation;

  _Atomic (guint64) free; /* a number, and a tag above it */
  _Atomic (guint32) n_made;
  _Atomic (Entry *) chunks[N_CHUNKS];
};

static Entry closed; /* its address only */

/* --- the store ---------------------------------------------------------------------------------- */

static gsize
chunk_bytes (guint chunk)
{
  return sizeof (Entry) * ((gsize) FIRST_CHUNK << chunk);
}

static void
locate (guint32 number, guint *ret_chunk, guint *ret_place)
{
  guint index = number - 1 + FIRST_CHUNK;
  guint chunk = (guint) g_bit_storage (index) - (guint) g_bit_storage (FIRST_CHUNK);

  *ret_chunk = chunk;
  *ret_place = index - (FIRST_CHUNK << chunk);
}

static Entry *
entry_of (TractorToken *token, guint32 number)
{
  guint chunk;
  guint place;

  locate (number, &chunk, &place);
  return atomic_load_explicit (&token->chunks[chunk], memory_order_acquire) + place;
}

/* mmap() and abort() are what a signal handler may call. */
static void
make_chunk (TractorToken *token, guint chunk)
{
  Entry *none = NULL;
  Entry *made =
      mmap (NULL, chunk_bytes (chunk), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

  if (made == MAP_FAILED)
    abort (); /* as GLib does without memory */
  if (!atomic_compare_exchange_strong_explicit (&token->chunks[chunk], &none, made,
                                                memory_order_acq_rel, memory_order_acquire))
    munmap (made, chunk_bytes (chunk)); /* another thread was faster */
}

static Entry *
make_entry (TractorToken *token)
{
  guint32 number = atomic_fetch_add_explicit (&token->n_made, 1, memory_order_relaxed) + 1;
  guint chunk;
  guint place;
  Entry *entry;

  locate (number, &chunk, &place);
  if (chunk >= N_CHUNKS)
    abort (); /* 60 million calls are waiting */
  if (atomic_load_explicit (&token->chunks[chunk], memory_order_acquire) == NULL)
    make_chunk (token, chunk);
  entry = entry_of (token, number);
  entry->number = number;
  return entry;
}

static Entry *
entry_take (TractorToken *token)
{
  guint64 head = atomic_load_explicit (&token->free, memory_order_acquire);

  while ((guint32) head != 0) {
    Entry *entry = entry_of (token, (guint32) head);
    guint64 next = atomic_load_explicit (&entry->next_free, memory_order_relaxed);
    guint64 tag = (head >> 32) + 1;

    if (atomic_compare_exchange_weak_explicit (&token->free, &head, tag << 32 | next,
                                               memory_order_acquire, memory_order_acquire))
      return entry;
  }
  return make_entry (token);
}

static void
entry_give (TractorToken *token, Entry *entry)
{
  guint64 head = atomic_load_explicit (&token->free, memory_order_relaxed);

  do
    atomic_store_explicit (&entry->next_free, (guint32) head, memory_order_relaxed);
  while (!atomic_compare_exchange_weak_explicit (&token->free, &head,
                                                 (head >> 32) << 32 | entry->number,
                                                 memory_order_release, memory_order_relaxed));
}

/* --- the token ---------------------------------------------------------------------------------- */

TractorToken *
tractor__token_new (int wake_fd, guint fork_generation)
{
  TractorToken *token = g_new0 (TractorToken, 1);

  atomic_init (&token->n_refs, 1);
  token->wake_fd = wake_fd;
  token->fork_generation = fork_generation;
  make_chunk (token, 0);
  return token;
}

TractorToken *
tractor_token_ref (TractorToken *token)
{
  g_return_val_if_fail (token != NULL, NULL);

  atomic_fetch_add_explicit (&token->n_refs, 1, memory_order_relaxed);
  return token;
}

void
tractor_token_unref (TractorToken *token)
{
  if (token == NULL || atomic_fetch_sub_explicit (&token->n_refs, 1, memory_order_acq_rel) > 1)
    return;

  for (guint chunk = 0; chunk < N_CHUNKS; chunk++)
    if (token->chunks[chunk] != NULL)
      munmap (token->chunks[chunk], chunk_bytes (chunk));
  g_free (token);
}

/* --- pushing ------------------------------------------------------------------------------------ */

static gboolean
push (TractorToken *token, TractorSoonFunc func, gpointer data, gboolean once)
{
  Entry *before = atomic_load_explicit (&token->head, memory_order_relaxed);
  Entry *entry;

  if (before == &closed)
    return FALSE;
  entry = entry_take (token);
  entry->func = func;
  entry->data = data;
  entry->once = once;
  do {
    if (before == &closed) {
      entry_give (token, entry);
      return FALSE;
    }
    entry->next = before;
    /* Release: pairs with the acquire of take(). */
  } while (!atomic_compare_exchange_weak_explicit (&token->head, &before, entry,
                                                   memory_order_release, memory_order_relaxed));

  /* The entry itself may have been called and given back by now. */
  if (before == NULL)
    tractor__poller_wake (token->wake_fd);
  return TRUE;
}

static gboolean
enter_and_push (TractorToken *token, TractorSoonFunc func, gpointer data, gboolean once)
{
  gboolean ok;

  if (token->fork_generation != tractor__fork_generation)
    return FALSE; /* what is behind the eventfd is another process's */
  atomic_fetch_add_explicit (&token->n_inside, 1, memory_order_seq_cst);
  ok = push (token, func, data, once);
  /* Release: pairs with the acquire of tractor__token_close(). */
  atomic_fetch_sub_explicit (&token->n_inside, 1, memory_order_release);
  return ok;
}

gboolean
tractor_token_run_soon (TractorToken *token, TractorSoonFunc func, gpointer data)
{
  g_return_val_if_fail (token != NULL && func != NULL, FALSE);

  return enter_and_push (token, func, data, FALSE);
}

gboolean
tractor_token_run_soon_once (TractorToken *token, TractorSoonFunc func, gpointer data)
{
  g_return_val_if_fail (token != NULL && func != NULL, FALSE);

  return enter_and_push (token, func, data, TRUE);
}

/* --- taking ------------------------------------------------------------------------------------- */

/* Returns: the entries, oldest first. */
static Entry *
take (TractorToken *token, Entry *leave, guint *ret_n_once)
{
  /* Acquire: pairs with the release of every push that is taken. */
  Entry *entry = atomic_exchange_explicit (&token->head, leave, memory_order_seq_cst);
  Entry *oldest = NULL;

  *ret_n_once = 0;
  while (entry != NULL && entry != &closed) {
    Entry *next = entry->next;

    *ret_n_once += entry->once ? 1 : 0;
    entry->next = oldest;
    oldest = entry;
    entry = next;
  }
  return oldest;
}

static guint
call_hash (gconstpointer key)
{
  const Entry *entry = key;

  return g_direct_hash ((gconstpointer) entry->func) * 31 + g_direct_hash (entry->data);
}

static gboolean
call_equal (gconstpointer a, gconstpointer b)
{
  const Entry *one = a;
  const Entry *other = b;

  return one->func == other->func && one->data == other->data;
}

/* Takes calls away that are to be made once and have an equal one before them. */
static void
drop_repeated (TractorToken *token, Entry *oldest)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (call_hash, call_equal);
  Entry **link = &oldest;

  while (*link != NULL) {
    Entry *entry = *link;

    if (entry->once && g_hash_table_contains (seen, entry)) {
      *link = entry->next;
      entry_give (token, entry);
      continue;
    }
    if (entry->once)
      g_hash_table_add (seen, entry);
    link = &entry->next;
  }
}

static void
take_and_call (TractorToken *token, Entry *leave)
{
  guint n_once;
  Entry *entry = take (token, leave, &n_once);

  if (n_once > 1)
    drop_repeated (token, entry);
  while (entry != NULL) {
    Entry call = { .next = entry->next, .func = entry->func, .data = entry->data };

    entry_give (token, entry);
    call.func (call.data);
    entry = call.next;
  }
}

void
tractor__token_drain (TractorToken *token)
{
  /* The usual case, without a locked instruction. */
  if (atomic_load_explicit (&token->head, memory_order_relaxed) != NULL)
    take_and_call (token, NULL);
}

guint
tractor__token_get_length (const TractorToken *token)
{
  const Entry *entry = atomic_load_explicit (&token->head, memory_order_acquire);
  guint n = 0;

  /* Others only put entries before these, and who takes them is the one who asks. */
  for (; entry != NULL && entry != &closed; entry = entry->next)
    n++;
  return n;
}

void
tractor__token_close (TractorToken *token)
{
  take_and_call (token, &closed);
  /* At most as long as another thread needs for one write(). */
  while (atomic_load_explicit (&token->n_inside, memory_order_seq_cst) > 0)
    g_thread_yield ();
}
