/* bf16 and fp16: the conversions by their definition, and the CPU's backend in both, against the
 * reference. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/cpu.h"
#include "backend/half.h"
#include "backend/narrow.h"
#include "backend_cases.h"

struct format {
	uint16_t (*from)(float x);
	float (*to)(uint16_t x);
	int fraction, bias;     /* bits; of the exponent */
};

static const struct format formats[] = {
	{ bf16_from_float, bf16_to_float, 7, 127 },
	{ fp16_from_float, fp16_to_float, 10, 15 },
};

#define FORMATS (sizeof(formats) / sizeof(formats[0]))

/* What the bits say: sign, exponent, fraction. */
static double meaning(const struct format *f, uint16_t bits)
{
	int exponent = (bits & 0x7fff) >> f->fraction, fraction = bits & ((1 << f->fraction) - 1);
	double size = exponent == 0 ? ldexp(fraction, 1 - f->bias - f->fraction) :
		ldexp(fraction + (1 << f->fraction), exponent - f->bias - f->fraction);

	return bits & 0x8000 ? -size : size;
}

static uint16_t infinity_of(const struct format *f)
{
	return (uint16_t)(0x7fff >> f->fraction << f->fraction);
}

static void every_value_is_what_its_bits_say_and_comes_back(void **state)
{
	(void)state;
	for (const struct format *f = formats; f < formats + FORMATS; f++) {
		uint16_t infinite = infinity_of(f);

		for (uint32_t bits = 0; bits <= 0xffff; bits++) {
			uint16_t half = (uint16_t)bits, size = half & 0x7fff;
			float x = f->to(half);

			if (size > infinite) {
				assert_true(isnan(x));
				assert_int_equal(f->from(x), 0x7fff);
				continue;
			}
			if (size == infinite)
				assert_true(isinf(x));
			else
				assert_true((double)x == meaning(f, half));
			assert_int_equal(!!signbit(x), half >> 15);
			assert_int_equal(f->from(x), half);
		}
	}
}

/* Between each value and the next one: what lies exactly in the middle goes to the even one. */
static void what_lies_between_goes_to_the_nearest(void **state)
{
	(void)state;
	for (const struct format *f = formats; f < formats + FORMATS; f++) {
		for (uint16_t low = 0; low < infinity_of(f); low++) {
			double middle = (meaning(f, low) + meaning(f, (uint16_t)(low + 1))) / 2;
			uint16_t high = (uint16_t)(low + 1), even = low % 2 ? high : low;
			float x = (float)middle;

			assert_true((double)x == middle);
			for (int sign = 0; sign < 2; sign++, x = -x) {
				uint16_t s = (uint16_t)(sign << 15);

				assert_int_equal(f->from(x), even | s);
				assert_int_equal(f->from(nextafterf(x, 0)), low | s);
				assert_int_equal(f->from(nextafterf(x, x < 0 ? -FLT_MAX : FLT_MAX)), high | s);
			}
		}
		assert_int_equal(f->from(FLT_MAX), infinity_of(f));
		assert_int_equal(f->from(-INFINITY), infinity_of(f) | 0x8000);
		assert_int_equal(f->from(NAN), 0x7fff);
	}
}

static int compare(const char *name, enum precision precision)
{
	struct backend *b;
	int failed;

	if (cpu_new(2, &b) || narrow_new(b, precision, &b))
		return 1;
	failed = backend_cases_run(name, &(struct backend_cases){ .tested = b, .repeats = true });
	backend_free(b);
	return failed;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_is_what_its_bits_say_and_comes_back),
		cmocka_unit_test(what_lies_between_goes_to_the_nearest),
	};
	int failed = cmocka_run_group_tests_name("16 bits", tests, NULL, NULL);

	return failed + compare("cpu, bf16", PRECISION_BF16) + compare("cpu, fp16", PRECISION_FP16);
}
