/* The loss scale: what it does to gradients, and how it changes. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "backend/reference.h"
#include "model/model.h"
#include "model/optimizer.h"
#include "model/scaler.h"
#include "util/why.h"

struct world {
	struct backend *b;
	struct model *m;
	struct scaler *s;
};

static void set_up(struct world *w, const struct scaler_config *config)
{
	const struct model_config model = { .audio = true, .n_mfcc = 2, .columns = 4, .audio_width = 4,
	                                    .audio_depth = 1, .classes = 2, .batch = 1 };
	struct why why;

	assert_int_equal(reference_new(&w->b), 0);
	assert_int_equal(model_new(w->b, &model, 0, &w->m, &why), 0);
	assert_int_equal(scaler_new(w->b, w->m, config, &w->s), 0);
}

static void tear_down(struct world *w)
{
	scaler_free(w->s);
	model_free(w->m);
	backend_free(w->b);
}

/* All gradients are this, but for one in the middle; and so they are afterwards. */
static int unscale(struct world *w, float value, float middle, bool *ret_finite, float *ret_value)
{
	size_t n;
	float *grads = model_grads(w->m, &n), *host = malloc(n * sizeof(*host));
	int err;

	assert_non_null(host);
	for (size_t i = 0; i < n; i++)
		host[i] = i == n / 2 ? middle : value;
	assert_int_equal(w->b->ops->upload(w->b, grads, host, n * sizeof(*host)), 0);
	err = scaler_unscale(w->s, ret_finite);
	assert_int_equal(w->b->ops->download(w->b, host, grads, n * sizeof(*host)), 0);
	for (size_t i = 0; i < n; i++)
		assert_true(i == n / 2 || host[i] == host[0]);
	if (isfinite(middle))
		assert_true(host[n / 2] * value == host[0] * middle);
	*ret_value = host[0];
	free(host);
	return err;
}

static void must_be(struct world *w, double scale)
{
	assert_true((double)scaler_scale(w->s) == scale);
}

static void gradients_are_divided_by_it(void **state)
{
	const struct scaler_config config = { .used = true, .scale = 256 };
	struct world w;
	bool finite;
	float value;

	(void)state;
	set_up(&w, &config);
	assert_int_equal(unscale(&w, 4, 8, &finite, &value), 0);
	assert_true(finite && value == 4.0f / 256);
	must_be(&w, 256);
	tear_down(&w);
}

static void one_that_is_not_used_touches_nothing(void **state)
{
	const struct scaler_config config = { 0 };
	struct world w;
	bool finite;
	float value;

	(void)state;
	set_up(&w, &config);
	must_be(&w, 1);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(unscale(&w, 3, NAN, &finite, &value), 0);
		assert_true(finite && value == 3);
	}
	assert_true(scaler_state(w.s).scale == 0);
	tear_down(&w);
}

static void it_halves_after_an_overflow_and_doubles_after_2000_steps_without(void **state)
{
	const struct scaler_config config = { .used = true, .dynamic = true };
	struct world w;
	bool finite;
	float value;

	(void)state;
	set_up(&w, &config);
	must_be(&w, 65536);
	assert_int_equal(unscale(&w, 1, INFINITY, &finite, &value), 0);
	assert_false(finite);
	must_be(&w, 32768);
	for (int i = 0; i < 1999; i++)
		assert_int_equal(unscale(&w, 1, 1, &finite, &value), 0);
	must_be(&w, 32768);
	assert_int_equal(unscale(&w, 1, 1, &finite, &value), 0);
	must_be(&w, 65536);
	/* Counted anew after each. */
	for (int i = 0; i < 1999; i++)
		assert_int_equal(unscale(&w, 1, 1, &finite, &value), 0);
	assert_int_equal(unscale(&w, 1, -NAN, &finite, &value), 0);
	for (int i = 0; i < 1999; i++)
		assert_int_equal(unscale(&w, 1, 1, &finite, &value), 0);
	must_be(&w, 32768);
	tear_down(&w);
}

static void overflows_without_end_are_an_error(void **state)
{
	const struct scaler_config config = { .used = true, .dynamic = true };
	struct world w;
	bool finite;
	float value;

	(void)state;
	set_up(&w, &config);
	for (int i = 0; i < 63; i++)
		assert_int_equal(unscale(&w, 1, INFINITY, &finite, &value), 0);
	must_be(&w, 1);
	assert_int_equal(unscale(&w, 1, INFINITY, &finite, &value), -ERANGE);
	tear_down(&w);
}

static void it_goes_on_where_it_was(void **state)
{
	struct scaler_config config = { .used = true, .dynamic = true };
	const struct scaler_state before = { 1024, 1998 }, none = { 0 };
	struct world w;
	bool finite;
	float value;

	(void)state;
	set_up(&w, &config);
	scaler_restore(w.s, &none); /* of a run without */
	must_be(&w, 65536);
	scaler_restore(w.s, &before);
	must_be(&w, 1024);
	for (int i = 0; i < 2; i++)
		assert_int_equal(unscale(&w, 1, 1, &finite, &value), 0);
	must_be(&w, 2048);
	tear_down(&w);
	config = (struct scaler_config){ .used = true, .scale = 8 };
	set_up(&w, &config);
	scaler_restore(w.s, &before); /* asked for another */
	must_be(&w, 8);
	tear_down(&w);
}

/* The values after one AdamW step with gradients of 1. */
static float *step(uint64_t at, uint64_t changes)
{
	const struct optimizer_config config = { .kind = OPTIMIZER_ADAMW, .lr = 0.01, .steps = 100,
	                                         .schedule = SCHEDULE_CONSTANT };
	const struct scaler_config unused = { 0 };
	struct optimizer *o;
	struct world w;
	size_t n, n_params;
	float *grads, *host;

	set_up(&w, &unused);
	grads = model_grads(w.m, &n);
	host = malloc(n * sizeof(*host));
	assert_non_null(host);
	for (size_t i = 0; i < n; i++)
		host[i] = 1;
	assert_int_equal(w.b->ops->upload(w.b, grads, host, n * sizeof(*host)), 0);
	assert_int_equal(optimizer_new(w.b, w.m, &config, &o), 0);
	assert_int_equal(optimizer_step(o, at, changes), 0);
	assert_int_equal(w.b->ops->download(w.b, host, model_params(w.m, &n_params)[0].value,
	                                    n * sizeof(*host)), 0);
	optimizer_free(o);
	tear_down(&w);
	return host;
}

static void steps_left_out_do_not_count_for_adamw(void **state)
{
	float *first = step(0, 0), *after_seven = step(7, 0), *eighth = step(7, 7);

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_true(first[i] == after_seven[i]);
		assert_true(first[i] != eighth[i]);
	}
	free(first);
	free(after_seven);
	free(eighth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gradients_are_divided_by_it),
		cmocka_unit_test(one_that_is_not_used_touches_nothing),
		cmocka_unit_test(it_halves_after_an_overflow_and_doubles_after_2000_steps_without),
		cmocka_unit_test(overflows_without_end_are_an_error),
		cmocka_unit_test(it_goes_on_where_it_was),
		cmocka_unit_test(steps_left_out_do_not_count_for_adamw),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
