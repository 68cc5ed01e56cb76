#include "format/npy_read.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* The dict, as numpy writes it: keys in any order, blanks where Python allows them. */
struct parser {
	const char *at, *end;
};

static void skip_blanks(struct parser *p)
{
	while (p->at < p->end && (*p->at == ' ' || *p->at == '\n' || *p->at == '\t'))
		p->at++;
}

static bool take(struct parser *p, char c)
{
	skip_blanks(p);
	if (p->at == p->end || *p->at != c)
		return false;
	p->at++;
	return true;
}

/* A quoted word of at most room - 1 bytes. */
static bool take_word(struct parser *p, char *to, size_t room)
{
	size_t n = 0;
	char quote;

	skip_blanks(p);
	if (p->at == p->end || (*p->at != '\'' && *p->at != '"'))
		return false;
	quote = *p->at++;
	while (p->at < p->end && *p->at != quote) {
		if (n + 1 == room || *p->at == '\\')
			return false;
		to[n++] = *p->at++;
	}
	to[n] = '\0';
	return take(p, quote);
}

static bool take_literal(struct parser *p, const char *word)
{
	size_t len = strlen(word);

	skip_blanks(p);
	if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
		return false;
	p->at += len;
	return true;
}

static bool take_number(struct parser *p, uint64_t *ret)
{
	uint64_t value = 0;
	unsigned digits = 0;

	skip_blanks(p);
	for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++) {
		if (++digits > 18)
			return false;
		value = value * 10 + (uint64_t)(*p->at - '0');
	}
	*ret = value;
	return digits > 0;
}

static bool take_shape(struct parser *p, struct npy_info *info)
{
	if (!take(p, '('))
		return false;
	while (!take(p, ')')) {
		if (info->ndim == NPY_READ_DIMS_MAX || !take_number(p, &info->shape[info->ndim]))
			return false;
		info->ndim++;
		if (!take(p, ',')) {
			/* "(5)" is no tuple */
			return info->ndim > 1 && take(p, ')');
		}
	}
	return true;
}

static bool take_dict(struct parser *p, struct npy_info *info)
{
	bool descr = false, order = false, shape = false;
	char key[16];

	if (!take(p, '{'))
		return false;
	while (!take(p, '}')) {
		if (!take_word(p, key, sizeof(key)) || !take(p, ':'))
			return false;
		if (strcmp(key, "descr") == 0 && !descr)
			descr = take_word(p, info->descr, sizeof(info->descr));
		else if (strcmp(key, "fortran_order") == 0 && !order)
			order = take_literal(p, "False");
		else if (strcmp(key, "shape") == 0 && !shape)
			shape = take_shape(p, info);
		else
			return false;
		if (!take(p, ',') && (p->at == p->end || *p->at != '}'))
			return false;
	}
	skip_blanks(p);
	return descr && order && shape && p->at == p->end;
}

int npy_parse(const void *head, size_t len, struct npy_info *ret, size_t *ret_need)
{
	const unsigned char *b = head;
	struct npy_info info = { 0 };
	struct parser p;
	size_t start, dict;

	*ret_need = 12;
	if (len < 12)
		return -EAGAIN;
	if (memcmp(b, "\x93NUMPY", 6) != 0 || b[6] < 1 || b[6] > 3 || b[7] != 0)
		return -EINVAL;
	start = b[6] == 1 ? 10 : 12;
	dict = b[8] | (size_t)b[9] << 8;
	if (b[6] > 1)
		dict |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
	if (dict > NPY_READ_HEAD_MAX - start)
		return -EINVAL;
	*ret_need = start + dict;
	if (len < start + dict)
		return -EAGAIN;
	p = (struct parser){ (const char *)b + start, (const char *)b + start + dict };
	info.offset = start + dict;
	if (!take_dict(&p, &info))
		return -EINVAL;
	*ret = info;
	return 0;
}
