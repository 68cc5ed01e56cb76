/* Uncompressed files and FLAC, by libsndfile over virtual I/O. */
#include <errno.h>
#include <limits.h>
#include <sndfile.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/audio.h"
#include "worker/audio_backend.h"
#include "worker/input.h"
#include "worker/why.h"

#define CHUNK_FRAMES 4096u

struct audio_snd {
	struct audio base;          /* first: a struct audio * is cast to this */
	SNDFILE *file;
	uint64_t pos;               /* of the virtual file, bytes */
	sf_count_t frames;          /* as the header has it */
	float *chunk;               /* (CHUNK_FRAMES, channels) */
};

static sf_count_t virtual_length(void *arg)
{
	const struct audio_snd *a = arg;

	return (sf_count_t)input_size(a->base.in);
}

static sf_count_t virtual_seek(sf_count_t offset, int whence, void *arg)
{
	struct audio_snd *a = arg;
	int64_t base = 0;

	if (whence == SEEK_CUR)
		base = (int64_t)a->pos;
	else if (whence == SEEK_END)
		base = (int64_t)input_size(a->base.in);
	if (offset < -base || offset > INT64_MAX - base)
		return -1;
	a->pos = (uint64_t)(base + offset);
	return (sf_count_t)a->pos;
}

static sf_count_t virtual_read(void *buf, sf_count_t len, void *arg)
{
	struct audio_snd *a = arg;
	sf_count_t done = 0;

	/* libsndfile takes a short read for the end of the file */
	while (done < len) {
		ssize_t n = input_read(a->base.in, a->pos, (uint8_t *)buf + done,
		                       (size_t)(len - done));

		if (n <= 0)
			break;
		a->pos += (uint64_t)n;
		done += n;
	}
	return done;
}

static sf_count_t virtual_write(const void *buf, sf_count_t len, void *arg)
{
	(void)buf;
	(void)len;
	(void)arg;
	return 0;
}

static sf_count_t virtual_tell(void *arg)
{
	const struct audio_snd *a = arg;

	return (sf_count_t)a->pos;
}

/* The first bytes of the files that libsndfile is asked to open: others it would
 * search through, or read by itself in ways that differ from FFmpeg's (mp3). */
static bool is_candidate(const uint8_t *head, size_t len)
{
	if (len < 12)
		return false;
	if (memcmp(head, "fLaC", 4) == 0 || memcmp(head, "caff", 4) == 0 ||
	    memcmp(head, ".snd", 4) == 0 || memcmp(head, "riff\x2e\x91\xcf\x11", 8) == 0)
		return true;
	if (memcmp(head + 8, "WAVE", 4) == 0)
		return memcmp(head, "RIFF", 4) == 0 || memcmp(head, "RIFX", 4) == 0 ||
		       memcmp(head, "RF64", 4) == 0;
	return memcmp(head, "FORM", 4) == 0 &&
	       (memcmp(head + 8, "AIFF", 4) == 0 || memcmp(head + 8, "AIFC", 4) == 0);
}

/* Whether both decoders give the same bits by definition. A wav may as well hold
 * mu-law, ADPCM or mp3. */
static bool is_exact(int format)
{
	switch (format & SF_FORMAT_SUBMASK) {
	case SF_FORMAT_PCM_S8:
	case SF_FORMAT_PCM_U8:
	case SF_FORMAT_PCM_16:
	case SF_FORMAT_PCM_24:
	case SF_FORMAT_PCM_32:
	case SF_FORMAT_FLOAT:
	case SF_FORMAT_DOUBLE:
		return true;
	default:
		return false;
	}
}

static void snd_close(struct audio *base)
{
	struct audio_snd *a = (struct audio_snd *)base;

	if (a->file)
		sf_close(a->file);
	free(a->chunk);
	free(a);
}

static int snd_read(struct audio *base, const float **ret_samples, size_t *ret_frames, char *why)
{
	struct audio_snd *a = (struct audio_snd *)base;
	sf_count_t n = sf_readf_float(a->file, a->chunk, CHUNK_FRAMES);

	(void)why; /* what is broken in mid-file ends it */
	*ret_samples = a->chunk;
	*ret_frames = n > 0 ? (size_t)n : 0;
	return 0;
}

/* The share of the object that the seconds are of its duration: exact for PCM,
 * near enough for FLAC. */
static void snd_ahead(struct audio *base, double seconds)
{
	struct audio_snd *a = (struct audio_snd *)base;
	double size = (double)input_size(base->in);
	double end = a->frames > 0 ? size * (seconds * base->rate / (double)a->frames) : 0;

	if (end > size)
		end = size;
	if (end > (double)a->pos)
		input_ahead(base->in, a->pos, (uint64_t)end - a->pos);
}

static const struct audio_ops snd_ops = { snd_ahead, snd_read, snd_close };

int audio_snd_open(struct input *in, struct audio **ret, char *why)
{
	static const SF_VIRTUAL_IO io_template = {
		virtual_length, virtual_seek, virtual_read, virtual_write, virtual_tell
	};
	SF_VIRTUAL_IO io = io_template;
	SF_INFO info = { 0 };
	struct audio_snd *a;
	uint8_t head[12];
	int err = -ENOTSUP;

	if (input_size(in) < sizeof(head) || input_size(in) > INT64_MAX ||
	    input_read_all(in, 0, head, sizeof(head)) < 0 || !is_candidate(head, sizeof(head)))
		return -ENOTSUP;
	a = calloc(1, sizeof(*a));
	if (!a)
		return why_set(why, -ENOMEM, "no memory to open it");
	a->base.ops = &snd_ops;
	a->base.in = in;
	a->file = sf_open_virtual(&io, SFM_READ, &info, a);
	/* Without a length, as a recorder leaves it that was killed, FFmpeg reads what
	 * there is. */
	if (!a->file || !is_exact(info.format) || info.frames <= 0)
		goto fail;
	a->frames = info.frames;
	a->base.rate = info.samplerate > 0 ? (uint32_t)info.samplerate : 0;
	a->base.channels = info.channels > 0 ? (uint32_t)info.channels : 0;
	if (a->base.channels > AUDIO_CHANNELS_MAX) {
		err = why_set(why, -EBADMSG, "audio of %d channels", info.channels);
		goto fail;
	}
	err = -ENOMEM;
	a->chunk = calloc(CHUNK_FRAMES * (size_t)(a->base.channels + 1), sizeof(*a->chunk));
	if (!a->chunk) {
		why_set(why, err, "no memory to decode it");
		goto fail;
	}
	*ret = &a->base;
	return 0;
fail:
	snd_close(&a->base);
	return err;
}
