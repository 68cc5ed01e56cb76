#include "worker/dct.h"

#include <math.h>
#include <string.h>

void dct_fill(double *ret, size_t n_in, size_t n_out)
{
	for (size_t i = 0; i < n_in; i++) {
		ret[i * n_out] = sqrt(1.0 / n_in);
		for (size_t k = 1; k < n_out; k++)
			ret[i * n_out + k] = sqrt(2.0 / n_in) * cos(M_PI / n_in * (i + 0.5) * k);
	}
}

void dct_lift(double *dct, size_t n_in, size_t n_out, double lifter)
{
	for (size_t k = 0; k < n_out; k++) {
		double factor = 1 + lifter / 2 * sin(M_PI * (k + 1) / lifter);

		for (size_t i = 0; i < n_in; i++)
			dct[i * n_out + k] *= factor;
	}
}

void dct_apply(const double *dct, size_t n_in, size_t n_out, const float *v, float least,
               double *ret)
{
	memset(ret, 0, n_out * sizeof(*ret));
	for (size_t i = 0; i < n_in; i++) {
		const double *row = dct + i * n_out;
		double x = v[i] > least ? v[i] : least;

		/* coefficients side by side: sums that the compiler may vectorise */
		for (size_t k = 0; k < n_out; k++)
			ret[k] += x * row[k];
	}
}
