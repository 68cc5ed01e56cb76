#include "base/keys.h"

#include "base/buf.h"

/* ---- what is accepted, in words ------------------------------------------- */

static void describe_choices(const struct key *k, struct buf *out)
{
	for (size_t i = 0; k->choices[i]; i++) {
		if (i > 0)
			buf_puts(out, k->choices[i + 1] ? ", " : " or ");
		buf_puts(out, k->choices[i]);
	}
}

static void describe_size(uint64_t bytes, struct buf *out)
{
	static const char units[] = "KMGT";
	int unit = -1;

	while (unit < 3 && bytes >= 1024 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	buf_printf(out, "%llu", (unsigned long long)bytes);
	if (unit >= 0)
		buf_putc(out, units[unit]);
}

static void describe_duration(uint64_t ms, struct buf *out)
{
	if (ms % 1000 == 0)
		buf_printf(out, "%llus", (unsigned long long)(ms / 1000));
	else
		buf_printf(out, "%llums", (unsigned long long)ms);
}

void key_describe(const struct key *k, struct buf *out)
{
	if (k->accepts) {
		buf_puts(out, k->accepts);
		return;
	}
	switch (k->kind) {
	case KEY_BOOL:
		buf_puts(out, "yes or no");
		break;
	case KEY_UINT:
	case KEY_INT:
		buf_printf(out, "a whole number from %.0f to %.0f", k->min, k->max);
		break;
	case KEY_REAL:
		buf_printf(out, "a number from %g to %g", k->min, k->max);
		break;
	case KEY_SIZE:
		buf_puts(out, "a size from ");
		describe_size((uint64_t)k->min, out);
		buf_puts(out, " to ");
		describe_size((uint64_t)k->max, out);
		buf_puts(out, ", as in 512M or 1G");
		break;
	case KEY_DURATION:
		buf_puts(out, "a time from ");
		describe_duration((uint64_t)k->min, out);
		buf_puts(out, " to ");
		describe_duration((uint64_t)k->max, out);
		buf_puts(out, ", as in 500ms, 60s or 5m");
		break;
	case KEY_CHOICE:
		describe_choices(k, out);
		break;
	case KEY_STRING:
	case KEY_LIST:
	case KEY_CUSTOM:
	case KEY_LATER:
		if (k->choices)
			describe_choices(k, out);
		else
			buf_puts(out, "something, not nothing");
		break;
	}
	if (k->word)
		buf_printf(out, ", or %s", k->word);
}

/* ---- printing --------------------------------------------------------------- */

static void print_number(const struct key *k, const void *at, struct buf *out)
{
	double number;

	switch (k->kind) {
	case KEY_REAL:
		number = *(const double *)at;
		break;
	case KEY_INT:
		number = *(const int32_t *)at;
		break;
	case KEY_UINT:
		number = *(const uint32_t *)at;
		break;
	default:
		number = (double)*(const uint64_t *)at;
		break;
	}
	if (k->word && number == k->word_value)
		buf_puts(out, k->word);
	else if (k->kind == KEY_SIZE)
		describe_size((uint64_t)number, out);
	else if (k->kind == KEY_DURATION)
		describe_duration((uint64_t)number, out);
	else
		buf_printf(out, "%.15g", number);
}

static void print_list(char *const *list, struct buf *out)
{
	for (size_t i = 0; list && list[i]; i++)
		buf_printf(out, "%s%s", i ? " " : "", list[i]);
}

static void print_key(const struct key *k, const void *obj, struct buf *out)
{
	const void *at = (const char *)obj + k->offset;

	if (k->kind == KEY_LATER || (k->kind == KEY_STRING && !*(char *const *)at))
		return;
	buf_printf(out, "%s = ", k->name);
	switch (k->kind) {
	case KEY_STRING:
		buf_puts(out, k->secret ? "(set)" : *(char *const *)at);
		break;
	case KEY_LIST:
		print_list(*(char **const *)at, out);
		break;
	case KEY_BOOL:
		buf_puts(out, *(const bool *)at ? "yes" : "no");
		break;
	case KEY_CHOICE:
		buf_puts(out, k->choices[*(const uint32_t *)at]);
		break;
	case KEY_CUSTOM:
		k->print(obj, out);
		break;
	default:
		print_number(k, at, out);
		break;
	}
	buf_putc(out, '\n');
}

void keys_print(const struct keys *keys, unsigned where, const void *obj, struct buf *out)
{
	for (size_t i = 0; i < keys->n; i++) {
		if (keys->key[i].where & where)
			print_key(&keys->key[i], obj, out);
	}
}
