/* memory.c - the memory of another process: what is in it, what is mapped into it, and what its code is called.
 *
 * The process is not stopped for that, unless it is already: what is read may change meanwhile. So an address that
 * cannot be read is no mistake, and what is mapped is as it was when it was opened. A file is looked at as the process
 * sees it; one that has been replaced since is not taken for it. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbols.h"

#define MAX_TEXT 4096 /* that a process may make us read */

typedef struct {
  guint64 start;
  guint64 end;
  gboolean is_code;
  struct _Module *module; /* (nullable): memory of no file */
} Mapping;

/* A file that is mapped. */
typedef struct _Module {
  char *path;
  const char *name; /* the end of it */
  guint64 start;    /* of its lowest mapping, as what runs */
  guint64 inode;
  gboolean has_code; /* which has been seen */
  gboolean is_tried;
  Symbols *symbols; /* (nullable) */
  guint64 bias;
  gboolean is_librarys;
} Module;

struct _Memory {
  gint pid;
  int fd;             /* of its memory as a file; -1: it has not been needed */
  GArray *mappings;   /* (element-type Mapping): in the order of their addresses */
  GPtrArray *modules; /* (element-type Module) */
};

/* --- what is in it ------------------------------------------------------------------------------- */

/* A filter of system calls, as a container may have one, knows those that are for this. It is the same right by which the
 * file can be opened. Returns: -1 with EPERM if that cannot be either. */
static int
get_file (Memory *memory)
{
  if (memory->fd < 0 && (errno == EPERM || errno == ENOSYS)) {
    g_autofree char *path = g_strdup_printf ("/proc/%d/mem", memory->pid);

    memory->fd = open (path, O_RDWR | O_CLOEXEC);
    errno = EPERM;
  }
  return memory->fd;
}

gboolean
memory_read (Memory *memory, guint64 address, void *bytes, gsize length)
{
  struct iovec here = { bytes, length };
  struct iovec there = { (void *) (gsize) address, length };
  gssize n = process_vm_readv (memory->pid, &here, 1, &there, 1, 0);

  if (n < 0 && get_file (memory) >= 0)
    n = pread (memory->fd, bytes, length, (off_t) address);
  return n == (gssize) length;
}

gboolean
memory_write (Memory *memory, guint64 address, const void *bytes, gsize length)
{
  struct iovec here = { (void *) bytes, length };
  struct iovec there = { (void *) (gsize) address, length };
  gssize n = process_vm_writev (memory->pid, &here, 1, &there, 1, 0);

  if (n < 0 && get_file (memory) >= 0)
    n = pwrite (memory->fd, bytes, length, (off_t) address);
  return n == (gssize) length;
}

guint64
memory_read_pointer (Memory *memory, guint64 address)
{
  guint64 pointer = 0;

  return memory_read (memory, address, &pointer, sizeof (gpointer)) ? pointer : 0;
}

/* A page at a time, for the next may not be there. */
char *
memory_read_text (Memory *memory, guint64 address)
{
  GString *text = g_string_new (NULL);

  while (address != 0 && text->len < MAX_TEXT) {
    char part[256];
    gsize n = MIN (sizeof part, 4096 - address % 4096);

    if (!memory_read (memory, address, part, n))
      break;
    g_string_append_len (text, part, (gssize) strnlen (part, n));
    if (memchr (part, '\0', n) != NULL)
      return g_string_free (text, FALSE);
    address += n;
  }
  g_string_free (text, TRUE);
  return NULL;
}

/* --- what is mapped ------------------------------------------------------------------------------ */

static void
module_free (gpointer data)
{
  Module *module = data;

  symbols_free (module->symbols);
  g_free (module->path);
  g_free (module);
}

static gboolean
is_of_library (const char *name)
{
  static const char *const names[] = { "libtractor-1.so", "libtractor-glib-1.so",
                                       "libtractor-uv-1.so", "libtractor-origins.so" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (name, names[i]))
      return TRUE;
  return FALSE;
}

/* Its lowest mapping is the one with its beginning, before its code. Parts of the file may be mapped elsewhere, too: by what
 * reads symbols. */
static void
note_mapping (Module *module, const Mapping *mapping, guint64 offset)
{
  if (offset == 0 && !module->has_code)
    module->start = mapping->start;
  if (mapping->is_code)
    module->has_code = TRUE;
}

static Module *
find_or_add_module (Memory *memory, const char *path, guint64 start, guint64 inode)
{
  Module *module;

  for (guint i = memory->modules->len; i-- > 0;) {
    module = memory->modules->pdata[i];
    if (module->inode == inode && g_str_equal (module->path, path))
      return module;
  }
  module = g_new0 (Module, 1);
  module->path = g_strdup (path);
  module->name = strrchr (module->path, '/') + 1;
  module->start = start;
  module->inode = inode;
  module->is_librarys = is_of_library (module->name);
  g_ptr_array_add (memory->modules, module);
  return module;
}

static void
add_mapping (Memory *memory, const char *line)
{
  Mapping mapping = { 0 };
  unsigned long start, end, offset, inode;
  char mode[5];
  int at = 0;

  if (sscanf (line, "%lx-%lx %4s %lx %*x:%*x %lu %n", &start, &end, mode, &offset, &inode, &at) !=
      5)
    return;
  mapping.start = start;
  mapping.end = end;
  mapping.is_code = mode[2] == 'x';
  if (at > 0 && line[at] == '/') {
    mapping.module = find_or_add_module (memory, line + at, start, inode);
    note_mapping (mapping.module, &mapping, offset);
  }
  g_array_append_val (memory->mappings, mapping);
}

static gboolean
read_mappings (Memory *memory)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/maps", memory->pid);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return FALSE;
  lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line != NULL; line++)
    add_mapping (memory, *line);
  return TRUE;
}

/* (nullable) */
static const Mapping *
find_mapping (const Memory *memory, guint64 address)
{
  guint low = 0;
  guint high = memory->mappings->len;

  while (low < high) {
    guint middle = (low + high) / 2;

    if (g_array_index (memory->mappings, Mapping, middle).end <= address)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == memory->mappings->len ||
      address < g_array_index (memory->mappings, Mapping, low).start)
    return NULL;
  return &g_array_index (memory->mappings, Mapping, low);
}

/* The file as the process sees it; if its name leads to another one by now, that is not it. */
static Symbols *
open_module (const Memory *memory, const Module *module)
{
  g_autofree char *inside = g_strdup_printf ("/proc/%d/root%s", memory->pid, module->path);
  g_autofree char *program = g_strdup_printf ("/proc/%d/exe", memory->pid);
  const char *const paths[] = { inside, module->path, program };

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++) {
    Symbols *symbols = symbols_open (paths[i]);

    if (symbols != NULL && symbols_get_inode (symbols) == module->inode)
      return symbols;
    symbols_free (symbols);
  }
  return NULL;
}

/* (nullable) */
static Symbols *
get_symbols (Memory *memory, Module *module)
{
  if (!module->is_tried) {
    module->is_tried = TRUE;
    module->symbols = open_module (memory, module);
    if (module->symbols != NULL)
      module->bias = symbols_get_bias (module->symbols, module->start);
  }
  return module->symbols;
}

gboolean
memory_is_code (const Memory *memory, guint64 address)
{
  const Mapping *mapping = find_mapping (memory, address);

  return mapping != NULL && mapping->is_code;
}

guint64
memory_get_end (const Memory *memory, guint64 address)
{
  const Mapping *mapping = find_mapping (memory, address);

  return mapping != NULL ? mapping->end : 0;
}

/* --- names --------------------------------------------------------------------------------------- */

static gboolean
find_in (Memory *memory, Module *module, const char *variable, guint64 *ret_address)
{
  Symbols *symbols = get_symbols (memory, module);

  if (symbols == NULL || !symbols_lookup (symbols, variable, ret_address))
    return FALSE;
  *ret_address += module->bias;
  return TRUE;
}

gboolean
memory_find_variable (Memory *memory, const char *variable, guint64 *ret_address)
{
  g_autofree char *link = g_strdup_printf ("/proc/%d/exe", memory->pid);
  g_autofree char *program = g_file_read_link (link, NULL);

  for (guint i = 0; i < memory->modules->len; i++) {
    Module *module = memory->modules->pdata[i];

    if (module->is_librarys && find_in (memory, module, variable, ret_address))
      return TRUE;
  }
  for (guint i = 0; i < memory->modules->len; i++) {
    Module *module = memory->modules->pdata[i];

    if (g_strcmp0 (module->path, program) == 0 && find_in (memory, module, variable, ret_address))
      return TRUE;
  }
  return FALSE;
}

gboolean
memory_has_lost_library (Memory *memory)
{
  for (guint i = 0; i < memory->modules->len; i++) {
    Module *module = memory->modules->pdata[i];

    if (module->is_librarys && get_symbols (memory, module) == NULL)
      return TRUE;
  }
  return FALSE;
}

void
memory_describe (Memory *memory, guint64 address, gboolean is_return, PlaceInCode *ret_place)
{
  /* A function that ends in a call that never returns would else be taken for what lies behind it. */
  guint64 inside = address - (is_return ? 1 : 0);
  const Mapping *mapping = find_mapping (memory, inside);
  Module *module = mapping != NULL ? mapping->module : NULL;
  Symbols *symbols = module != NULL ? get_symbols (memory, module) : NULL;
  guint64 start = 0;

  *ret_place = (PlaceInCode){ .offset = address };
  if (module == NULL)
    return;
  ret_place->module = module->name;
  ret_place->is_librarys = module->is_librarys;
  ret_place->offset = address - (symbols != NULL ? module->bias : module->start);
  if (symbols == NULL)
    return;
  ret_place->function = symbols_find_function (symbols, inside - module->bias, &start);
  if (ret_place->function != NULL)
    ret_place->offset -= start;
}

/* --- its life ------------------------------------------------------------------------------------ */

Memory *
memory_open (gint pid)
{
  g_autoptr (Memory) memory = g_new0 (Memory, 1);

  memory->pid = pid;
  memory->fd = -1;
  memory->mappings = g_array_new (FALSE, FALSE, sizeof (Mapping));
  memory->modules = g_ptr_array_new_with_free_func (module_free);
  return read_mappings (memory) ? g_steal_pointer (&memory) : NULL;
}

void
memory_free (Memory *memory)
{
  if (memory == NULL)
    return;
  if (memory->fd >= 0)
    close (memory->fd);
  g_array_unref (memory->mappings);
  g_ptr_array_unref (memory->modules);
  g_free (memory);
}

gint
memory_get_pid (const Memory *memory)
{
  return memory->pid;
}
