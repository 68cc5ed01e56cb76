#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "worker/job.h"
#include "worker/mfcc.h"
#include "worker/mono.h"
#include "worker/why.h"

/* Bytes of the result of n samples, if they fit the output. */
static int result_size(const struct mfcc_spec *spec, uint64_t n, size_t out_size, size_t *ret_len,
                       char *why)
{
	uint64_t columns, bytes;
	int err;

	err = mfcc_shape(spec, n, &columns, why);
	if (err)
		return err;
	bytes = columns * spec->n_mfcc * sizeof(float); /* < 2^24 * 2^10 * 2^2 */
	if (bytes > out_size)
		return why_set(why, -ENOMEM, "its MFCC takes %" PRIu64 " bytes, there is room"
		               " for %zu", bytes, out_size);
	*ret_len = (size_t)bytes;
	return 0;
}

int job_mfcc(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why)
{
	const struct mfcc_spec *spec = &job->spec.mfcc;
	char extension[sizeof(job->extension) + 1] = "";
	float *samples = NULL;
	size_t n, len = 0;
	int err;

	memcpy(extension, job->extension, sizeof(job->extension));
	err = mfcc_check(spec, why);
	if (!err && spec->duration > 0) /* before anything is fetched */
		err = result_size(spec, mfcc_fixed_samples(spec), io->out_size, &len, why);
	if (err)
		return err;
	err = mono_decode(io->in, extension, spec, &samples, &n, why);
	if (!err)
		err = result_size(spec, n, io->out_size, &len, why);
	if (!err)
		err = mfcc_compute(spec, samples, n, (float *)(void *)io->out, why);
	free(samples);
	if (!err)
		*ret_len = len;
	return err;
}
