/* layer_tool.c - one layer, forward and backward, on arrays of .npy files.
 *
 *     layer_tool BACKEND LAYER FOLDER [NAME=NUMBER]...
 *     layer_tool BACKEND describe
 *
 * BACKEND is reference, cpu or cuda, behind it perhaps -bf16 or -fp16. Arrays are read from
 * FOLDER/NAME.npy and written there, under the names that backend.h uses, activations as float32,
 * whatever they are in the backend. Shapes are numbers on the command line. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/backend.h"
#include "backend/cpu.h"
#ifdef HAVE_CUDA
#include "backend/cuda.h"
#endif
#include "backend/narrow.h"
#include "backend/reference.h"
#include "base/buf.h"
#include "format/npy_read.h"
#include "format/npy.h"
#include "util/file.h"
#include "util/why.h"

#define FILE_MAX ((size_t)1 << 30)
#define BUFFERS_MAX 32

static struct backend *b;
static const char *folder;
static char **numbers;      /* NAME=NUMBER..., NULL */
static void *buffers[BUFFERS_MAX]; /* released at the end */
static int n_buffers;

static void die(const char *what, const char *which)
{
	fprintf(stderr, "layer_tool: %s: %s\n", which, what);
	exit(1);
}

static double real(const char *name)
{
	size_t len = strlen(name);

	for (char **p = numbers; *p; p++) {
		if (strncmp(*p, name, len) == 0 && (*p)[len] == '=')
			return strtod(*p + len + 1, NULL);
	}
	die("is missing", name);
	return 0;
}

static int number(const char *name)
{
	return (int)real(name);
}

static void *device(size_t bytes)
{
	void *buffer;

	if (n_buffers == BUFFERS_MAX || b->ops->alloc(b, bytes, &buffer))
		die("no memory", "device");
	return buffers[n_buffers++] = buffer;
}

static float *floats(size_t n)
{
	return device(n * sizeof(float));
}

/* The array of a file, on the device. */
static void *get(const char *name)
{
	struct npy_info info;
	struct buf file;
	size_t need;
	char path[4096];
	void *buffer;

	snprintf(path, sizeof(path), "%s/%s.npy", folder, name);
	buf_init(&file, FILE_MAX);
	if (file_read(path, &file) || npy_parse(file.data, file.len, &info, &need))
		die("can't be read", path);
	buffer = device(file.len - info.offset);
	if (b->ops->upload(b, buffer, file.data + info.offset, file.len - info.offset))
		die("upload", name);
	buf_done(&file);
	return buffer;
}

static void put(const char *name, const void *buffer, size_t n)
{
	const uint64_t shape = n;
	void *host = malloc(n * sizeof(float));
	struct file_part parts[2];
	struct buf head;
	struct why why;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.npy", folder, name);
	buf_init(&head, 4096);
	if (!host || b->ops->download(b, host, buffer, n * sizeof(float)) ||
	    npy_header(strcmp(name, "hit") == 0 ? "<i4" : "<f4", &shape, 1, &head))
		die("download", name);
	parts[0] = (struct file_part){ head.data, head.len };
	parts[1] = (struct file_part){ host, n * sizeof(float) };
	if (file_replace(path, parts, 2, &why))
		die(why.text, name);
	buf_done(&head);
	free(host);
}

/* The same for activations. */
static void *activations(size_t n)
{
	return device(n * backend_activation_size(b));
}

static void *get_activations(const char *name, size_t n)
{
	float *host = malloc(n * sizeof(*host));
	uint16_t *rounded = malloc(n * sizeof(*rounded));
	void *wide = get(name), *buffer;

	if (b->activations != PRECISION_FLOAT32) {
		buffer = activations(n);
		if (!host || !rounded || b->ops->download(b, host, wide, n * sizeof(*host)))
			die("download", name);
		narrow_round(b->activations, n, host, rounded);
		if (b->ops->upload(b, buffer, rounded, n * sizeof(*rounded)))
			die("upload", name);
	} else {
		buffer = wide;
	}
	free(host);
	free(rounded);
	return buffer;
}

static void put_activations(const char *name, const void *buffer, size_t n)
{
	float *host = malloc(n * sizeof(*host)), *wide = floats(n);
	uint16_t *rounded = malloc(n * sizeof(*rounded));

	if (b->activations != PRECISION_FLOAT32) {
		if (!host || !rounded || b->ops->download(b, rounded, buffer, n * sizeof(*rounded)))
			die("download", name);
		narrow_widen(b->activations, n, rounded, host);
		if (b->ops->upload(b, wide, host, n * sizeof(*host)))
			die("upload", name);
		buffer = wide;
	}
	put(name, buffer, n);
	free(host);
	free(rounded);
}

static void must(int err, const char *what)
{
	if (err)
		die(strerror(-err), what);
}

/* ---- layers ------------------------------------------------------------------------------- */

static void conv(void)
{
	const struct conv_shape s = {
		.n = number("n"), .c = number("c"), .h = number("h"), .w = number("w"),
		.k = number("k"), .r = number("r"), .s = number("s"),
		.stride_h = number("stride_h"), .stride_w = number("stride_w"),
		.pad_h = number("pad_h"), .pad_w = number("pad_w"),
	};
	size_t in = (size_t)s.n * s.c * s.h * s.w, n_filters = (size_t)s.k * s.c * s.r * s.s;
	size_t out = (size_t)s.n * s.k * conv_out_h(&s) * conv_out_w(&s);
	void *x = get_activations("x", in), *dy = get_activations("dy", out);
	void *y = activations(out), *dx = activations(in);
	float *filters = get("filters"), *dfilters = floats(n_filters);
	struct conv *c;

	must(b->ops->conv_new(b, &s, &c), "conv_new");
	must(b->ops->conv_forward(b, c, x, filters, y), "conv_forward");
	must(b->ops->conv_backward_data(b, c, dy, filters, dx), "conv_backward_data");
	must(b->ops->conv_backward_filters(b, c, x, dy, dfilters), "conv_backward_filters");
	b->ops->conv_free(b, c);
	put_activations("y", y, out);
	put_activations("dx", dx, in);
	put("dfilters", dfilters, n_filters);
}

static void norm(void)
{
	const struct norm_shape s = { number("n"), number("c"), number("m"), number("groups"),
	                              (float)real("eps") };
	size_t n = (size_t)s.n * s.c * s.m, groups = (size_t)s.n * s.groups, c = (size_t)s.c;
	void *x = get_activations("x", n), *dy = get_activations("dy", n), *y = activations(n);
	float *gamma = get("gamma"), *beta = get("beta");
	float *mean = floats(groups), *rstd = floats(groups);
	float *dgamma = floats(c), *dbeta = floats(c);

	must(b->ops->norm_forward(b, &s, x, gamma, beta, y, mean, rstd), "norm_forward");
	/* in place, as the model does */
	must(b->ops->norm_backward(b, &s, dy, x, gamma, mean, rstd, dy, dgamma, dbeta),
	     "norm_backward");
	put_activations("y", y, n);
	put_activations("dx", dy, n);
	put("dgamma", dgamma, c);
	put("dbeta", dbeta, c);
}

static void relu(void)
{
	size_t n = (size_t)number("n");
	void *x = get_activations("x", n), *dy = get_activations("dy", n);

	must(b->ops->relu_forward(b, n, x, x), "relu_forward");
	must(b->ops->relu_backward(b, n, dy, x, dy), "relu_backward");
	put_activations("y", x, n);
	put_activations("dx", dy, n);
}

static void mean(void)
{
	int n = number("n"), t = number("t"), c = number("c"), m = number("m");
	size_t all = (size_t)n * t * c * m;
	void *x = get_activations("x", all), *dx = activations(all);
	float *dy = get("dy"), *y = floats((size_t)n * c);

	must(b->ops->mean_forward(b, n, t, c, m, x, y, c), "mean_forward");
	must(b->ops->mean_backward(b, n, t, c, m, dy, c, dx), "mean_backward");
	put("y", y, (size_t)n * c);
	put_activations("dx", dx, all);
}

static void linear(void)
{
	int n = number("n"), in = number("in"), out = number("out");
	float *x = get("x"), *weights = get("weights"), *bias = get("bias"), *dy = get("dy");
	float *y = floats((size_t)n * out), *dx = floats((size_t)n * in);
	float *dweights = floats((size_t)in * out), *dbias = floats((size_t)out);

	must(b->ops->linear_forward(b, n, in, out, x, weights, bias, y), "linear_forward");
	must(b->ops->linear_backward(b, n, in, out, x, weights, dy, dx, dweights, dbias),
	     "linear_backward");
	put("y", y, (size_t)n * out);
	put("dx", dx, (size_t)n * in);
	put("dweights", dweights, (size_t)in * out);
	put("dbias", dbias, (size_t)out);
}

static void loss(void)
{
	const struct loss_shape s = { number("n"), number("classes"), (float)real("smoothing"),
	                              (float)real("scale") };
	size_t n = (size_t)s.n, all = n * s.classes;
	float *losses = floats(n), *dlogits = floats(all);
	int32_t *hit = device(n * sizeof(*hit));

	must(b->ops->loss(b, &s, get("logits"), get("labels"), get("weights"), losses, hit, dlogits),
	     "loss");
	put("loss", losses, n);
	put("hit", hit, n);
	put("dlogits", dlogits, all);
}

static void frames(void)
{
	const struct frames_shape s = { number("n"), number("t"), number("h"), number("w"),
	                                number("crop_h"), number("crop_w") };
	size_t n = (size_t)s.n * s.t * 3 * s.crop_h * s.crop_w;
	void *y = activations(n);

	must(b->ops->frames_in(b, &s, get("frames"), get("crops"), y), "frames_in");
	put_activations("y", y, n);
}

static void mfcc(void)
{
	int rows = number("rows"), m = number("m");
	void *y = activations((size_t)rows * m);

	must(b->ops->mfcc_in(b, rows, m, get("x"), y), "mfcc_in");
	put_activations("y", y, (size_t)rows * m);
}

static void sgd(void)
{
	const struct sgd_step s = { (float)real("lr"), (float)real("momentum"),
	                            (float)real("weight_decay") };
	size_t n = (size_t)number("n");
	float *w = get("w"), *g = get("g"), *v = floats(n);

	for (int i = 0; i < number("steps"); i++)
		must(b->ops->sgd(b, &s, n, g, w, v), "sgd");
	put("w", w, n);
}

static void adamw(void)
{
	size_t n = (size_t)number("n");
	float *w = get("w"), *g = get("g"), *m = floats(n), *v = floats(n);
	float power1 = 1, power2 = 1;

	for (int i = 0; i < number("steps"); i++) {
		struct adamw_step s = { (float)real("lr"), 0.9f, 0.999f, 1e-8f,
		                        (float)real("weight_decay"), 0, 0 };

		power1 *= 0.9f;
		power2 *= 0.999f;
		s.correction1 = 1 - power1;
		s.correction2 = 1 - power2;
		must(b->ops->adamw(b, &s, n, g, w, m, v), "adamw");
	}
	put("w", w, n);
}

static const struct {
	const char *name;
	void (*run)(void);
} layers[] = {
	{ "conv", conv }, { "norm", norm }, { "relu", relu }, { "mean", mean }, { "linear", linear },
	{ "loss", loss }, { "frames", frames }, { "mfcc", mfcc }, { "sgd", sgd }, { "adamw", adamw },
};

static void open_backend(const char *name)
{
	const char *end = strchr(name, '-');
	size_t len = end ? (size_t)(end - name) : strlen(name);
	enum precision precision = !end ? PRECISION_FLOAT32 :
		strcmp(end, "-bf16") == 0 ? PRECISION_BF16 : PRECISION_FP16;

	if (end && precision == PRECISION_FP16 && strcmp(end, "-fp16") != 0)
		die("no such precision", name);
#ifdef HAVE_CUDA
	if (len == strlen("cuda") && strncmp(name, "cuda", len) == 0) {
		must(cuda_new(&(struct cuda_options){ .deterministic = true,
		                                      .activations = precision }, &b), name);
		return;
	}
#endif
	if (len == strlen("reference") && strncmp(name, "reference", len) == 0)
		must(reference_new(&b), name);
	else if (len == strlen("cpu") && strncmp(name, "cpu", len) == 0)
		must(cpu_new(2, &b), name);
	else
		die("no such backend", name);
	if (precision != PRECISION_FLOAT32)
		must(narrow_new(b, precision, &b), name);
}

/* What the backend says of itself. */
static int describe(void)
{
	struct buf text;

	buf_init(&text, 1 << 16);
	b->ops->describe(b, &text);
	printf("%s", text.data ? text.data : "");
	buf_done(&text);
	backend_free(b);
	return 0;
}

int main(int argc, char *argv[])
{
	if (argc == 3 && strcmp(argv[2], "describe") == 0) {
		open_backend(argv[1]);
		return describe();
	}
	if (argc < 4)
		die("BACKEND LAYER FOLDER [NAME=NUMBER]...", "usage");
	open_backend(argv[1]);
	folder = argv[3];
	numbers = argv + 4;
	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++) {
		if (strcmp(layers[i].name, argv[2]) != 0)
			continue;
		layers[i].run();
		while (n_buffers > 0)
			b->ops->release(b, buffers[--n_buffers]);
		backend_free(b);
		return 0;
	}
	die("no such layer", argv[2]);
}
