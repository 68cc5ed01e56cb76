#include "media/geometry.h"

#include <errno.h>
#include <stdbool.h>

static bool is_side(uint32_t side)
{
	return side >= 1 && side <= SPEC_SIDE_MAX;
}

/* Python's round(d / 2): halves go to the even neighbour. */
static uint32_t half_to_even(uint32_t d)
{
	uint32_t k = d / 2;

	return d % 2 ? k + k % 2 : k;
}

/* The resize of h x w that keeps its proportions and meets one side of H x W
 * exactly: the tighter one (it fits inside), or the looser one (it covers).
 * Sides are at most 2^14, so that products fit 2^28. */
static void keep_proportions(uint32_t h, uint32_t w, uint32_t H, uint32_t W, bool cover,
                             struct geometry *g)
{
	bool meets_width = h * W >= w * H;

	if (!cover)
		meets_width = !meets_width;
	if (meets_width) {
		g->resized_width = W;
		g->resized_height = W * h / w;
	} else {
		g->resized_height = H;
		g->resized_width = H * w / h;
	}
	if (g->resized_height == 0)
		g->resized_height = 1;
	if (g->resized_width == 0)
		g->resized_width = 1;
}

int geometry_make(uint32_t src_height, uint32_t src_width, const struct frames_spec *spec,
                  struct geometry *ret)
{
	bool native = spec->height == 0 && spec->width == 0;
	struct geometry g = {0};

	if (!is_side(src_height) || !is_side(src_width))
		return -EINVAL;
	if (!native && (!is_side(spec->height) || !is_side(spec->width)))
		return -EINVAL;

	g.row_height = native ? src_height : spec->height;
	g.row_width = native ? src_width : spec->width;
	g.resized_height = g.row_height;
	g.resized_width = g.row_width;
	switch (spec->resize) {
	case RESIZE_STRETCH:
		break;
	case RESIZE_CROP:
		keep_proportions(src_height, src_width, g.row_height, g.row_width, true, &g);
		g.crop_top = half_to_even(g.resized_height - g.row_height);
		g.crop_left = half_to_even(g.resized_width - g.row_width);
		break;
	case RESIZE_PAD:
		keep_proportions(src_height, src_width, g.row_height, g.row_width, false, &g);
		g.pad_top = (g.row_height - g.resized_height) / 2;
		g.pad_left = (g.row_width - g.resized_width) / 2;
		break;
	default:
		return -EINVAL;
	}
	g.region_height = g.resized_height < g.row_height ? g.resized_height : g.row_height;
	g.region_width = g.resized_width < g.row_width ? g.resized_width : g.row_width;
	*ret = g;
	return 0;
}
