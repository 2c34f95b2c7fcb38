/* bounds.h - every bound and every patience, with its reason. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

/* A frame from a peer: as varlink and D-Bus allow. Of a larger one no more is stored than what says
 * which call it is of, which is refused; */
#define LIMIT_FRAME_BYTES (16 * 1024 * 1024)
/* up to this: who sends more does not know what it does. */
#define LIMIT_SKIPPED_BYTES (256 * 1024 * 1024)
/* What is stored of each of its keys and values. */
#define LIMIT_KEPT_BYTES 1024
/* Keys of a message: all that there are, and as many again. */
#define LIMIT_MESSAGE_KEYS 128
/* The codec recurses, and GVariant, three levels for each of these, goes 128 deep. */
#define LIMIT_DEPTH 32
/* Of that the message around a value takes two; so of a value that we are given to send */
#define ENVELOPE_DEPTH   2
#define LIMIT_SENT_DEPTH 30
/* The same of what we are given to send, with what has no msgpack of its own: a v in a v. As deep as
 * GVariant itself reads. */
#define LIMIT_LEVELS 128
/* Values in one payload: each costs us some 24 bytes while it is unpacked, whatever it costs the
 * sender, so 6 MiB in all; and, on a slow machine, 40 ms, in which others have their turns (below). */
#define LIMIT_ELEMENTS 262144
/* Of these the message around a value takes no more than 64; so of a value that we are given to send */
#define ENVELOPE_ELEMENTS   64
#define LIMIT_SENT_ELEMENTS 262080
/* Others have their turns meanwhile if it is of more bytes than this. After few of them, because a guest
 * does up to 64 steps before it sees that they have become long: so that is 5 ms. */
#define LARGE_PAYLOAD_BYTES 4096
#define VALUES_A_TURN       512
#define BYTES_A_TURN        (128 * 1024)
/* A sender takes turns from here on, where a value counts as VALUES_A_TURN in BYTES_A_TURN do: what is less
 * is a few milliseconds, and need not be copied again. */
#define LARGE_TO_PACK_BYTES (2 * 1024 * 1024)
/* What somebody may send before it is known who it is: one small frame, */
#define LIMIT_FIRST_FRAME_BYTES 4096
/* within this time, as upstream has it, */
#define PATIENCE_HANDSHAKE_USEC (10 * G_USEC_PER_SEC)
/* and while so many are at that at one address, whoever comes takes the place of one who has had this
 * long; or less, if its process has several of them: its share, but not less than this. It takes an actor
 * a millisecond, if the machine lets it run. */
#define LIMIT_HALF_OPEN             64
#define PATIENCE_CROWDED_USEC       G_USEC_PER_SEC
#define PATIENCE_CROWDED_LEAST_USEC (G_USEC_PER_SEC / 20)
/* Actors that a registrar knows; that one process may register; and of which it would not hear if they
 * ended. */
#define LIMIT_REGISTRY_ENTRIES  65536
#define LIMIT_NAMES_OF_PROCESS  64
#define LIMIT_UNWATCHED_ENTRIES 1024
/* One read: many small frames come in one. The buffer grows by as much as has really come. */
#define READ_BYTES (64 * 1024)
/* A connection that has been written to so many times in a row with so little between two writes is being
 * written to item by item: from then on it is gathered what comes in so many rounds of tasks. */
#define QUICK_WRITES    8
#define QUICK_USEC      4
#define ROUNDS_A_GATHER 256
/* What a Unix socket holds of what is written to it: more is faster hardly any more, and stands before
 * a cancel. */
#define SEND_BYTES (512 * 1024)
/* Senders wait while more than this is queued for a peer that does not read. */
#define LIMIT_QUEUED_BYTES (1024 * 1024)
/* A peer that asks, does not read the answers, and asks on, is cut off. */
#define LIMIT_UNREAD_BYTES (64 * 1024 * 1024)
/* What a stream holds that its receiver has not taken, whether its sender counts and waits, or does not.
 * Items are many because a small one costs little, and room for few would make a stream of them as slow
 * as calls. */
#define LIMIT_STREAM_ITEMS 4096
#define LIMIT_STREAM_BYTES (4 * 1024 * 1024)
/* And what all streams of one connection hold together, if the peer does not count. */
#define LIMIT_UNTAKEN_BYTES (64 * 1024 * 1024)
/* Calls that one peer may have running here. */
#define LIMIT_RPC_TASKS  1024
#define LIMIT_NAME_BYTES 128
#define LIMIT_CID_BYTES  128
/* Text of an error that is sent on. */
#define LIMIT_ERROR_TEXT_BYTES (64 * 1024)
/* Members of a group that is sent on, however deep; and how deep. */
#define LIMIT_GROUP_LEAVES 256
#define LIMIT_GROUP_DEPTH  8
/* Their text in all: what is no UTF-8 becomes three times as long, and has to fit into a frame. */
#define LIMIT_GROUP_TEXT_BYTES (LIMIT_FRAME_BYTES / 4)
/* Actors that passed an error on. */
#define LIMIT_RELAYS 32
/* Descriptors: of one message; and of those that nobody has taken yet, in the process, if a fourth of
 * RLIMIT_NOFILE is more than that. */
#define LIMIT_FDS_OF_MESSAGE 16
#define LIMIT_HELD_FDS       4096
/* What one that is in an item takes of a stream's bytes: with the usual room there are 64. */
#define WEIGHT_OF_FD_BYTES (64 * 1024)
/* Processes: of one actor, and from the root down. */
#define LIMIT_CHILDREN   256
#define LIMIT_TREE_DEPTH 16
/* What is told of a tree: how many actors, and how often. */
#define LIMIT_TREE_ENTRIES 16384
#define TREE_INTERVAL_USEC (G_USEC_PER_SEC / 20)
/* How long the first report waits for those below: of the root; the less, the deeper. */
#define PATIENCE_TREE_USEC (G_USEC_PER_SEC / 2)
/* What a booting process may write to stderr, and how much of its end is told if it dies. */
#define LIMIT_BOOT_STDERR_BYTES (64 * 1024)
#define LIMIT_STDERR_TAIL_BYTES 4096
/* And how much of that is in the one line of a message. */
#define LIMIT_MESSAGE_TAIL_BYTES 512
/* A program that is no actor: a longer line comes in pieces; and how much of the end of its stderr
 * is told if it fails. */
#define LIMIT_LINE_BYTES         (64 * 1024)
#define LIMIT_PROGRAM_TAIL_BYTES (16 * 1024)

/* From clone to answering. Slow machines take a second under Valgrind. */
#define PATIENCE_BOOT_USEC (10 * G_USEC_PER_SEC)
/* A closed connection is the first sign of most deaths: the process is gone a moment later. One that is
 * not has only hung up, and is ended. */
#define PATIENCE_LOST_USEC (G_USEC_PER_SEC / 20)
/* Upstream's times. An actor that does not acknowledge a cancel in this time gets SIGTERM, */
#define PATIENCE_ACK_USEC (G_USEC_PER_SEC / 2)
/* (a Python one in this, since it acknowledges when its own children are gone,) */
#define PATIENCE_PYTHON_ACK_USEC (3 * G_USEC_PER_SEC / 2)
/* then, after this, SIGKILL, */
#define PATIENCE_TERM_USEC (16 * G_USEC_PER_SEC / 10)
/* and after this it is given up, and reported: the kernel does not let it die. */
#define PATIENCE_KILL_USEC  G_USEC_PER_SEC
#define PATIENCE_TOTAL_USEC (PATIENCE_ACK_USEC + PATIENCE_TERM_USEC + PATIENCE_KILL_USEC)
/* Upstream's times for asking who listens at a registry's address, and for saying good-bye to it. */
#define PATIENCE_PROBE_USEC      G_USEC_PER_SEC
#define PROBE_ATTEMPTS           3
#define PATIENCE_UNREGISTER_USEC (G_USEC_PER_SEC / 2)
/* How long a registrar may keep an actor from coming up: not as long as it has to boot. */
#define PATIENCE_REGISTER_USEC (2 * G_USEC_PER_SEC)
/* How long the receiver of a full stream may be away, while a peer that does not count is not read from:
 * a cancel may stand behind what is not read. */
#define PATIENCE_RECEIVER_USEC G_USEC_PER_SEC
/* How much sooner each level of a tree is through with those below it than its parent is with it. */
#define PATIENCE_STEP_USEC  (3 * G_USEC_PER_SEC / 10)
#define PATIENCE_LEAST_USEC (6 * G_USEC_PER_SEC / 10)
/* What an actor has left to end in after SIGTERM or its parent's death. Less than TERM, so that it
 * is not killed first; and with ACK, within the two seconds that orphans may last: below an orphan
 * there may be an actor that is only asked at first. */
#define PATIENCE_ORPHAN_USEC (12 * G_USEC_PER_SEC / 10)
/* How long a program's output is still listened to after its end, if others hold it open. */
#define PATIENCE_DRAIN_USEC (G_USEC_PER_SEC / 2)
