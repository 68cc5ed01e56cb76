/* open_read.c - bench_requests.py's reader: opens files, reads the first 4 KiB of each, closes
 * them, in turn, for so many seconds, in so many threads. Prints how many a second.
 *
 *     open_read SECONDS THREADS FILE... */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static char **files;
static int n_files;
static _Atomic bool over;
static _Atomic long done;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *read_on(void *arg)
{
	char bytes[4096];
	long n = 0;

	for (int i = *(int *)arg; !atomic_load(&over); i++, n++) {
		int fd = open(files[i % n_files], O_RDONLY);

		if (fd < 0 || read(fd, bytes, sizeof(bytes)) <= 0) {
			perror(files[i % n_files]);
			exit(1);
		}
		close(fd);
	}
	atomic_fetch_add(&done, n);
	return NULL;
}

int main(int argc, char *argv[])
{
	int n = argc > 3 ? atoi(argv[2]) : 0, first[64];
	pthread_t threads[64];
	double start, end;

	if (n < 1 || n > 64)
		return 2;
	files = argv + 3;
	n_files = argc - 3;
	start = now();
	end = start + atof(argv[1]);
	for (int i = 0; i < n; i++) {
		first[i] = i * n_files / n;
		if (pthread_create(&threads[i], NULL, read_on, &first[i]))
			return 1;
	}
	while (now() < end)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	over = true;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	printf("%.0f\n", (double)done / (now() - start));
	return 0;
}
