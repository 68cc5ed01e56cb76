/* s3_world.h - an s3 client against a fake_http server, and calls that wait. */
#ifndef S3SAMPLEFS_TESTS_S3_WORLD_H
#define S3SAMPLEFS_TESTS_S3_WORLD_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/stats.h"
#include "fake_http.h"
#include "s3/s3.h"

#define WORLD_ETAG "0123456789abcdef"
#define WORLD_SIZE 100000u  /* bytes of the object that world_serve serves */

struct world {
	struct fake_http *server;
	struct s3 *s3;
	struct stats stats;
};

/* Options that differ from: bucket "bucket", no prefix, keys from options, 8
 * connections, 4 attempts, 10 s. Zero or NULL: as that. */
struct world_options {
	const char *host;        /* else 127.0.0.1 */
	const char *prefix;
	const char *url;         /* of the endpoint, else that of the server */
	const char *http_proxy;  /* NULL: none; also https_proxy */
	const char *profile;     /* then the keys come from it */
	unsigned connections;
	unsigned attempts;
	uint64_t timeout_ms;
};

/* Clears AWS_ and proxy variables, but those of the files where there is a
 * profile. Fails the test where it can't. */
void world_open(struct world *w, fake_handler *handler, void *arg, const struct world_options *o);
void world_close(struct world *w);  /* s3_free and fake_http_stop, if still there */

/* Byte i of the object. */
uint8_t world_byte(uint64_t i);

/* The range asked for; false if there is none. */
bool world_range(const struct fake_request *q, uint64_t *ret_first, uint64_t *ret_last);

/* Headers of a right 206 for [first, last], and bytes [first, first + len). */
bool world_send_head(const struct fake_request *q, uint64_t first, uint64_t last);
bool world_send_bytes(const struct fake_request *q, uint64_t first, size_t len);

/* A whole right reply to a ranged GET. */
bool world_serve(const struct fake_request *q);

/* An S3 error. headers: further ones, each ending in \r\n. */
bool world_send_error(const struct fake_request *q, int status, const char *headers,
                      const char *code);

/* ---- calls that wait ---- */

struct outcome {
	int err;
	char why[S3_WHY_MAX];
	struct s3_object object;  /* of a head */
	size_t len;               /* of a get */
	bool intact;              /* and its bytes are those of the object */
	bool partial;             /* of a list */
	char names[2048];         /* of a list: "a|b/|", next token after '>' */
};

/* Not-yet-finished calls; several may wait on one. */
struct pending {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* lock: */
	unsigned started;
	unsigned finished;
	unsigned canceled;
	unsigned failed;          /* canceled ones too */
	unsigned ahead_finished;
	struct outcome last;
};

void pending_init(struct pending *p);
void pending_done(struct pending *p);
void pending_wait(struct pending *p, unsigned finished);

/* A get of the world's object that is counted in p. */
void pending_get(struct pending *p, struct world *w, uint64_t off, size_t len, bool ahead);

void world_get(struct world *w, const char *key, uint64_t off, size_t len, struct outcome *ret);
void world_head(struct world *w, const char *key, struct outcome *ret);
void world_list(struct world *w, const struct s3_listing *l, struct outcome *ret);

/* Fails the test unless err and a part of the sentence are those. */
void assert_outcome(const struct outcome *o, int err, const char *part);

#endif
