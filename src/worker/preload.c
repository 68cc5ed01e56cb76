#include "worker/preload.h"

#include <iconv.h>
#include <stddef.h>
#include <unistd.h>

/* The names of an MPEG-TS are in one of these (mpegts.c, getstr8). gconv loads a module for each,
 * and drops it when nobody has it open. */
static void load_character_sets(void)
{
	static const char *const sets[] = { "ISO6937", "ISO-8859-1", "ISO-8859-5", "ISO-8859-9", "UCS-2BE" };
	/* Held until the process ends, where a search for leaks finds them. */
	static iconv_t volatile open_sets[sizeof(sets) / sizeof(sets[0])] __attribute__((unused));

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++)
		open_sets[i] = iconv_open("UTF-8", sets[i]);
}

void preload(void)
{
	load_character_sets();
	/* glibc reads /sys once to count processors, for malloc's arenas and qsort. */
	(void)sysconf(_SC_NPROCESSORS_ONLN);
	(void)sysconf(_SC_NPROCESSORS_CONF);
}
