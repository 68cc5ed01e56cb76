/* why.h - the sentence that goes with a failed job. */
#ifndef S3SAMPLEFS_WORKER_WHY_H
#define S3SAMPLEFS_WORKER_WHY_H

/* Writes a sentence for a person into why[PROTO_WHY_MAX], cut to fit, and
 * returns err: `return why_set(why, -EBADMSG, "...")`. */
int why_set(char *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
