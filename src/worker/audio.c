#include "worker/audio.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "worker/audio_backend.h"
#include "worker/input.h"
#include "worker/why.h"

/* A decoder takes bytes that couldn't be had for the end of the file or for
 * garbage; what the input says is the cause. */
static int with_input_error(struct input *in, int err, char *why)
{
	int cause = input_error(in);

	if (!cause)
		return err;
	return why_set(why, cause, "the object couldn't be read: %s", strerror(-cause));
}

static int check_format(const struct audio *a, char *why)
{
	if (a->rate < AUDIO_RATE_MIN || a->rate > AUDIO_RATE_MAX)
		return why_set(why, -EBADMSG, "a sample rate of %" PRIu32 " Hz", a->rate);
	if (a->channels < 1 || a->channels > AUDIO_CHANNELS_MAX)
		return why_set(why, -EBADMSG, "audio of %" PRIu32 " channels", a->channels);
	return 0;
}

int audio_open(struct input *in, const char *extension, struct audio **ret, char *why)
{
	struct audio *a = NULL;
	int err;

	err = audio_snd_open(in, &a, why);
	if (err == -ENOTSUP && !input_error(in))
		err = audio_av_open(in, extension, &a, why);
	if (err)
		return with_input_error(in, err, why);
	err = a->ops->read(a, &a->first, &a->first_frames, why);
	err = with_input_error(in, err, why);
	if (!err && a->first_frames == 0)
		err = why_set(why, -EBADMSG, "no sample of its audio could be decoded");
	if (!err)
		err = check_format(a, why);
	if (err) {
		audio_close(a);
		return err;
	}
	*ret = a;
	return 0;
}

void audio_close(struct audio *a)
{
	if (a)
		a->ops->close(a);
}

uint32_t audio_rate(const struct audio *a)
{
	return a->rate;
}

uint32_t audio_channels(const struct audio *a)
{
	return a->channels;
}

int audio_stream(const struct audio *a)
{
	return a->stream;
}

void audio_ahead(struct audio *a, double seconds)
{
	a->ops->ahead(a, seconds);
}

static int read_next(struct audio *a, const float **ret_samples, size_t *ret_frames, char *why)
{
	uint32_t rate = a->rate, channels = a->channels;
	const float *samples;
	size_t frames;
	int err;

	err = a->ops->read(a, &samples, &frames, why);
	err = with_input_error(a->in, err, why);
	if (err)
		return err;
	if (frames && a->rate != rate)
		return why_set(why, -EBADMSG, "the sample rate changes from %" PRIu32 " to %" PRIu32
		               " Hz in mid-stream", rate, a->rate);
	if (frames && a->channels != channels)
		return why_set(why, -EBADMSG, "the audio changes from %" PRIu32 " to %" PRIu32
		               " channels in mid-stream", channels, a->channels);
	*ret_samples = samples;
	*ret_frames = frames;
	return 0;
}

int audio_read(struct audio *a, const float **ret_samples, size_t *ret_frames, char *why)
{
	if (a->first_frames == 0)
		return read_next(a, ret_samples, ret_frames, why);
	*ret_samples = a->first;
	*ret_frames = a->first_frames;
	a->first_frames = 0;
	return 0;
}
