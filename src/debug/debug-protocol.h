/* debug-protocol.h - what actors and the debugger's broker say to each other. For both: it needs libc only.
 *
 * An actor that is to stop connects to the broker's socket (SOCK_SEQPACKET) and asks. One packet is one message:
 *
 *    actor                      broker
 *    ASK ---------------------->  who and why; the broker knows the process by SO_PEERCRED, and puts it in line
 *        <---------------------- GO     its turn: it fills tractor_debug_1.stop, and lets the broker trace it
 *    READY -------------------->  it waits: a debugger may come
 *        <---------------------- BYE    the debugger has gone: go on
 *
 * Or it asks for nothing but a dump, by DUMP: the broker has the command `tractor` write what the actor and all below it do.
 *
 * A terminal that is lent for a debugger (tools/debugger/host.c) comes to the same socket:
 *
 *    terminal                   broker
 *    HOST --------------------->  for the actor @tid, or for whoever is next
 *         <--------------------- SERVING  it will hear; or BYE: that actor does not stop
 *         <--------------------- GO     it is to look at the actor @tid, @actor, @task
 *    READY -------------------->  it does; or it has been asked by another broker first, and ends the connection
 *    READY -------------------->  from the debugger itself, as it starts: @tid is its process
 *    DONE --------------------->  the debugger has gone; @kind is its word (DebugWord)
 *
 * and the actor gets one more GO, with @tid: the process that may trace it; and another one if it does not come to that.
 *
 * The end of a connection says that who asked has withdrawn, or is dead; or that the broker is, and then the actor goes
 * on by itself. While a debugger lets an actor run, with breakpoints in it, the connection stays open: the lock is
 * still the actor's.
 *
 * Beside that there is a page of memory, which the broker writes and all actors of the tree read: whether any of
 * them is held, and for how long all in all; and who is looked at, which the command `tractor` reads. Nothing goes over the tree's own connections: an actor that crashes
 * can write no frame, and its parent may be held itself. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>
#include <termios.h>

#define DEBUG_VERSION 1

/* The socket and the page are files whose names begin alike. */
#define DEBUG_SOCKET_SUFFIX ".sock"
#define DEBUG_PAGE_SUFFIX   ".page"

/* The broker's end of a connection to whoever started it. Its end is the broker's. It is told of what concerns the tree. */
#define DEBUG_CONTROL_FD 3

typedef enum {
  DEBUG_MSG_ASK,
  DEBUG_MSG_GO,
  DEBUG_MSG_READY,
  DEBUG_MSG_BYE,
  DEBUG_MSG_SERVING, /* to who started it: others may ask from now on */
  DEBUG_MSG_ABANDON, /* likewise: the tree is to end */
  DEBUG_MSG_DUMP,    /* by an actor: all its tasks, and those below it, are to be shown */
  DEBUG_MSG_HOST,
  DEBUG_MSG_DONE,
  DEBUG_MSG_QUIT, /* by an actor: @failure comes of a crash that was quit; answered by BYE when it is in the page */
} DebugMsgType;

/* What a debugger says before it lets the actor go, for that may be the end of the actor: in DONE, or in a byte to the
 * broker that has started it. tools/debugger/session.py has the same. */
typedef enum {
  DEBUG_WORD_NONE = 0,
  /* In its stead, by session.c: */
  DEBUG_WORD_SHELL = 1,      /* what begins is the shell of `tractor` */
  DEBUG_WORD_GDB_KILLED = 2, /* it has looked at somebody, and said nothing more */
  DEBUG_WORD_BEGUN = 'b',    /* before the others: it looks at somebody */
  DEBUG_WORD_ABANDON = 'a',
  DEBUG_WORD_QUIT = 'q', /* this failure is not to be shown again */
  DEBUG_WORD_NO_ATTACH = 'n',
  DEBUG_WORD_NO_LIBRARY = 'l', /* that of the process is not on disk any more */
  DEBUG_WORD_LEAVES = 't', /* beside one of the others, or alone: the terminal is given back now */
} DebugWord;

/* Beside the kinds of TractorDebugStopKind, and whatever kinds are wanted: who asks does so for an actor that has a
 * debugger of its own, @tid is the process of that, or 0, and READY says only that GO was heard. It has the terminal from
 * GO until the connection ends. */
#define DEBUG_KIND_FOREIGN 4

typedef struct {
  uint8_t version;
  uint8_t type;
  uint8_t kind; /* (ASK) a TractorDebugStopKind, or DEBUG_KIND_FOREIGN; (DONE) a DebugWord */
  uint8_t unused;
  int32_t tid; /* (ASK) of the thread; (GO, HOST, ASK of another) a process, or 0 */
  uint64_t task_id;
  uint64_t
      failure; /* (ASK) which it is, of all that fail in the tree: a process, if it crashes; 0: none */
  char actor[64];
  char task[32];
} DebugMsg;

#define DEBUG_KIND_BIT(kind) (1U << (kind))

/* How many failures are remembered that nobody is to be shown again. */
#define DEBUG_N_QUIT 64

/* The terminal while a debugger has it, and how it was before: for the root, if the broker is killed and cannot give it back. */
typedef struct {
  int32_t group;     /* that has it; 0: it is nobody's whom it would be taken from. Written last */
  int32_t is_python; /* which is its own debugger's, and lives on */
  int32_t group_before;
  struct termios settings_before;
} DebugLoan;

/* @sequence is odd while it is written. */
typedef struct {
  uint32_t version;
  uint32_t sequence;
  uint32_t is_held;
  uint32_t is_off;    /* nobody is to ask any more */
  uint32_t kinds;     /* of stops: DEBUG_KIND_BIT() of each that is wanted; 0: only dumps are */
  uint32_t n_waiting; /* who is held, with who is looked at */
  int64_t held_usec;  /* before this time */
  int64_t held_since; /* by CLOCK_MONOTONIC, in usec, if it is held */
  int64_t looked_at_since; /* likewise, if somebody is at the prompt: */
  int32_t looked_at;       /* whose process; 0: nobody is */
  uint32_t looked_at_kind; /* a TractorDebugStopKind: why */
  uint32_t n_quit;         /* so far; the last of them are in */
  int32_t broker;          /* its process */
  uint64_t quit[DEBUG_N_QUIT];
  DebugLoan loan;   /* not under @sequence */
  int32_t debugger; /* likewise: who looks, the leader of a group; 0: none of the broker's */
} DebugPage;
