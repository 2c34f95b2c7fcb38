/* protocol.h - the protocol as a table: the messages that there are, and the fields that they have.
 *
 * A message is a map: the tag, which says its type, and its fields. They are written in the order that
 * stands here, and read in any, with keys between them that nobody knows. So upstream's Python skips
 * what we add, which stands behind what it has itself: "domain" and "code" carry a GError across,
 * "uid", "host" and "depth" a child's place, "credit_items" and "credit_bytes" offer flow control,
 * "key" says who it is where the kernel does not, "debug" where it asks for the debugger.
 *
 * msg-read.c and msg-write.c both go by this, and are compiled with it: what stands here is as it is
 * on the wire, so that to write a key is to copy a constant. */
/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#ifndef TRACTOR_SRC_BUILD
#error "private to src/"
#endif

#include "msg.h"

/* Constant bytes of msgpack. */
typedef struct {
  const char *bytes;
  guint length;
} Packed;

/* clang-format off */

#define PACKED(literal) { literal, sizeof (literal) - 1 }

/* --- fields ------------------------------------------------------------------------------------ */

typedef enum {
  KIND_ANY,
  KIND_STRING,
  KIND_TEXT, /* a string for people, which may have a NUL in it: an exception's has what it has */
  KIND_INTEGER,
  KIND_BOOLEAN,
  KIND_MAP,
  KIND_ID,  /* an array of two strings */
  KIND_IDS, /* an array of those */
} Kind;

typedef struct {
  Packed key; /* a short string: a head of one byte, and its text */
  Kind kind;  /* in whichever message it is */
} FieldSpec;

/* Those that a message begins with. */
#define KEY_CID              "\xa3" "cid"
#define KEY_NAME             "\xa4" "name"
#define KEY_PARENT_MAIN_DATA "\xb1" "_parent_main_data"
#define KEY_SRC_UID          "\xa7" "src_uid"

static const FieldSpec field_specs[N_KEYS] = {
  [FIELD_ADDRESSES]        = { PACKED ("\xa9" "addresses"), KIND_ANY },
  [FIELD_BACKTRACE]        = { PACKED ("\xa6" "tb_str"), KIND_TEXT },
  [FIELD_BAD_MSG]          = { PACKED ("\xa8" "_bad_msg"), KIND_ANY },
  [FIELD_BAD_MSG_AS_DICT]  = { PACKED ("\xb0" "_bad_msg_as_dict"), KIND_ANY },
  [FIELD_BIND_ADDRS]       = { PACKED ("\xaa" "bind_addrs"), KIND_ANY },
  [FIELD_BOXED_TYPE]       = { PACKED ("\xae" "boxed_type_str"), KIND_STRING },
  [FIELD_CANCELLER]        = { PACKED ("\xa9" "canceller"), KIND_ID },
  [FIELD_CID]              = { PACKED (KEY_CID), KIND_STRING },
  [FIELD_CODE]             = { PACKED ("\xa4" "code"), KIND_INTEGER },
  [FIELD_CREDIT_BYTES]     = { PACKED ("\xac" "credit_bytes"), KIND_INTEGER },
  [FIELD_CREDIT_ITEMS]     = { PACKED ("\xac" "credit_items"), KIND_INTEGER },
  [FIELD_DEBUG]            = { PACKED ("\xa5" "debug"), KIND_STRING },
  [FIELD_DEPTH]            = { PACKED ("\xa5" "depth"), KIND_INTEGER },
  [FIELD_DOMAIN]           = { PACKED ("\xa6" "domain"), KIND_STRING },
  [FIELD_ENABLE_MODULES]   = { PACKED ("\xae" "enable_modules"), KIND_MAP },
  [FIELD_FDS]              = { PACKED ("\xa3" "fds"), KIND_BOOLEAN },
  [FIELD_FUNC]             = { PACKED ("\xa4" "func"), KIND_STRING },
  [FIELD_FUNCTYPE]         = { PACKED ("\xa8" "functype"), KIND_STRING },
  [FIELD_HOST]             = { PACKED ("\xa4" "host"), KIND_STRING },
  [FIELD_IS_PROBE]         = { PACKED ("\xa8" "is_probe"), KIND_BOOLEAN },
  [FIELD_IS_REGISTERED]    = { PACKED ("\xad" "is_registered"), KIND_BOOLEAN },
  [FIELD_IS_REGISTRAR]     = { PACKED ("\xac" "is_registrar"), KIND_BOOLEAN },
  [FIELD_KEY]              = { PACKED ("\xa3" "key"), KIND_STRING },
  [FIELD_KWARGS]           = { PACKED ("\xa6" "kwargs"), KIND_MAP },
  [FIELD_LIMITS]           = { PACKED ("\xa6" "limits"), KIND_ANY },
  [FIELD_LOG_LEVEL]        = { PACKED ("\xa9" "log_level"), KIND_STRING },
  [FIELD_MEMBERS]          = { PACKED ("\xa7" "members"), KIND_ANY },
  [FIELD_MESSAGE]          = { PACKED ("\xa7" "message"), KIND_TEXT },
  [FIELD_NAME]             = { PACKED (KEY_NAME), KIND_STRING },
  [FIELD_NS]               = { PACKED ("\xa2" "ns"), KIND_STRING },
  [FIELD_PARENT_MAIN_DATA] = { PACKED (KEY_PARENT_MAIN_DATA), KIND_ANY },
  [FIELD_PID]              = { PACKED ("\xa3" "pid"), KIND_INTEGER },
  [FIELD_PLD]              = { PACKED ("\xa3" "pld"), KIND_ANY },
  [FIELD_PLD_SPEC]         = { PACKED ("\xa8" "pld_spec"), KIND_STRING },
  [FIELD_REG_ADDRS]        = { PACKED ("\xa9" "reg_addrs"), KIND_ANY },
  [FIELD_RELAY_PATH]       = { PACKED ("\xaa" "relay_path"), KIND_IDS },
  [FIELD_RUNTIME_VARS]     = { PACKED ("\xad" "_runtime_vars"), KIND_MAP },
  [FIELD_SENDER]           = { PACKED ("\xa6" "sender"), KIND_ID },
  [FIELD_SRC_TYPE]         = { PACKED ("\xac" "src_type_str"), KIND_STRING },
  [FIELD_SRC_UID]          = { PACKED (KEY_SRC_UID), KIND_ID },
  [FIELD_UID]              = { PACKED ("\xa3" "uid"), KIND_ID },
  [FIELD_UUID]             = { PACKED ("\xa4" "uuid"), KIND_STRING },
};

/* --- messages ---------------------------------------------------------------------------------- */

typedef enum {
  IS_REQUIRED, /* without it, it is no message */
  IS_OPTIONAL, /* upstream always sends it; here it may be missing, or nil */
  IS_OURS,     /* the same, and upstream does not know it */
} Presence;

typedef struct {
  Field field;
  Presence presence;
} Member;

#define TAG          "\xa8msg_type"
#define TAG_LENGTH   (sizeof (TAG) - 1)
#define MOST_MEMBERS 14 /* with the tag 15: so the head of the map is one byte */

typedef struct {
  Packed opening; /* the same in each of them: the tag, the type, and the key of the first field */
  guint n_members;
  Member members[MOST_MEMBERS];
} MsgSpec;

#define REQUIRED(field) { FIELD_##field, IS_REQUIRED }
#define OPTIONAL(field) { FIELD_##field, IS_OPTIONAL }
#define OURS(field)     { FIELD_##field, IS_OURS }
#define MESSAGE(type_and_key, ...) \
  { PACKED (TAG type_and_key), G_N_ELEMENTS (((const Member[]){ __VA_ARGS__ })), { __VA_ARGS__ } }

static const MsgSpec msg_specs[] = {
  [MSG_AID] = MESSAGE ("\xa3" "Aid" KEY_NAME,
    REQUIRED (NAME), REQUIRED (UUID), OPTIONAL (PID), OPTIONAL (IS_REGISTRAR), OPTIONAL (IS_PROBE),
    OURS (CREDIT_ITEMS), OURS (CREDIT_BYTES), OURS (FDS), OURS (ADDRESSES), OURS (KEY)),
  [MSG_SPAWN_SPEC] = MESSAGE ("\xa9" "SpawnSpec" KEY_PARENT_MAIN_DATA,
    OPTIONAL (PARENT_MAIN_DATA), OPTIONAL (RUNTIME_VARS), REQUIRED (ENABLE_MODULES),
    OPTIONAL (REG_ADDRS), OPTIONAL (BIND_ADDRS), OURS (UID), OURS (HOST), OURS (LOG_LEVEL),
    OURS (DEPTH), OURS (LIMITS), OURS (IS_REGISTERED), OURS (KEY), OURS (DEBUG)),
  [MSG_START] = MESSAGE ("\xa5" "Start" KEY_CID,
    REQUIRED (CID), REQUIRED (NS), REQUIRED (FUNC), REQUIRED (KWARGS), REQUIRED (UID),
    OPTIONAL (PLD_SPEC)),
  [MSG_START_ACK] = MESSAGE ("\xa8" "StartAck" KEY_CID,
    REQUIRED (CID), REQUIRED (FUNCTYPE), OURS (PLD_SPEC)),
  [MSG_STARTED] = MESSAGE ("\xa7" "Started" KEY_CID, REQUIRED (CID), REQUIRED (PLD)),
  [MSG_YIELD] = MESSAGE ("\xa5" "Yield" KEY_CID, REQUIRED (CID), REQUIRED (PLD)),
  [MSG_STOP] = MESSAGE ("\xa4" "Stop" KEY_CID, REQUIRED (CID)),
  [MSG_RETURN] = MESSAGE ("\xa6" "Return" KEY_CID, REQUIRED (CID), REQUIRED (PLD)),
  [MSG_CANCEL_ACK] = MESSAGE ("\xa9" "CancelAck" KEY_CID, REQUIRED (CID), REQUIRED (PLD)),
  [MSG_ERROR] = MESSAGE ("\xa5" "Error" KEY_SRC_UID,
    REQUIRED (SRC_UID), REQUIRED (SRC_TYPE), REQUIRED (BOXED_TYPE), REQUIRED (RELAY_PATH),
    OPTIONAL (MESSAGE), OPTIONAL (BACKTRACE), OPTIONAL (CANCELLER), OPTIONAL (SENDER),
    OPTIONAL (CID), OPTIONAL (BAD_MSG), OPTIONAL (BAD_MSG_AS_DICT), OURS (DOMAIN), OURS (CODE),
    OURS (MEMBERS)),
  /* All of it is ours: for a peer that has offered credit in its Aid, as we do. */
  [MSG_CREDIT] = MESSAGE ("\xa6" "Credit" KEY_CID,
    REQUIRED (CID), REQUIRED (CREDIT_ITEMS), REQUIRED (CREDIT_BYTES)),
};

/* clang-format on */
