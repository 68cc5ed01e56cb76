#include "sample_tree.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/buf.h"
#include "format/npy.h"

void tree_new(char *name)
{
	strcpy(name, "/tmp/test_trainer.XXXXXX");
	assert_non_null(mkdtemp(name));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void tree_remove(const char *name)
{
	assert_int_equal(nftw(name, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_file(const char *folder, const char *path, const void *data, size_t len)
{
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s", folder, path);
	for (char *slash = strchr(name + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(name, 0777);
		*slash = '/';
	}
	f = fopen(name, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

void tree_sample(const char *folder, const char *path, const char *label, int fill)
{
	static const uint64_t frames[] = { TREE_T, TREE_H, TREE_W, 3 };
	static const uint64_t mfcc[] = { TREE_N_MFCC, TREE_COLUMNS };
	char name[512];
	struct buf out;

	buf_init(&out, 65536);
	assert_int_equal(npy_header("|u1", frames, 4, &out), 0);
	for (int i = 0; i < TREE_T * TREE_H * TREE_W * 3; i++)
		buf_putc(&out, (char)fill);
	snprintf(name, sizeof(name), "%s/frames.npy", path);
	tree_file(folder, name, out.data, out.len);
	buf_reset(&out);
	assert_int_equal(npy_header("<f4", mfcc, 2, &out), 0);
	for (int i = 0; i < TREE_N_MFCC * TREE_COLUMNS; i++)
		buf_add(&out, &(float){ (float)fill }, sizeof(float));
	snprintf(name, sizeof(name), "%s/mfcc.npy", path);
	tree_file(folder, name, out.data, out.len);
	snprintf(name, sizeof(name), "%s/label.txt", path);
	buf_reset(&out);
	buf_printf(&out, "%s\n", label);
	tree_file(folder, name, out.data, out.len);
	buf_done(&out);
}
