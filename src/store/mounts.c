#include "store/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"

#define TABLE_MAX ((size_t)64 << 20)  /* bytes; a mount takes some 200 */

/* ---- the table's text --------------------------------------------------------- */

/* "\040" stands for a blank. In place. */
static void unescape(char *s)
{
	char *out = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
		    s[3] <= '7') {
			*out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*out++ = *s++;
		}
	}
	*out = '\0';
}

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	if (len > 0 && root[len - 1] == '/')
		len--;
	return strncmp(path, root, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": the fifth word is where it
 * is mounted, the first after the hyphen its type. False: not such a line. */
static bool parse_line(char *line, const char *root, struct mounts_entry *ret, bool *below)
{
	char *word = NULL, *end, *type, *rest = line;

	errno = 0;
	ret->id = strtoull(line, &end, 10);
	if (errno || end == line || *end != ' ')
		return false;
	type = strstr(line, " - ");
	if (!type)
		return false;
	*type = '\0';
	type += 3;
	type[strcspn(type, " ")] = '\0';
	for (int i = 0; i < 5; i++)
		word = strsep(&rest, " ");
	if (!word)
		return false;
	ret->ours = strcmp(type, MOUNTS_TYPE) == 0;
	if (ret->ours) {
		unescape(word);
		*below |= is_below(word, root);
	}
	return true;
}

int mounts_parse(const char *text, size_t len, const char *root, struct mounts_entry **ret_v, size_t *ret_n,
                 bool *ret_below)
{
	struct mounts_entry *v;
	size_t lines = 1, n = 0;
	bool below = false;
	char *copy, *rest, *line;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	copy = rest = strndup(text, len);
	v = calloc(lines, sizeof(*v));
	if (!copy || !v) {
		free(copy);
		free(v);
		return -ENOMEM;
	}
	while ((line = strsep(&rest, "\n")))
		n += parse_line(line, root, &v[n], &below);
	free(copy);
	*ret_v = v;
	*ret_n = n;
	*ret_below = below;
	return 0;
}

/* ---- what it says now ----------------------------------------------------------- */

static int read_table(int fd, struct buf *out)
{
	char chunk[16384];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	while ((n = read(fd, chunk, sizeof(chunk))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			buf_add(out, chunk, (size_t)n);
	if (n < 0)
		return -errno;
	return buf_error(out);
}

/* The folder's path as the table would write it, also if it was moved. */
static int root_path(int root, char path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", root);
	n = readlink(link, path, PATH_MAX - 1);
	if (n < 0)
		return -errno;
	path[n] = '\0';
	return 0;
}

/* Reads the table again if it has changed. False: nobody can tell. */
static bool refresh_locked(struct mounts *m)
{
	struct pollfd changed = { .fd = m->table, .events = POLLPRI };
	struct mounts_entry *v;
	char path[PATH_MAX];
	struct buf text;
	size_t n;
	bool below;
	int err;

	if (m->table < 0)
		return false;
	/* First, so that a change that comes while it is read is seen the next time. */
	if (poll(&changed, 1, 0) == 0 && m->read)
		return true;
	m->read = false;
	buf_init(&text, TABLE_MAX);
	err = read_table(m->table, &text);
	if (!err)
		err = root_path(m->root, path);
	if (!err)
		err = mounts_parse(text.data ? text.data : "", text.len, path, &v, &n, &below);
	buf_done(&text);
	if (err)
		return false;
	free(m->v);
	m->v = v;
	m->n = n;
	m->below = below;
	m->read = true;
	return true;
}

/* By /proc, since even fstat may ask the filesystem. 0: unknown. */
static uint64_t mount_id(int fd)
{
	static const char name[] = "mnt_id:";
	char path[64], text[1024];
	char *at;
	ssize_t n;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return 0;
	n = read(info, text, sizeof(text) - 1);
	close(info);
	text[n > 0 ? n : 0] = '\0';
	at = strstr(text, name);
	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

void mounts_init(struct mounts *m, int root)
{
	*m = (struct mounts){ .root = root, .table = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC) };
	m->root_id = mount_id(root);
	pthread_mutex_init(&m->lock, NULL);
}

void mounts_done(struct mounts *m)
{
	if (m->table >= 0)
		close(m->table);
	free(m->v);
	pthread_mutex_destroy(&m->lock);
}

bool mounts_below(struct mounts *m)
{
	bool below;

	pthread_mutex_lock(&m->lock);
	below = !refresh_locked(m) || m->below;
	pthread_mutex_unlock(&m->lock);
	return below;
}

bool mounts_is_ours(struct mounts *m, int fd)
{
	uint64_t id = mount_id(fd);
	bool ours = true;  /* in no line: detached */

	if (id && id == m->root_id)
		return false;
	pthread_mutex_lock(&m->lock);
	if (id && refresh_locked(m)) {
		for (size_t i = 0; i < m->n; i++)
			if (m->v[i].id == id)
				ours = m->v[i].ours;
	}
	pthread_mutex_unlock(&m->lock);
	return ours;
}
