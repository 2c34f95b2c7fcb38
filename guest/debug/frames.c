/* frames.c - where a stack is, in names.
 *
 * As backtrace_symbols_fd() writes it, with two differences. A return address is looked up one byte before
 * it: a function that ends in a call that never returns, such as abort(), would else be taken for the one
 * that lies behind it. And names that the linker did not export are found too, those of static functions
 * among them: they are read from the file's own table of symbols, mapped for as long as that takes. What is
 * read there is believed as far as the file reaches.
 *
 * All of this may run in a signal handler: nothing is allocated. The dynamic loader's lock is taken, which
 * whoever was interrupted may hold. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "frames.h"

#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>
#include <unistd.h>

#include "raw-text.h"
#include "tractor-crash.h"

#define MAX_FRAMES 48

/* --- a file's own table of symbols ------------------------------------------------------------------ */

typedef ElfW (Ehdr) Header;
typedef ElfW (Shdr) Section;
typedef ElfW (Sym) Symbol;

typedef struct {
  const char *bytes;
  gsize length;
} File;

static gboolean
file_open (File *file, const char *path)
{
  struct stat status;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  void *bytes = MAP_FAILED;

  if (fd < 0)
    return FALSE;
  if (fstat (fd, &status) == 0 && S_ISREG (status.st_mode) &&
      status.st_size >= (off_t) sizeof (Header))
    bytes = mmap (NULL, (gsize) status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
  close (fd);
  if (bytes == MAP_FAILED)
    return FALSE;
  *file = (File){ bytes, (gsize) status.st_size };
  return TRUE;
}

static void
file_close (File *file)
{
  munmap ((void *) file->bytes, file->length);
}

/* Returns: (nullable): what is there, if the file has all of it. */
static const void *
file_get (const File *file, gsize offset, gsize size, gsize n)
{
  if (offset > file->length || offset % sizeof (gpointer) != 0 ||
      n > (file->length - offset) / MAX (size, 1))
    return NULL;
  return file->bytes + offset;
}

static const Section *
find_symbols (const File *file, const Section **ret_names)
{
  const Header *header = (const void *) file->bytes;
  const Section *sections;

  if (memcmp (header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_shentsize != sizeof *sections)
    return NULL;
  sections = file_get (file, header->e_shoff, sizeof *sections, header->e_shnum);
  for (guint i = 0; sections != NULL && i < header->e_shnum; i++) {
    if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum)
      continue;
    *ret_names = &sections[sections[i].sh_link];
    return &sections[i];
  }
  return NULL;
}

/* Returns: (nullable): the name, in the mapping, of the function that @address is in. */
static const char *
find_name (const File *file, gsize address, gsize *ret_start)
{
  const Section *names_section;
  const Section *section = find_symbols (file, &names_section);
  const Symbol *symbols;
  const Symbol *found = NULL;
  const char *name;
  gsize n;

  if (section == NULL)
    return NULL;
  n = section->sh_size / sizeof *symbols;
  symbols = file_get (file, section->sh_offset, sizeof *symbols, n);
  for (gsize i = 0; symbols != NULL && i < n; i++)
    if (ELF32_ST_TYPE (symbols[i].st_info) == STT_FUNC && symbols[i].st_shndx != SHN_UNDEF &&
        address - symbols[i].st_value < symbols[i].st_size)
      found = &symbols[i];
  if (found == NULL || names_section->sh_offset > file->length ||
      found->st_name >= file->length - names_section->sh_offset)
    return NULL;
  name = file->bytes + names_section->sh_offset + found->st_name;
  if (memchr (name, '\0', (gsize) (file->bytes + file->length - name)) == NULL)
    return NULL;
  *ret_start = found->st_value;
  return name;
}

/* Of the module that is at @info, by @module. Returns: (nullable): the name of the function that @address is in, which lives
 * as long as *@file is open. *@ret_start: where that is, from the module's beginning. */
static const char *
look_up (
    gsize address, const Dl_info *info, const struct link_map *module, File *file, gsize *ret_start)
{
  const char *better = NULL;

  *ret_start = (gsize) info->dli_saddr - module->l_addr;
  /* What is exported is not always the nearest: static functions lie in between. */
  if (file_open (file, module->l_name[0] == '\0' ? "/proc/self/exe" : module->l_name))
    better = find_name (file, address - module->l_addr, ret_start);
  return better != NULL ? better : info->dli_sname;
}

char *
tractor_dup_function_name (gconstpointer address)
{
  struct link_map *module = NULL;
  File file = { 0 };
  Dl_info info;
  gsize start;
  char *name;

  if (dladdr1 (address, &info, (void **) &module, RTLD_DL_LINKMAP) == 0 || module == NULL)
    return NULL;
  name = g_strdup (look_up ((gsize) address, &info, module, &file, &start));
  if (file.bytes != NULL)
    file_close (&file);
  return name;
}

/* --- lines ---------------------------------------------------------------------------------------------- */

static void
put_hex (int fd, gsize number)
{
  char digits[2 * sizeof number + 1];
  char *digit = digits + sizeof digits - 1;

  *digit = '\0';
  do
    *--digit = "0123456789abcdef"[number % 16];
  while ((number /= 16) > 0);
  put_text (fd, "0x");
  put_text (fd, digit);
}

typedef enum {
  NAMES_ARE_THERE,
  NAMES_ARE_STRIPPED,    /* of the program's own */
  NAMES_ARE_OUT_OF_REACH /* its file cannot be read */
} Names;

/* @address: what to look @pc up by. */
static Names
put_frame (int fd, gsize pc, gsize address, guint n_times)
{
  Names without = NAMES_ARE_STRIPPED;
  struct link_map *module = NULL;
  gboolean is_program;
  const char *name;
  File file = { 0 };
  gsize start;
  Dl_info info;

  if (dladdr1 ((void *) address, &info, (void **) &module, RTLD_DL_LINKMAP) == 0 ||
      module == NULL) {
    put_hex (fd, pc);
    put_text (fd, "\n");
    return NAMES_ARE_THERE;
  }

  is_program = module->l_name[0] == '\0';
  name = look_up (address, &info, module, &file, &start);
  if (file.bytes == NULL)
    without = NAMES_ARE_OUT_OF_REACH;
  put_text (fd, info.dli_fname);
  put_text (fd, "(");
  if (name != NULL)
    put_text (fd, name);
  put_text (fd, "+");
  put_hex (fd, pc - module->l_addr - (name != NULL ? start : 0));
  put_text (fd, ")[");
  put_hex (fd, pc);
  put_text (fd, "]");
  if (n_times > 1) {
    put_text (fd, ", ");
    put_number (fd, n_times);
    put_text (fd, " times");
  }
  put_text (fd, "\n");
  if (file.bytes != NULL)
    file_close (&file);
  return name != NULL || !is_program ? NAMES_ARE_THERE : without;
}

void
tractor__put_frames (int fd, void *const *pcs, guint n_pcs)
{
  Names names = NAMES_ARE_THERE;

  for (guint i = 0, n_same; i < n_pcs; i += n_same) {
    Names here;

    for (n_same = 1; i + n_same < n_pcs && pcs[i + n_same] == pcs[i]; n_same++)
      ; /* a recursion */
    here = put_frame (fd, (gsize) pcs[i], (gsize) pcs[i] - (i > 0), n_same);
    names = MAX (names, here);
  }
  if (names == NAMES_ARE_OUT_OF_REACH)
    put_text (fd, "(Names are missing because the program's file could not be opened: perhaps no "
                  "descriptor was free)\n");
  else if (names == NAMES_ARE_STRIPPED)
    put_text (
        fd, "(Names are missing because the program is stripped: do not strip it, or link it with "
            "-rdynamic)\n");
}

void
tractor__load_unwinder (void)
{
  void *pc;

  backtrace (&pc, 1);
}

static void *
get_pc (const ucontext_t *context)
{
#if defined(__x86_64__)
  return (void *) context->uc_mcontext.gregs[REG_RIP];
#elif defined(__aarch64__)
  return (void *) context->uc_mcontext.pc;
#else
  (void) context;
  return NULL;
#endif
}

void
tractor__put_interrupted_frames (int fd, const void *context)
{
  void *pcs[MAX_FRAMES];
  void *pc = get_pc (context);
  int n = backtrace (pcs, MAX_FRAMES);
  int first = 0;

  while (first < n && pcs[first] != pc) /* the handler's own */
    first++;
  if (first < n)
    tractor__put_frames (fd, pcs + first, (guint) (n - first));
  else
    tractor__put_frames (fd, pcs, (guint) MAX (n, 0));
}
