/* core.c - tractor core: gdb at what is left of a process, with its program and the commands for tasks.
 *
 * A core has in its notes which files were mapped where, and where the program began: the file that was there is the
 * program. gdb does not look for it by itself, and without it a core says nothing. It may be another one by now, if it was
 * built anew; gdb says so then. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "gdb.h"

static char **files;
static char *program;

static const GOptionEntry options[] = {
  { "program", 0, 0, G_OPTION_ARG_FILENAME, &program,
    "The program that it is of, if that is not where it was", "PROGRAM" },
  { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, NULL, "FILE" },
  { 0 },
};

/* --- what a core says ---------------------------------------------------------------------------- */

/* A part of the file that has been looked at for being in it. */
typedef struct {
  const guint8 *bytes;
  gsize length;
} Part;

/* Returns: FALSE if it is not all there. */
static gboolean
take_part (const Part *whole, guint64 offset, guint64 length, Part *ret_part)
{
  if (offset > whole->length || length > whole->length - offset)
    return FALSE;
  *ret_part = (Part){ whole->bytes + offset, length };
  return TRUE;
}

/* Copies: nothing need be aligned in there. */
static gboolean
read_at (const Part *part, guint64 offset, void *object, gsize length)
{
  Part found;

  if (!take_part (part, offset, length, &found))
    return FALSE;
  memcpy (object, found.bytes, length);
  return TRUE;
}

/* Of one with more segments than the header has room for, the first section says how many. */
static gboolean
count_segments (const Part *core, const Elf64_Ehdr *header, guint64 *ret_n)
{
  Elf64_Shdr section;

  *ret_n = header->e_phnum;
  if (header->e_phnum != PN_XNUM)
    return TRUE;
  if (!read_at (core, header->e_shoff, &section, sizeof section))
    return FALSE;
  *ret_n = section.sh_info;
  return TRUE;
}

/* Finds the note of that type which the kernel has written. */
static gboolean
find_note_in (const Part *notes, guint32 type, Part *ret_note)
{
  Elf64_Nhdr note;

  for (guint64 at = 0; read_at (notes, at, &note, sizeof note);) {
    guint64 described_at = at + sizeof note + ((guint64) note.n_namesz + 3) / 4 * 4;

    if (note.n_type == type)
      return take_part (notes, described_at, note.n_descsz, ret_note);
    at = described_at + ((guint64) note.n_descsz + 3) / 4 * 4;
  }
  return FALSE;
}

static gboolean
find_note (const Part *core, guint32 type, Part *ret_note)
{
  Elf64_Ehdr header;
  Elf64_Phdr segment;
  guint64 n_segments;
  Part notes;

  if (!read_at (core, 0, &header, sizeof header) || !count_segments (core, &header, &n_segments))
    return FALSE;
  for (guint64 i = 0; i < n_segments; i++) {
    if (!read_at (core, header.e_phoff + i * sizeof segment, &segment, sizeof segment))
      return FALSE;
    if (segment.p_type == PT_NOTE && take_part (core, segment.p_offset, segment.p_filesz, &notes) &&
        find_note_in (&notes, type, ret_note))
      return TRUE;
  }
  return FALSE;
}

/* Returns: 0: it does not say. */
static guint64
find_entry (const Part *core)
{
  Elf64_auxv_t value;
  Part note;

  if (!find_note (core, NT_AUXV, &note))
    return 0;
  for (guint64 at = 0; read_at (&note, at, &value, sizeof value); at += sizeof value)
    if (value.a_type == AT_ENTRY)
      return value.a_un.a_val;
  return 0;
}

/* (transfer full) (nullable): the name of the file that is mapped at @address */
static char *
find_mapped_file (const Part *core, guint64 address)
{
  struct {
    guint64 n;
    guint64 page_bytes;
  } head;
  guint64 name_at;
  Part note;

  if (!find_note (core, NT_FILE, &note) || !read_at (&note, 0, &head, sizeof head) ||
      head.n > note.length / (3 * sizeof (guint64)))
    return NULL;
  name_at = sizeof head + head.n * 3 * sizeof (guint64);
  for (guint64 i = 0; i < head.n && name_at < note.length; i++) {
    const char *name = (const char *) note.bytes + name_at;
    gsize length = strnlen (name, note.length - name_at);
    guint64 range[2];

    if (read_at (&note, sizeof head + i * 3 * sizeof (guint64), range, sizeof range) &&
        address >= range[0] && address < range[1])
      return g_strndup (name, length);
    name_at += length + 1;
  }
  return NULL;
}

static gboolean
is_core (const Part *core)
{
  Elf64_Ehdr header;

  return read_at (core, 0, &header, sizeof header) &&
         memcmp (header.e_ident, ELFMAG, SELFMAG) == 0 && header.e_ident[EI_CLASS] == ELFCLASS64 &&
         header.e_type == ET_CORE;
}

/* --- the command --------------------------------------------------------------------------------- */

/* (transfer full): NULL with @error */
static char *
find_program (const char *file, GError **error)
{
  g_autoptr (GMappedFile) mapped = g_mapped_file_new (file, FALSE, error);
  g_autofree char *found = NULL;
  Part core;

  if (mapped == NULL)
    return NULL;
  core = (Part){ (const guint8 *) g_mapped_file_get_contents (mapped),
                 g_mapped_file_get_length (mapped) };
  if (!is_core (&core)) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                 "'%s' is no core of this kind of machine; if it is compressed, unpack it first",
                 file);
    return NULL;
  }
  if (program != NULL)
    return g_strdup (program);
  found = find_mapped_file (&core, find_entry (&core));
  if (found != NULL && access (found, R_OK) == 0)
    return g_steal_pointer (&found);
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_NOENT,
               "The program that '%s' is of, %s, is not there: --program says where it is", file,
               found != NULL ? found : "which it does not name");
  return NULL;
}

static Status
run (G_GNUC_UNUSED gint pid, GError **error)
{
  g_autofree char *its_program = NULL;

  if (files == NULL || files[1] != NULL) {
    g_set_error_literal (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                         files == NULL ? "The core is missing" : "One core at a time");
    return STATUS_USAGE;
  }
  its_program = find_program (files[0], error);
  if (its_program != NULL)
    gdb_become ((const char *const[]){ its_program, files[0], NULL }, error);
  return STATUS_FAILED;
}

const Command command_core = {
  "core",
  "gdb at the core of a process that has crashed, with the commands for its tasks",
  "The program is found by what the core says. \"help tractor\" there lists the commands.",
  TAKES_NO_PID,
  options,
  run,
};
