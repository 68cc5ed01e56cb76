#include "arrays.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/philox.h"

float *zero_array(size_t n)
{
	float *x = calloc(n + 1, sizeof(*x));

	assert_non_null(x);
	return x;
}

float *random_array(size_t n, unsigned name)
{
	float *x = zero_array(n);

	for (size_t i = 0; i < n; i++) {
		uint32_t bits[4];

		philox_draw(name, PHILOX_WEIGHTS, 0, i, bits);
		x[i] = 2 * philox_unit(bits[0]) - 1;
	}
	return x;
}

void assert_close(const float *a, const float *b, size_t n, double tolerance, const char *what)
{
	double largest = 1e-6;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs((double)b[i]));
	for (size_t i = 0; i < n; i++) {
		if (!(fabs((double)a[i] - b[i]) <= tolerance * largest))
			fail_msg("%s: value %zu is %.9g, not %.9g (of at most %.3g)", what, i, a[i], b[i],
			         largest);
	}
}
