/* serve.h - a worker from its start to its end: into the sandbox, then one job after the other,
 * as they come over the socket. */
#ifndef S3SAMPLEFS_WORKER_SERVE_H
#define S3SAMPLEFS_WORKER_SERVE_H

#include <stdint.h>

#include "media/proto.h"
#include "worker/job.h"

/* Does a job: fills done but for type, job, err and used_us. Returns 0 or -errno with
 * done->why. */
typedef int serve_job_fn(const struct proto_job *job, struct job_io *io, struct proto_done *done);

/* The real one. */
serve_job_fn serve_job;

/* Maps a memfd's first size bytes; size 0: nothing, *ret is NULL. Returns 0 or -errno. */
int serve_map(int fd, uint64_t size, int protection, uint8_t **ret);

/* Until end-of-file: 0, or -errno. */
int serve(int socket, const uint8_t *window, serve_job_fn *do_job);

/* main() of a worker: its exit status. May return in another process than the one that
 * called (sandbox.h). */
int serve_main(int argc, char **argv, serve_job_fn *do_job);

#endif
