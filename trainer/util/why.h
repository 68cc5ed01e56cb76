/* why.h - the sentence that tells a person what went wrong, beside the errno.
 *
 * A function that can fail for reasons a person should read takes a struct why;
 * whoever knows the cause writes it, once, and everybody above hands it on. */
#ifndef S3SAMPLE_UTIL_WHY_H
#define S3SAMPLE_UTIL_WHY_H

#define WHY_MAX 1024 /* bytes with the NUL; longer ones are cut */

struct why {
	char text[WHY_MAX];
};

/* Writes the sentence and returns err, so that failing is one statement. */
int why_set(struct why *why, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* "out of memory", -ENOMEM. */
int why_no_memory(struct why *why);

#endif
