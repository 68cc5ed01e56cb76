/* proto.h - what crosses the socket between the daemon and a worker process.
 *
 * A worker is started with two descriptors and nothing else: PROTO_FD_SOCKET, a
 * SOCK_SEQPACKET socket on which every message is one struct below, and
 * PROTO_FD_WINDOW, a sealed memfd of PROTO_SLOTS slots of PROTO_SLOT_SIZE bytes
 * in which the daemon puts object bytes. It works on one job at a time and ends
 * on end-of-file.
 *
 *   daemon                                  worker
 *                                        <-  STARTED pid missing    once, first of all
 *     JOB (+ input memfd, output memfd)  ->
 *                                        <-  WANT off len ahead     needs bytes
 *     DATA slot off len                  ->                         may also come unasked:
 *                                        <-  RELEASE slot           bytes sent ahead
 *                                        <-  ROW row                a row stands in the output
 *                                        <-  DONE err why           ends the job
 *
 * The worker owns a slot from the DATA that names it until its RELEASE. At most
 * one WANT is outstanding; its answer is a DATA whose [off, off + len) starts at
 * the wanted off (len may be shorter than wanted, never 0 unless err), also one
 * that was sent ahead and crosses with the WANT: while a slot that starts at the
 * wanted off isn't released, the daemon sends no second answer. The daemon
 * may answer only when a slot is free, so a worker that holds all slots releases
 * one before it wants. The worker drops all slots at DONE (implied RELEASE).
 *
 * The daemon trusts nothing it receives: every field is copied out, then checked.
 * Both come from one build, so there is no versioning beyond PROTO_MAGIC. */
#ifndef S3SAMPLEFS_MEDIA_PROTO_H
#define S3SAMPLEFS_MEDIA_PROTO_H

#include <stdint.h>

#include "media/spec.h"
#include "media/table.h"

#define PROTO_MAGIC 0x53330001u
#define PROTO_FD_SOCKET 3
#define PROTO_FD_WINDOW 4
#define PROTO_ARG_REQUIRE "sandbox=require"  /* argument: end rather than serve without all of it */
#define PROTO_SLOTS 8u
#define PROTO_SLOT_SIZE (1u << 20)           /* bytes */
#define PROTO_MESSAGE_MAX 1024u              /* bytes of the largest message */
#define PROTO_WHY_MAX 256u
#define PROTO_TABLE_MAX (sizeof(struct table_head) + TABLE_PACKETS_MAX * sizeof(struct table_packet) + TABLE_PARAMS_MAX)

enum proto_type {
	PROTO_JOB = 1, PROTO_DATA,                      /* daemon -> worker */
	PROTO_WANT, PROTO_RELEASE, PROTO_ROW, PROTO_DONE, /* worker -> daemon */
	PROTO_STARTED
};

enum proto_kind {
	PROTO_PROBE = 1,   /* output: a table (table.h), at most out_size bytes */
	PROTO_FRAMES,      /* input: proto_frames; output: rows */
	PROTO_MFCC,        /* output: float32 (n_mfcc, T), C order */
	PROTO_SOUND,       /* output: proto_sound: what an MFCC would be made of */
};

struct proto_sound {
	int32_t stream;               /* index in the file */
	uint32_t sample_rate, channels;   /* as decoded */
	uint32_t reserved;
};

struct proto_job {
	uint32_t type;                /* PROTO_JOB */
	uint32_t magic;
	uint32_t kind;                /* enum proto_kind */
	uint32_t reserved;
	uint64_t job;                 /* echoed in ROW and DONE */
	uint64_t session;             /* same object and spec as an earlier job with this number: the open
	                                 decoder may be continued. 0: none */
	uint64_t object_size;         /* bytes */
	uint64_t in_size, out_size;   /* bytes of the memfds that come with the message; in_size 0: no input memfd */
	char extension[16];           /* of the key, lower case, without dot: a hint for FFmpeg's probing */
	struct spec spec;             /* FRAMES, MFCC: of that kind */
};

struct proto_data {
	uint32_t type;                /* PROTO_DATA */
	int32_t err;                  /* 0, or -errno: the bytes can't be had, the job should end with it */
	uint32_t slot;
	uint32_t len;                 /* <= PROTO_SLOT_SIZE */
	uint64_t off;
};

struct proto_want {
	uint32_t type;                /* PROTO_WANT */
	uint32_t len;                 /* 1..PROTO_SLOT_SIZE, inside the object */
	uint64_t off;
	uint64_t ahead;               /* bytes after off + len that will be wanted soon: worth fetching now */
};

struct proto_release {
	uint32_t type;                /* PROTO_RELEASE */
	uint32_t slot;
};

struct proto_row {
	uint32_t type;                /* PROTO_ROW */
	uint32_t row;                 /* index into proto_frames' rows */
	uint64_t job;
};

struct proto_done {
	uint32_t type;                /* PROTO_DONE */
	int32_t err;                  /* 0 or -errno: EBADMSG ENODATA ENOMEM EIO ESTALE ETIMEDOUT ... */
	uint64_t job;
	uint64_t out_len;             /* all but FRAMES: bytes written to the output */
	uint64_t frames_decoded;      /* frames that came out of the decoder during this job */
	uint64_t used_us;             /* wall time of the job in the worker */
	uint64_t fed;                 /* FRAMES: table index of the next packet that the open decoder would be fed */
	char why[PROTO_WHY_MAX];      /* a sentence, when err */
};

/* In its sandbox, before it has read anything: the program works. */
struct proto_started {
	uint32_t type;                /* PROTO_STARTED */
	int32_t err;                  /* 0, or -errno: it ends without having served, since `missing` */
	int64_t pid;                  /* the process that serves, a child of the daemon's as well, where
	                                 it isn't the one that was started; else 0 */
	char missing[PROTO_WHY_MAX];  /* what it has to do without, in words; "": nothing */
};

/* The input memfd of a FRAMES job:
 *
 *     struct proto_frames | proto_frame_row[n_rows] | table_packet[n_packets] | codec parameters
 *
 * packets is the slice [first_packet, first_packet + n_packets) of the table,
 * which starts at the run's sync packet and goes past the target by enough
 * for any reordering, or to the end (at_end).
 *
 * The worker feeds packets from the sync packet (or goes on where the session
 * stands, if it has passed the sync packet already) until the target's frame
 * comes out. Packets of listed rows are never skipped; others may be
 * (TABLE_SKIP_NONREF in table_flags) unless no_skip. The frame that comes of a listed row's
 * packet, with emit set, is converted, resized and written at out + slot * row_bytes, and told by ROW.
 * With drain the decoder is drained right after the target's packet.
 * Packets without pts: output order counts, from the sync packet at table index
 * 0: rows name `ordinal`. When the target doesn't come out the worker says
 * -EAGAIN in DONE and the daemon tries from the sync packet before, with no_skip. */
struct proto_frame_row {
	int64_t pts;                  /* of the wanted frame: orders the rows, no more; TABLE_NOPTS: by ordinal */
	uint32_t packet;              /* absolute table index of the packet that carries it */
	uint32_t ordinal;             /* output order from the start of the stream, for files without pts */
	uint32_t slot;                /* where in the output */
	uint32_t emit;                /* 1: write it */
};

struct proto_frames {
	uint32_t magic;
	uint32_t table_flags;
	uint32_t n_rows;              /* ascending pts (or ordinal) */
	uint32_t n_packets;
	uint32_t first_packet;        /* absolute index of packets[0] = the sync packet */
	uint32_t target;              /* absolute index of the packet to stop at */
	uint32_t at_end;              /* 1: the slice ends where the stream ends */
	uint32_t no_skip;
	uint32_t drain;
	uint32_t reorder;             /* has_b_frames to set: from the packets' pts */
	int32_t time_base_num, time_base_den;
	int32_t video_stream;         /* index in the file, for demuxed input */
	uint32_t rotation;
	uint32_t src_height, src_width;   /* shown frame, after rotation: what decode must give */
	uint32_t row_height, row_width;   /* of the result */
	uint64_t row_bytes;           /* row_height * row_width * 3 */
	uint32_t params_len;
	uint32_t n_slots;             /* out_size = n_slots * row_bytes */
	char container[32];           /* demuxer to open when not TABLE_CONTIGUOUS */
};

#endif
