/* stats.h - the program's statistics, read by .s3samplefs/stats and by tests.
 *
 * One fixed list: name, kind, unit, what it says. Every value is a relaxed atomic. A
 * COUNTER counts since the mount and only grows; a GAUGE goes both ways; a BUCKET
 * counts what lies up to a bound and above that of the row before: rows of them make
 * up a histogram. */
#ifndef S3SAMPLEFS_BASE_STATS_H
#define S3SAMPLEFS_BASE_STATS_H

#include <stdatomic.h>
#include <stdint.h>

struct buf;

enum stat_kind { STAT_COUNTER, STAT_GAUGE, STAT_BUCKET };
enum stat_unit { STAT_ONE, STAT_BYTES, STAT_US };

#define STATS_LIST(X) \
	X(s3_head, COUNTER, ONE, "HEAD requests sent") \
	X(s3_list, COUNTER, ONE, "LIST requests sent") \
	X(s3_get, COUNTER, ONE, "GET requests sent") \
	X(s3_retries, COUNTER, ONE, "requests sent again after a failure") \
	X(s3_errors, COUNTER, ONE, "requests given up") \
	X(s3_bytes, COUNTER, BYTES, "body bytes received from the store") \
	X(s3_connections, COUNTER, ONE, "connections opened") \
	X(dir_reads, COUNTER, ONE, "reads of a local source") \
	X(dir_bytes, COUNTER, BYTES, "bytes read from a local source") \
	X(meta_hits, COUNTER, ONE, "object metadata answered from memory") \
	X(meta_misses, COUNTER, ONE, "object metadata asked of the store") \
	X(meta_pages, COUNTER, ONE, "pages of listings that came") \
	X(meta_bytes, GAUGE, BYTES, "bytes of object metadata now in memory") \
	X(block_hits, COUNTER, ONE, "blocks of object bytes found in memory") \
	X(block_misses, COUNTER, ONE, "blocks of object bytes fetched") \
	X(block_bytes, GAUGE, BYTES, "object bytes now in memory") \
	X(row_hits, COUNTER, ONE, "decoded rows found in memory") \
	X(row_misses, COUNTER, ONE, "decoded rows that had to be decoded") \
	X(row_joins, COUNTER, ONE, "readers that joined a running decode") \
	X(row_bytes, GAUGE, BYTES, "decoded bytes now in memory") \
	X(probes, COUNTER, ONE, "objects whose packet table was read") \
	X(decode_jobs, COUNTER, ONE, "jobs given to workers") \
	X(decode_errors, COUNTER, ONE, "jobs that ended in an error") \
	X(jobs_dropped, COUNTER, ONE, "jobs ended because nobody waited for them any more") \
	X(frames_decoded, COUNTER, ONE, "video frames that came out of a decoder") \
	X(frames_served, COUNTER, ONE, "decoded frames handed to readers' files") \
	X(mfcc_computed, COUNTER, ONE, "MFCC arrays computed") \
	X(decode_us, COUNTER, US, "microseconds workers spent on jobs") \
	X(worker_starts, COUNTER, ONE, "worker processes started") \
	X(worker_deaths, COUNTER, ONE, "workers that died or were killed") \
	X(fuse_lookups, COUNTER, ONE, "look-ups served") \
	X(fuse_reads, COUNTER, ONE, "reads served") \
	X(fuse_read_bytes, COUNTER, BYTES, "bytes answered to reads") \
	X(fuse_parked, GAUGE, ONE, "requests now waiting for an answer") \
	X(fuse_parked_max, GAUGE, ONE, "most requests that waited at once") \
	X(fuse_waits_10ms, BUCKET, ONE, "look-ups, listings and reads from outside memory that took up to 10 ms") \
	X(fuse_waits_100ms, BUCKET, ONE, "the same: up to 100 ms") \
	X(fuse_waits_1s, BUCKET, ONE, "the same: up to 1 s") \
	X(fuse_waits_10s, BUCKET, ONE, "the same: up to 10 s") \
	X(fuse_waits_longer, BUCKET, ONE, "the same: longer") \
	X(fuse_interrupts, COUNTER, ONE, "waiting requests whose callers got a signal") \
	X(fuse_errors, COUNTER, ONE, "requests answered with an error, but for names that are not there") \
	X(inodes, GAUGE, ONE, "inodes now known to the kernel") \
	X(inode_bytes, GAUGE, BYTES, "bytes that they take here") \
	X(inode_bytes_max, GAUGE, BYTES, "most bytes that they took at once") \
	X(inodes_recalled, COUNTER, ONE, "inodes that the kernel was asked to forget for others") \
	X(memory_reserved, GAUGE, BYTES, "bytes reserved by running jobs") \
	X(views, GAUGE, ONE, "views made by names with parameters, now in memory") \
	X(names_left_out, COUNTER, ONE, "objects whose names no file can have, or a directory has")

enum stat_id {
#define STATS_ENUM(name, kind, unit, help) STAT_##name,
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

/* What a statistic is. */
struct stat_info {
	const char *name;
	enum stat_kind kind;
	enum stat_unit unit;       /* of its value */
	const char *help;
};
const struct stat_info *stats_info(enum stat_id id);

/* "name value  help" lines, aligned / one JSON object, into b. */
void stats_text(const struct stats *s, struct buf *b);
void stats_json(const struct stats *s, struct buf *b);

#endif
