/* origins.c - notes where each GError is made. Loaded before all others (LD_PRELOAD), in debug mode.
 *
 * A GError has no stack: when a task ends with one, the function that made it has returned long ago. So GLib's functions
 * that make errors are here once more, and note who has called them, then do what GLib's do. What is noted is found by
 * the error's address, and is of that error only if its domain and code are the same and its text ends as it did: an
 * address is used again after an error is freed, by one that GLib may have made inside itself, which is not seen here;
 * and a text only ever gets something put before it (g_prefix_error()).
 *
 * What is noted is bounded: SETS times WAYS errors, of each set the latest. An error that is made and freed in a loop
 * takes the same places again, so one that lives is not driven out by that.
 *
 * A CANCELLED is how tasks unwind, and is never looked at: it is not noted.
 *
 * Whatever this is loaded into, programs that are none of GLib's too, is left as it is: it needs libc only, and where
 * GLib is, takes itself out of the environment, so that no other program gets it by being started from here. Debug mode
 * puts it there again for actors (src/process/spawn.c). */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <dlfcn.h>
#include <execinfo.h>
#include <glib.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "origins-protocol.h"

#define EXPORTED __attribute__ ((visibility ("default")))

#define SETS_LOG2 9
#define SETS      (1 << SETS_LOG2)
#define WAYS      8

/* Of a text its end is compared, so much of it. */
#define TEXT_BYTES 64

typedef struct {
  const GError *error; /* NULL: none is here */
  GQuark domain;
  gint code;
  uint32_t text_bytes; /* that are in the hash */
  uint32_t text_hash;
  uint64_t age;
  int n_frames;
  void *frames[ORIGINS_MOST_FRAMES];
} Site;

static Site sites[SETS][WAYS];
static uint64_t n_noted;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* --- GLib ---------------------------------------------------------------------------------------- */

/* Also if it has come with a module, and is not to be seen by all. */
static void *
find_in_glib (const char *name)
{
  void *symbol = dlsym (RTLD_NEXT, name);
  void *library;

  if (symbol != NULL)
    return symbol;
  library = dlopen ("libglib-2.0.so.0", RTLD_LAZY | RTLD_NOLOAD);
  symbol = library != NULL ? dlsym (library, name) : NULL;
  if (symbol == NULL)
    abort (); /* who has called us is none of GLib's, and uses its names */
  return symbol;
}

/* Looked for once; twice at the same time is no harm. */
#define GLIB(name)                                                                                 \
  __extension__({                                                                                  \
    static __typeof__ (name) *found;                                                               \
    __typeof__ (name) *function = __atomic_load_n (&found, __ATOMIC_RELAXED);                      \
                                                                                                   \
    if (function == NULL) {                                                                        \
      function = (__typeof__ (name) *) find_in_glib (#name);                                       \
      __atomic_store_n (&found, function, __ATOMIC_RELAXED);                                       \
    }                                                                                              \
    function;                                                                                      \
  })

/* --- what is noted ------------------------------------------------------------------------------- */

static Site *
get_set (const GError *error)
{
  uint64_t mixed = ((uintptr_t) error >> 4) * UINT64_C (0x9e3779b97f4a7c15);

  return sites[mixed >> (64 - SETS_LOG2)];
}

/* FNV-1a, of the last @n_bytes. */
static uint32_t
hash_end (const char *text, size_t n_bytes)
{
  uint32_t hash = 0x811c9dc5;

  for (const char *at = text + strlen (text) - n_bytes; *at != '\0'; at++)
    hash = (hash ^ (unsigned char) *at) * 0x01000193;
  return hash;
}

static int
is_of (const Site *site, const GError *error)
{
  return site->error == error && site->domain == error->domain && site->code == error->code &&
         strlen (error->message) >= site->text_bytes &&
         hash_end (error->message, site->text_bytes) == site->text_hash;
}

/* With the lock. Returns: NULL if there is none. */
static Site *
find (const GError *error)
{
  Site *set = get_set (error);

  for (int i = 0; i < WAYS; i++)
    if (is_of (&set[i], error))
      return &set[i];
  return NULL;
}

/* With the lock: where something is to be noted. */
static Site *
make_room (const GError *error)
{
  Site *set = get_set (error);
  Site *oldest = &set[0];

  for (int i = 0; i < WAYS; i++) {
    if (set[i].error == error)
      return &set[i];
    if (set[i].age < oldest->age)
      oldest = &set[i];
  }
  return oldest;
}

static void
note (const GError *error, void *const *frames, int n_frames)
{
  size_t text_bytes = MIN (strlen (error->message), TEXT_BYTES);
  Site *site;

  pthread_mutex_lock (&lock);
  site = make_room (error);
  site->error = error;
  site->domain = error->domain;
  site->code = error->code;
  site->text_bytes = (uint32_t) text_bytes;
  site->text_hash = hash_end (error->message, text_bytes);
  site->age = ++n_noted;
  site->n_frames = n_frames;
  memcpy (site->frames, frames, (size_t) n_frames * sizeof *frames);
  pthread_mutex_unlock (&lock);
}

static int
is_cancelled (const GError *error)
{
  static GQuark tractor_error;

  if (error->code != 0)
    return 0;
  if (__atomic_load_n (&tractor_error, __ATOMIC_RELAXED) == 0 &&
      strcmp (GLIB (g_quark_to_string) (error->domain), "TractorError") == 0)
    __atomic_store_n (&tractor_error, error->domain, __ATOMIC_RELAXED);
  return error->domain == __atomic_load_n (&tractor_error, __ATOMIC_RELAXED);
}

/* @caller: of the function that is here once more, where the frames begin. */
static void
note_caller (const GError *error, const void *caller)
{
  void *frames[ORIGINS_MOST_FRAMES + 4];
  int n, first;

  if (error == NULL || is_cancelled (error))
    return;
  n = backtrace (frames, ORIGINS_MOST_FRAMES + 4);
  for (first = 0; first < n && frames[first] != caller;)
    first++;
  if (first < n)
    note (error, frames + first, MIN (n - first, ORIGINS_MOST_FRAMES));
}

/* --- what is asked ------------------------------------------------------------------------------- */

EXPORTED int tractor_origins_find_1 (const void *error, void **pcs, int n_most);

int
tractor_origins_find_1 (const void *error, void **pcs, int n_most)
{
  const Site *site;
  int n = 0;

  pthread_mutex_lock (&lock);
  site = find (error);
  if (site != NULL) {
    n = MIN (site->n_frames, n_most);
    memcpy (pcs, site->frames, (size_t) n * sizeof *pcs);
  }
  pthread_mutex_unlock (&lock);
  return n;
}

/* --- GLib's functions, once more ----------------------------------------------------------------- */

EXPORTED GError *
g_error_new_valist (GQuark domain, gint code, const gchar *format, va_list arguments)
{
  GError *error = GLIB (g_error_new_valist) (domain, code, format, arguments);

  note_caller (error, __builtin_return_address (0));
  return error;
}

EXPORTED GError *
g_error_new (GQuark domain, gint code, const gchar *format, ...)
{
  va_list arguments;
  GError *error;

  va_start (arguments, format);
  error = GLIB (g_error_new_valist) (domain, code, format, arguments);
  va_end (arguments);
  note_caller (error, __builtin_return_address (0));
  return error;
}

EXPORTED GError *
g_error_new_literal (GQuark domain, gint code, const gchar *message)
{
  GError *error = GLIB (g_error_new_literal) (domain, code, message);

  note_caller (error, __builtin_return_address (0));
  return error;
}

/* As GLib's: one that is there already is warned of, and stays. */
EXPORTED void
g_set_error (GError **to, GQuark domain, gint code, const gchar *format, ...)
{
  va_list arguments;
  GError *error;

  if (to == NULL)
    return;
  va_start (arguments, format);
  error = GLIB (g_error_new_valist) (domain, code, format, arguments);
  va_end (arguments);
  note_caller (error, __builtin_return_address (0));
  GLIB (g_propagate_error) (to, error);
}

EXPORTED void
g_set_error_literal (GError **to, GQuark domain, gint code, const gchar *message)
{
  GError *error;

  if (to == NULL)
    return;
  error = GLIB (g_error_new_literal) (domain, code, message);
  note_caller (error, __builtin_return_address (0));
  GLIB (g_propagate_error) (to, error);
}

/* A copy was made where its original was. */
EXPORTED GError *
g_error_copy (const GError *error)
{
  GError *copy = GLIB (g_error_copy) (error);
  void *frames[ORIGINS_MOST_FRAMES];
  int n = error != NULL ? tractor_origins_find_1 (error, frames, ORIGINS_MOST_FRAMES) : 0;

  if (copy != NULL && n > 0)
    note (copy, frames, n);
  return copy;
}

/* --- being loaded -------------------------------------------------------------------------------- */

static void
take_lock (void)
{
  pthread_mutex_lock (&lock);
}

static void
give_lock (void)
{
  pthread_mutex_unlock (&lock);
}

/* We are the first that is named there: whoever has put us there has put us before others. */
static void
leave_environment (void)
{
  const char *all = getenv ("LD_PRELOAD");
  Dl_info self;

  if (all == NULL || dladdr ((void *) leave_environment, &self) == 0 || self.dli_fname == NULL ||
      strncmp (all, self.dli_fname, strlen (self.dli_fname)) != 0)
    return;
  all += strlen (self.dli_fname);
  if (*all == ':')
    setenv ("LD_PRELOAD", all + 1, 1);
  else if (*all == '\0')
    unsetenv ("LD_PRELOAD");
}

__attribute__ ((constructor)) static void
on_loaded (void)
{
  void *frame;

  if (dlsym (RTLD_NEXT, "g_error_new_valist") == NULL)
    return; /* a shell, perhaps, that starts the program */
  leave_environment ();
  backtrace (&frame, 1); /* loads the unwinder */
  pthread_atfork (take_lock, give_lock, give_lock);
}
