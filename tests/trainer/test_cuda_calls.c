/* How the GPU's backend calls CUDA, cuDNN and cuBLAS, where these are fake_cuda.h and its
 * kernels run on the CPU: results in every order of streams, and what is left of failures. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "backend/cuda.h"
#include "backend/cuda_priv.h"
#include "base/buf.h"
#include "util/why.h"
#include "backend_cases.h"
#include "cuda_on_cpu_control.h"
#include "fake_cuda.h"

static void no_such_device_is_said(void **state)
{
	struct cuda_options options = { .device = 1 };
	struct backend *b;

	(void)state;
	assert_int_equal(cuda_devices(), 1);
	assert_int_equal(cuda_new(&options, &b), -ENODEV);
	options.device = -1;
	assert_int_equal(cuda_new(&options, &b), -ENODEV);
	fake_cuda_devices(0);
	options.device = 0;
	assert_int_equal(cuda_devices(), 0);
	assert_int_equal(cuda_new(&options, &b), -ENODEV);
	fake_cuda_devices(1);
	assert_int_equal(fake_cuda_live(), 0);
}

/* The sentence for cuda_new's failure. */
static const char *told(const struct cuda_options *options, int err)
{
	static struct why why;
	struct backend *b;

	assert_int_equal(cuda_new(options, &b), err);
	assert_int_equal(cuda_why(options, err, &why), err);
	assert_int_equal(fake_cuda_live(), 0);
	return why.text;
}

static void each_cause_that_a_person_can_mend_has_its_sentence(void **state)
{
	struct cuda_options options = { 0 };
	struct why why;

	(void)state;
	fake_cuda_driver(0);
	assert_int_equal(cuda_devices(), 0);
	assert_int_equal(cuda_why_no_devices(&why), -ENOSYS);
	assert_non_null(strstr(why.text, "there is no NVIDIA driver"));
	fake_cuda_driver(12020);
	assert_int_equal(cuda_devices(), 0);
	assert_int_equal(cuda_why_no_devices(&why), -ENOSYS);
	assert_non_null(strstr(why.text, "driver is for CUDA 12.2, and this program was built with 13.0"));
	fake_cuda_driver(13000);
	fake_cuda_devices(0);
	assert_int_equal(cuda_why_no_devices(&why), -ENODEV);
	assert_non_null(strstr(why.text, "no GPU that it shows"));
	fake_cuda_devices(1);
	fake_cuda_code(false);
	assert_non_null(strstr(told(&options, -ENOEXEC),
	                       "no code for Fake GPU (compute capability 9.0)"));
	fake_cuda_code(true);
	fake_cuda_capability(7);
	options.reduced_precision = true;
	assert_non_null(strstr(told(&options, -ENOTSUP), "precision = tf32: this GPU is too old"));
	fake_cuda_capability(9);
}

/* Whatever fails, its library and its text are told; memory that is short, as that. */
static void a_failure_is_told_in_the_librarys_words(void **state)
{
	const struct cuda_options options = { 0 };
	bool cuda = false, cudnn = false, cublas = false, memory = false;
	struct backend *b;
	struct why why;
	int err = -1;

	(void)state;
	for (unsigned call = 1; err != 0; call++) {
		fake_cuda_fail(call);
		err = cuda_new(&options, &b);
		if (!err)
			continue;
		cuda_why(&options, err, &why);
		cuda = cuda || strstr(why.text, "CUDA: ");
		cudnn = cudnn || strstr(why.text, "cuDNN: ");
		cublas = cublas || strstr(why.text, "cuBLAS: ");
		memory = memory || strstr(why.text, "no memory left: 100 of 16384 MiB are free (C");
		if (err == -EIO)
			assert_null(strstr(why.text, strerror(EIO)));
	}
	backend_free(b);
	fake_cuda_fail(0);
	assert_true(cuda && cudnn && cublas && memory);
}

/* Of samples nobody wants the gradient. */
static void no_way_back_to_samples_is_chosen_or_paid_for(void **state)
{
	const struct cuda_options options = { .deterministic = true };
	struct conv_shape shape = { .n = 1, .c = 1, .h = 2, .w = 2, .k = 1, .r = 1, .s = 1, .stride_h = 1,
	                            .stride_w = 1 };
	unsigned calls[2];
	struct backend *b;

	(void)state;
	assert_int_equal(cuda_new(&options, &b), 0);
	for (int i = 0; i < 2; i++) {
		struct conv *conv;
		float *x;
		void *buffer;

		shape.no_dx = i == 1;
		fake_cuda_fail(0);
		assert_int_equal(b->ops->conv_new(b, &shape, &conv), 0);
		calls[i] = fake_cuda_calls();
		assert_int_equal(b->ops->alloc(b, 64 * sizeof(*x), &buffer), 0);
		x = buffer;
		assert_int_equal(b->ops->conv_forward(b, conv, x, x + 16, x + 32), 0);
		assert_int_equal(b->ops->conv_backward_filters(b, conv, x, x + 32, x + 16), 0);
		assert_int_equal(b->ops->conv_backward_data(b, conv, x + 32, x + 16, x), i ? -EINVAL : 0);
		b->ops->conv_free(b, conv);
		b->ops->release(b, buffer);
	}
	assert_true(calls[1] + 3 <= calls[0]);
	backend_free(b);
	assert_int_equal(fake_cuda_live(), 0);
}

static void describe_names_what_a_result_depends_on(void **state)
{
	const struct cuda_options options = { .deterministic = true };
	struct backend *b;
	struct buf out;

	(void)state;
	buf_init(&out, 1 << 16);
	assert_int_equal(cuda_new(&options, &b), 0);
	b->ops->describe(b, &out);
	assert_int_equal(buf_error(&out), 0);
	assert_non_null(strstr(out.data, "device = cuda\ngpu = Fake GPU, compute capability 9.0, "
	                                 "132 multiprocessors\ncuda = 13.0\ncudnn = 9."));
	assert_non_null(strstr(out.data, "deterministic = yes\nprecision = float32\n"));
	buf_done(&out);
	backend_free(b);
}

enum { N = 4 };

/* One of everything that asks CUDA for something. */
static int some_work(const struct cuda_options *options)
{
	const struct conv_shape shape = { 1, 1, 2, 2, 1, 1, 1, 1, 1, 0, 0, false };
	const struct norm_shape norm = { 1, 1, N, 1, 1e-5f };
	const float host[N] = { 1, 2, 3, 4 };
	float back[N];
	struct backend *b;
	void *buffer = NULL, *pinned = NULL;
	float *at;
	struct conv *conv = NULL;
	int err = cuda_new(options, &b);

	if (err)
		return err;
	err = b->ops->alloc(b, 16 * N * sizeof(float), &buffer);
	at = buffer;
	if (!err)
		err = b->ops->upload(b, buffer, host, sizeof(host));
	if (!err)
		err = b->ops->host_alloc(b, 2 * sizeof(host), &pinned);
	if (!err)
		err = b->ops->upload(b, at + 8 * N, pinned, 2 * sizeof(host));
	if (!err)
		err = b->ops->conv_new(b, &shape, &conv);
	if (!err)
		err = b->ops->conv_forward(b, conv, at, at + N, at + 2 * N);
	if (!err)
		err = b->ops->conv_backward_data(b, conv, at, at + N, at + 2 * N);
	if (!err)
		err = b->ops->conv_backward_filters(b, conv, at, at + N, at + 2 * N + 1);
	if (!err)
		err = b->ops->norm_backward(b, &norm, at, at + N, at + 2 * N, at + 3 * N, at + 4 * N,
		                            at + 5 * N, at + 6 * N, at + 7 * N);
	if (!err)
		err = b->ops->linear_forward(b, 1, 2, 1, at, at + N, at + 2 * N, at + 3 * N);
	if (!err)
		err = b->ops->linear_backward(b, 1, 2, 1, at, at + N, at + 2 * N, at + 3 * N, at + 4 * N,
		                              at + 5 * N);
	if (!err)
		err = b->ops->zero(b, at + N, sizeof(float));
	if (!err)
		err = b->ops->download(b, back, buffer, sizeof(back));
	if (!err)
		assert_memory_equal(host, back, sizeof(host));
	b->ops->conv_free(b, conv);
	b->ops->host_free(b, pinned);
	b->ops->release(b, buffer);
	backend_free(b);
	return err;
}

/* Without end of calls that fail: those of the way down don't make the work fail. */
static void fail_each_call(struct cuda_options options)
{
	unsigned calls, returned = 0;

	fake_cuda_fail(0);
	assert_int_equal(some_work(&options), 0);
	calls = fake_cuda_calls();
	assert_true(calls > 60);
	for (unsigned call = 1; call <= calls; call++) {
		int err;

		fake_cuda_fail(call);
		err = some_work(&options);
		assert_true(err == 0 || err == -ENOMEM || err == -EIO || err == -ENODEV);
		returned += err != 0;
		if (fake_cuda_live() != 0)
			fail_msg("call %u of %u failed (%d), %d objects are left", call, calls, err,
			         fake_cuda_live());
	}
	/* Only the ends of some_work, and one check of an event, may fail unnoticed. */
	assert_true(returned + 12 >= calls);
	fake_cuda_fail(0);
	assert_int_equal(some_work(&options), 0);
}

static void every_failure_is_returned_and_leaves_nothing(void **state)
{
	(void)state;
	fail_each_call((struct cuda_options){ .deterministic = true });
	fail_each_call((struct cuda_options){ .activations = PRECISION_BF16 });
}

enum { BIG = (9 << 20) + 5 }; /* bytes: some pieces */

/* Uploads from pinned memory, and changes it at once, or after a download of something else. */
static unsigned changed_too_early(unsigned seed, bool waits)
{
	const struct cuda_options options = { 0 };
	unsigned before = fake_cuda_changed();
	struct backend *b;
	void *buffer, *host;
	uint8_t byte;

	fake_cuda_seed(seed);
	assert_int_equal(cuda_new(&options, &b), 0);
	assert_int_equal(b->ops->alloc(b, BIG, &buffer), 0);
	assert_int_equal(b->ops->host_alloc(b, BIG, &host), 0);
	assert_int_equal(b->ops->upload(b, buffer, host, BIG), 0);
	if (waits)
		assert_int_equal(b->ops->download(b, &byte, buffer, 1), 0);
	memset(host, 1, BIG);
	/* What is on its way then is let through first. */
	b->ops->host_free(b, host);
	b->ops->release(b, buffer);
	backend_free(b);
	assert_int_equal(fake_cuda_live(), 0);
	return fake_cuda_changed() - before;
}

static void pinned_memory_is_read_until_the_next_download(void **state)
{
	unsigned early = 0;

	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		assert_int_equal(changed_too_early(seed, true), 0);
		early += changed_too_early(seed, false);
	}
	/* A test that would see it. */
	assert_true(early > 0);
}

/* Memory that only begins in pinned memory goes the way of all other. */
static void only_what_is_pinned_as_a_whole_is_read_directly(void **state)
{
	const struct cuda_options options = { 0 };
	struct cuda *cuda;
	struct backend *b;
	void *host[2];
	uint8_t *at;

	(void)state;
	assert_int_equal(cuda_new(&options, &b), 0);
	cuda = cuda_of(b);
	for (int i = 0; i < 2; i++)
		assert_int_equal(b->ops->host_alloc(b, 100, &host[i]), 0);
	for (int i = 0; i < 2; i++) {
		at = host[i];
		assert_true(cuda_is_pinned(cuda, at, 100));
		assert_true(cuda_is_pinned(cuda, at + 99, 1));
		assert_false(cuda_is_pinned(cuda, at, 101));
		assert_false(cuda_is_pinned(cuda, at + 50, 51));
		assert_false(cuda_is_pinned(cuda, at - 1, 2));
		assert_false(cuda_is_pinned(cuda, at + 100, 0));
	}
	b->ops->host_free(b, host[0]);
	assert_false(cuda_is_pinned(cuda, host[0], 1));
	assert_true(cuda_is_pinned(cuda, host[1], 1));
	b->ops->host_free(b, host[1]);
	backend_free(b);
}

static void products_are_rounded_only_if_that_was_asked_for(void **state)
{
	struct cuda_options options = { .deterministic = true };
	unsigned before = fake_cuda_tf32();

	(void)state;
	assert_int_equal(some_work(&options), 0);
	assert_int_equal(fake_cuda_tf32(), before);
	options.reduced_precision = true;
	assert_int_equal(some_work(&options), 0);
	assert_int_equal(fake_cuda_tf32(), before + 6); /* 3 convolutions, 3 matrix products */
}

static void bf16_and_tf32_need_a_gpu_that_has_them(void **state)
{
	struct cuda_options options = { .activations = PRECISION_BF16 };
	struct backend *b;

	(void)state;
	fake_cuda_capability(7);
	assert_int_equal(cuda_new(&options, &b), -ENOTSUP);
	options = (struct cuda_options){ .reduced_precision = true };
	assert_int_equal(cuda_new(&options, &b), -ENOTSUP);
	assert_int_equal(fake_cuda_live(), 0);
	options = (struct cuda_options){ .activations = PRECISION_FP16 };
	assert_int_equal(some_work(&options), 0);
	fake_cuda_capability(9);
}

/* All functions against the reference, in this order of the streams. */
static int compare(const char *name, bool deterministic, enum precision precision, unsigned seed)
{
	const struct cuda_options options = { .deterministic = deterministic,
	                                      .activations = precision };
	struct backend_cases cases = { .repeats = deterministic, .second_run = cuda_on_cpu_backwards };
	unsigned changed;
	int failed;

	fake_cuda_seed(seed);
	changed = fake_cuda_changed();
	if (cuda_new(&options, &cases.tested))
		return 1;
	failed = backend_cases_run(name, &cases);
	backend_free(cases.tested);
	return failed + (fake_cuda_live() != 0) + (fake_cuda_changed() != changed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_such_device_is_said),
		cmocka_unit_test(each_cause_that_a_person_can_mend_has_its_sentence),
		cmocka_unit_test(a_failure_is_told_in_the_librarys_words),
		cmocka_unit_test(no_way_back_to_samples_is_chosen_or_paid_for),
		cmocka_unit_test(describe_names_what_a_result_depends_on),
		cmocka_unit_test(every_failure_is_returned_and_leaves_nothing),
		cmocka_unit_test(pinned_memory_is_read_until_the_next_download),
		cmocka_unit_test(only_what_is_pinned_as_a_whole_is_read_directly),
		cmocka_unit_test(products_are_rounded_only_if_that_was_asked_for),
		cmocka_unit_test(bf16_and_tf32_need_a_gpu_that_has_them),
	};
	int failed = cmocka_run_group_tests_name("calls", tests, NULL, NULL);

	failed += compare("deterministic", true, PRECISION_FLOAT32, 1);
	failed += compare("fastest", false, PRECISION_FLOAT32, 2);
	failed += compare("bf16", true, PRECISION_BF16, 3);
	failed += compare("fp16", false, PRECISION_FP16, 4);
	return failed;
}
