#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "worker/job.h"
#include "worker/mfcc.h"
#include "worker/mono.h"
#include "worker/why.h"

/* Columns that the output has room for; of a fixed duration, those that there will
 * be, before anything is fetched. */
static int choose_room(const struct mfcc_spec *spec, size_t out_size, uint64_t *ret_room, char *why)
{
	uint64_t columns, bytes;
	int err;

	*ret_room = out_size / spec_mfcc_array(spec, 1).bytes;
	if (spec->duration <= 0)
		return 0;
	err = mfcc_shape(spec, mfcc_fixed_samples(spec), &columns, why);
	if (err)
		return err;
	bytes = spec_mfcc_array(spec, columns).bytes;
	if (bytes > out_size)
		return why_set(why, -ENOMEM, "its MFCC takes %" PRIu64 " bytes, there is room"
		               " for %zu", bytes, out_size);
	*ret_room = columns;
	return 0;
}

/* Gives all samples, or as many as are needed, to mfcc. */
static int feed(struct mfcc *mfcc, struct input *in, const char *extension,
                const struct mfcc_spec *spec, char *why)
{
	const float *samples;
	struct mono *mono;
	size_t n;
	int err = mono_open(in, extension, spec, &mono, why);

	if (err)
		return err;
	do {
		err = mono_read(mono, &samples, &n, why);
		if (!err && n)
			err = mfcc_push(mfcc, samples, n, why);
	} while (!err && n);
	mono_close(mono);
	return err < 0 ? err : 0;
}

int job_mfcc(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why)
{
	const struct mfcc_spec *spec = &job->spec.mfcc;
	char extension[sizeof(job->extension) + 1] = "";
	struct mfcc *mfcc = NULL;
	uint64_t room, columns;
	int err;

	memcpy(extension, job->extension, sizeof(job->extension));
	if (job->spec.kind != SPEC_MFCC)
		return why_set(why, -EINVAL, "the job's parameters are of another kind");
	err = mfcc_check(spec, why);
	if (!err)
		err = choose_room(spec, io->out_size, &room, why);
	if (!err)
		err = mfcc_new(spec, (float *)(void *)io->out, room, MFCC_KEEP, &mfcc, why);
	if (err)
		return err;
	do {
		err = feed(mfcc, io->in, extension, spec, why);
		if (!err)
			err = mfcc_finish(mfcc, &columns, why);
	} while (err == 1);
	mfcc_free(mfcc);
	if (!err)
		*ret_len = (size_t)spec_mfcc_array(spec, columns).bytes;
	return err;
}
