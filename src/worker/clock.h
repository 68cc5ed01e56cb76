/* clock.h - one clock for a file whose timestamps start again.
 *
 * Files put one behind the other, recorders that were restarted, streams that jump:
 * the frames stay in the order of the file, and the time goes on where it stopped. A
 * new stretch begins
 *   - at a sync packet that is shown no later than something before it,
 *   - where decode times go back by more than a tenth of a second,
 *   - where they leap by more than ten seconds, in containers in which that means a
 *     discontinuity (transport streams), not a long still,
 *   - where a packet is earlier than the one before it, if the codec doesn't reorder.
 * Its times are moved only if they don't follow those before, or leap: an edit list
 * makes stretches, too, and its times are right. Inside a stretch nothing changes. */
#ifndef S3SAMPLEFS_WORKER_CLOCK_H
#define S3SAMPLEFS_WORKER_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "media/table.h"

struct clock_rules {
	bool dts;               /* the container states decode times: they tell */
	bool leaps;             /* a leap is a discontinuity */
	bool reorders;          /* the codec may show packets in another order */
	int64_t tenth;          /* time base units of 0.1 s, at least 1 */
};

/* p: n packets in decode order, all with pts or none. Changes pts; dts stay the
 * file's. Returns true if any was changed. */
bool clock_join(struct table_packet *p, uint32_t n, const struct clock_rules *r);

#endif
