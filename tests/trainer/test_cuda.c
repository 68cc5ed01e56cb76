/* The GPU's backend against the reference, on a GPU; exits 77 where there is none. Says which
 * algorithms cuDNN was asked for. */
#include <errno.h>
#include <stdio.h>

#include "backend/backend.h"
#include "backend/cuda.h"
#include "backend_cases.h"
#include "base/buf.h"
#include "base/log.h"
#include "util/why.h"

enum { SKIPPED = 77 };

static int compare(const char *name, const struct cuda_options *options)
{
	struct backend_cases cases = { .repeats = options->deterministic };
	int err = cuda_new(options, &cases.tested), failed;
	struct why why;
	struct buf text;

	if (err) {
		cuda_why(options, err, &why);
		fprintf(stderr, "%s: %s%s\n", name, err == -ENOTSUP ? "not on this card: " : "", why.text);
		return err == -ENOTSUP ? 0 : 1;
	}
	buf_init(&text, 1 << 16);
	cases.tested->ops->describe(cases.tested, &text);
	fprintf(stderr, "%s", text.data ? text.data : "");
	buf_done(&text);
	failed = backend_cases_run(name, &cases);
	backend_free(cases.tested);
	return failed;
}

int main(void)
{
	int failed;

	if (cuda_devices() == 0) {
		printf("skipped: there is no CUDA device\n");
		return SKIPPED;
	}
	log_set_level(LOG_LEVEL_DEBUG);
	failed = compare("cuda, deterministic", &(struct cuda_options){ .deterministic = true });
	failed += compare("cuda, fastest", &(struct cuda_options){ .deterministic = false });
	failed += compare("cuda, bf16", &(struct cuda_options){ .deterministic = true,
	                                                        .activations = PRECISION_BF16 });
	failed += compare("cuda, fp16", &(struct cuda_options){ .activations = PRECISION_FP16 });
	return failed;
}
