/* job_sound: which sound of an object an MFCC is made of. It opens what job_mfcc opens,
 * so that the two can't disagree. */
#include <errno.h>
#include <string.h>

#include "worker/audio.h"
#include "worker/job.h"
#include "worker/why.h"

int job_sound(const struct proto_job *job, struct job_io *io, size_t *ret_len, char *why)
{
	struct proto_sound sound = { 0 };
	char extension[sizeof(job->extension) + 1] = "";
	struct audio *audio;
	int err;

	if (io->out_size < sizeof(sound))
		return why_set(why, -EINVAL, "no room for what its sound is");
	memcpy(extension, job->extension, sizeof(job->extension));
	err = audio_open(io->in, extension, &audio, why);
	if (err)
		return err;
	sound.stream = audio_stream(audio);
	sound.sample_rate = audio_rate(audio);
	sound.channels = audio_channels(audio);
	audio_close(audio);
	memcpy(io->out, &sound, sizeof(sound));
	*ret_len = sizeof(sound);
	return 0;
}
