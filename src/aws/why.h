/* why.h - the sentences in which this layer tells a person what went wrong.
 * Never a secret, a signature or a token. */
#ifndef S3SAMPLEFS_AWS_WHY_H
#define S3SAMPLEFS_AWS_WHY_H

#define AWS_WHY_MAX 256  /* bytes of a sentence, NUL included */

/* snprintf into why[AWS_WHY_MAX], control characters replaced, cut at a
 * character. Returns err, so that `return why_set(why, -EINVAL, ...)` reads. */
int why_set(char why[AWS_WHY_MAX], int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
