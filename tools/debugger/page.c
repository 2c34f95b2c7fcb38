/* page.c - the page of memory by which the tree knows whether it is held: all read it, and only we write.
 *
 * As long as anybody is in the line the tree is held, and the first of it may be looked at. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

static DebugPage *page;

bool
page_map (const char *path)
{
  int fd = open (path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  void *at = fd >= 0 ? mmap (NULL, sizeof (DebugPage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                     : MAP_FAILED;

  if (fd >= 0)
    close (fd);
  if (at == MAP_FAILED)
    return false;
  page = at;
  return true;
}

void
page_begin (void)
{
  page->broker = getpid ();
}

void
page_update (int n_askers, const Asker *first)
{
  bool is_held = n_askers > 0;
  bool is_looked_at = first != NULL && first->state == LOOKED_AT;
  pid_t looked_at = is_looked_at ? first->pid : 0;

  if ((uint32_t) n_askers == page->n_waiting && looked_at == page->looked_at)
    return;
  __atomic_store_n (&page->sequence, page->sequence + 1, __ATOMIC_RELAXED);
  __atomic_thread_fence (__ATOMIC_RELEASE);
  if (is_held && !page->is_held)
    page->held_since = asker_now_usec ();
  else if (!is_held && page->is_held)
    page->held_usec += asker_now_usec () - page->held_since;
  page->is_held = is_held;
  page->n_waiting = (uint32_t) n_askers;
  page->looked_at = looked_at;
  page->looked_at_kind = is_looked_at ? first->ask.kind : 0;
  page->looked_at_since = is_looked_at ? first->since_msec * 1000 : 0;
  __atomic_store_n (&page->sequence, page->sequence + 1, __ATOMIC_RELEASE);
}

void
page_set_loan (const DebugLoan *loan)
{
  if (page == NULL)
    return;
  __atomic_store_n (&page->loan.group, 0, __ATOMIC_RELEASE);
  page->loan.is_python = loan->is_python;
  page->loan.group_before = loan->group_before;
  page->loan.settings_before = loan->settings_before;
  __atomic_store_n (&page->loan.group, loan->group, __ATOMIC_RELEASE);
}

void
page_set_debugger (pid_t pid)
{
  if (page != NULL)
    __atomic_store_n (&page->debugger, pid, __ATOMIC_RELEASE);
}

void
page_turn_off (void)
{
  __atomic_store_n (&page->is_off, 1, __ATOMIC_RELAXED);
}

bool
page_is_off (void)
{
  return page->is_off != 0;
}

void
page_show_no_more (uint64_t failure)
{
  page->quit[page->n_quit++ % DEBUG_N_QUIT] = failure;
}
