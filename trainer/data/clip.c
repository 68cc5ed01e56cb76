#include "data/clip.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/npy_read.h"
#include "util/file.h"
#include "util/why.h"

#define VALUES_MAX ((uint64_t)INT32_MAX) /* of one array: what layers count in ints */

size_t clip_frames_bytes(const struct clip_spec *spec)
{
	return (size_t)spec->t * spec->h * spec->w * 3;
}

size_t clip_mfcc_floats(const struct clip_spec *spec)
{
	return (size_t)spec->n_mfcc * spec->columns;
}

/* What the errno of one file says about the others. */
static int judge(int err, const char *path, const char *file, struct why *why)
{
	const char *says = strerror(-err);

	switch (err) {
	case -EBADMSG:
		says = "can't be decoded";
		break;
	case -ESTALE:
		says = "was replaced";
		break;
	case -ENODATA:
		says = "has no such stream, or ends early";
		break;
	case -ENOENT:
	case -ENOTDIR:
	case -EISDIR:
	case -ENAMETOOLONG:
		break;
	case -ENOTCONN:
		return why_set(why, err, "%s/%s: the file system is gone (%s)", path, file, says);
	default:
		return why_set(why, err, "%s/%s: %s", path, file, says);
	}
	return why_set(why, CLIP_BAD, "%s: %s", file, says);
}

/* ---- one array ---------------------------------------------------------------------- */

static int read_head(int fd, struct npy_info *ret)
{
	char head[NPY_READ_HEAD_MAX];
	size_t have = 0, need = 0;
	int err;

	while ((err = npy_parse(head, have, ret, &need)) == -EAGAIN) {
		err = file_read_exact(fd, head + have, need - have);
		if (err)
			return err;
		have = need;
	}
	return err;
}

static int open_array(const char *folder, const char *path, const char *file, int *ret_fd,
                      struct npy_info *ret, struct why *why)
{
	char name[PATH_MAX];
	int fd, err;

	if (snprintf(name, sizeof(name), "%s/%s/%s", folder, path, file) >= (int)sizeof(name))
		return judge(-ENAMETOOLONG, path, file, why);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return judge(-errno, path, file, why);
	err = read_head(fd, ret);
	if (err) {
		close(fd);
		return err == -EINVAL ? why_set(why, CLIP_BAD, "%s: not an array that can be read", file) :
		                         judge(err, path, file, why);
	}
	*ret_fd = fd;
	return 0;
}

static int wrong_shape(const struct npy_info *info, const char *file, const char *expected,
                       struct why *why)
{
	char shape[NPY_READ_DIMS_MAX * 24] = "";
	size_t n = 0;

	for (unsigned i = 0; i < info->ndim; i++)
		n += (size_t)snprintf(shape + n, sizeof(shape) - n, "%s%llu", i ? ", " : "",
		                      (unsigned long long)info->shape[i]);
	return why_set(why, CLIP_BAD, "%s: is %s (%s), not %s", file, info->descr, shape, expected);
}

/* The rest of the file has to be exactly the array. */
static int read_array(int fd, const struct npy_info *info, void *to, size_t bytes, const char *path,
                      const char *file, struct why *why)
{
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return judge(-errno, path, file, why);
	if ((uint64_t)st.st_size != info->offset + bytes)
		return why_set(why, CLIP_BAD, "%s: has %lld bytes, its shape says %zu", file,
		               (long long)st.st_size, info->offset + bytes);
	err = file_read_exact(fd, to, bytes);
	return err ? judge(err, path, file, why) : 0;
}

/* ---- frames ------------------------------------------------------------------------- */

static bool is_frames(const struct npy_info *info)
{
	return strcmp(info->descr, "|u1") == 0 && info->ndim == 4 && info->shape[3] == 3;
}

static int probe_frames(const char *folder, const char *path, struct clip_spec *spec,
                        struct why *why)
{
	struct npy_info info;
	uint64_t values = 3;
	int fd, err = open_array(folder, path, "frames.npy", &fd, &info, why);

	if (err)
		return err;
	close(fd);
	for (int i = 0; i < 3 && is_frames(&info); i++) {
		if (info.shape[i] < 1 || info.shape[i] > VALUES_MAX / values)
			return wrong_shape(&info, "frames.npy", "of a size that can be trained on", why);
		values *= info.shape[i];
	}
	if (!is_frames(&info))
		return wrong_shape(&info, "frames.npy", "uint8 (T, H, W, 3)", why);
	spec->t = (int)info.shape[0];
	spec->h = (int)info.shape[1];
	spec->w = (int)info.shape[2];
	return 0;
}

static int read_frames(const char *folder, const char *path, const struct clip_spec *spec,
                       uint8_t *frames, struct why *why)
{
	char expected[96];
	struct npy_info info;
	int fd, err = open_array(folder, path, "frames.npy", &fd, &info, why);

	if (err)
		return err;
	if (!is_frames(&info) || info.shape[0] != (uint64_t)spec->t ||
	    info.shape[1] != (uint64_t)spec->h || info.shape[2] != (uint64_t)spec->w) {
		snprintf(expected, sizeof(expected), "|u1 (%d, %d, %d, 3)", spec->t, spec->h, spec->w);
		err = wrong_shape(&info, "frames.npy", expected, why);
	} else {
		err = read_array(fd, &info, frames, clip_frames_bytes(spec), path, "frames.npy", why);
	}
	close(fd);
	return err;
}

/* ---- MFCC --------------------------------------------------------------------------- */

static bool is_mfcc(const struct npy_info *info)
{
	return strcmp(info->descr, "<f4") == 0 && info->ndim == 2;
}

static int probe_mfcc(const char *folder, const char *path, struct clip_spec *spec, struct why *why)
{
	struct npy_info info;
	int fd, err = open_array(folder, path, "mfcc.npy", &fd, &info, why);

	if (err)
		return err;
	close(fd);
	if (!is_mfcc(&info))
		return wrong_shape(&info, "mfcc.npy", "float32 (n_mfcc, columns)", why);
	if (info.shape[0] < 1 || info.shape[1] < 1 || info.shape[0] > VALUES_MAX ||
	    info.shape[1] > VALUES_MAX / info.shape[0])
		return wrong_shape(&info, "mfcc.npy", "of a size that can be trained on", why);
	spec->n_mfcc = (int)info.shape[0];
	spec->columns = (int)info.shape[1];
	return 0;
}

static int read_mfcc(const char *folder, const char *path, const struct clip_spec *spec, float *mfcc,
                     struct why *why)
{
	char expected[64];
	struct npy_info info;
	int fd, err = open_array(folder, path, "mfcc.npy", &fd, &info, why);

	if (err)
		return err;
	if (!is_mfcc(&info) || info.shape[0] != (uint64_t)spec->n_mfcc ||
	    info.shape[1] != (uint64_t)spec->columns) {
		snprintf(expected, sizeof(expected), "<f4 (%d, %d)", spec->n_mfcc, spec->columns);
		err = wrong_shape(&info, "mfcc.npy", expected, why);
	} else {
		err = read_array(fd, &info, mfcc, clip_mfcc_floats(spec) * sizeof(float), path, "mfcc.npy",
		                 why);
	}
	close(fd);
	for (size_t i = 0; !err && i < clip_mfcc_floats(spec); i++) {
		if (!isfinite(mfcc[i]))
			err = why_set(why, CLIP_BAD, "mfcc.npy: has values that are not finite");
	}
	return err;
}

/* ---- a sample ------------------------------------------------------------------------ */

int clip_probe(const char *folder, const char *path, struct clip_spec *spec, struct why *why)
{
	struct clip_spec found = { .video = spec->video, .audio = spec->audio };
	int err = 0;

	if (found.video)
		err = probe_frames(folder, path, &found, why);
	if (!err && found.audio)
		err = probe_mfcc(folder, path, &found, why);
	if (!err)
		*spec = found;
	return err;
}

int clip_read(const char *folder, const char *path, const struct clip_spec *spec, uint8_t *frames,
              float *mfcc, struct why *why)
{
	int err = 0;

	if (spec->video)
		err = read_frames(folder, path, spec, frames, why);
	if (!err && spec->audio)
		err = read_mfcc(folder, path, spec, mfcc, why);
	return err;
}
