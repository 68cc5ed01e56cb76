/* stats.h - the program's counters, read by .s3samplefs/stats and by tests.
 *
 * One fixed list; every counter is a relaxed atomic. A counter counts since
 * the mount and only grows; gauges (G) go both ways. */
#ifndef S3SAMPLEFS_BASE_STATS_H
#define S3SAMPLEFS_BASE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

struct buf;

#define STATS_LIST(X) \
	X(s3_head, "HEAD requests sent") \
	X(s3_list, "LIST requests sent") \
	X(s3_get, "GET requests sent") \
	X(s3_retries, "requests sent again after a failure") \
	X(s3_errors, "requests given up") \
	X(s3_bytes, "body bytes received from the store") \
	X(s3_connections, "connections opened") \
	X(dir_reads, "reads of a local source") \
	X(dir_bytes, "bytes read from a local source") \
	X(meta_hits, "object metadata answered from memory") \
	X(meta_misses, "object metadata asked of the store") \
	X(meta_bytes, "bytes of object metadata now in memory (gauge)") \
	X(block_hits, "blocks of object bytes found in memory") \
	X(block_misses, "blocks of object bytes fetched") \
	X(block_bytes, "object bytes now in memory (gauge)") \
	X(row_hits, "decoded rows found in memory") \
	X(row_misses, "decoded rows that had to be decoded") \
	X(row_joins, "readers that joined a running decode") \
	X(row_bytes, "decoded bytes now in memory (gauge)") \
	X(probes, "objects whose packet table was read") \
	X(decode_jobs, "jobs given to workers") \
	X(decode_errors, "jobs that ended in an error") \
	X(jobs_dropped, "jobs ended because nobody waited for them any more") \
	X(frames_decoded, "video frames that came out of a decoder") \
	X(frames_served, "decoded frames handed to readers' files") \
	X(mfcc_computed, "MFCC arrays computed") \
	X(decode_us, "microseconds workers spent on jobs") \
	X(worker_starts, "worker processes started") \
	X(worker_deaths, "workers that died or were killed") \
	X(fuse_lookups, "look-ups served") \
	X(fuse_reads, "reads served") \
	X(fuse_read_bytes, "bytes answered to reads") \
	X(fuse_parked, "requests now waiting for an answer (gauge)") \
	X(fuse_parked_max, "most requests that waited at once (gauge)") \
	X(fuse_interrupts, "waiting requests whose callers got a signal") \
	X(fuse_errors, "requests answered with an error, but for names that are not there") \
	X(inodes, "inodes now known to the kernel (gauge)") \
	X(inode_bytes, "bytes that they take here (gauge)") \
	X(inode_bytes_max, "most bytes that they took at once (gauge)") \
	X(inodes_recalled, "inodes that the kernel was asked to forget for others") \
	X(memory_reserved, "bytes reserved by running jobs (gauge)") \
	X(names_left_out, "objects whose names no file can have, or a directory has")

enum stat_id {
#define STATS_ENUM(name, help) STAT_##name,
	STATS_LIST(STATS_ENUM)
#undef STATS_ENUM
	STAT_COUNT
};

struct stats {
	_Atomic int64_t value[STAT_COUNT];
};

static inline void stats_add(struct stats *s, enum stat_id id, int64_t n)
{
	atomic_fetch_add_explicit(&s->value[id], n, memory_order_relaxed);
}

static inline int64_t stats_get(const struct stats *s, enum stat_id id)
{
	return atomic_load_explicit(&s->value[id], memory_order_relaxed);
}

/* Raises value[id] to at least v. */
void stats_max(struct stats *s, enum stat_id id, int64_t v);

/* "name value  help" lines, aligned / one JSON object, into b. */
void stats_text(const struct stats *s, struct buf *b);
void stats_json(const struct stats *s, struct buf *b);

#endif
