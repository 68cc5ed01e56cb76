#include "checkpoint/safetensors.h"

#include <stdbool.h>
#include <string.h>

#include "checkpoint/safetensors_priv.h"

static const char *const type_names[] = { [TENSOR_F32] = "F32", [TENSOR_I64] = "I64" };
static const size_t type_sizes[] = { [TENSOR_F32] = 4, [TENSOR_I64] = 8 };

const char *tensor_type_name(enum tensor_type type)
{
	return type_names[type];
}

bool tensor_type_parse(const char *name, enum tensor_type *ret)
{
	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*ret = (enum tensor_type)i;
			return true;
		}
	}
	return false;
}

size_t tensor_bytes(const struct tensor *t)
{
	size_t n = type_sizes[t->type];

	for (int i = 0; i < t->ndim; i++)
		n *= (size_t)t->shape[i];
	return n;
}
