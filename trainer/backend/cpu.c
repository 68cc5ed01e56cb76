#include "backend/cpu.h"

#include <errno.h>
#include <omp.h>
#include <stdlib.h>

#include <gnu/libc-version.h>

#include "backend/cpu_priv.h"
#include "backend/host.h"
#include "backend/reference_priv.h"
#include "base/buf.h"
#include "base/log.h"

int cpu_error(dnnl_status_t status, const char *what)
{
	if (status == dnnl_success)
		return 0;
	log_debug("oneDNN: %s: status %d", what, (int)status);
	return status == dnnl_out_of_memory ? -ENOMEM : -EIO;
}

static void cpu_free(struct backend *b)
{
	struct cpu *cpu = cpu_of(b);

	for (int i = 0; i < SCRATCH_N; i++)
		free(cpu->scratch[i]);
	dnnl_stream_destroy(cpu->stream);
	dnnl_engine_destroy(cpu->engine);
	free(cpu);
}

static void cpu_describe(struct backend *b, struct buf *out)
{
	const dnnl_version_t *v = dnnl_version();

	buf_puts(out, "device = cpu\n");
	buf_printf(out, "threads = %u\n", cpu_of(b)->threads);
	buf_printf(out, "isa = 0x%x\n", (unsigned)dnnl_get_effective_cpu_isa());
	buf_printf(out, "onednn = %d.%d.%d %s\n", v->major, v->minor, v->patch, v->hash);
	buf_printf(out, "glibc = %s\n", gnu_get_libc_version());
}

/* ---- matrix products ---------------------------------------------------------------- */

static int multiply(char transpose_a, char transpose_b, int m, int n, int k, const float *a, int lda,
                    const float *b, int ldb, float beta, float *c)
{
	return cpu_error(dnnl_sgemm(transpose_a, transpose_b, m, n, k, 1, a, lda, b, ldb, beta, c, n),
	                 "sgemm");
}

static int cpu_linear_forward(struct backend *b, int n, int in, int out, const float *x,
                              const float *weights, const float *bias, float *y)
{
	(void)b;
	for (int i = 0; i < n; i++)
		for (int o = 0; o < out; o++)
			y[(size_t)i * out + o] = bias[o];
	return multiply('N', 'T', n, out, in, x, in, weights, in, 1, y);
}

static int cpu_linear_backward(struct backend *b, int n, int in, int out, const float *x,
                               const float *weights, const float *dy, float *dx, float *dweights,
                               float *dbias)
{
	int err;

	(void)b;
	err = multiply('N', 'N', n, in, out, dy, out, weights, in, 0, dx);
	if (!err)
		err = multiply('T', 'N', out, in, n, dy, out, x, in, 0, dweights);
	for (int o = 0; o < out; o++) {
		double sum = 0;

		for (int i = 0; i < n; i++)
			sum += dy[(size_t)i * out + o];
		dbias[o] = (float)sum;
	}
	return err;
}

/* ---- the table ---------------------------------------------------------------------- */

static const struct backend_ops ops = {
	.name = "cpu",
	.free = cpu_free,
	.describe = cpu_describe,
	.alloc = host_alloc,
	.release = host_release,
	.upload = host_upload,
	.download = host_download,
	.zero = host_zero,
	.host_alloc = host_alloc,
	.host_free = host_release,
	.conv_new = cpu_conv_new,
	.conv_free = cpu_conv_free,
	.conv_forward = cpu_conv_forward,
	.conv_backward_data = cpu_conv_backward_data,
	.conv_backward_filters = cpu_conv_backward_filters,
	.norm_forward = cpu_norm_forward,
	.norm_backward = cpu_norm_backward,
	.relu_forward = cpu_relu_forward,
	.relu_backward = cpu_relu_backward,
	.mean_forward = cpu_mean_forward,
	.mean_backward = cpu_mean_backward,
	.linear_forward = cpu_linear_forward,
	.linear_backward = cpu_linear_backward,
	/* A few logits a sample: nothing to gain. */
	.loss = reference_loss,
	.frames_in = cpu_frames_in,
	.mfcc_in = cpu_mfcc_in,
	.unscale = cpu_unscale,
	.sgd = cpu_sgd,
	.adamw = cpu_adamw,
};

int cpu_new(unsigned threads, struct backend **ret)
{
	struct cpu *cpu = calloc(1, sizeof(*cpu));
	int err;

	if (!cpu)
		return -ENOMEM;
	cpu->base.ops = &ops;
	cpu->threads = threads ? threads : (unsigned)omp_get_num_procs();
	/* Fewer threads than asked for would give other sums. */
	omp_set_dynamic(0);
	omp_set_num_threads((int)cpu->threads);
	err = cpu_error(dnnl_engine_create(&cpu->engine, dnnl_cpu, 0), "engine");
	if (!err)
		err = cpu_error(dnnl_stream_create(&cpu->stream, cpu->engine,
		                                   dnnl_stream_default_flags), "stream");
	if (err) {
		cpu_free(&cpu->base);
		return err;
	}
	*ret = &cpu->base;
	return 0;
}
