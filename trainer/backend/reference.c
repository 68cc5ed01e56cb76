#include "backend/reference.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/host.h"
#include "backend/reference_priv.h"
#include "base/buf.h"

static void reference_free(struct backend *b)
{
	free(b);
}

static void reference_describe(struct backend *b, struct buf *out)
{
	(void)b;
	buf_puts(out, "device = reference\n");
}

static const struct backend_ops ops = {
	.name = "reference",
	.free = reference_free,
	.describe = reference_describe,
	.alloc = host_alloc,
	.release = host_release,
	.upload = host_upload,
	.download = host_download,
	.zero = host_zero,
	.host_alloc = host_alloc,
	.host_free = host_release,
	.conv_new = reference_conv_new,
	.conv_free = reference_conv_free,
	.conv_forward = reference_conv_forward,
	.conv_backward_data = reference_conv_backward_data,
	.conv_backward_filters = reference_conv_backward_filters,
	.norm_forward = reference_norm_forward,
	.norm_backward = reference_norm_backward,
	.relu_forward = reference_relu_forward,
	.relu_backward = reference_relu_backward,
	.mean_forward = reference_mean_forward,
	.mean_backward = reference_mean_backward,
	.linear_forward = reference_linear_forward,
	.linear_backward = reference_linear_backward,
	.loss = reference_loss,
	.frames_in = reference_frames_in,
	.mfcc_in = reference_mfcc_in,
	.unscale = reference_unscale,
	.sgd = reference_sgd,
	.adamw = reference_adamw,
};

int reference_new(struct backend **ret)
{
	struct backend *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->ops = &ops;
	*ret = b;
	return 0;
}
