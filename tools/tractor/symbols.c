/* symbols.c - the symbols of a program or a library, read from its file.
 *
 * A file is mapped, and believed only as far as it reaches: it is whatever somebody has started. Its own table of
 * symbols is taken if it has one, which has static functions too; a stripped file has only those that the linker has
 * exported. Functions are sorted when the first of them is looked for. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef ElfW (Ehdr) Header;
typedef ElfW (Phdr) Segment;
typedef ElfW (Shdr) Section;
typedef ElfW (Sym) Symbol;

typedef struct {
  guint64 start;
  guint64 size;
  const char *name;
} Function;

struct _Symbols {
  const char *bytes;
  gsize length;
  guint64 inode;
  GArray *functions; /* (nullable): until they are needed */
};

/* --- a file -------------------------------------------------------------------------------------- */

Symbols *
symbols_open (const char *path)
{
  struct stat status;
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  void *bytes = MAP_FAILED;
  Symbols *symbols;

  if (fd < 0)
    return NULL;
  if (fstat (fd, &status) == 0 && S_ISREG (status.st_mode) &&
      status.st_size >= (off_t) sizeof (Header))
    bytes = mmap (NULL, (gsize) status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close (fd);
  if (bytes == MAP_FAILED)
    return NULL;
  symbols = g_new0 (Symbols, 1);
  symbols->bytes = bytes;
  symbols->length = (gsize) status.st_size;
  symbols->inode = status.st_ino;
  if (memcmp (symbols->bytes, ELFMAG, SELFMAG) == 0 &&
      symbols->bytes[EI_CLASS] == (sizeof (gpointer) == 8 ? ELFCLASS64 : ELFCLASS32))
    return symbols;
  symbols_free (symbols);
  return NULL;
}

void
symbols_free (Symbols *symbols)
{
  if (symbols == NULL)
    return;
  munmap ((void *) symbols->bytes, symbols->length);
  g_clear_pointer (&symbols->functions, g_array_unref);
  g_free (symbols);
}

guint64
symbols_get_inode (const Symbols *symbols)
{
  return symbols->inode;
}

/* Returns: (nullable): the @n things of @size that are there, if the file has all of them. */
static const void *
get (const Symbols *symbols, guint64 offset, gsize size, guint64 n)
{
  if (offset > symbols->length || offset % sizeof (gpointer) != 0 ||
      n > (symbols->length - offset) / size)
    return NULL;
  return symbols->bytes + offset;
}

static const Header *
get_header (const Symbols *symbols)
{
  return (const void *) symbols->bytes;
}

guint64
symbols_get_bias (const Symbols *symbols, guint64 start)
{
  const Header *header = get_header (symbols);
  const guint64 in_page = (guint64) sysconf (_SC_PAGESIZE) - 1;
  const Segment *segments = NULL;

  if (header->e_phentsize == sizeof *segments)
    segments = get (symbols, header->e_phoff, sizeof *segments, header->e_phnum);
  for (guint i = 0; segments != NULL && i < header->e_phnum; i++)
    if (segments[i].p_type == PT_LOAD) /* the lowest comes first */
      return start - (segments[i].p_vaddr & ~in_page);
  return start;
}

/* --- its tables ---------------------------------------------------------------------------------- */

typedef struct {
  const Symbol *symbols;
  guint64 n_symbols;
  guint64 names_offset;
  guint64 names_size;
} Table;

/* @type: SHT_SYMTAB or SHT_DYNSYM */
static gboolean
find_table (const Symbols *symbols, guint type, Table *ret_table)
{
  const Header *header = get_header (symbols);
  const Section *sections = NULL;

  if (header->e_shentsize == sizeof *sections)
    sections = get (symbols, header->e_shoff, sizeof *sections, header->e_shnum);
  for (guint i = 0; sections != NULL && i < header->e_shnum; i++) {
    const Section *section = &sections[i];

    if (section->sh_type != type || section->sh_link >= header->e_shnum)
      continue;
    ret_table->n_symbols = section->sh_size / sizeof (Symbol);
    ret_table->symbols = get (symbols, section->sh_offset, sizeof (Symbol), ret_table->n_symbols);
    ret_table->names_offset = sections[section->sh_link].sh_offset;
    ret_table->names_size = sections[section->sh_link].sh_size;
    return ret_table->symbols != NULL && ret_table->names_offset <= symbols->length &&
           ret_table->names_size <= symbols->length - ret_table->names_offset;
  }
  return FALSE;
}

/* (nullable) */
static const char *
get_name (const Symbols *symbols, const Table *table, const Symbol *symbol)
{
  const char *names = symbols->bytes + table->names_offset;

  if (symbol->st_name >= table->names_size ||
      memchr (names + symbol->st_name, '\0', table->names_size - symbol->st_name) == NULL)
    return NULL;
  return names + symbol->st_name;
}

gboolean
symbols_lookup (Symbols *symbols, const char *name, guint64 *ret_address)
{
  static const guint types[] = { SHT_DYNSYM, SHT_SYMTAB };
  Table table;

  for (guint i = 0; i < G_N_ELEMENTS (types); i++) {
    if (!find_table (symbols, types[i], &table))
      continue;
    for (guint64 j = 0; j < table.n_symbols; j++)
      if (table.symbols[j].st_shndx != SHN_UNDEF &&
          g_strcmp0 (get_name (symbols, &table, &table.symbols[j]), name) == 0) {
        *ret_address = table.symbols[j].st_value;
        return TRUE;
      }
  }
  return FALSE;
}

/* --- its functions ------------------------------------------------------------------------------- */

static int
compare_functions (gconstpointer a, gconstpointer b)
{
  const Function *one = a;
  const Function *other = b;

  if (one->start != other->start)
    return one->start < other->start ? -1 : 1;
  return 0;
}

static void
load_functions (Symbols *symbols)
{
  Table table;

  symbols->functions = g_array_new (FALSE, FALSE, sizeof (Function));
  if (!find_table (symbols, SHT_SYMTAB, &table) && !find_table (symbols, SHT_DYNSYM, &table))
    return;
  for (guint64 i = 0; i < table.n_symbols; i++) {
    const Symbol *symbol = &table.symbols[i];
    Function function = { symbol->st_value, symbol->st_size, NULL };

    if (ELF32_ST_TYPE (symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF)
      continue;
    function.name = get_name (symbols, &table, symbol);
    if (function.name != NULL && *function.name != '\0')
      g_array_append_val (symbols->functions, function);
  }
  g_array_sort (symbols->functions, compare_functions);
}

const char *
symbols_find_function (Symbols *symbols, guint64 address, guint64 *ret_start)
{
  guint low = 0;
  guint high;
  const Function *found;

  if (symbols->functions == NULL)
    load_functions (symbols);
  high = symbols->functions->len;
  while (low < high) {
    guint middle = (low + high) / 2;

    if (g_array_index (symbols->functions, Function, middle).start <= address)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == 0)
    return NULL;
  found = &g_array_index (symbols->functions, Function, low - 1);
  /* What is written in assembly may have no size. */
  if (found->size > 0 && address - found->start >= found->size)
    return NULL;
  *ret_start = found->start;
  return found->name;
}
