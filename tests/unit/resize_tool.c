/* resize_tool - resizes images for test_resize_pillow.py.
 *
 * Reads from stdin, again and again until its end: six uint32 (source height
 * and width, spec height and width, enum resize_mode, 0 portable or 1 best
 * kernels), then the RGB24 pixels. Writes seven uint32 (the first members of
 * struct geometry up to crop_left, then the row's bytes), then the row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/resize.h"
#include "worker/resize_kernels.h"

static void die(const char *what)
{
	fprintf(stderr, "resize_tool: %s\n", what);
	exit(1);
}

static void *must(void *p)
{
	if (!p)
		die("out of memory");
	return p;
}

/* Copies the window alone into a buffer that ends where it may be read, so that
 * a sanitizer sees every byte read outside of it. */
static uint8_t *cut_window(const uint8_t *src, uint32_t width, struct resize_window w)
{
	size_t row = (size_t)w.width * 3;
	uint8_t *cut = must(malloc(row * w.height + RESIZE_OVERREAD));

	for (uint32_t y = 0; y < w.height; y++)
		memcpy(cut + y * row, src + ((size_t)(w.top + y) * width + w.left) * 3, row);
	memset(cut + row * w.height, 0xa5, RESIZE_OVERREAD);
	return cut;
}

static void serve(const uint32_t h[6])
{
	struct frames_spec spec = {.height = h[2], .width = h[3], .resize = h[4]};
	size_t src_len = (size_t)h[0] * h[1] * 3;
	uint8_t *src = must(malloc(src_len)), *cut, *row;
	struct geometry g;
	struct resize *r;
	uint32_t out[7];

	if (fread(src, 1, src_len, stdin) != src_len)
		die("short image");
	if (geometry_make(h[0], h[1], &spec, &g))
		die("bad geometry");
	if (resize_new(h[0], h[1], &g, h[5] ? resize_kernels_best() : &resize_kernels_portable, &r))
		die("resize_new failed");
	out[6] = g.row_height * g.row_width * 3;
	row = must(malloc(out[6]));
	memset(row, 0x5a, out[6]);
	cut = cut_window(src, h[1], resize_window(r));
	resize_run(r, cut, (size_t)resize_window(r).width * 3, row);
	memcpy(out, &g, 6 * sizeof(uint32_t));
	fwrite(out, sizeof(out), 1, stdout);
	fwrite(row, 1, out[6], stdout);
	fflush(stdout);
	resize_free(r);
	free(cut);
	free(row);
	free(src);
}

int main(void)
{
	uint32_t h[6];

	while (fread(h, sizeof(h), 1, stdin) == 1)
		serve(h);
	return 0;
}
