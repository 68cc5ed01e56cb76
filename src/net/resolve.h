/* resolve.h - host names to addresses, on a thread of its own, kept a while.
 *
 * curl would resolve inside the transfer, and removing such a transfer waits
 * for it. So the addresses are found here first and handed to curl. Any thread
 * may call; nothing but resolve_free blocks. */
#ifndef S3SAMPLEFS_NET_RESOLVE_H
#define S3SAMPLEFS_NET_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#define RESOLVE_TTL_MS 60000u        /* how long an answer is good; getaddrinfo tells no TTL */
#define RESOLVE_ADDRESSES_SIZE 2048  /* of the text of one answer, NUL included */

struct resolve;

/* ready(arg) is called after each answer, from resolve's thread, no lock held.
 * NULL: no memory, no thread. */
struct resolve *resolve_new(void (*ready)(void *arg), void *arg);

/* Waits for a look-up under way (the system's resolver gives up after some ten
 * seconds). NULL allowed. */
void resolve_free(struct resolve *r);

/* All addresses of host as "192.0.2.1,[2001:db8::1]". An answer younger than
 * the TTL is given at once; otherwise a look-up starts and ready will be called.
 * A failure counts if it came at or after asked_ms (clock_ms), so that whoever
 * asks again later gets a new look-up. Returns 0; -EAGAIN: ask again after
 * ready; -ENOENT: there is no such name; -EIO: no answer; -ENOMEM. */
int resolve_get(struct resolve *r, const char *host, uint64_t asked_ms,
                char ret_addresses[RESOLVE_ADDRESSES_SIZE]);

/* None of the addresses answered: look it up anew next time. */
void resolve_forget(struct resolve *r, const char *host);

#endif
